"""Which precision the machine computes quickly in."""

from __future__ import annotations

import warnings
from typing import Any

import torch

__all__ = ["best_precision", "warn_if_emulated"]


def best_precision(accelerator: str = "auto") -> str:
    """The quickest precision that trains as well as 32 bits, as Lightning names it.

    Mixed bfloat16 where the device computes in it (NVIDIA from Ampere on, CPUs with AVX-512 BF16 or AMX), 32 bits
    elsewhere: a CPU without it converts at every step, which makes a convolution ten times slower and more.

    Args:
        accelerator: "auto", "cpu", "gpu", "cuda", "mps".

    >>> best_precision("cpu") in ("32-true", "bf16-mixed")
    True
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.get_device_capability() >= (8, 0) else "32-true"
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return "32-true"
    return "bf16-mixed" if _cpu_has_bfloat16() else "32-true"


def warn_if_emulated(accelerator: str, precision: Any) -> None:
    """Warn if ``precision`` is bfloat16 and the CPU would have to emulate it.

    Args:
        accelerator: As in :class:`~noiselayer.training.Hardware`.
        precision: As Lightning names it.

    >>> warn_if_emulated("cpu", "32-true")
    """
    device = torch.cuda.is_available() or torch.backends.mps.is_available()
    if not str(precision).startswith("bf16") or (device and accelerator != "cpu"):
        return
    if not _cpu_has_bfloat16():
        warnings.warn(
            f"precision {precision!r}: this CPU has no bfloat16 of its own and emulates it, which can take ten "
            "times as long as 32-true.",
            stacklevel=3,
        )


def _cpu_has_bfloat16() -> bool:
    """Torch has no public question for it; where its private ones are gone, the answer is no."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)
