"""Labels that were checked: the interval covers whatever the audit believes, and the draw is a known one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from noiselayer import AuditResult, audit_labels, corrupt_labels
from noiselayer.audit import audit_with_checks, count_with_checks, suggest_checks
from noiselayer.noise import symmetric


@pytest.fixture(scope="module")
def audited() -> tuple[AuditResult, Tensor]:
    """An audit whose error probabilities are a third of what they should be: the model knows nothing of it."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(4, (4000,), generator=generator)
    labels = corrupt_labels(truth, symmetric(4, 0.15), generator=generator)
    x = 2.5 * torch.eye(4)[truth] + torch.randn(4000, 4, generator=generator)
    audit = audit_labels(labels, (2 * x).softmax(dim=1), probs_predict="true", check_model=False)
    return replace(audit, error_probability=audit.error_probability / 3), truth


@pytest.mark.parametrize("number", [100, 300])
@pytest.mark.parametrize("drawn", ["at random", "as suggested"])
def test_the_interval_covers_although_the_audit_is_mistaken(
    number: int, drawn: str, audited: tuple[AuditResult, Tensor]
) -> None:
    audit, truth = audited
    wrong = int((audit.labels != truth).sum())
    assert float(audit.error_probability.sum()) < 0.5 * wrong
    generator = torch.Generator().manual_seed(1)
    covered, totals, repetitions = 0, 0.0, 200
    for seed in range(repetitions):
        chances = None
        if drawn == "at random":
            samples = torch.randperm(4000, generator=generator)[:number]
        else:
            checks = suggest_checks(audit, number, seed=seed)
            samples, chances = checks.samples, checks.inclusion_probability
        found = count_with_checks(audit, samples, truth[samples], inclusion_probability=chances)
        covered += found.low <= wrong <= found.high
        totals += found.total
        assert found.low <= found.total <= found.high
    assert covered / repetitions >= 0.91  # 95 % less 2.6 standard errors
    assert totals / repetitions == pytest.approx(wrong, rel=0.06)


def test_error_probabilities_are_recalibrated_and_classes_sum_to_the_total(
    audited: tuple[AuditResult, Tensor],
) -> None:
    audit, truth = audited
    wrong = (audit.labels != truth).double()
    checks = suggest_checks(audit, 400)
    found = count_with_checks(
        audit, checks.samples, truth[checks.samples], inclusion_probability=checks.inclusion_probability
    )
    assert torch.equal(found.error_probability[checks.samples].double(), wrong[checks.samples])
    assert float(found.by_label.sum()) == pytest.approx(found.total)
    before, after = (
        float(((e.double() - wrong) ** 2).mean()) for e in (audit.error_probability, found.error_probability)
    )
    assert after < 0.75 * before


def test_suggestions_are_a_draw_with_the_chances_that_they_say(audited: tuple[AuditResult, Tensor]) -> None:
    audit, _ = audited
    checks = suggest_checks(audit, 100)
    assert len(set(checks.samples.tolist())) == 100
    assert torch.equal(checks.samples, suggest_checks(audit, 100).samples)
    # Horvitz and Thompson: the weights of the drawn are expected to sum to the number of labels, in every part of them.
    weights, seen = torch.zeros(4000, dtype=torch.float64), torch.zeros(4000)
    for seed in range(200):
        drawn = suggest_checks(audit, 100, seed=seed)
        weights[drawn.samples] += 1 / drawn.inclusion_probability / 200
        seen[drawn.samples] += 1 / 200
    by_error = weights[audit.error_probability.argsort()]
    for part in by_error.split(1000):
        assert float(part.sum()) == pytest.approx(1000, rel=0.03)
    # Each has its own probability, 0.025 in the mean: none is drawn far too often.
    assert float(seen.max()) < 0.15
    doubtful = audit.error_probability[checks.samples] > 0.1
    assert float(doubtful.double().mean()) > float((audit.error_probability > 0.1).double().mean())
    everything = suggest_checks(audit, 4000)
    assert torch.equal(everything.inclusion_probability, torch.ones(4000, dtype=torch.float64))


def test_no_wrong_label_among_the_checked_leaves_none_possible(audited: tuple[AuditResult, Tensor]) -> None:
    audit, _ = audited
    found = count_with_checks(audit, torch.arange(50), audit.labels[:50])
    assert (found.total, found.low) == (0.0, 0.0)
    assert 0 < found.high < 1500


def test_checked_labels_answer_what_could_not_be_known_without() -> None:
    """A model that guesses within two pairs of classes, told how many labels are wrong: none."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(4, (1500,), generator=generator)
    guess = torch.where(torch.rand(1500, generator=generator) < 0.45, truth, truth + 1 - 2 * (truth % 2))
    x = 2.5 * torch.eye(4)[guess] + 0.5 * torch.randn(1500, 4, generator=generator)
    audit = audit_labels(truth, x.softmax(dim=1), probs_predict="given")
    assert "cannot be known from these probabilities" in " ".join((audit.summary(), *audit.warnings))
    corrected = audit_with_checks(audit, torch.arange(100), truth[:100])
    said = " ".join((corrected.summary(), *corrected.warnings))
    assert "cannot be known" not in said
    assert "how many labels are wrong is known by those that were checked; which of the others are" in said
    assert audit_with_checks(corrected, torch.arange(100), truth[:100]).warnings == corrected.warnings


def test_a_rare_mistake_that_was_not_drawn_may_still_be(audited: tuple[AuditResult, Tensor]) -> None:
    """60 of 3,900 sure labels are checked, all right; the interval is no narrower than chance among them makes it."""
    e = torch.where(torch.arange(4000) < 3900, 0.001, 0.5)
    audit = replace(audited[0], error_probability=e)
    samples, chances = torch.arange(3860, 3960), torch.full((100,), 60 / 3900)
    chances[40:] = 60 / 100
    truth = audit.labels[samples].clone()
    truth[-20:] = (truth[-20:] + 1) % 4
    wrong = (truth != audit.labels[samples]).double()
    found = count_with_checks(audit, samples, truth, inclusion_probability=chances)
    unchecked = torch.where(samples < 3900, 0, 3999)  # with the same error probability
    m = found.error_probability[unchecked].double()
    weight = (1 / chances.double() - 1) / chances
    variance = (float((weight * (wrong - m) ** 2).sum()) + float((weight * m * (1 - m)).sum())) / 2
    assert found.total - found.low >= 1.96 * variance**0.5
    assert found.high - found.total >= 1.96 * variance**0.5


@pytest.mark.parametrize(
    ("samples", "truth", "options", "message"),
    [
        ([0, 0], [1, 1], {}, "samples must name each checked label once"),
        ([0, 1], [1], {}, "samples and true_labels must be equally many, at least one; got 2 and 1"),
        ([0, 1], [1, 1], {"confidence": 1.0}, "confidence must lie between 0 and 1; got 1.0"),
        (
            [0, 1],
            [1, 1],
            {"inclusion_probability": [0.0, 1.0]},
            "inclusion_probability must be a probability above 0",
        ),
    ],
)
def test_what_it_refuses(samples, truth, options, message, audited) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        count_with_checks(audited[0], samples, truth, **options)
    with pytest.raises(ValueError, match="number of checks must be from 1 to the 4000 labels; got 0"):
        suggest_checks(audited[0], 0)
