"""Which precision the machine computes quickly in."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from noiselayer.training.machine import device_of


def best_precision(accelerator: str = "auto") -> str:
    """The quickest precision that trains as well as 32 bits, as Lightning names it.

    Mixed bfloat16 where the device computes in it (NVIDIA from Ampere on, CPUs with AVX-512 BF16 or AMX), 32 bits
    elsewhere: a CPU without it converts at every step, which makes a convolution ten times slower and more.

    Args:
        accelerator: "auto", "cpu", "gpu", "cuda", "mps".

    >>> best_precision("cpu") in ("32-true", "bf16-mixed")
    True
    """
    device = device_of(accelerator).type
    if device == "cuda":
        quick = torch.cuda.get_device_capability() >= (8, 0)
    else:
        quick = device == "cpu" and _cpu_has_bfloat16()
    return "bf16-mixed" if quick else "32-true"


def warn_if_emulated(accelerator: str, precision: Any) -> None:
    """Warn if ``precision`` is bfloat16 and the CPU would have to emulate it."""
    emulated = str(precision).startswith("bf16") and device_of(accelerator).type == "cpu"
    if emulated and not _cpu_has_bfloat16():
        warnings.warn(
            f"precision {precision!r}: this CPU has no bfloat16 of its own and emulates it, which can take ten "
            "times as long as 32-true.",
            stacklevel=3,
        )


def _cpu_has_bfloat16() -> bool:
    """Torch has no public question for it; where its private ones are gone, the answer is no."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in names)
