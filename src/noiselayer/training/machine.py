"""Is the machine that was asked for here? Asked before anything is read, written or trained."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import torch

from noiselayer.errors import InputError, argument, nearest

if TYPE_CHECKING:
    from noiselayer.training.options import Hardware

_ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
_PRECISIONS = (
    "32-true",
    "bf16-mixed",
    "16-mixed",
    "bf16-true",
    "16-true",
    "64-true",
    "64",
    "32",
    "16",
    "bf16",
)
_STRATEGIES = (
    *("auto", "ddp", "ddp_find_unused_parameters_false", "ddp_find_unused_parameters_true"),
    *("single_device", "xla", "single_xla"),
)
_GPUS = {"gpu": "GPU", "cuda": "CUDA GPU", "mps": "Apple GPU"}
_MOST_PROCESSES = 64  # of a machine's CPUs, each of which would load the data anew


def device_of(accelerator: str) -> torch.device:
    """The first device of a kind that Lightning names.

    Raises:
        InputError: If there is no such kind, or none here.

    >>> device_of("cpu")
    device(type='cpu')
    >>> device_of("gpus")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: accelerator must be one of auto, cpu, gpu, cuda, mps, tpu; got 'gpus'. Did you mean
    'gpu'?
    """
    if accelerator not in _ACCELERATORS:
        raise InputError(
            f"{argument('accelerator')} must be one of {', '.join(_ACCELERATORS)}; got {accelerator!r}."
            f"{nearest(str(accelerator), _ACCELERATORS)}"
        )
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    if accelerator == "tpu" and not _has_tpu():
        raise _absent(accelerator, "torch_xla, which TPUs need")
    if accelerator in ("gpu", "cuda", "mps"):
        raise _absent(accelerator, f"{_GPUS[accelerator]} that torch can use")
    return torch.device("cpu")


def check_hardware(hardware: Hardware) -> None:
    """Raise an error if the machine cannot be used as asked.

    Raises:
        InputError: Names the accelerator, devices, nodes, strategy or precision.

    >>> from noiselayer.training.options import Hardware
    >>> check_hardware(Hardware(accelerator="cpu", devices=2, strategy="ddp"))
    >>> check_hardware(Hardware(accelerator="cpu", devices=0))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: devices must be auto, or a whole number from 1 to 64 on cpu; got 0.
    """
    kind = device_of(hardware.accelerator).type
    _check_devices(hardware.devices, "tpu" if hardware.accelerator == "tpu" else kind)
    if not _is_whole(hardware.num_nodes) or hardware.num_nodes < 1:
        raise InputError(
            f"{argument('num_nodes')} must be a whole number of machines from 1 up; got {hardware.num_nodes!r}."
        )
    if str(hardware.precision) not in _PRECISIONS:
        raise InputError(
            f"{argument('precision')} must be one of {', '.join(_PRECISIONS[:6])}; got {hardware.precision!r}."
            f"{nearest(str(hardware.precision), _PRECISIONS)}"
        )
    if hardware.strategy not in _STRATEGIES:
        raise InputError(
            f"{argument('strategy')} must be auto or ddp; got {hardware.strategy!r}."
            f"{nearest(hardware.strategy, _STRATEGIES)}"
        )
    if not _is_whole(hardware.num_workers) or hardware.num_workers < 0:
        raise InputError(
            f"{argument('num_workers')} must be a whole number from 0 up; got {hardware.num_workers!r}."
        )


def _check_devices(devices: Any, kind: str) -> None:
    """On the CPU devices are processes; GPUs are counted or named by number."""
    if devices == "auto":
        return
    if kind == "cuda":
        most: int | None = torch.cuda.device_count()
    elif kind == "cpu":
        most = max(_MOST_PROCESSES, os.cpu_count() or 1)
    else:
        most = None if kind == "tpu" else 1
    count = int(devices) if isinstance(devices, str) and devices.lstrip("-").isdecimal() else devices
    named = [part.strip() for part in str(devices).split(",") if part.strip()]
    if kind == "cuda" and (count == -1 or (isinstance(devices, str) and "," in devices)):
        if count == -1 or (named and all(part.isdecimal() and int(part) < (most or 0) for part in named)):
            return
    elif _is_whole(count) and count >= 1 and (most is None or count <= most):
        return
    numbers = f"a whole number from 1 to {most} on {kind}" if most else "a whole number from 1 up"
    listed = " or numbers of GPUs such as 0,1" if kind == "cuda" else ""
    raise InputError(f"{argument('devices')} must be auto, or {numbers}{listed}; got {devices!r}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _has_tpu() -> bool:
    return importlib.util.find_spec("torch_xla") is not None


def _absent(accelerator: str, what: str) -> InputError:
    return InputError(
        f"{argument('accelerator', accelerator)}: this machine has no {what}. Take "
        f"{argument('accelerator', 'cpu')}, or leave it out for the best there is."
    )
