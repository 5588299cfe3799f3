"""Loosely labelled images: what a search engine would bring up for a category, most of it wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.errors import InputError
from noiselayer.paper.datasets.cifar10 import CIFAR10_CLASSES
from noiselayer.paper.datasets.image_set import ImageSet, Labels, Pixels
from noiselayer.paper.datasets.outside_names import OUTSIDE_NAMES

Guess = Callable[[Pixels], Any]
"""Images, uint8, shape (B, H, W, C) -> logits, shape (B, K): an array, or a tensor on the CPU without gradient."""

_BATCH = 1000
# Of the images whose class has a fitting name, so many can be found by it; the rest is left to be guessed.
_FOUND = 2 / 3


@dataclass(frozen=True, eq=False)
class LooseSet(ImageSet):
    """Images with labels that were not checked, and where each comes from.

    Attributes:
        true_labels: Shape (N,): the class that the image shows, or -1 if it shows none of them.
        origin: Shape (N,), text: how the label came about, "name" or "guess".
    """

    true_labels: Labels
    origin: npt.NDArray[np.str_]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep_labels("true_labels")
        if np.shape(self.origin) != (len(self),):
            raise InputError(
                f"origin must be one word for each of the {len(self):,} images; its shape is "
                f"{np.shape(self.origin)}."
            )


def web_like_extra(
    outside: ImageSet, guess: Guess, *, size: int, seed: int, named: float = 0.4, unread: float = 0.2
) -> LooseSet:
    """Label outside images with CIFAR-10's ten categories the way a search engine would (§4.2's extra data).

    Three parts, mixed, no image twice:

    - ``named``: images of a class that has a word of the category in its name, labelled by that name
      (:data:`~noiselayer.paper.datasets.outside_names.OUTSIDE_NAMES`). Some names mislead: a crane that is a machine
      is found as a bird.
    - ``unread``: images of classes that do show one of the ten, whose name nobody read; labelled by the guess.
      Where it errs, the error is class-conditional: one of the ten is taken for another.
    - the others, of any class without a fitting name, labelled by the guess: they show none of the ten.

    The first part holds two thirds of the images with a fitting name at most, the second what is left of its
    classes; a larger set has more of the third. With outside32's 500 images a class both shares hold up to a
    size of about 24,000.

    Args:
        outside: Images of other classes, whose names (up to the first comma) are known to the table.
        guess: A weak classifier: called with batches of images, returns logits in the order of
            :data:`~noiselayer.paper.datasets.cifar10.CIFAR10_CLASSES`; the largest is the label.
        size: How many images.
        seed: Of the choice and the order.
        named: The share of images labelled by name.
        unread: The share of images that show one of the ten and are labelled by the guess.

    Returns:
        The images, copied into memory, with their true categories (-1 where they show none).

    Raises:
        InputError: If no class has a fitting name, the images are too few, a share is not between 0 and 1, or
            logits are not (B, 10).

    >>> pictures = np.zeros((90, 4, 4, 3), dtype=np.uint8)
    >>> names = ("tabby, tabby cat", "crane", "abacus")
    >>> outside = ImageSet(pictures, np.arange(90) % 3, names)
    >>> def guess(images):  # always a dog
    ...     return np.eye(10)[[5] * len(images)]
    >>> extra = web_like_extra(outside, guess, size=50, seed=0)
    >>> {name: round(share, 2) for name, share in label_shares(extra).items()}
    {'right': 0.16, 'class_conditional': 0.2, 'open_set': 0.64}
    """
    for name, share in {"named": named, "unread": unread, "named + unread": named + unread}.items():
        if not 0 <= share <= 1:
            raise InputError(f"{name} must be a share between 0 and 1; got {share}.")
    _check_size(size, outside)
    by_name, true = _categories(outside)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(outside))
    with_name = order[by_name[order] >= 0]
    found = with_name[: min(round(named * size), round(_FOUND * len(with_name)))]
    shown = _without(order[true[order] >= 0], found)
    unseen = shown[: min(round(unread * size), size - len(found))]
    others = order[by_name[order] < 0][: size - len(found) - len(unseen)]
    chosen = np.concatenate([found, unseen, others])
    if len(chosen) < size:
        raise InputError(
            f"size is {size:,}, and with named={named} and unread={unread} there are {len(chosen):,} images "
            "to take; take fewer, or give more outside images."
        )
    chosen = rng.permutation(chosen)
    is_found = np.isin(chosen, found)
    images = np.asarray(outside.images[chosen])
    guessed = guess_labels(images, guess, num_classes=len(CIFAR10_CLASSES))
    return LooseSet(
        images,
        np.where(is_found, by_name[chosen], guessed),
        CIFAR10_CLASSES,
        true_labels=true[chosen],
        origin=np.where(is_found, "name", "guess"),
    )


def random_outside(outside: ImageSet, size: int, seed: int) -> ImageSet:
    """Images drawn at random from all outside classes (§4.2's random images), no image twice.

    Args:
        outside: Any images.
        size: How many.
        seed: Of the draw.

    Returns:
        The images, copied into memory, with the labels they had; their use here is to have none of the ten.

    Raises:
        InputError: If there are fewer.

    >>> outside = ImageSet(np.zeros((4, 2, 2, 3), dtype=np.uint8), np.arange(4), ("a", "b", "c", "d"))
    >>> sorted(random_outside(outside, 4, seed=0).labels.tolist())
    [0, 1, 2, 3]
    """
    _check_size(size, outside)
    return outside.subset(np.random.default_rng(seed).permutation(len(outside))[:size])


def label_shares(loose: LooseSet) -> dict[str, float]:
    """How many labels of a loosely labelled set are right, and how the others are wrong.

    Args:
        loose: At least one image.

    Returns:
        Shares of N that sum to 1: "right"; "class_conditional", the image shows another of the classes;
        "open_set", it shows none of them.

    Raises:
        InputError: If there is no image.

    >>> def of_labels(labels, true_labels):
    ...     pictures = np.zeros((len(labels), 2, 2, 3), dtype=np.uint8)
    ...     return LooseSet(pictures, labels, ("cat", "dog"), true_labels, np.array(["guess"] * len(labels)))
    >>> label_shares(of_labels([0, 0, 1, 1], [0, 1, -1, -1]))
    {'right': 0.25, 'class_conditional': 0.25, 'open_set': 0.5}
    """
    if not len(loose):
        raise InputError("a set without images has no shares of right and wrong labels.")
    right = loose.labels == loose.true_labels
    open_set = loose.true_labels < 0
    return {
        "right": float(right.mean()),
        "class_conditional": float((~right & ~open_set).mean()),
        "open_set": float(open_set.mean()),
    }


def guess_labels(images: Pixels, guess: Guess, *, num_classes: int) -> Labels:
    """The class with the largest logit for every image, batch by batch.

    Args:
        images: Shape (N, H, W, C), uint8; a memory map is read one batch at a time.
        guess: Images -> logits, shape (B, K).
        num_classes: K.

    Returns:
        Shape (N,), 0..K-1.

    Raises:
        InputError: If logits have another shape or are not finite.

    >>> guess_labels(np.zeros((2, 4, 4, 3), dtype=np.uint8), lambda images: [[0, 9, 1]] * 2, num_classes=3)
    array([1, 1])
    """
    labels = np.empty(len(images), dtype=np.int64)
    for start in range(0, len(images), _BATCH):
        batch = np.asarray(images[start : start + _BATCH])
        logits = np.asarray(guess(batch))
        if logits.shape != (len(batch), num_classes):
            raise InputError(
                f"guess must return logits of shape {(len(batch), num_classes)} for {len(batch):,} images; "
                f"their shape is {logits.shape}."
            )
        if not np.isfinite(logits).all():
            raise InputError("guess must return finite logits; some are not.")
        labels[start : start + len(batch)] = logits.argmax(axis=1)
    return labels


def _categories(outside: ImageSet) -> tuple[Labels, Labels]:
    """For every image: the category that its class's name suggests, and the one it shows; -1 for none."""
    matches = [OUTSIDE_NAMES.get(name.split(",")[0]) for name in outside.class_names]
    if not any(matches):
        raise InputError(
            "no class of the outside images has a name that fits one of CIFAR-10's categories; the known names "
            f"are {', '.join(sorted(OUTSIDE_NAMES))}."
        )
    by_name = [-1 if match is None else CIFAR10_CLASSES.index(match.category) for match in matches]
    shown = [
        category if m is not None and m.shown else -1 for category, m in zip(by_name, matches, strict=True)
    ]
    # A label of -1 takes the last entry.
    return np.array([*by_name, -1])[outside.labels], np.array([*shown, -1])[outside.labels]


def _without(indices: Labels, taken: Labels) -> Labels:
    return indices[~np.isin(indices, taken)]


def _check_size(size: int, outside: ImageSet) -> None:
    if not 1 <= size <= len(outside):
        raise InputError(f"size must lie in 1..{len(outside):,}, the number of outside images; got {size:,}.")
