from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noiselayer.errors import InputError
from noiselayer.paper.datasets import (
    ImageSet,
    guess_labels,
    label_shares,
    load_cifar10,
    load_outside32,
    pixel_guesser,
    web_like_extra,
)


def coloured(num_classes: int, per_class: int = 30, seed: int = 0) -> ImageSet:
    """Noise around a shade of its own for every class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_classes * per_class) % num_classes
    shade = (labels * 200 // num_classes)[:, None, None, None]
    images = np.clip(shade + rng.normal(0, 40, (len(labels), 8, 8, 3)), 0, 255).astype(np.uint8)
    return ImageSet(images, labels, tuple(map(str, range(num_classes))))


@pytest.mark.parametrize("num_classes", [2, 4])
def test_it_is_scikit_learn_s_on_block_means(num_classes: int) -> None:
    train, test = coloured(num_classes), coloured(num_classes, seed=1)
    logits = pixel_guesser(train, pixels=2)(test.images)

    def blocks(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        rows = [[i[r : r + 4, c : c + 4].mean((0, 1)) for r in (0, 4) for c in (0, 4)] for i in images]
        return np.array(rows).reshape(len(images), -1)

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100))
    model.fit(blocks(train.images), train.labels)
    expected = model.predict_proba(blocks(test.images))
    ours = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(ours / ours.sum(1, keepdims=True), expected, atol=2e-3)


def test_it_is_better_than_chance_on_images_it_has_not_seen() -> None:
    guess = pixel_guesser(coloured(4), pixels=4, size=60)
    test = coloured(4, seed=1)
    assert (guess_labels(test.images, guess, num_classes=4) == test.labels).mean() > 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pixels": 3}, "pixels must divide the images' 8 x 8; got 3"),
        ({"size": 0}, r"size must lie in 1\.\.120, the number of images; got 0"),
        ({"size": 1}, "needs images of every class and no others; there is none of"),
    ],
)
def test_guessers_that_cannot_be(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pixel_guesser(coloured(4), **options)  # type: ignore[arg-type]


def test_images_of_no_class_cannot_be_learned_from() -> None:
    train = coloured(4)
    labels = np.where(np.arange(len(train)) == 5, -1, train.labels)
    with pytest.raises(InputError, match="some have the label -1"):
        pixel_guesser(ImageSet(train.images, labels, train.class_names))


def test_most_labels_of_the_real_loose_set_are_wrong(data_folder: Path) -> None:
    for name in ("cifar10.npz", "outside32_x.npy", "outside32.npz"):
        if not (data_folder / name).exists():
            pytest.skip(f"needs {name} in NOISELAYER_DATA")
    guess = pixel_guesser(load_cifar10(data_folder)["train"], size=2000, max_iter=30)
    shares = label_shares(web_like_extra(load_outside32(data_folder), guess, size=5000, seed=0))
    assert 0.2 < shares["right"] < 0.45
    assert 0.05 < shares["class_conditional"] < 0.25
    assert 0.4 < shares["open_set"] < 0.7
