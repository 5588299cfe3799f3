"""Memory that stays with the process while it trains, instead of going back to the system at every step."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from noiselayer.training.stage import Hardware

__all__ = ["keep_freed_memory", "trains_on_cpu"]

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1  # mallopt takes an int
_SETTINGS = (
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
)


def trains_on_cpu(hardware: Hardware) -> bool:
    """Whether Lightning will train on the CPU, as far as can be told before it does.

    >>> from noiselayer.training.stage import Hardware
    >>> trains_on_cpu(Hardware(accelerator="cpu")), trains_on_cpu(Hardware(accelerator="gpu"))
    (True, False)
    """
    if hardware.accelerator == "auto":
        return not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return hardware.accelerator == "cpu"


def keep_freed_memory(threshold: int = 2**30) -> bool:
    """Tell glibc's allocator to keep what is freed, for the rest of the process.

    A training step on a CPU frees and asks for the same tensors of some megabytes again and again. By default
    glibc hands blocks of that size back to the system, and the system clears every page of them before they
    can be used once more: a good part of the step of a small network. Kept, they are reused as they are. The
    process holds on to the most it ever needed at one time; results are not touched.

    Nothing is done, and False returned, on other systems, with other allocators in place of glibc's
    (``LD_PRELOAD``), and where the user has chosen in the environment (``MALLOC_..._`` or ``GLIBC_TUNABLES``).

    Args:
        threshold: Blocks of so many bytes or more still come from and go back to the system, each by itself.

    Returns:
        Whether the allocator took the setting.

    >>> isinstance(keep_freed_memory(), bool)
    True
    """
    if not 0 < threshold <= _LARGEST:
        raise ValueError(f"threshold must be a number of bytes from 1 to {_LARGEST}; got {threshold}.")
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    if any(name in os.environ for name in _SETTINGS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    # Setting the one switches off that glibc adapts the other by itself: both or none.
    return bool(mallopt(_M_MMAP_THRESHOLD, threshold)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST))
