"""The extra images of Table 2 and Fig. 7: loosely labelled ones, and random ones of none of the categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.paper.data_folder import DataFolder, Images
from noiselayer.paper.datasets import (
    ImageSet,
    LooseSet,
    load_outside32,
    pixel_guesser,
    random_outside,
    web_like_extra,
)

# The guesser sees the last images of the training set; the clean ones of a cell are drawn from all, and a few in
# common do not matter: it labels other images.
_GUESSER_SAMPLES = 5_000


def loose_extra(
    data: DataFolder, images: Images, *, size: int, seed: int, apart_from: npt.NDArray[Any]
) -> LooseSet:
    """Extra images with the labels of a search engine; see :func:`noiselayer.paper.datasets.web_like_extra`.

    For the stand-in of digits half of the extra images are digits labelled by a guess from a few pixels, half show
    none, their quarters having changed places; no digit is among ``apart_from``, the rows of the clean set.
    """
    train = images.train
    if images.name == "digits":
        return _loose_digits(train, size, seed, apart_from)
    guess = pixel_guesser(train, size=min(_GUESSER_SAMPLES, len(train)), seed=seed)
    return web_like_extra(load_outside32(data.folder("the extra set")), guess, size=size, seed=seed)


def random_extra(data: DataFolder, images: Images, *, size: int, seed: int) -> npt.NDArray[Any]:
    """Images drawn at random from outside the categories, shape (N, H, W, C)."""
    if images.name == "digits":
        chosen = np.random.default_rng(seed).integers(len(images.train), size=size)
        return _shuffled_quarters(images.train.images[chosen])
    return random_outside(load_outside32(data.folder("random images")), size, seed).images


def _loose_digits(train: ImageSet, size: int, seed: int, apart_from: npt.NDArray[Any]) -> LooseSet:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.setdiff1d(np.arange(len(train)), apart_from), size=size, replace=False)
    shown = np.arange(size) < size // 2
    pictures = np.where(
        shown[:, None, None, None], train.images[chosen], _shuffled_quarters(train.images[chosen])
    )
    guess = pixel_guesser(train, pixels=4, size=100, seed=seed)
    labels = np.asarray(guess(pictures)).argmax(axis=1)
    true = np.where(shown, train.labels[chosen], -1)
    return LooseSet(pictures, labels, train.class_names, true_labels=true, origin=np.full(size, "guess"))


def _shuffled_quarters(pictures: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Upper left and lower right change places, and the other two are mirrored."""
    H, W = pictures.shape[1] // 2, pictures.shape[2] // 2
    shuffled: npt.NDArray[Any] = pictures[:, ::-1, ::-1].copy()
    shuffled[:, :H, :W], shuffled[:, H:, W:] = pictures[:, H:, W:], pictures[:, :H, :W]
    return shuffled
