"""Whether a doubt is the sample's or the labels': both ends, what the verdict makes of them, and what is said."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from noiselayer import audit_labels, corrupt_labels
from noiselayer.audit.candidates import candidates_of
from noiselayer.audit.column_order import column_order
from noiselayer.audit.confidence_noise import fit_noise_by_confidence
from noiselayer.audit.doubt import whose_doubt
from noiselayer.audit.judge import judging_model
from noiselayer.audit.noise_model import NoiseByConfidence, NoiseModel
from noiselayer.audit.stream import audit_stream
from noiselayer.estimation.confusion import confusion_by_prediction
from noiselayer.noise import pair_flip, random, symmetric


def peoples(N: int = 6000, K: int = 4, errors: float = 0.04, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Calibrated probabilities of labels that people give: the harder a sample, the likelier its label is wrong.

    The model knows the noise but not all of the truth: it is wrong on a few of the hardest samples.
    """
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(K, (N,), generator=generator)
    hard = torch.rand(N, generator=generator)
    partner = (truth + 1 + torch.randint(2, (N,), generator=generator)) % K
    rate = 0.05 + 0.5 * hard.pow(1.5)
    wrong = torch.rand(N, generator=generator) < rate
    labels = torch.where(wrong, partner, truth)
    mistaken = torch.rand(N, generator=generator) < 4 * errors * hard.pow(3)
    seen = torch.where(mistaken, partner, truth)
    other = torch.where(mistaken, truth, partner)
    probs = torch.full((N, K), 0.01).scatter_(1, other.unsqueeze(1), rate.unsqueeze(1))
    probs.scatter_(1, seen.unsqueeze(1), (1 - rate).unsqueeze(1))
    return probs / probs.sum(dim=1, keepdim=True), labels, truth


