"""The blend of a noise model with the margin, and what it must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from noiselayer import audit_labels
from noiselayer.audit.candidates import candidates_of
from noiselayer.audit.changed_labels import blended
from noiselayer.audit.noise_model import NoiseModel, margin
from noiselayer.noise import symmetric


def coarse(N: int = 3000, K: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """Half of the samples are easy; for each of the others the model names three classes, often without the true one.

    So a probability near zero means a wrong label where another class is near one, and little elsewhere.
    """
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(K, (N,), generator=generator)
    easy = torch.rand(N, generator=generator) < 0.5
    probs = torch.full((N, K), 0.002)
    probs[torch.arange(N), truth] = 1.0
    three = torch.rand(N, K, generator=generator)
    three[torch.arange(N), truth] += 0.4 * (torch.rand(N, generator=generator) < 0.7)
    vague = torch.full((N, K), 0.002).scatter(1, three.topk(3).indices, 1.0)
    probs = torch.where(easy.unsqueeze(1), probs, vague)
    probs /= probs.sum(dim=1, keepdim=True)
    labels = truth.clone()
    wrong = torch.rand(N, generator=generator) < 0.1
    labels[wrong] = (truth[wrong] + torch.randint(1, K, (int(wrong.sum()),), generator=generator)) % K
    return probs, labels, truth


def precision(found: Tensor, wrong: Tensor) -> float:
    """Of as many as are wrong, those most likely so."""
    top = found.argsort(descending=True)[: int(wrong.sum())]
    return float(wrong[top].double().mean())


def test_margin_is_what_a_loop_says() -> None:
    probs, labels, _ = coarse(50)
    for p, y, m in zip(probs, labels, margin(candidates_of(probs, labels)), strict=True):
        others = [float(p[j]) for j in range(len(p)) if j != y]
        assert float(m) == pytest.approx(max(others) - float(p[y]))


def test_a_vague_model_ranks_by_the_margin_too() -> None:
    probs, labels, truth = coarse()
    wrong = labels != truth
    samples = candidates_of(probs, labels)
    before = NoiseModel(symmetric(8, 0.1).double())
    after = blended(samples, before, before.noise_matrix)
    one, two = (m.score(samples).error_probability for m in (before, after))
    assert after.blend is not None
    assert after.blend[1] > 0
    assert precision(two, wrong) > precision(one, wrong) + 0.2
    assert float(two.sum()) == pytest.approx(float(one.sum()), rel=1e-3)


def test_posteriors_and_error_probabilities_are_one() -> None:
    probs, labels, _ = coarse()
    audit = audit_labels(labels, probs, probs_predict="given", check_model=False)
    own = audit.posterior[torch.arange(len(labels)), labels]
    np.testing.assert_allclose(1 - own, audit.error_probability, atol=1e-4)


def test_factors_are_not_negative_and_verified_labels_stay_right() -> None:
    probs, labels, _ = coarse(400)
    verified = torch.arange(400) < 100
    samples = candidates_of(probs, labels, verified)
    Q = symmetric(8, 0.3).double()
    model = blended(samples, NoiseModel(Q), Q)
    assert model.blend is not None
    assert min(model.blend) >= 0
    assert float(model.score(samples).error_probability[verified].max()) == 0


def test_where_changed_labels_stand_out_in_neither_nothing_changes() -> None:
    """Probabilities that say the opposite of the labels: a changed label seems likelier than a given one."""
    labels = torch.arange(300) % 3
    probs = torch.full((300, 3), 0.45)
    probs[torch.arange(300), labels] = 0.1
    Q = symmetric(3, 0.2).double()
    before = NoiseModel(Q)
    assert blended(candidates_of(probs, labels), before, Q) is before
