"""What a run was computed with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_only

from noiselayer._version import __version__
from noiselayer.training.machine import device_of
from noiselayer.training.options import Hardware

_PACKAGES = ("torch", "torchvision", "pytorch-lightning", "numpy", "pandas", "scikit-learn", "safetensors")


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of those that decide on a result."""
    found = {"python": platform.python_version(), "noiselayer": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_hardware(hardware: Hardware) -> dict[str, Any]:
    """The machine, and how it was used."""
    cuda = torch.cuda.is_available()
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())] if cuda else [],
        "accelerator": hardware.accelerator,
        "devices": hardware.devices,
        "nodes": hardware.num_nodes,
        "strategy": hardware.strategy,
        "precision": str(hardware.precision),
        "workers": hardware.num_workers,
    }


def evaluation_device(hardware: Hardware) -> torch.device:
    """Where to ask the trained network: the first device of the kind that trained it."""
    return device_of(hardware.accelerator)


def is_first_process() -> bool:
    """Whether this process writes: the first of those that Lightning, torchrun or SLURM have started."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0
