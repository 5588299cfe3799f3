"""Labels that a weak model gave, and a split into clean, noisy and test samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import InputError
from noiselayer.paper.datasets.image_set import Labels, Pixels
from noiselayer.paper.datasets.loose import LooseSet


def noisy_by_weak_model(
    images: Pixels,
    true_labels: npt.NDArray[Any],
    logits: npt.NDArray[Any],
    class_names: Sequence[str],
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> LooseSet:
    r"""Label images as a weak model does, and keep their true labels beside (§4.3's noisy part).

    With a temperature of 0 the label is the class with the largest logit. Above, it is drawn with
    probability

    p(noisy = j | x) = exp(logits_j / temperature) / sum_k exp(logits_k / temperature).

    The weak model must not have been fitted to these images.

    Args:
        images: Shape (N, H, W, C), uint8.
        true_labels: Shape (N,), integers 0..K-1.
        logits: Shape (N, K), of the weak model.
        class_names: The K names.
        temperature: 0 for the weak model's first choice; 1 draws with its own probabilities; more, and the
            labels say less.
        seed: Of the draw.

    Returns:
        The same images; ``labels`` the weak model's, ``origin`` "guess" throughout.

    Raises:
        InputError: If shapes differ, a logit is not finite, or the temperature is negative.

    >>> pictures = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    >>> noisy = noisy_by_weak_model(pictures, [0, 1], np.array([[0.0, 1.0], [0.0, 2.0]]), ("cat", "dog"))
    >>> noisy.labels, noisy.true_labels
    (array([1, 1]), array([0, 1]))
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape != (len(images), len(class_names)):
        raise InputError(
            f"logits must have the shape {(len(images), len(class_names))}, one row per image and one column "
            f"per class name; got {logits.shape}."
        )
    if not np.isfinite(logits).all():
        raise InputError("logits must be finite; some are not.")
    if not (np.isfinite(temperature) and temperature >= 0):
        raise InputError(f"temperature must be 0 or more; got {temperature}.")
    scores = logits
    if temperature > 0:
        # The largest of logits with Gumbel noise is distributed as the softmax.
        scores = logits / temperature + np.random.default_rng(seed).gumbel(size=logits.shape)
    origin = np.full(len(images), "guess")
    return LooseSet(images, scores.argmax(axis=1), tuple(class_names), np.asarray(true_labels), origin)


def split_clean_noisy(
    labels: npt.NDArray[Any], num_clean: int, num_noisy: int, num_test: int, seed: int
) -> dict[str, Labels]:
    """Choose disjoint samples for a clean part, a noisy part and a test, each with the classes' shares of the whole.

    Where all classes are equally frequent and a part's size is a multiple of their number, every class has
    exactly its share; elsewhere the number of a class is within two of it.

    Args:
        labels: Shape (N,), true labels, integers.
        num_clean: Samples of the clean part.
        num_noisy: Of the noisy part.
        num_test: Of the test.
        seed: Decides which samples.

    Returns:
        "clean", "noisy", "test": indices, ascending.

    Raises:
        InputError: If a number is negative or there are fewer samples than are asked for.

    >>> parts = split_clean_noisy(np.array([0, 1] * 6), 4, 6, 2, seed=0)
    >>> {name: np.bincount(np.array([0, 1] * 6)[indices]).tolist() for name, indices in parts.items()}
    {'clean': [2, 2], 'noisy': [3, 3], 'test': [1, 1]}
    """
    sizes = {"clean": num_clean, "noisy": num_noisy, "test": num_test}
    labels = np.asarray(labels)
    for name, size in sizes.items():
        if size < 0:
            raise InputError(f"num_{name} must be 0 or more; got {size}.")
    if sum(sizes.values()) > len(labels):
        asked = " + ".join(f"{size:,} {name}" for name, size in sizes.items())
        raise InputError(f"there are {len(labels):,} samples; asked for {asked}. Ask for fewer.")
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    where = np.searchsorted(classes, labels[shuffled])
    # Sample r of a class with n samples stands at (r + 1/2) / n: any stretch of the line has every class's share.
    by_class = where.argsort(kind="stable")
    rank = np.empty(len(labels))
    rank[by_class] = np.arange(len(labels)) - np.repeat(counts.cumsum() - counts, counts)
    line = shuffled[((rank + 0.5) / counts[where]).argsort(kind="stable")] if len(labels) else shuffled
    ends = np.cumsum([0, *sizes.values()])
    return {name: np.sort(line[ends[k] : ends[k + 1]]) for k, name in enumerate(sizes)}
