"""Confusion matrices against scikit-learn and a naive loop, streams against the whole, errors."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as sklearn_confusion

from noiselayer.estimation import ConfusionCounts, confusion_matrix


def labels(K: int, N: int) -> tuple[torch.Tensor, torch.Tensor]:
    given_labels = torch.cat([torch.arange(K), torch.randint(K, (N - K,))])
    return given_labels, torch.randint(K, (N,))


def test_labels_agree_with_sklearn_transposed() -> None:
    given_labels, predicted = labels(4, 200)
    theirs = sklearn_confusion(given_labels.numpy(), predicted.numpy(), normalize="true")
    ours = confusion_matrix(given_labels, predicted_labels=predicted, num_classes=4)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), torch.from_numpy(theirs).T.double(), rtol=0, atol=1e-6)
    assert not torch.allclose(ours, ours.T, atol=1e-2)  # so that a transposed answer would have failed


def test_probs_agree_with_a_loop() -> None:
    given_labels, _ = labels(3, 50)
    probs = torch.randn(50, 3).softmax(dim=1)
    expected = torch.zeros(3, 3)
    for j in range(3):
        expected[:, j] = torch.stack([p for p, y in zip(probs, given_labels, strict=True) if y == j]).mean(0)
    torch.testing.assert_close(confusion_matrix(given_labels, probs=probs), expected)


def test_one_hot_probs_are_labels() -> None:
    given_labels, predicted = labels(5, 60)
    one_hot = torch.eye(5, dtype=torch.float16)[predicted]
    torch.testing.assert_close(
        confusion_matrix(given_labels, probs=one_hot),
        confusion_matrix(given_labels, predicted_labels=predicted, num_classes=5),
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.booleans())
def test_batches_and_workers_merge_to_the_whole(sizes: list[int], soft: bool) -> None:
    N = sum(sizes)
    given_labels, predicted = torch.randint(3, (N,)), torch.randint(3, (N,))
    probs = torch.rand(N, 3).softmax(dim=1)
    whole, merged = ConfusionCounts(3), ConfusionCounts(3)

    def add(counts: ConfusionCounts, rows: slice) -> None:
        if soft:
            counts.update(given_labels[rows], probs=probs[rows])
        else:
            counts.update(given_labels[rows], predicted_labels=predicted[rows])

    add(whole, slice(None))
    begin = 0
    for size in sizes:
        worker = ConfusionCounts(3)
        add(worker, slice(begin, begin + size // 2))
        add(worker, slice(begin + size // 2, begin + size))
        begin += size
        sent = pickle.loads(pickle.dumps(worker))
        merged = merged.merge(ConfusionCounts(3, sums=sent.sums, num_samples=sent.num_samples))
    torch.testing.assert_close(merged.sums, whole.sums)
    assert merged.num_samples.equal(whole.num_samples)


def test_sums_are_the_whole_state() -> None:
    """What all_reduce would do: add both tensors."""
    given_labels, predicted = labels(3, 30)
    first, second = ConfusionCounts(3), ConfusionCounts(3)
    first.update(given_labels[:11], predicted_labels=predicted[:11])
    second.update(given_labels[11:], predicted_labels=predicted[11:])
    first.sums += second.sums
    first.num_samples += second.num_samples
    whole = confusion_matrix(given_labels, predicted_labels=predicted, num_classes=3)
    torch.testing.assert_close(first.confusion(), whole)
    torch.testing.assert_close(first.label_frequencies(), torch.bincount(given_labels) / 30)


def test_a_long_stream_loses_no_sample() -> None:
    """In float32 a sum stops growing at 2^24."""
    counts = ConfusionCounts(2, sums=torch.full((2, 2), 2.0**24, dtype=torch.float64))
    counts.update(torch.tensor([0]), predicted_labels=torch.tensor([1]))
    assert counts.sums[1, 0] == 2**24 + 1


def test_devices(device: torch.device) -> None:
    given_labels = torch.tensor([0, 1, 1], device=device)
    probs = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], device=device)
    matrix = confusion_matrix(given_labels, probs=probs)
    assert matrix.device.type == device.type
    torch.testing.assert_close(matrix.cpu(), torch.tensor([[0.9, 0.3], [0.1, 0.7]]))


def test_absent_classes_are_named() -> None:
    counts = ConfusionCounts(4)
    with pytest.raises(ValueError, match="no samples yet"):
        counts.label_frequencies()
    counts.update(torch.tensor([0, 2]), predicted_labels=torch.tensor([0, 1]))
    with pytest.raises(
        ValueError, match=r"samples of all 4 classes; there are none of classes 1, 3\. Add some"
    ):
        counts.confusion()
    allowed = counts.confusion(allow_absent=True)
    assert allowed.isnan().all(dim=0).tolist() == [False, True, False, True]


Y, P = torch.tensor([0, 1]), torch.tensor([[0.5, 0.5], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"given_labels": Y}, ValueError, "num_classes must be given with predicted_labels"),
        ({"given_labels": Y, "num_classes": 2}, ValueError, "either predicted_labels .* or probs"),
        ({"given_labels": Y, "probs": P, "predicted_labels": Y}, ValueError, "not both or none"),
        ({"given_labels": Y.float(), "probs": P}, TypeError, r"given_labels must be class indices .*float32"),
        ({"given_labels": Y + 1, "probs": P}, ValueError, r"given_labels must lie in 0\.\.1; got 2"),
        ({"given_labels": Y - 1, "probs": P}, ValueError, r"given_labels must lie in 0\.\.1; got -1"),
        (
            {"given_labels": Y[None], "probs": P},
            ValueError,
            r"given_labels must have shape \(N,\).* \(1, 2\)",
        ),
        ({"given_labels": Y[:1], "probs": P}, ValueError, "of the same samples; got 1 and 2"),
        (
            {"given_labels": Y, "predicted_labels": Y + 5, "num_classes": 2},
            ValueError,
            "predicted_labels must lie",
        ),
        ({"given_labels": Y, "probs": 4 * P}, ValueError, "row 0 is not. If these are logits, apply softmax"),
        ({"given_labels": Y, "probs": P / 0}, ValueError, "row 0 is not"),
        ({"given_labels": Y, "probs": P * torch.nan}, ValueError, "row 0 has NaN"),
        ({"given_labels": Y, "probs": P, "num_classes": 3}, ValueError, r"probs must have shape \(N, 3\)"),
        ({"given_labels": Y, "probs": Y}, TypeError, "Decisions go to predicted_labels"),
        ({"given_labels": Y, "predicted_labels": Y, "num_classes": 1}, ValueError, "at least 2; got 1"),
    ],
)
def test_errors(arguments: dict[str, torch.Tensor], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        confusion_matrix(**arguments)


def test_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sums must have shape \(3, 3\) and num_samples \(3,\)"):
        ConfusionCounts(3, sums=torch.zeros(2, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match="cannot merge counts of 3 and of 2 classes"):
        ConfusionCounts(3).merge(ConfusionCounts(2))
