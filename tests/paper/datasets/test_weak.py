from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noiselayer.errors import InputError
from noiselayer.paper.datasets import label_shares, noisy_by_weak_model, split_clean_noisy

PIXELS = np.arange(3 * 2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2, 3)
LOGITS = np.log([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]])
NAMES = ("a", "b", "c")


def test_the_largest_logit_is_the_label() -> None:
    noisy = noisy_by_weak_model(PIXELS, np.array([0, 1, 1]), LOGITS, NAMES)
    assert noisy.labels.tolist() == [0, 2, 1]
    assert noisy.true_labels.tolist() == [0, 1, 1]
    assert (noisy.images == PIXELS).all()
    assert set(noisy.origin) == {"guess"}
    assert label_shares(noisy) == {
        "right": pytest.approx(2 / 3),
        "class_conditional": pytest.approx(1 / 3),
        "open_set": 0.0,
    }


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_draws_are_distributed_as_the_softmax(temperature: float) -> None:
    N = 20_000
    images, logits = np.zeros((N, 1, 1, 3), dtype=np.uint8), np.tile(LOGITS[0], (N, 1))
    true = np.zeros(N, dtype=int)
    noisy = noisy_by_weak_model(images, true, logits, NAMES, temperature=temperature, seed=5)
    p = np.exp(LOGITS[0] / temperature)
    p /= p.sum()
    drawn = np.bincount(noisy.labels, minlength=3) / N
    assert np.abs(drawn - p).max() < 4 * np.sqrt(0.25 / N)
    again = noisy_by_weak_model(images, true, logits, NAMES, temperature=temperature, seed=5)
    assert (again.labels == noisy.labels).all()
    other = noisy_by_weak_model(images, true, logits, NAMES, temperature=temperature, seed=6)
    assert (other.labels != noisy.labels).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": LOGITS[:2]}, r"logits must have the shape \(3, 3\), .* got \(2, 3\)"),
        ({"logits": LOGITS * np.inf}, "logits must be finite"),
        ({"temperature": -1.0}, r"temperature must be 0 or more; got -1\.0"),
        ({"temperature": np.nan}, "got nan"),
        ({"true_labels": np.array([0, 1, 3])}, r"true_labels must lie in 0\.\.2"),
    ],
)
def test_weak_labels_that_cannot_be(change: dict[str, object], message: str) -> None:
    given_ = {"images": PIXELS, "true_labels": np.zeros(3, dtype=int), "logits": LOGITS, "class_names": NAMES}
    with pytest.raises(InputError, match=message):
        noisy_by_weak_model(**{**given_, **change})  # type: ignore[arg-type]


@given(
    st.lists(st.integers(0, 4), max_size=80),
    st.tuples(*[st.floats(0, 1)] * 3),
    st.integers(0, 3),
)
def test_parts_are_disjoint_and_have_the_shares_of_the_whole(
    labels: list[int], weights: tuple[float, float, float], seed: int
) -> None:
    N = len(labels)
    total = max(1.0, sum(weights))
    sizes = [int(N * weight / total) for weight in weights]
    parts = split_clean_noisy(np.array(labels, dtype=int), *sizes, seed=seed)
    assert [len(parts[name]) for name in ("clean", "noisy", "test")] == sizes
    together = np.concatenate(list(parts.values())).tolist()
    assert len(set(together)) == len(together)
    for name, indices in parts.items():
        assert indices.tolist() == sorted(indices.tolist()), name
        for k in set(labels):
            share = len(indices) * labels.count(k) / N
            assert abs(sum(labels[i] == k for i in indices) - share) <= 2


def test_balanced_classes_are_split_exactly_and_by_the_seed() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 30))
    parts = split_clean_noisy(labels, 200, 300, 100, seed=0)
    for name, of_each in (("clean", 10), ("noisy", 15), ("test", 5)):
        assert np.bincount(labels[parts[name]]).tolist() == [of_each] * 20
    again, other = (split_clean_noisy(labels, 200, 300, 100, seed=seed) for seed in (0, 1))
    assert all((parts[name] == again[name]).all() for name in parts)
    assert set(parts["clean"].tolist()) != set(other["clean"].tolist())


def test_a_rare_class_is_rare_in_every_part() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 30])
    parts = split_clean_noisy(labels, 93, 186, 310, seed=0)
    for name, size in (("clean", 93), ("noisy", 186), ("test", 310)):
        counts = np.bincount(labels[parts[name]], minlength=3)
        assert np.abs(counts - size * np.array([600, 300, 30]) / 930).max() <= 2, name


def test_splits_that_cannot_be() -> None:
    labels = np.zeros(10, dtype=int)
    with pytest.raises(InputError, match="num_noisy must be 0 or more; got -1"):
        split_clean_noisy(labels, 3, -1, 3, seed=0)
    with pytest.raises(InputError, match=r"there are 10 samples; asked for 4 clean \+ 4 noisy \+ 3 test"):
        split_clean_noisy(labels, 4, 4, 3, seed=0)
