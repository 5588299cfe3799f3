"""Calibrated probabilities as a second opinion where no noise matrix is to be trusted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from noiselayer import audit_labels
from noiselayer.audit.calibrated_halfway import calibrated_halfway, calibration_of
from noiselayer.audit.candidates import candidates_of
from noiselayer.audit.noise_model import NoiseModel, log_margin
from noiselayer.noise import symmetric


def too_little(N: int = 3000, by: float = 1.5, spread: float = 1.5) -> tuple[Tensor, Tensor, Tensor]:
    """A vague model that gives the first two of four classes too little, and labels of which a fifth is wrong."""
    generator = torch.Generator().manual_seed(0)
    scores = spread * torch.randn(N, 4, generator=generator)
    truth = torch.multinomial(scores.softmax(dim=1), 1, generator=generator).squeeze(1)
    labels = truth.clone()
    wrong = torch.rand(N, generator=generator) < 0.2
    labels[wrong] = (truth[wrong] + torch.randint(1, 4, (int(wrong.sum()),), generator=generator)) % 4
    shift = by * torch.tensor([1.0, 1.0, 0.0, 0.0])
    return (scores - shift).softmax(dim=1), labels, truth


def test_the_calibration_finds_what_was_done() -> None:
    probs, _, truth = too_little(20_000, by=0.5)
    p = probs.double().square()
    found = calibration_of(candidates_of(p / p.sum(dim=1, keepdim=True), truth))
    assert float(found.power) == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(found.bias - found.bias[3], [0.5, 0.5, 0.0, 0.0], atol=0.08)
    assert float(found.floor) < 0.03


def test_log_margin_is_what_a_loop_says() -> None:
    probs, labels, _ = too_little(50)
    samples = candidates_of(probs, labels)
    for p, y, m in zip(probs, labels, log_margin(probs.log(), samples.own()), strict=True):
        others = [float(p[j]) for j in range(4) if j != y]
        assert float(m) == pytest.approx(float(np.log(max(others) / float(p[y]))), rel=1e-4)


def test_a_class_that_gets_too_little_is_not_taken_for_wrong_labels() -> None:
    probs, labels, truth = too_little()
    wrong, samples = labels != truth, candidates_of(probs, labels)
    before = NoiseModel(symmetric(4, 0.2).double())
    after = calibrated_halfway(samples, before)
    one, two = (m.score(samples).error_probability for m in (before, after))
    assert float(two.sum()) == pytest.approx(float(one.sum()), rel=1e-3)
    assert average_precision_score(wrong, two) > average_precision_score(wrong, one) + 0.02
    differs = after.differs(samples)
    assert not bool((differs & (probs.argmax(dim=1) == labels)).any())
    assert int(differs.sum()) < int((probs.argmax(dim=1) != labels).sum())


def test_it_is_left_alone_where_nothing_is_gained_or_labels_would_do_it() -> None:
    before = NoiseModel(symmetric(4, 0.2).double())
    probs, _, truth = too_little(by=0.0)
    assert calibrated_halfway(candidates_of(probs, truth), before) is before
    probs, labels, _ = too_little(by=4.0)
    assert calibrated_halfway(candidates_of(probs, labels), before) is before
    probs, labels, _ = too_little(20)
    verified = torch.ones(20, dtype=torch.bool)
    assert calibrated_halfway(candidates_of(probs, labels, verified), before) is before


def test_an_audit_ranks_and_calls_by_it() -> None:
    probs, labels, truth = too_little()
    wrong = (labels != truth).numpy()
    audit = audit_labels(labels, probs, probs_predict="given", check_model=False)
    own = probs[torch.arange(len(labels)), labels]
    assert average_precision_score(wrong, -audit.rank) > average_precision_score(wrong, -own) + 0.02
    # Order and probabilities are one, and so are the posterior and they.
    by_rank = audit.error_probability[audit.rank.argsort()]
    assert bool((by_rank.diff() <= 0).all())
    np.testing.assert_allclose(
        1 - audit.posterior[torch.arange(len(labels)), labels], audit.error_probability, atol=1e-4
    )
    samples = candidates_of(probs, labels).to(torch.float64)
    q = calibration_of(samples).log_probs(samples.probs)
    differs = (samples.predicted() != labels) & (q.argmax(dim=1) != labels)
    assert torch.equal(audit.is_error, (audit.error_probability > audit.threshold) & differs)


def test_classes_by_other_names_are_not_calibrated_away() -> None:
    truth = torch.arange(90) % 3
    probs = (
        0.94 * torch.eye(3, dtype=torch.float64)[(truth + 1) % 3] + 0.02
    )  # sure of another class than the label
    samples, judging = candidates_of(probs, truth), NoiseModel(symmetric(3, 0.2).double())
    assert float(calibration_of(samples).power) < 0
    assert calibrated_halfway(samples, judging) is judging