def by_class(
    Q: Tensor, N: int = 4000, sharpness: float = 4.0, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(len(Q), (N,), generator=generator)
    x = sharpness * torch.eye(len(Q))[truth] + torch.randn(N, len(Q), generator=generator)
    return (sharpness * x).softmax(dim=1) @ Q.T, corrupt_labels(truth, Q, generator=generator), truth


def f1(flags: Tensor, wrong: Tensor) -> float:
    return 2 * int((flags & wrong).sum()) / max(1, int(flags.sum()) + int(wrong.sum()))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_that_depends_on_the_sample_is_seen_and_the_interval_spans_both_ends(seed: int) -> None:
    probs, labels, truth = peoples(seed=seed)
    wrong, differs = labels != truth, probs.argmax(dim=1) != labels
    audit = audit_labels(labels, probs, probs_predict="given")
    count = audit.wrong
    assert [finding.name for finding in audit.findings if finding.p_value is not None] == [
        "input_dependent_noise"
    ]
    assert not count.settled
    assert count.total_low <= int(wrong.sum()) <= count.total_high
    assert count.sample_end is not None
    assert count.label_end is not None
    assert float(count.sample_end.sum()) < int(wrong.sum()) < float(count.label_end.sum()) + 60
    assert float(count.label_end.sum()) >= int(differs.sum())
    assert bool((count.low <= count.expected).all() and (count.expected <= count.high).all())
    assert f1(audit.is_error, wrong) >= f1(differs, wrong) - 0.03
    assert "the noise depends on the sample" in audit.warnings[0]


@pytest.mark.parametrize("Q", [symmetric(4, 0.2), pair_flip(4, 0.3)], ids=["symmetric", "pair"])
def test_noise_by_class_alone_is_settled(Q: Tensor) -> None:
    """By a model that has not learned it; of one that has, no noise at all explains the labels as well."""
    probs, labels, truth = by_class(Q)
    exact = audit_labels(labels, probs, probs_predict="given", check_model=False).wrong
    assert not exact.settled
    assert exact.total_low <= int((labels != truth).sum()) <= exact.total_high
    back = probs @ torch.linalg.inv(Q).T
    probs = back.clamp_min(1e-6).sqrt()
    probs /= probs.sum(dim=1, keepdim=True)
    audit = audit_labels(labels, probs, probs_predict="given", check_model=False)
    assert audit.wrong.settled
    assert audit.wrong.total_low <= int((labels != truth).sum()) <= audit.wrong.total_high
    assert float(audit.wrong.high.sum() - audit.wrong.low.sum()) < 0.8 * audit.wrong.total
    assert audit.warnings == ()


@pytest.mark.parametrize(("sharpness", "verdict"), [(2.0, "settled"), (1.6, "open")])
def test_a_fair_model_whose_probabilities_show_the_noise_is_enough(sharpness: float, verdict: str) -> None:
    Q = pair_flip(4, 0.4).double()
    right, _, truth = by_class(torch.eye(4), sharpness=sharpness)
    unsure = right.pow(0.35) / right.pow(0.35).sum(dim=1, keepdim=True)
    labels = corrupt_labels(truth, Q, generator=torch.Generator().manual_seed(1))
    found = whose_doubt(
        candidates_of(unsure @ Q.T.float(), labels), NoiseModel(Q, 1 / 0.35, learned_share=1.0)
    )
    assert 0.65 < found.fitted_accuracy < 0.85
    assert found.settled == (verdict == "settled")
    assert found.open


def test_a_weak_models_interval_allows_for_no_wrong_label() -> None:
    probs, labels, _ = by_class(torch.eye(4), sharpness=0.7)
    audit = audit_labels(labels, probs, probs_predict="given", check_model=False)
    assert audit.wrong.total_low == 0
    assert "the interval allows for no wrong label at all" in audit.warnings[0]


def test_where_nothing_tells_no_label_that_agrees_is_called_wrong() -> None:
    probs, labels, _ = by_class(symmetric(4, 0.3), N=2000, sharpness=0.4)
    agrees = probs.argmax(dim=1) == labels
    audit = audit_labels(labels, probs, probs_predict="given", check_model=False)
    as_doubtful = audit.error_probability[agrees] > audit.threshold
    assert int(as_doubtful.sum()) > 300
    assert audit.flagged == int(audit.is_error.sum()) > 1000
    assert not bool((audit.is_error & agrees).any())
    asked = audit_labels(labels, probs, probs_predict="given", threshold=audit.threshold, check_model=False)
    assert bool((asked.is_error == (asked.error_probability > asked.threshold)).all())


def test_noise_that_the_surest_show_too_is_not_taken_to_be_learned() -> None:
    found = []
    for Q in (symmetric(4, 0.3), torch.eye(4)):
        probs, labels, _ = by_class(Q, sharpness=1.7)
        found.append(whose_doubt(candidates_of(probs, labels), NoiseModel(symmetric(4, 0.1).double())))
    noisy, hard = found
    assert noisy.learnable < 0.5 < 0.9 < hard.learnable


def test_a_matrix_that_was_given_settles_it() -> None:
    probs, labels, _ = peoples(N=1000)
    count = audit_labels(labels, probs, symmetric(4, 0.2), probs_predict="given", check_model=False).wrong
    assert (count.sample_end, count.label_end, count.settled) == (None, None, True)


def test_the_ends_are_what_loops_say() -> None:
    probs, labels, _ = peoples(N=400)
    samples, K = candidates_of(probs, labels), 4
    Q = torch.eye(K, dtype=torch.float64) * 0.2 + 0.2  # so noisy that the surest samples make the lower end
    doubt = whose_doubt(samples, NoiseModel(Q, 9.0))
    confidence, predicted = probs.max(dim=1)
    for j in range(K):
        here = labels == j
        assert float(doubt.label_end[j]) == pytest.approx(float((predicted[here] != j).float().mean()))
    wrong, disagree = torch.zeros(K), []
    for i in range(K):
        rows = (predicted == i).nonzero().flatten()
        order = rows[confidence[rows].argsort(stable=True)]
        surest = [int(n) for k, n in enumerate(order) if (k + 0.5) / len(rows) >= 0.9]
        for n in surest:
            disagree.append(float(labels[n] != i))
            if labels[n] != i:
                wrong[labels[n]] += len(rows) / len(surest)
    found = doubt.sample_end * torch.bincount(labels, minlength=K)
    assert 0.7 < doubt.accuracy < 1
    assert not doubt.by_sample
    among = sum(disagree) / len(disagree)
    among -= (among * (1 - among) / len(disagree)) ** 0.5
    assert 0 < doubt.learnable < 1
    assert doubt.learnable == pytest.approx(1 - among / float((predicted != labels).float().mean()))
    torch.testing.assert_close(found.float(), wrong * (doubt.accuracy - 0.7) / 0.3)
    weak = whose_doubt(samples, NoiseModel(Q, 0.1))
    assert (weak.weak, float(weak.sample_end.sum())) == (True, 0.0)


def test_noise_by_confidence_is_recovered_where_the_accuracy_is_known() -> None:
    """Labels are drawn from Q(x) = I + s (Q - I) with three times the noise on the less confident half."""
    generator = torch.Generator().manual_seed(0)
    N, K = 40_000, 3
    Q = random(K, 0.2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    truth = torch.randint(K, (N,), generator=generator)
    peak = 0.9 + 0.099 * torch.rand(N, generator=generator)
    probs = ((1 - peak) / (K - 1)).unsqueeze(1).repeat(1, K)
    right = torch.rand(N, generator=generator) < peak
    seen = torch.where(right, truth, (truth + 1 + torch.randint(2, (N,), generator=generator)) % K)
    probs.scatter_(1, seen.unsqueeze(1), peak.unsqueeze(1))
    s = torch.where(peak < 0.9495, 1.5, 0.5)
    moved = torch.rand(N, generator=generator) < s  # of the noise that Q has, at most one and a half
    once, twice = (corrupt_labels(truth, Q, generator=generator) for _ in range(2))
    extra = torch.where((once == truth) & (s > 1) & (torch.rand(N, generator=generator) < 0.5), twice, once)
    labels = torch.where(moved, extra, truth)
    fitted = fit_noise_by_confidence(candidates_of(probs, labels), NoiseModel(Q), float(peak.mean()))
    assert fitted.sharpness == pytest.approx(1.0, abs=0.05)
    assert fitted.by_confidence is not None
    low, high = fitted.by_confidence.factors[:5].mean(), fitted.by_confidence.factors[5:].mean()
    assert float(low / high) == pytest.approx(3.0, rel=0.15)
    e = fitted.score(candidates_of(probs, labels)).error_probability
    assert float(e.sum()) == pytest.approx(int((labels != truth).sum()), rel=0.05)


def test_the_rows_of_noise_by_confidence_are_a_loops() -> None:
    Q = random(3, 0.3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    probs = torch.tensor([[0.9, 0.05, 0.05], [0.2, 0.5, 0.3]], dtype=torch.float64)
    labels = torch.tensor([1, 1])
    noise = NoiseByConfidence(
        torch.tensor([0.7], dtype=torch.float64), torch.tensor([1.5, 0.5], dtype=torch.float64)
    )
    model = NoiseModel(Q, by_confidence=noise)
    found = model.log_joint(candidates_of(probs, labels)).exp()
    for n, s in enumerate((0.5, 1.5)):
        of_sample = torch.eye(3, dtype=torch.float64) + s * (Q - torch.eye(3, dtype=torch.float64))
        torch.testing.assert_close(found[n], of_sample[1] * probs[n])


def test_a_matrix_that_hardly_explains_more_than_even_noise_does_not_rank() -> None:
    """A model that confuses its classes in its own way, and even noise: the fit takes the one for the other."""
    probs, labels, _ = by_class(symmetric(4, 0.1), N=2000, sharpness=0.9)
    samples = candidates_of(probs, labels)
    counts = torch.zeros(4, 4).index_put_((labels, probs.argmax(dim=1)), torch.ones(2000), accumulate=True)
    fitted = NoiseModel(pair_flip(4, 0.4, dtype=torch.float64), 1.0)
    judging = judging_model(samples, fitted, confusion_by_prediction(counts).double())
    off = judging.noise_matrix[~torch.eye(4, dtype=torch.bool)]
    torch.testing.assert_close(off, off[:1].expand(12))
    before, after = (float(one.score(samples).error_probability.sum()) for one in (fitted, judging))
    assert after == pytest.approx(before, rel=1e-3)


def test_an_implausible_matrix_ranks_by_the_own_probability_and_expects_no_more_than_differ() -> None:
    """Of a model that is surer than it is right, even noise has the exponent 1: its probabilities give the order."""
    probs, labels, _ = by_class(symmetric(4, 0.3), N=2000, sharpness=1.2)
    probs = probs**4 / (probs**4).sum(dim=1, keepdim=True)
    samples = candidates_of(probs, labels)
    fitted = NoiseModel(pair_flip(4, 0.6, dtype=torch.float64), 0.3)
    confusion = torch.eye(4, dtype=torch.float64) * 0.6 + 0.1
    most = 100.0
    judging = judging_model(samples, fitted, confusion, plausible=False, most=most)
    scores = judging.score(samples)
    own = probs[torch.arange(2000), labels]
    assert judging.sharpness == 1
    assert bool((scores.log_odds[own.argsort()].diff() <= 1e-6).all())
    assert float(fitted.score(samples).error_probability.sum()) > most
    assert float(scores.error_probability.sum()) == pytest.approx(most, rel=1e-3)


def test_a_second_model_narrows_the_number(tmp_path: Path) -> None:
    """Two models that are right on 92 and 88 %, wrong independently, and people's noise of a quarter of the labels."""
    generator = torch.Generator().manual_seed(0)
    N, K = 8000, 5
    truth = torch.randint(K, (N,), generator=generator)
    hard = torch.rand(N, generator=generator)
    moved = torch.rand(N, generator=generator) < 0.1 + 0.3 * hard
    labels = torch.where(moved, (truth + torch.randint(1, K, (N,), generator=generator)) % K, truth)

    def model(right: float) -> Tensor:
        mistaken = torch.rand(N, generator=generator) > right
        seen = torch.where(mistaken, (truth + torch.randint(1, K, (N,), generator=generator)) % K, truth)
        z = (
            torch.randn(N, K, generator=generator) * 0.3
            + (3.2 - 1.2 * hard).unsqueeze(1) * torch.eye(K)[seen]
        )
        return z.softmax(dim=1)

    first, second = model(0.92), model(0.88)
    wrong = int((labels != truth).sum())
    alone = audit_labels(labels, first, probs_predict="given", check_model=False)
    found = audit_labels(labels, first, probs_predict="given", second_probs=second, check_model=False)
    assert alone.model_accuracy is None
    assert found.model_accuracy == pytest.approx(
        0.92, abs=0.03
    )  # both are wrong in the same way now and then
    assert found.wrong.total == pytest.approx(wrong, rel=0.15)
    assert found.wrong.total_low <= wrong <= found.wrong.total_high
    np.save(tmp_path / "p.npy", first.numpy())
    streamed = audit_stream(
        labels, tmp_path / "p.npy", probs_predict="given", second_probs=second, top=None, check_model=False
    )
    assert streamed.model_accuracy == found.model_accuracy
    assert streamed.wrong.total == pytest.approx(found.wrong.total, rel=1e-6)
    # Labels are judged by both: where the second one contradicts a label that the first agrees with, it is in doubt.
    one_sided = (first.argmax(dim=1) == labels) & (second.argmax(dim=1) != labels)
    e = [torch.as_tensor(audit.error_probability)[one_sided].mean() for audit in (alone, found)]
    assert e[1] > 2 * e[0]
    own = found.posterior[torch.arange(N), labels]
    torch.testing.assert_close(1 - own, found.error_probability, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match=r"second_probs must have the shape of probs, \(8000, 5\)"):
        audit_stream(labels, first, probs_predict="given", second_probs=second[:5])
    with pytest.raises(ValueError, match="second_probs needs labels, and probs as an array or a file"):
        audit_stream(None, lambda: [(labels, first)], probs_predict="given", second_probs=second)
    with pytest.raises(ValueError, match=r"second_probs must have the shape of probs, \(8000, 5\)"):
        audit_labels(labels, first, probs_predict="given", second_probs=second[:5])
    with pytest.raises(
        ValueError, match="second_probs helps to estimate the noise; with noise_matrix it has no use"
    ):
        audit_labels(labels, first, symmetric(5, 0.2), probs_predict="given", second_probs=second)


def test_two_models_that_make_the_same_mistakes_are_not_believed() -> None:
    """Both are right on half of the samples, as the first one's own fit says, and agree on nearly all."""
    generator = torch.Generator().manual_seed(0)
    N, K = 4000, 4
    truth = torch.randint(K, (N,), generator=generator)
    z = 1.2 * torch.eye(K)[truth] + torch.randn(N, K, generator=generator)
    first, second = ((0.9 * (z + 0.1 * torch.randn(N, K, generator=generator))).softmax(dim=1) for _ in "ab")
    found = audit_labels(truth, first, probs_predict="given", second_probs=second, check_model=False)
    assert found.model_accuracy is not None
    assert found.model_accuracy > 0.85
    assert not found.wrong.settled
    assert found.wrong.total_low == 0  # no label is wrong
    assert any("they make the same mistakes" in warning for warning in found.warnings)


def test_a_strong_model_may_lose_dominance_by_chance() -> None:
    """Half of a class carries another label: the fit finds a little more or less; the number stands."""
    Q = torch.eye(4)
    Q[:, 0] = torch.tensor([0.5, 0.5, 0.0, 0.0])
    probs, labels, truth = by_class(Q, N=3000, sharpness=8.0)
    audit = audit_labels(labels, probs, probs_predict="given", check_model=False)
    assert audit.wrong.known
    wrong = int((labels != truth).sum())
    assert audit.wrong.total_low <= wrong <= audit.wrong.total_high
    error = torch.full((4, 4), 0.01)
    tied = audit.noise_matrix.double().clone()
    tied[:2, 0] = tied[:2, 0].mean() + torch.tensor([-0.004, 0.004])
    samples = candidates_of(probs, labels)
    assert [whose_doubt(samples, NoiseModel(tied, 1.0, 1.0), se).lost for se in (None, error)] == [1, 0]


def test_columns_in_another_order_are_named_with_the_order_that_mends_it() -> None:
    names = [str(k) for k in range(12)]
    as_text = sorted(range(12), key=str)  # 0, 1, 10, 11, 2, ...: how text is sorted
    probs, labels, truth = by_class(symmetric(12, 0.05), N=2400, sharpness=5.0)
    audit = audit_labels(
        labels, probs[:, as_text], probs_predict="given", class_names=names, check_model=False
    )
    order = [as_text.index(k) for k in range(12)]
    assert f"probs[:, {order}]" in audit.warnings[0]
    assert "2 in column 4" in audit.warnings[0]
    mended = audit_labels(labels, probs[:, as_text][:, order], probs_predict="given", check_model=False)
    assert mended.wrong.total == pytest.approx(int((labels != truth).sum()), rel=0.1)
    assert mended.warnings == ()
    assert column_order(torch.eye(3) * 10) is None
    assert column_order(torch.tensor([[4, 6], [6, 4]])) is None  # hardly better


@pytest.mark.parametrize("wrong", [np.inf, np.nan, -1.0, 7.0])
def test_a_second_opinion_must_be_probabilities(wrong: float) -> None:
    probs = np.full((40, 2), 0.5)
    second = probs.copy()
    second[3, 1] = wrong
    with pytest.raises(ValueError, match="second_probs must be probabilities.*row 3"):
        audit_labels(np.arange(40) % 2, probs, probs_predict="given", second_probs=second)
