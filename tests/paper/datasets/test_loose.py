from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
import torch

from noiselayer.errors import InputError
from noiselayer.paper.datasets import (
    CIFAR10_CLASSES,
    ImageSet,
    LooseSet,
    guess_labels,
    label_shares,
    random_outside,
    web_like_extra,
)
from noiselayer.paper.datasets.outside_names import OUTSIDE_NAMES

# Two that show a category, one whose word misleads, one that fits nothing.
NAMES = ("tabby, tabby cat", "goose", "crane", "abacus")
SHOWS = (3, 2, -1, -1)
SUGGESTS = (3, 2, 2, -1)


def outside(per_class: int = 60) -> ImageSet:
    """Images that carry their own number in their first pixels."""
    N = per_class * len(NAMES)
    images = np.zeros((N, 4, 4, 3), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(N) % 256, np.arange(N) // 256
    return ImageSet(images, np.arange(N) % len(NAMES), NAMES)


def number_of(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    return images[:, 0, 0, 0].astype(np.int64) + 256 * images[:, 0, 0, 1].astype(np.int64)


def by_number(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """A guess that tells every image apart: category number % 10."""
    return np.eye(10)[number_of(images) % 10]


def test_every_label_is_the_name_s_or_the_guess_s_and_every_truth_the_class_s() -> None:
    pictures = outside()
    extra = web_like_extra(pictures, by_number, size=100, seed=1)
    assert len(extra) == 100
    assert extra.class_names == CIFAR10_CLASSES
    numbers = number_of(extra.images)
    assert len(set(numbers.tolist())) == 100
    for number, label, true, origin in zip(
        numbers, extra.labels, extra.true_labels, extra.origin, strict=True
    ):
        kind = int(pictures.labels[number])
        assert true == SHOWS[kind]
        assert label == (SUGGESTS[kind] if origin == "name" else number % 10)
        assert origin in ("name", "guess")


def test_the_three_parts_have_their_shares() -> None:
    extra = web_like_extra(outside(), by_number, size=100, seed=0)
    kinds = Counter((str(o), bool(t >= 0)) for o, t in zip(extra.origin, extra.true_labels, strict=True))
    assert kinds["name", True] + kinds["name", False] == 40
    assert kinds["guess", True] == 20
    assert kinds["guess", False] == 40
    # The parts are mixed, not one after the other.
    assert 10 < (extra.origin[:50] == "name").sum() < 30


def test_without_names_or_without_guesses_of_known_images() -> None:
    guessed = web_like_extra(outside(), by_number, size=60, seed=0, named=0.0, unread=0.0)
    assert set(guessed.origin) == {"guess"}
    assert label_shares(guessed)["open_set"] == 1.0
    unread = web_like_extra(outside(), by_number, size=63, seed=0, named=0.5, unread=0.5)
    assert ((unread.origin == "name").sum(), len(unread)) == (32, 63)
    assert (unread.true_labels[unread.origin == "guess"] >= 0).all()


def test_a_larger_set_has_more_of_what_shows_nothing() -> None:
    # 180 images have a name that fits, of which 120 can be found by it.
    pictures = ImageSet(*(np.concatenate([a, a, a]) for a in (outside().images, outside().labels)), NAMES)  # type: ignore[arg-type]
    pictures = pictures.subset(np.r_[:240, (pictures.labels == 3).nonzero()[0]])
    extra = web_like_extra(pictures, by_number, size=390, seed=0, unread=0.1)
    assert (extra.origin == "name").sum() == 120


def test_a_seed_gives_the_same_set_and_another_one_another() -> None:
    a, b, c = (web_like_extra(outside(), by_number, size=80, seed=seed) for seed in (3, 3, 4))
    assert (a.images == b.images).all()
    assert (a.labels == b.labels).all()
    assert (a.images != c.images).any()


def test_tensors_and_batches_of_any_size_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noiselayer.paper.datasets.loose._BATCH", 7)
    sizes = []

    def guess(images: npt.NDArray[np.uint8]) -> torch.Tensor:
        assert images.dtype == np.uint8
        sizes.append(len(images))
        return torch.from_numpy(by_number(images))

    pictures = outside(5)
    labels = guess_labels(pictures.images, guess, num_classes=10)
    assert labels.tolist() == [k % 10 for k in range(20)]
    assert sizes == [7, 7, 6]


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (np.zeros((20, 9)), r"guess must return logits of shape \(20, 10\) for 20 images; .* \(20, 9\)"),
        (np.zeros(20), r"their shape is \(20,\)"),
        (np.full((20, 10), np.nan), "guess must return finite logits"),
    ],
)
def test_guesses_that_are_none(logits: npt.NDArray[np.float64], message: str) -> None:
    with pytest.raises(InputError, match=message):
        guess_labels(outside(5).images, lambda _: logits, num_classes=10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, r"size must lie in 1\.\.240, the number of outside images; got 0"),
        ({"size": 241}, "got 241"),
        ({"size": 10, "named": 1.5}, "named must be a share between 0 and 1; got 1.5"),
        ({"size": 10, "named": 0.6, "unread": 0.6}, r"named \+ unread must be a share .* got 1\.2"),
        ({"size": 240}, r"size is 240, and with named=0\.4 and unread=0\.2 there are \d+ images to take"),
    ],
)
def test_sets_that_cannot_be(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        web_like_extra(outside(), by_number, **{"seed": 0, **options})  # type: ignore[arg-type]


def test_outside_images_without_any_fitting_name() -> None:
    pictures = outside()
    strangers = ImageSet(pictures.images, pictures.labels, ("a", "b", "c", "tabby cat"))
    with pytest.raises(InputError, match="no class of the outside images has a name that fits"):
        web_like_extra(strangers, by_number, size=10, seed=0)


def test_the_table_of_names() -> None:
    assert {match.category for match in OUTSIDE_NAMES.values()} <= set(CIFAR10_CLASSES)
    # The two categories that none of the 200 classes shows have guesses alone to go by, and a missile.
    shown = {match.category for match in OUTSIDE_NAMES.values() if match.shown}
    assert set(CIFAR10_CLASSES) - shown == {"airplane", "deer", "horse"}
    assert not OUTSIDE_NAMES["crane"].shown
    assert all("," not in name for name in OUTSIDE_NAMES)


def test_shares_are_what_a_loop_counts() -> None:
    extra = web_like_extra(outside(), by_number, size=120, seed=2)
    counted = Counter[str]()
    for label, true in zip(extra.labels.tolist(), extra.true_labels.tolist(), strict=True):
        counted["open_set" if true == -1 else "right" if label == true else "class_conditional"] += 1
    assert label_shares(extra) == {
        name: pytest.approx(counted[name] / 120) for name in ("right", "class_conditional", "open_set")
    }
    with pytest.raises(InputError, match="without images"):
        label_shares(extra.subset([]))


def test_random_outside_images_are_of_all_classes_and_differ() -> None:
    pictures = outside()
    drawn = random_outside(pictures, 100, seed=0)
    assert len(set(number_of(drawn.images).tolist())) == 100
    assert np.bincount(drawn.labels, minlength=4).min() > 10
    assert (drawn.labels == pictures.labels[number_of(drawn.images)]).all()
    assert (random_outside(pictures, 100, seed=0).images == drawn.images).all()
    assert not isinstance(drawn, LooseSet)
    with pytest.raises(InputError, match=r"size must lie in 1\.\.240"):
        random_outside(pictures, 241, seed=0)
