"""Errors and likelihoods against naive loops, and which of them may choose."""

import math

import pytest
import torch

from noiselayer.errors import InputError
from noiselayer.jobs.tuning.criterion import choose_objective, score
from noiselayer.training.options import TrainingOptions


def test_score_as_a_loop_would_have_it(skewed: torch.Tensor, generator: torch.Generator) -> None:
    logits = torch.randn(40, 3, generator=generator, dtype=torch.float64) * 3
    labels = torch.randint(3, (40,), generator=generator)
    for Q in (None, skewed):
        losses, wrong = [], 0
        for z, y in zip(logits.tolist(), labels.tolist(), strict=True):
            total = sum(math.exp(v) for v in z)
            p = [math.exp(v) / total for v in z]
            if Q is not None:  # row = noisy label, column = true class
                p = [sum(float(Q[j, i]) * p[i] for i in range(3)) for j in range(3)]
            losses.append(-math.log(p[y]))
            wrong += p.index(max(p)) != y
        mean = sum(losses) / 40
        spread = math.sqrt(sum((v - mean) ** 2 for v in losses) / 39 / 40)
        found = score(logits, labels, Q)
        assert found.error == wrong / 40
        assert found.error_standard_error == pytest.approx(math.sqrt(wrong * (40 - wrong) / 40**3))
        assert found.loss == pytest.approx(mean)
        assert found.loss_standard_error == pytest.approx(spread)
        assert found.samples == 40


def test_no_error_at_all_is_not_certainty() -> None:
    perfect = score(torch.eye(3).repeat(10, 1) * 9, torch.arange(3).repeat(10))
    one_wrong = score(torch.eye(3).repeat(10, 1) * 9, torch.tensor([1, 1, 2] + [0, 1, 2] * 9))
    assert perfect.error == 0
    assert one_wrong.error == pytest.approx(1 / 30)
    assert perfect.error_standard_error == one_wrong.error_standard_error > 0


@pytest.mark.parametrize(
    ("method", "clean", "name", "labels"),
    [
        ("learned", False, "loss", "through"),
        ("known", False, "loss", "through"),
        ("top-down", False, "error", "against"),
        ("normal", False, "error", "against"),
        ("top-down", True, "error", "clean"),
        ("estimated", True, "error", "clean"),
    ],
)
def test_what_is_measured(method: str, clean: bool, name: str, labels: str) -> None:
    objective = choose_objective(TrainingOptions(method), clean=clean)
    assert (objective.name, objective.labels) == (name, labels)


def test_either_can_be_asked_for_with_clean_samples_only() -> None:
    assert choose_objective(TrainingOptions("normal"), clean=True, wanted="loss").name == "loss"
    with pytest.raises(InputError, match="'loss' needs clean samples: .* rewards fitting the noise"):
        choose_objective(TrainingOptions("top-down"), clean=False, wanted="loss")
    with pytest.raises(InputError, match="'error' needs clean samples: .* or take 'loss'"):
        choose_objective(TrainingOptions("learned"), clean=False, wanted="error")


def test_noisy_objectives_say_what_they_are_not() -> None:
    against = choose_objective(TrainingOptions("top-down"), clean=False)
    assert "diagonally dominant" in against.note
    assert "no error on true labels" in choose_objective(TrainingOptions("learned"), clean=False).note
    assert choose_objective(TrainingOptions("top-down"), clean=True).note == ""
