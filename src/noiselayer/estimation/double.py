"""Where the arithmetic of an estimate happens: in double precision, on a device that has it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["like", "to_double", "where_double"]


def to_double(values: Tensor) -> Tensor:
    """``values`` detached, in float64, on their own device or, where that has no float64 (MPS), on the CPU.

    >>> to_double(torch.ones(1, requires_grad=True))
    tensor([1.], dtype=torch.float64)
    """
    return where_double(values).to(torch.float64)


def where_double(values: Tensor) -> Tensor:
    """``values`` detached, in their own type, on a device that has float64.

    >>> where_double(torch.ones(1, requires_grad=True))
    tensor([1.])
    """
    return values.detach().cpu() if values.device.type == "mps" else values.detach()


def like(values: Tensor, reference: Tensor) -> Tensor:
    """``values`` on the device and in the floating type of ``reference``, float32 at least.

    >>> like(torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.float16)).dtype
    torch.float32
    """
    dtype = reference.dtype if reference.is_floating_point() else torch.get_default_dtype()
    return values.to(device=reference.device, dtype=torch.promote_types(dtype, torch.float32))
