"""Accuracy behind noisy labels: exact where shares are exact, covering where they are drawn."""

import pytest
import torch

from noiselayer import corrupt_labels
from noiselayer.estimation.accuracy import accuracy_from_noisy_labels
from noiselayer.noise import identity, pair_flip, random


def predicted(truth: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Class 0 is always found, the others seven times in ten."""
    right = (torch.rand(len(truth), generator=generator) < 0.7) | (truth == 0)
    return torch.where(right, truth, (truth + 2) % 4)


def test_without_noise_it_is_scikit_learn(generator: torch.Generator) -> None:
    from sklearn.metrics import f1_score, recall_score

    truth = torch.randint(4, (500,), generator=generator)
    guesses = predicted(truth, generator)
    found = accuracy_from_noisy_labels(guesses, truth, identity(4))
    assert found.accuracy == pytest.approx(float((guesses == truth).double().mean()))
    assert found.recall.tolist() == pytest.approx(recall_score(truth, guesses, average=None).tolist())
    assert found.macro_f1 == pytest.approx(f1_score(truth, guesses, average="macro"))


def test_the_truth_lies_in_the_intervals() -> None:
    Q, covered = random(4, 0.4, generator=torch.Generator().manual_seed(0)), [0, 0]
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        truth = torch.randint(4, (2000,), generator=generator)
        guesses = predicted(truth, generator)
        found = accuracy_from_noisy_labels(
            guesses, corrupt_labels(truth, Q, generator=generator), Q, num_bootstrap=100
        )
        low, high = found.accuracy_interval
        covered[0] += low <= 0.775 <= high
        covered[1] += float(found.recall_low[1]) <= 0.7 <= float(found.recall_high[1])
    assert min(covered) >= 34  # 38 of 40 is 95 %


def test_a_transposed_matrix_gives_another_answer(generator: torch.Generator) -> None:
    truth = torch.randint(4, (20_000,), generator=generator)
    guesses = predicted(truth, generator)
    Q = pair_flip(4, 0.4)
    noisy = corrupt_labels(truth, Q, generator=generator)
    assert accuracy_from_noisy_labels(guesses, noisy, Q).recall[0] > 0.95
    assert accuracy_from_noisy_labels(guesses, noisy, Q.T.contiguous()).recall[0] < 0.9


@pytest.mark.parametrize(
    ("predictions", "labels", "options", "error", "message"),
    [
        ([0.5], [0], {}, TypeError, "predictions must be class indices"),
        ([0], [0, 1], {}, ValueError, "must be of the same samples, at least one; got 1 and 2"),
        ([5], [0], {}, ValueError, r"predictions must lie in 0\.\.1; got 5"),
        ([0], [0], {"confidence": 1.0}, ValueError, "confidence must lie between"),
        ([0], [0], {"num_bootstrap": 1}, ValueError, "num_bootstrap must be at least 2"),
        ([0], [0], {"noise_matrix": torch.full((2, 2), 0.5)}, ValueError, "noise_matrix must be invertible"),
    ],
)
def test_what_it_refuses(predictions, labels, options, error, message) -> None:  # type: ignore[no-untyped-def]
    options = {"noise_matrix": torch.eye(2), **options}
    with pytest.raises(error, match=message):
        accuracy_from_noisy_labels(torch.tensor(predictions), torch.tensor(labels), **options)


def test_a_model_that_repeats_the_noisy_labels_is_not_certified(generator: torch.Generator) -> None:
    Q = pair_flip(3, 0.4)
    labels = corrupt_labels(torch.arange(3000) % 3, Q, generator=generator)
    with pytest.raises(
        ValueError, match=r"accuracy is 1\.29 .*repeat 100% of the noisy labels.* 60% at most"
    ):
        accuracy_from_noisy_labels(labels, labels, Q)


@pytest.mark.parametrize(("zeros", "shares"), [(900, "2.25, -1.25"), (100, "-1.75, 2.75")])
def test_labels_that_the_matrix_cannot_give_are_refused(zeros: int, shares: str) -> None:
    Q = torch.tensor([[0.65, 0.45], [0.35, 0.55]])  # between 45 and 65 % of the labels are 0
    labels = torch.tensor([0] * zeros + [1] * (1000 - zeros))
    with pytest.raises(
        ValueError, match=f"noise_matrix contradicts the data: .* shares are {shares}, outside 0 to 1"
    ):
        accuracy_from_noisy_labels(torch.zeros(1000, dtype=torch.long), labels, Q)


def test_what_chance_explains_is_cut_to_its_range() -> None:
    found = accuracy_from_noisy_labels(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 1]), pair_flip(2, 0.2))
    assert found.accuracy == 1.0  # the raw answer is 1.33, of three samples


def test_good_models_are_not_refused_by_chance() -> None:
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        truth = torch.randint(3, (60,), generator=generator)
        noisy = corrupt_labels(truth, pair_flip(3, 0.4), generator=generator)
        assert (
            0 <= accuracy_from_noisy_labels(truth, noisy, pair_flip(3, 0.4), num_bootstrap=50).accuracy <= 1
        )
