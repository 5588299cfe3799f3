"""The audit against a naive loop, known noise, and what it must refuse."""

import math

import pytest
import torch
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.audit import audit_labels, audit_with_checks, best_threshold
from noiselayer.audit.candidates import candidates_of, likeliest_class
from noiselayer.audit.judge import judging_model
from noiselayer.audit.noise_model import NoiseModel, unmix
from noiselayer.audit.subsample import MOST_ROWS, Batch, first_pass
from noiselayer.noise import pair_flip, random, symmetric
from noiselayer.noise.posterior import label_error_probability, posterior


def simulated(
    Q: Tensor, N: int = 4000, sharpness: float = 3.0, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of the true class that are calibrated, noisy labels, and the truth."""
    generator = torch.Generator().manual_seed(seed)
    K = len(Q)
    truth = torch.randint(K, (N,), generator=generator)
    x = sharpness * torch.eye(K)[truth] + torch.randn(N, K, generator=generator)
    return (sharpness * x).softmax(dim=1), corrupt_labels(truth, Q, generator=generator), truth


def test_with_a_given_matrix_it_is_bayes_rule_in_a_loop(skewed: Tensor) -> None:
    Q = skewed.float()
    probs, labels, _ = simulated(Q, N=50)
    audit = audit_labels(labels, probs, Q, probs_predict="true", calibrate=False)
    for n in range(50):
        joint = [float(Q[labels[n], i] * probs[n, i]) for i in range(3)]
        assert float(audit.error_probability[n]) == pytest.approx(
            1 - joint[int(labels[n])] / sum(joint), abs=1e-5
        )
    torch.testing.assert_close(audit.error_probability, label_error_probability(probs.log(), labels, Q))
    torch.testing.assert_close(audit.posterior, posterior(probs.log(), labels, Q))
    assert audit.temperature is None
    assert audit.probs_predict == "true"


def test_a_transposed_matrix_is_refused(skewed: Tensor) -> None:
    probs, labels, _ = simulated(skewed.float(), N=50)
    with pytest.raises(ValueError, match=r"Its rows do: if rows are true\s+classes"):
        audit_labels(labels, probs, skewed.float().T.contiguous(), probs_predict="given")


@pytest.mark.parametrize("probs_predict", ["true", "given"])
@pytest.mark.parametrize(
    "Q",
    [pair_flip(4, 0.3), symmetric(4, 0.3), random(4, 0.3, generator=torch.Generator().manual_seed(1))],
    ids=["pair", "symmetric", "random"],
)
def test_matrix_count_and_verdicts_are_found_from_noisy_labels_alone(probs_predict: str, Q: Tensor) -> None:
    probs, labels, truth = simulated(Q, N=4000, sharpness=4.0)
    given = probs if probs_predict == "true" else probs @ Q.T
    audit = audit_labels(labels, given, probs_predict=probs_predict)  # type: ignore[arg-type]
    wrong = labels != truth
    assert float((audit.noise_matrix - Q).abs().max()) < 0.06
    assert audit.wrong.total == pytest.approx(int(wrong.sum()), rel=0.1)
    assert audit.wrong.total_low <= int(wrong.sum()) <= audit.wrong.total_high
    hits = int((audit.is_error & wrong).sum())
    assert 2 * hits / (int(wrong.sum()) + audit.flagged) > 0.95
    assert float((audit.corrected_labels() == truth).float().mean()) > 0.97


def test_overconfident_and_unsure_models_are_calibrated() -> None:
    Q = symmetric(4, 0.2)
    probs, labels, truth = simulated(Q, N=6000)
    wrong = (labels != truth).float()
    for power in (0.4, 3.0):
        distorted = probs.pow(power) / probs.pow(power).sum(dim=1, keepdim=True)
        audit = audit_labels(labels, distorted, Q, probs_predict="true")
        assert audit.temperature == pytest.approx(power, rel=0.15)
        assert float(((audit.error_probability - wrong) ** 2).mean()) < 0.045
        sure = audit.error_probability > 0.9
        assert float(wrong[sure].mean()) > 0.93


def test_unmixing_is_exact_on_mixtures_and_stays_on_the_simplex() -> None:
    Q = random(4, 0.3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    true = torch.rand(20, 4, generator=generator, dtype=torch.float64).pow(2)
    true /= true.sum(dim=1, keepdim=True)
    samples = candidates_of(true @ Q.T, torch.zeros(20, dtype=torch.long))
    torch.testing.assert_close(unmix(samples, Q, steps=2000), true, atol=1e-4, rtol=0)
    off = candidates_of(torch.eye(4, dtype=torch.float64), torch.arange(4))  # no mixture of Q's columns
    found = unmix(off, Q)
    assert bool((found >= 0).all())
    torch.testing.assert_close(found.sum(dim=1), torch.ones(4, dtype=torch.float64))


def test_many_classes_by_their_likeliest_ones_equal_all_of_them() -> None:
    K = 30
    Q = random(K, 0.3, concentration=0.2, generator=torch.Generator().manual_seed(3))
    probs, labels, _ = simulated(Q, N=300, sharpness=4.0)
    few = candidates_of(probs, labels)
    assert few.probs.shape == (300, 9)  # the last for all others together
    torch.testing.assert_close(few.dense(few.probs, K).sum(dim=1), torch.ones(300))
    assert bool((few.index == labels.unsqueeze(1)).any(dim=1).all())  # type: ignore[union-attr]
    e = NoiseModel(Q).score(few).error_probability
    torch.testing.assert_close(e, label_error_probability(probs.log(), labels, Q), atol=0.02, rtol=0)
    audit = audit_labels(labels, probs, Q, probs_predict="true", calibrate=False)
    torch.testing.assert_close(audit.posterior.sum(dim=1), torch.ones(300))


@pytest.mark.parametrize("K", [40, 100])
def test_diffuse_noise_among_many_classes_is_found(K: int) -> None:
    Q = symmetric(K, 0.15)
    probs, labels, truth = simulated(Q, N=100 * K, sharpness=4.5)
    audit = audit_labels(labels, probs @ Q.T, check_model=False, probs_predict="given")
    wrong = labels != truth
    assert audit.wrong.total == pytest.approx(int(wrong.sum()), rel=0.1)
    hits = int((audit.is_error & wrong).sum())
    assert 2 * hits / (int(wrong.sum()) + audit.flagged) > 0.95


def test_all_other_classes_together_are_what_a_loop_says() -> None:
    K = 20
    Q = random(K, 0.3, generator=torch.Generator().manual_seed(5))
    probs, labels, _ = simulated(Q, N=20, sharpness=1.0)
    few = candidates_of(probs, labels)
    assert few.index is not None
    rows = few.row_of_label(Q)
    for n in range(20):
        rest = [k for k in range(K) if k not in few.index[n].tolist()]
        assert float(few.probs[n, -1]) == pytest.approx(sum(float(probs[n, k]) for k in rest), abs=1e-5)
        assert float(rows[n, -1]) == pytest.approx(
            sum(float(Q[labels[n], k]) for k in rest) / len(rest), abs=1e-6
        )
    torch.testing.assert_close(likeliest_class(probs), probs.argmax(dim=1))
    wide = torch.rand(50, 203, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(likeliest_class(wide), wide.argmax(dim=1))


def test_single_labels_are_judged_with_evened_confusions_and_the_same_number() -> None:
    Q = random(4, 0.3, concentration=0.2, generator=torch.Generator().manual_seed(6))
    probs, labels, _ = simulated(Q, N=2000, sharpness=1.5)  # a model that makes mistakes of its own
    samples, confusion = candidates_of(probs, labels), Q.double()
    fitted = NoiseModel(Q.double())
    judging = judging_model(samples, fitted, confusion)
    before, after = (float(one.score(samples).error_probability.sum()) for one in (fitted, judging))
    assert after == pytest.approx(before, rel=1e-4)
    torch.testing.assert_close(judging.noise_matrix.diagonal(), fitted.noise_matrix.diagonal())
    torch.testing.assert_close(judging.noise_matrix.sum(dim=0), torch.ones(4, dtype=torch.float64))
    audit = audit_labels(labels, probs, check_model=False, probs_predict="given")
    own = audit.posterior.gather(1, labels.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(1 - own, audit.error_probability, atol=1e-5, rtol=1e-4)


def test_verified_labels_are_right_and_not_counted() -> None:
    Q = pair_flip(3, 0.3)
    probs, labels, truth = simulated(Q)
    verified = (labels == truth) & (torch.arange(len(labels)) % 2 == 0)
    audit = audit_labels(labels, probs, probs_predict="true", verified=verified)
    assert not bool(audit.error_probability[verified].any())
    assert not bool(audit.is_error[verified].any())
    assert bool((audit.suggested_label[verified] == labels[verified]).all())
    assert float(audit.wrong.labels.sum()) == int((~verified).sum())
    assert bool((audit.posterior[verified].argmax(dim=1) == labels[verified]).all())
    assert audit.wrong.total == pytest.approx(int((labels != truth).sum()), rel=0.15)


def test_relabelling_the_classes_permutes_the_answer() -> None:
    Q = random(4, 0.3, generator=torch.Generator().manual_seed(4))
    probs, labels, _ = simulated(Q, N=1000)
    order = torch.tensor([2, 0, 3, 1])
    plain = audit_labels(labels, probs, check_model=False, probs_predict="given")
    renamed = audit_labels(order.argsort()[labels], probs[:, order], check_model=False, probs_predict="given")
    torch.testing.assert_close(renamed.error_probability, plain.error_probability, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        renamed.noise_matrix, plain.noise_matrix[order][:, order], atol=1e-4, rtol=1e-3
    )


def test_ranks_rows_and_suggestions_belong_together() -> None:
    probs, labels, _ = simulated(pair_flip(4, 0.3), N=500)
    audit = audit_labels(labels, probs, probs_predict="true")
    by_rank = audit.error_probability[audit.rank.argsort()]
    assert bool((by_rank[:-1] >= by_rank[1:]).all())
    assert bool((audit.suggested_label[audit.is_error] != labels[audit.is_error]).all())
    assert audit.flagged == int(audit.is_error.sum())
    torch.testing.assert_close(audit.sample_weights(), 1 - audit.error_probability)
    top = audit_labels(labels, probs, probs_predict="true", top=20)
    assert top.samples.tolist() == audit.rank.argsort()[:20].tolist()
    assert (top.flagged, top.wrong.total) == (audit.flagged, audit.wrong.total)
    with pytest.raises(ValueError, match=r"corrected_labels needs a row for each of the 500 samples, and 20"):
        top.corrected_labels()


def test_the_interval_of_the_count_covers_at_a_known_matrix() -> None:
    Q, covered = symmetric(3, 0.2), 0
    for seed in range(40):
        probs, labels, truth = simulated(Q, N=400, seed=seed)
        wrong = audit_labels(labels, probs, Q, probs_predict="true", calibrate=False, check_model=False).wrong
        covered += wrong.total_low <= int((labels != truth).sum()) <= wrong.total_high
    assert 34 <= covered <= 40  # 95 % of 40 is 38


def test_labels_that_are_all_right_are_left_alone() -> None:
    probs, labels, _ = simulated(torch.eye(3), N=3000, sharpness=4.0)
    audit = audit_labels(labels, probs, probs_predict="given")
    assert audit.wrong.total < 15
    assert audit.flagged < 10


def test_the_threshold_has_the_highest_expected_f1() -> None:
    e = torch.rand(200, generator=torch.Generator().manual_seed(0)).double()
    t = best_threshold(e)

    def expected_f1(threshold: float) -> float:
        flagged = e > threshold
        return 2 * float(e[flagged].sum()) / (int(flagged.sum()) + float(e.sum()))

    assert expected_f1(t) == pytest.approx(max(expected_f1(k / 1000) for k in range(1000)), abs=1e-3)
    assert t == pytest.approx(expected_f1(t) / 2, abs=5e-3)
    assert best_threshold(torch.zeros(3)) == 0.5


def test_a_verdict_for_both_answers_is_the_best_in_the_mean_of_their_scores() -> None:
    generator = torch.Generator().manual_seed(0)
    e = 0.4 * torch.rand(300, generator=generator).double() ** 2
    differs = torch.rand(300, generator=generator) < e + 0.2
    t = best_threshold(e, differs=differs)

    def score(threshold: float, answer: torch.Tensor) -> float:
        flagged = (e > threshold) & differs
        return 2 * float(answer[flagged].sum()) / (int(flagged.sum()) + float(answer.sum()))

    def both(threshold: float) -> float:
        return (6 * score(threshold, e) + score(threshold, differs.double())) / 7

    assert both(t) == pytest.approx(max(both(float(one) - 1e-9) for one in e), abs=1e-9)
    assert t < best_threshold(e)  # more labels than the error probabilities alone would call wrong
    assert best_threshold(0.001 * e, differs=differs) == 0.5  # fewer than half a label
    same = torch.zeros(300, dtype=torch.bool)
    assert (e > best_threshold(e, differs=same)).sum() == (e > best_threshold(e)).sum()
    ties = torch.tensor([0.4] * 5 + [0.3] * 40)
    some = torch.arange(45) < 20
    assert int(((ties > best_threshold(ties, differs=some)) & some).sum()) in (5, 20)


def test_nothing_is_flagged_where_nothing_wrong_is_likelier() -> None:
    equal = torch.full((600,), 0.02)
    assert not bool((equal > best_threshold(equal)).any())  # 600 flagged for 12: no verdict
    assert best_threshold(torch.tensor([0.45, 0.01])) >= 0.5  # fewer than half a label
    assert best_threshold(torch.full((60,), 0.002), num_labels=60) == 0.5
    ties = torch.tensor([0.9] * 5 + [0.3] * 40)  # together or not at all
    assert int((ties > best_threshold(ties)).sum()) in (5, 45)
    certain = torch.tensor([1.0, 0.0, 0.0])
    assert (certain > best_threshold(certain)).tolist() == [True, False, False]


@pytest.mark.parametrize("own", [0.6, 0.9, 0.999])
@pytest.mark.parametrize("N", [20, 60, 3000])
def test_right_labels_with_one_certainty_for_all_are_left_alone(own: float, N: int) -> None:
    labels = torch.arange(N) % 3
    probs = torch.full((N, 3), (1 - own) / 2).scatter_(1, labels.unsqueeze(1), own)
    for predict in ("given", "true"):
        audit = audit_labels(labels, probs, probs_predict=predict)  # type: ignore[arg-type]
        assert audit.flagged == 0
        assert torch.equal(audit.corrected_labels(), labels)


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_real_labels_that_nobody_changed_are_left_alone_where_so_few_are_expected(name: str) -> None:
    """Whatever is expected, a list of suspects is no longer than twice that, and empty below half a label."""
    from sklearn import datasets
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    for rows in (slice(None), slice(None, None, 4)):
        probs = cross_val_predict(model, X[rows], y[rows], method="predict_proba", cv=5)
        labels = torch.from_numpy(y[rows])
        audit = audit_labels(labels, probs, probs_predict="given")
        if audit.wrong.total < 0.5:
            assert audit.flagged == 0
            assert torch.equal(audit.corrected_labels(), labels)
        assert audit.flagged <= 2 * audit.wrong.total + 1
        assert audit.flagged <= 0.03 * len(labels) + 2


def test_what_the_first_pass_keeps_does_not_depend_on_the_batches() -> None:
    N = MOST_ROWS + 5000
    probs = torch.rand(N, 2, generator=torch.Generator().manual_seed(0))
    probs /= probs.sum(dim=1, keepdim=True)
    labels = torch.arange(N) % 2
    whole = first_pass([Batch(0, labels, probs, None)], 2)
    parts = first_pass([Batch(k, labels[k : k + 977], probs[k : k + 977], None) for k in range(0, N, 977)], 2)
    assert MOST_ROWS * 0.45 < len(whole.samples) <= MOST_ROWS
    torch.testing.assert_close(parts.samples.probs, whole.samples.probs, rtol=0, atol=0)
    assert parts.counts.tolist() == whole.counts.tolist()
    # No period: every residue is there as often.
    assert abs(float(whole.samples.labels.double().mean()) - 0.5) < 0.01


def test_what_contradicts_the_noise_model_is_said() -> None:
    probs, labels, _ = simulated(symmetric(3, 0.05), N=3000, sharpness=5.0)
    findings = audit_labels(labels, probs, symmetric(3, 0.5), probs_predict="true", calibrate=False).findings
    assert "input_dependent_noise" in {finding.name for finding in findings}
    assert audit_labels(labels, probs, check_model=False, probs_predict="given").findings == ()


def test_classes_without_labels_are_named() -> None:
    probs = torch.tensor([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1]]).repeat(50, 1)
    audit = audit_labels(
        torch.tensor([0, 1]).repeat(50), probs, class_names=["a", "b", "c"], probs_predict="given"
    )
    assert audit.warnings[0] == "no sample carries the label c: nothing can be said of the noise there."


def test_a_matrix_that_is_a_weak_models_confusion_is_doubted_first(generator: torch.Generator) -> None:
    """All labels are right; a model that guesses within two pairs of classes, and is sure of it, says otherwise."""
    true = torch.randint(4, (1500,), generator=generator)
    partner = true + 1 - 2 * (true % 2)
    guess = torch.where(torch.rand(1500, generator=generator) < 0.45, true, partner)
    logits = 0.5 * torch.randn(1500, 4, generator=generator) + 2.5 * torch.eye(4)[guess]
    audit = audit_labels(true, logits.softmax(dim=1), probs_predict="given")
    assert "4 of 4 classes carry another label at least as often as their own" in audit.warnings[0]
    assert not audit.wrong.known
    assert "cannot be known from these probabilities: 0 to" in audit.summary()
    assert "expected" not in audit.summary()
    drawn = torch.arange(0, 1500, 10)
    looked = audit_with_checks(audit, drawn, true[drawn])
    assert looked.wrong.known
    assert "labels are expected to be wrong" in looked.summary()
    known = audit_labels(true, logits.softmax(dim=1), symmetric(4, 0.1), probs_predict="given")
    assert known.warnings == ()
    better = audit_labels(
        true, (0.5 * logits + 2.5 * torch.eye(4)[true]).softmax(dim=1), probs_predict="given"
    )
    assert not any("as often as their own" in warning for warning in better.warnings)


def test_the_result_as_a_table(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import pandas as pd

    probs, labels, _ = simulated(pair_flip(3, 0.3), N=100)
    audit = audit_labels(labels, probs, class_names=["a", "b", "c"], probs_predict="given")
    frame = audit.to_frame(ids=[f"{k}.png" for k in range(100)])
    assert frame["rank"].tolist() == list(range(100))
    assert frame["id"][0] == f"{frame['sample'][0]}.png"
    audit.to_csv(tmp_path / "a.csv")
    audit.to_parquet(tmp_path / "a.parquet")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.csv", "a.parquet"]
    assert pd.read_parquet(tmp_path / "a.parquet")["given_label"].tolist() == frame["given_label"].tolist()
    assert "labels are expected to be wrong" in audit.summary()
    with pytest.raises(ValueError, match="ids must be one per sample, 100; got 1"):
        audit.to_frame(ids=["x"])


GOOD = torch.tensor([[0.9, 0.1], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("labels", "probs", "options", "error", "message"),
    [
        ([0, 1], GOOD.long(), {}, TypeError, "probs must be floating-point probabilities"),
        ([0.0, 1.0], GOOD, {}, TypeError, "labels must be class indices"),
        ([0], GOOD, {}, ValueError, r"labels must have shape \(2,\), one per row of probs; got \(1,\)"),
        ([0, 1], GOOD[0], {}, ValueError, r"probs must have shape \(N, K\)"),
        ([0, 2], GOOD, {}, IndexError, r"labels must lie in 0\.\.1; got 2 at 1\. Leave samples without"),
        ([0, 1], torch.tensor([[0.9, 0.1], [math.nan, 0.8]]), {}, ValueError, "row 1 holds NaN"),
        ([0, 1], GOOD * 2, {}, ValueError, r"row 0 sums to 2\. If these are logits, apply softmax"),
        ([0, 1], torch.tensor([[0.9, 0.1], [1.5, -0.5]]), {}, ValueError, "row 1 holds -0.5"),
        ([0, 1], GOOD, {"noise_matrix": torch.eye(3)}, ValueError, "is 3 x 3, but there are 2 classes"),
        ([0, 1], GOOD, {"noise_matrix": 2 * torch.eye(2)}, ValueError, "columns must sum to 1"),
        (
            [0, 1],
            GOOD,
            {"probs_predict": "clean"},
            ValueError,
            "'given' for a model trained on noisy.*got 'clean'",
        ),
        ([0, 1], GOOD, {"probs_predict": None}, ValueError, "'true' for one that predicts.*got None"),
        ([0, 1], GOOD, {"calibrate": False}, ValueError, "calibrate=False needs noise_matrix"),
        ([0, 1], GOOD, {"threshold": 2.0}, ValueError, "threshold is an error probability"),
        ([0, 1], GOOD, {"top": 0}, ValueError, "top is how many rows"),
        ([0, 1], GOOD, {"verified": [1, 0]}, ValueError, r"verified must be a mask, bool of shape \(2,\)"),
        ([0, 1], GOOD, {"class_names": ["a"]}, ValueError, "class_names must be 2"),
        ([0, 1], GOOD, {"standard_error": GOOD}, ValueError, "standard_error is of noise_matrix"),
        (
            [0, 1],
            GOOD,
            {"noise_matrix": torch.tensor([[1.0, 1.0], [0.0, 0.0]])},
            ValueError,
            "noise_matrix gives label 1 no probability under any true class",
        ),
        ([], GOOD[:0], {}, ValueError, "at least one sample"),
    ],
)
def test_what_it_refuses(labels, probs, options, error, message) -> None:  # type: ignore[no-untyped-def]
    labels = torch.tensor(labels) if labels else torch.zeros(0, dtype=torch.long)
    with pytest.raises(error, match=message):
        audit_labels(labels, probs, **{"probs_predict": "given", **options})


def test_a_standard_error_that_says_nothing_is_not_passed_on_quietly() -> None:
    labels = torch.arange(40) % 2
    probs = torch.full((40, 2), 0.5)
    for value, message in (
        (torch.inf, r"must be finite; column 1 \(dog\)"),
        (torch.nan, "must be finite"),
        (-1.0, "nega"),
    ):
        error = torch.tensor([[0.1, value], [0.1, 0.1]])
        with pytest.raises(ValueError, match=f"^standard_error must.*{message.removeprefix('must ')}"):
            audit_labels(
                labels,
                probs,
                torch.eye(2),
                standard_error=error,
                probs_predict="true",
                class_names=["cat", "dog"],
            )
    with pytest.raises(ValueError, match=r"standard_error must have the shape of noise_matrix; got \(3, 3\)"):
        audit_labels(labels, probs, torch.eye(2), standard_error=torch.zeros(3, 3), probs_predict="true")
