"""When a head on features is fitted instead of training a network, and how long that takes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from noiselayer.data.labeled import LabeledData
from noiselayer.data.numpy_files import split_address
from noiselayer.data.read_folder import images_below
from noiselayer.data.reading import UNSEEN, Reading
from noiselayer.errors import InputError
from noiselayer.extraction.at_hand import network_at_hand
from noiselayer.features.patches import has_patches
from noiselayer.jobs.option import differing
from noiselayer.training.frozen_head import HEAD, OF_NETWORKS
from noiselayer.training.options import FEW_IMAGES

_EMBEDDINGS_FROM = 64
"""Numbers a sample: vectors of fewer are measurements rather than somebody's embeddings."""
_PHOTOGRAPHS_FROM = 64
"""Pixels, of the shorter side: smaller images are digits, icons or thumbnails, which networks train on in minutes."""
_LOOKED_AT = 15
_PATCHES_A_SECOND = 400
"""Images of 32 x 32 pixels on one core, decoding included."""
_NETWORKS = {"model", "embed", "image_size", "image_fit", "from_scratch", *OF_NETWORKS}
"""Options that say what samples become, or that only a network has."""


def suits_head(job: Any, data: LabeledData) -> bool:
    """Whether samples are embeddings, and nobody asked for a network, or for what only one has."""
    chosen = differing(job)
    return (
        data.inputs.kind == "vector"
        and data.inputs.shape[0] >= _EMBEDDINGS_FROM
        and not {"model", "from_scratch", *OF_NETWORKS} & set(chosen)
        and chosen.get("method") != "refined"
    )


def on_features(job: Any, reading: Reading) -> tuple[Reading, str]:
    """How to read images: as features that are at hand or can be had at once, and a line on that.

    A folder of photographs gets features of a pretrained network that is at hand; fewer than
    :data:`~noiselayer.training.options.FEW_IMAGES` images those of patches. The reading stays as it is, and the line is
    empty, for others, and where somebody has asked for a network, or for what only one has.
    """
    folder, chosen = Path(reading.path), differing(job)
    if _NETWORKS & set(chosen) or chosen.get("method") == "refined":
        return reading, ""
    name = network_at_hand() if folder.is_dir() and _photographs(folder) else None
    if name is not None:
        line = (
            f"Features of {name}, a pretrained network on this machine; --from-scratch would train one on the images "
            "themselves."
        )
        return replace(reading, embed=name), line
    count = _images(reading)
    if not 0 < count < FEW_IMAGES:
        return reading, ""
    line = (
        f"Features of patches, found without labels in about {in_words(count / _PATCHES_A_SECOND)}: {count:,} images "
        "are few for a network; --from-scratch would train one."
    )
    return replace(reading, embed="patches"), line


def _images(reading: Reading) -> int:
    """How many images there are, of a folder, an array or a column of paths; 0 of anything else."""
    if Path(reading.path).is_dir():
        return len(images_below(Path(reading.path)))
    with suppress(InputError):  # what cannot be read is for others to say
        if reading.image_column is not None or split_address(reading.path)[0].suffix in (".npy", ".npz"):
            size = None if reading.image_column is None else UNSEEN
            data = replace(reading, image_size=size).read(with_labels=False)
            return len(data) if data.inputs.kind == "image" and has_patches(data.inputs.shape) else 0
    return 0


def _photographs(folder: Path) -> bool:
    """Whether most of some images are as large as photographs; what cannot be read is for others to say."""
    sides = []
    names = images_below(folder)
    for name in names[:: max(1, len(names) // _LOOKED_AT)]:
        with suppress(OSError), Image.open(folder / name) as image:
            sides.append(min(image.size))
    return bool(sides) and sorted(sides)[len(sides) // 2] >= _PHOTOGRAPHS_FROM


def about_head(data: LabeledData, method: str) -> str:
    """What is going to be fitted, in a line, with the time that it takes on one core."""
    N, D, K = len(data), data.inputs.shape[0], data.num_classes
    return (
        f"Model {HEAD}: a linear classifier of {D:,} features, about {in_words(head_seconds(N, D, K, method))} on one "
        "core; --model mlp would train a network."
    )


def head_seconds(num_samples: int, num_features: int, num_classes: int, method: str) -> float:
    """About how many seconds :func:`noiselayer.features.fit_head` takes on one core.

    >>> head_seconds(20_000, 512, 4, "normal") < head_seconds(20_000, 512, 4, "learned")
    True
    """
    passes = 10 if method in ("normal", "top-down") else 50  # measured on 5,000 to 20,000 samples
    return 0.5 + 1.7e-9 * passes * num_samples * num_features * (num_classes + 20)


def in_words(seconds: float) -> str:
    """A length of time, roughly.

    >>> in_words(0.4), in_words(42), in_words(300), in_words(9000)
    ('a second', '42 seconds', '5 minutes', '2.5 hours')
    """
    if seconds < 1.5:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
