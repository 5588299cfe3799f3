"""The sets of Table 3: a clean one, one whose labels come from the web or from a weak model, and a test set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.data import LabeledData
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.datasets import (
    ImageSet,
    load_outside32,
    noisy_by_weak_model,
    pixel_guesser,
    read_class_folders,
    remove_duplicates,
    split_clean_noisy,
)
from noiselayer.paper.experiment import Budget
from noiselayer.paper.trial import train
from noiselayer.training.logits import predict_logits

CLEAN, NOISY, WEAK, TEST = 12_000, 24_000, 10_000, 10_000
KEYWORDS = 10
_IMAGENET_PIXELS = 224
_COMPARED_PIXELS = 48


@dataclass(frozen=True)
class ManyClasses:
    """What Table 3 trains and tests on; ``noisy_truth``, shape (N,), are true labels, where they are known."""

    name: str
    clean: LabeledData
    noisy: LabeledData
    noisy_truth: npt.NDArray[Any] | None
    test: LabeledData


def many_classes(data: DataFolder, dataset: str, *, seed: int, budget: Budget) -> ManyClasses:
    """Read or build the sets; ``budget`` and ``seed`` are also the weak model's.

    - "outside32": 200 classes. A weak model, the paper's small network trained on other images, labels the
      noisy part: it is offered ten keywords for an image, the true one among them, and takes the likeliest.
    - "digits": the same from scikit-learn's digits and a logistic regression on a few pixels, to try the command on.
    - "imagenet": DATA/imagenet/train, DATA/imagenet/val and DATA/web-search, folders of classes of the same names;
      images of the web that are in the training set are left out (§4.3).
    """
    if dataset == "imagenet":
        return _imagenet(data)
    if dataset == "digits":
        digits = data.images("digits")
        everything = ImageSet(
            np.concatenate([digits.train.images, digits.test.images]),
            np.concatenate([digits.train.labels, digits.test.labels]),
            digits.train.class_names,
        )
        return _by_weak_model(everything, "digits", (300, 600, 300, 400), seed, budget)
    outside = load_outside32(data.folder("Table 3"))
    sizes = (CLEAN, NOISY, WEAK, TEST)
    return data.once(
        f"Table 3, outside32, seed {seed}, {budget}",
        lambda: _by_weak_model(outside, "outside32", sizes, seed, budget),
    )


def _by_weak_model(
    images: ImageSet, name: str, sizes: tuple[int, int, int, int], seed: int, budget: Budget
) -> ManyClasses:
    num_clean, num_noisy, num_weak, num_test = sizes
    parts = split_clean_noisy(images.labels, num_clean, num_noisy + num_weak, num_test, seed)
    rng = np.random.default_rng(seed)
    others = rng.permutation(parts["noisy"])
    clean, noisy, weak, test = (
        images.subset(rows)
        for rows in (parts["clean"], others[:num_noisy], others[num_noisy:], parts["test"])
    )
    logits = _weak_logits(weak, noisy, name, seed, budget)
    offered = _keywords(noisy.labels, images.num_classes, rng)
    # An image is found by one of its keywords: all others are out of the question.
    among = np.where(offered, logits, logits.min() - 1e3)
    labelled = noisy_by_weak_model(noisy.images, noisy.labels, among, images.class_names, seed=seed)
    return ManyClasses(name, clean.labeled(), labelled.labeled(), noisy.labels, test.labeled())


def _weak_logits(
    train_on: ImageSet, images: ImageSet, name: str, seed: int, budget: Budget
) -> npt.NDArray[Any]:
    """What the weak model says of the images to be labelled, shape (N, K)."""
    if name == "digits":  # in two epochs no network learns anything; a few pixels will do
        logits: npt.NDArray[Any] = np.asarray(pixel_guesser(train_on, pixels=4, seed=seed)(images.images))
        return logits
    of_labeller = replace(budget, model="paper", model_options={})
    labeller = train(train_on.labeled(), method="normal", budget=of_labeller, seed=seed)
    return predict_logits(labeller.network, images.labeled().inputs).double().numpy()


def _keywords(labels: npt.NDArray[Any], num_classes: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which keywords each image is offered under, shape (N, K): its own and others at random, ten in all."""
    scores = rng.random((len(labels), num_classes))
    scores[np.arange(len(labels)), labels] = 2.0
    largest = np.argpartition(-scores, min(KEYWORDS, num_classes) - 1, axis=1)[:, :KEYWORDS]
    offered = np.zeros((len(labels), num_classes), dtype=bool)
    np.put_along_axis(offered, largest, True, axis=1)
    return offered


def _imagenet(data: DataFolder) -> ManyClasses:
    folder = data.folder("Table 3 with ImageNet")
    clean = read_class_folders(folder / "imagenet" / "train")
    test = read_class_folders(folder / "imagenet" / "val", clean.class_names)
    web = read_class_folders(folder / "web-search", clean.class_names).readable()
    # Thumbnails are all that is compared: decoding at their size is enough.
    keep = remove_duplicates(clean.inputs(_COMPARED_PIXELS), web.inputs(_COMPARED_PIXELS)).keep
    sets = (part.labeled(_IMAGENET_PIXELS) for part in (clean, web.subset(keep), test))
    return ManyClasses("ImageNet", next(sets), next(sets), None, next(sets))
