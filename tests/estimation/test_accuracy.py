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


def test_a_transposed_matrix_contradicts_the_data(generator: torch.Generator) -> None:
    truth = torch.randint(4, (20_000,), generator=generator)
    guesses = predicted(truth, generator)
    Q = pair_flip(4, 0.4)
    noisy = corrupt_labels(truth, Q, generator=generator)
    assert accuracy_from_noisy_labels(guesses, noisy, Q).recall[0] > 0.95
    with pytest.raises(ValueError, match="Fewer than no samples .* Check that its columns are true classes"):
        accuracy_from_noisy_labels(guesses, noisy, Q.T.contiguous())


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


def test_fewer_than_no_samples_predicted_alike_are_refused() -> None:
    """Accuracy and shares are possible here; but of those predicted as 0 more are labelled 0 than of any class."""
    Q = torch.tensor([[0.6, 0.3], [0.4, 0.7]])
    predictions = torch.tensor([0] * 1000 + [1] * 1000)
    labels = torch.tensor([0] * 800 + [1] * 200 + [0] * 300 + [1] * 700)
    with pytest.raises(ValueError, match="Fewer than no samples would be of true class 1 and predicted as 0"):
        accuracy_from_noisy_labels(predictions, labels, Q)
    fitting = torch.tensor([0] * 600 + [1] * 400 + [0] * 300 + [1] * 700)
    assert accuracy_from_noisy_labels(predictions, fitting, Q).accuracy == pytest.approx(1.0)


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


def test_an_uncertain_matrix_widens_the_interval_and_then_it_covers() -> None:
    """Of a matrix with errors the intervals that take it as exact miss; with its errors they do not."""
    Q, covered, widths = pair_flip(4, 0.3, dtype=torch.float64), [0, 0], [0.0, 0.0]
    error = torch.where(Q > 0, 0.05, 0.0)
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        truth = torch.randint(4, (4000,), generator=generator)
        guesses = predicted(truth, generator)
        noisy = corrupt_labels(truth, Q, generator=generator)
        given = (Q + error * torch.randn(4, 4, generator=generator, dtype=torch.float64)).clamp_min(0)
        given = given / given.sum(dim=0)
        for k, known in enumerate((None, error)):
            found = accuracy_from_noisy_labels(guesses, noisy, given, standard_error=known, num_bootstrap=100)
            low, high = found.accuracy_interval
            right = float((guesses == truth).double().mean())
            covered[k] += low <= right <= high
            widths[k] += high - low
    assert covered[1] >= 36 > covered[0]
    assert widths[1] > widths[0]


def test_checked_labels_mend_a_wrong_matrix_and_narrow_the_interval() -> None:
    """A matrix that is far off: 300 checked samples of 3,000 give the accuracy all the same."""
    Q, covered, widths, alone = pair_flip(4, 0.3), 0, 0.0, 0.0
    wrong_matrix = random(4, 0.2, generator=torch.Generator().manual_seed(1))
    repetitions = 60
    for seed in range(repetitions):
        generator = torch.Generator().manual_seed(seed)
        truth = torch.randint(4, (3000,), generator=generator)
        guesses = predicted(truth, generator)
        noisy = corrupt_labels(truth, Q, generator=generator)
        checked = torch.where(torch.arange(3000) < 300, truth, -1)
        found = accuracy_from_noisy_labels(
            guesses, noisy, wrong_matrix, true_labels=checked, num_bootstrap=100
        )
        low, high = found.accuracy_interval
        right = float((guesses == truth).double().mean())
        covered += low <= right <= high
        widths += (high - low) / repetitions
        alone += 2 * 1.96 * (right * (1 - right) / 300) ** 0.5 / repetitions
    assert covered >= 0.86 * repetitions  # 95 % less three standard errors
    assert widths < alone
    everything = accuracy_from_noisy_labels(guesses, noisy, wrong_matrix, true_labels=truth)
    assert everything.accuracy == pytest.approx(right)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"true_labels": [0]}, r"true_labels must have shape \(2,\), -1 where nobody has checked"),
        ({"true_labels": [0, -1]}, "must be known of at least two samples; 1 are"),
        ({"standard_error": [[0.1]]}, "standard_error must hold a finite number, none negative"),
    ],
)
def test_what_it_says_of_checked_labels_and_errors(options, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        accuracy_from_noisy_labels([0, 1], [0, 1], identity(2), **options)
