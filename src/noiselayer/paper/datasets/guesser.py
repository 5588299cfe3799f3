"""A weak classifier to label images with: logistic regression on a few pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import InputError
from noiselayer.paper.datasets.image_set import ImageSet, Pixels
from noiselayer.paper.datasets.loose import Guess


def pixel_guesser(
    train: ImageSet, *, pixels: int = 8, size: int | None = None, seed: int = 0, max_iter: int = 100
) -> Guess:
    """Fit a logistic regression on images shrunk to a few pixels: a guess that is right more often than chance.

    Images are averaged over equal blocks to ``pixels`` x ``pixels``, and every value standardised.

    Args:
        train: Labelled images, none with the label -1.
        pixels: Height and width to shrink to; must divide the images' height and width.
        size: How many of the images to fit to, drawn at random; all if None.
        seed: Of the draw.
        max_iter: Steps of the solver at most; the guess is a weak one in any case, so stopping early is
            no error.

    Returns:
        A function of images, uint8, shape (B, H, W, C), of the same size, that returns their logits,
        shape (B, K).

    Raises:
        InputError: If ``pixels`` does not divide the image size, ``size`` is out of range, or a class has no
            image.

    >>> dark, bright = np.zeros((5, 8, 8, 3), dtype=np.uint8), np.full((5, 8, 8, 3), 200, dtype=np.uint8)
    >>> train = ImageSet(np.concatenate([dark, bright]), np.repeat([0, 1], 5), ("night", "day"))
    >>> pixel_guesser(train, pixels=4)(bright[:2]).argmax(axis=1)
    array([1, 1])
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    if pixels < 1 or any(side % pixels for side in train.images.shape[1:3]):
        height, width = train.images.shape[1:3]
        raise InputError(f"pixels must divide the images' {height} x {width}; got {pixels}.")
    if size is not None and not 1 <= size <= len(train):
        raise InputError(f"size must lie in 1..{len(train):,}, the number of images; got {size:,}.")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(train))[:size])
    labels = train.labels[chosen]
    lacking = sorted(set(range(train.num_classes)) - set(labels.tolist()))
    if lacking or (labels < 0).any():
        what = f"there is none of {train.class_names[lacking[0]]!r}" if lacking else "some have the label -1"
        raise InputError(f"the guess needs images of every class and no others; {what}.")
    scaler = StandardScaler()
    features = scaler.fit_transform(_shrunk(train.images[chosen], pixels))
    model = LogisticRegression(max_iter=max_iter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, labels)
    weight, bias = model.coef_, model.intercept_
    if train.num_classes == 2:  # scikit-learn keeps one row for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2

    def guess(images: Pixels) -> npt.NDArray[Any]:
        logits: npt.NDArray[Any] = scaler.transform(_shrunk(images, pixels)) @ weight.T + bias
        return logits

    return guess


def _shrunk(images: Pixels, pixels: int) -> npt.NDArray[np.float32]:
    N, H, W, C = images.shape
    blocks = images.reshape(N, pixels, H // pixels, pixels, W // pixels, C)
    shrunk: npt.NDArray[np.float32] = blocks.mean(axis=(2, 4), dtype=np.float32).reshape(N, -1)
    return shrunk
