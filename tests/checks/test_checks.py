"""Each check by itself: known answers, naive loops, what it says and what it refuses."""

import math
from typing import Any

import pytest
import torch
from obedient import input_dependent, obeying
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.arrays.ranks import bins_within, ranks_within
from noiselayer.checks import check_noise_model, noise_floor
from noiselayer.checks.hull import outside_hull
from noiselayer.checks.pair_independence import independence
from noiselayer.checks.significance import chi2_tail, holm, normal_tail, stratified_score_test
from noiselayer.noise import matrices as nm

GOOD = nm.symmetric(3, 0.3)


@pytest.mark.parametrize(
    ("Q", "floor"),
    [
        (nm.symmetric(10, 0.2), 0.940),
        (nm.symmetric(10, 0.5), 1.792),
        (nm.pair_flip(10, 0.45), 0.688),
        (nm.identity(10), 0.0),
        (torch.full((4, 4), 0.25), math.log(4)),
    ],
)
def test_known_noise_floors(Q: Tensor, floor: float) -> None:
    assert noise_floor(Q) == pytest.approx(floor, abs=5e-4)


def test_the_noise_floor_is_weighted_by_the_class_prior(skewed: Tensor) -> None:
    prior = torch.tensor([0.5, 0.3, 0.2])
    expected = 0.0
    for i in range(3):
        for j in range(3):
            q = float(skewed[j, i])
            expected -= float(prior[i]) * q * math.log(q) if q > 0 else 0.0
    assert noise_floor(skewed, prior) == pytest.approx(expected)
    with pytest.raises(ValueError, match="columns must sum to 1.*from_transition_matrix"):
        noise_floor(skewed.T.contiguous(), prior)


def test_memorising_is_told_from_an_honest_loss() -> None:
    # The honest loss of a perfect network scatters around the floor; half of the time it lies below.
    Q = nm.symmetric(10, 0.2)
    arguments: dict[str, Any] = {"class_prior": torch.full((10,), 0.1), "num_training": 50_000}
    truth = torch.arange(50_000) % 10
    honest = -Q[corrupt_labels(truth, Q, generator=torch.Generator().manual_seed(1)), truth].log().mean()
    assert check_noise_model(Q, training_loss=float(honest), **arguments) == []
    [finding] = check_noise_model(Q, training_loss=0.9, **arguments)
    assert finding.name == "memorising"
    assert finding.statistic == pytest.approx(0.0398, abs=1e-3)
    assert "0.9 nats, lies below the noise floor of 0.9398 nats" in finding.message
    assert "Stop at the best" in finding.message
    assert check_noise_model(nm.identity(10), training_loss=0.0, **arguments) == []


def test_the_prior_is_found_from_noisy_labels() -> None:
    Q = nm.class_map(2, {1: 0}, 0.4)  # class 0 has no noise, so the floor is that of its share of class 1
    labels = torch.tensor([0] * 600 + [1] * 400)  # a third truly of class 0
    [finding] = check_noise_model(Q, noisy_labels=labels, training_loss=0.4)
    assert finding.statistic == pytest.approx(
        -2 / 3 * (0.4 * math.log(0.4) + 0.6 * math.log(0.6)) - 0.4, abs=1e-6
    )


def test_dominance_by_row_and_column() -> None:
    Q = torch.tensor([[0.6, 0.8, 0.0], [0.1, 0.2, 0.0], [0.3, 0.0, 1.0]])
    row, column = check_noise_model(Q)
    assert (row.name, column.name) == ("row_dominance", "column_dominance")
    assert "noise_matrix[0, 1] = 0.8) than to those of class 0 itself (0.6)" in row.message
    assert row.statistic == pytest.approx(-0.2)
    assert "Samples of class 1 carry label 0" in column.message
    assert column.statistic == pytest.approx(-0.6)
    assert column.p_value is None
    assert column.threshold == 0
    assert check_noise_model(GOOD) == []


def test_ill_conditioned_confusions() -> None:
    C = torch.tensor([[0.501, 0.499, 0.0], [0.499, 0.501, 0.0], [0.0, 0.0, 1.0]])
    [finding] = check_noise_model(GOOD, clean_confusion=C)
    assert finding.name == "ill_conditioned_confusion"
    assert finding.statistic == pytest.approx(500, rel=1e-3)
    assert "classes 0 and 1" in finding.message
    probs = torch.full((30, 3), 1 / 3)  # a model that knows nothing, measured here
    [measured] = check_noise_model(GOOD, clean_probs=probs, clean_labels=torch.arange(30) % 3)
    assert measured.statistic > 1e8
    with pytest.raises(ValueError, match="clean_confusion columns must sum to 1"):
        check_noise_model(GOOD, clean_confusion=2 * C)


def test_messages_say_what_was_found_and_what_to_do() -> None:
    data = input_dependent(6000, generator=torch.Generator().manual_seed(0))
    findings = check_noise_model(
        data.noise_matrix,
        noisy_probs=data.probs[1500:],
        noisy_labels=data.noisy[1500:],
        clean_probs=data.probs[:1500],
        clean_labels=data.true[:1500],
        clean_noisy_labels=data.noisy[:1500],
        clean_groups=data.groups[:1500],
    )
    text = "\n".join(map(str, findings))
    for words in (
        "labels are wrong in the half that",
        "hard, medium and easy",
        "in groups",
        "agree with the model",
    ):
        assert words in text
    assert text.count("adjusted p = ") == len(findings)
    p_values = [finding.p_value or 0.0 for finding in findings]
    assert p_values == sorted(p_values)
    # The wrong shares it names are those of the data: 0.5 - 0.4 * ease over each half, within 4 deviations.
    hard, easy = (float(share) / 100 for share in _percentages(text, "of the same true classes"))
    assert hard > 0.3 > easy


def _percentages(text: str, after: str) -> list[str]:
    words = text[text.index(after) :].split()
    return [word.strip("%") for word in words if word.endswith("%")][:2]


def test_groups_of_strange_labels_are_found() -> None:
    data = obeying(3000, generator=torch.Generator().manual_seed(0))
    spoiled = torch.where(data.groups == 1, 2, data.noisy)  # one source labels everything 2
    findings = check_noise_model(
        data.noise_matrix, noisy_probs=data.probs, noisy_labels=spoiled, noisy_groups=data.groups + 10**12
    )
    assert any(
        f"In group {10**12 + 1}, 100.0% of noisy labels are of class 2" in finding.message
        for finding in findings
    )


def test_hull_statistic_is_zero_inside_and_the_likelihood_ratio_outside() -> None:
    Q = nm.random(4, 0.4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    inside = 1000 * (Q @ torch.tensor([[0.4], [0.3], [0.2], [0.1]], dtype=torch.float64)).T
    columns = torch.tensor([0])
    statistic, degrees, r = outside_hull(Q, None, inside, columns)
    assert float(statistic) == pytest.approx(0, abs=1e-6)
    assert int(degrees) == 3
    # Labels all right where Q says four in ten are wrong: the best mixture is e_0, by a search over a grid.
    outside = torch.tensor([[990.0, 4.0, 3.0, 3.0]], dtype=torch.float64)
    statistic, _, r = outside_hull(Q, None, outside, columns)
    best = math.inf
    f = outside[0] / 1000
    for a in range(21):
        for b in range(21 - a):
            for c in range(21 - a - b):
                share = torch.tensor([a, b, c, 20 - a - b - c], dtype=torch.float64) / 20
                best = min(best, float(2000 * (f * (f / (Q @ share)).log()).sum()))
    assert float(statistic) == pytest.approx(best, rel=1e-3)
    assert float(r[0, 0]) > 0.999
    never = outside_hull(torch.eye(2).double(), None, torch.tensor([[50.0, 0.0]]).double(), torch.tensor([0]))
    assert float(never[0]) == 0


def test_a_label_that_the_matrix_calls_impossible() -> None:
    Q = torch.tensor([[0.9, 0.2, 0.0], [0.1, 0.8, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    Q[:, 2] = torch.tensor([0.5, 0.5, 0.0])  # nobody ever says 2
    statistic, _, _ = outside_hull(Q, None, torch.tensor([[20.0, 10.0, 20.0]]).double(), torch.tensor([2]))
    assert float(statistic) == math.inf


def test_chi_square_of_independence_by_hand() -> None:
    # Class 0: 40 + 40 samples, 10 and 20 wrong; class 1: too few to say anything.
    true = torch.tensor([0] * 80 + [1] * 4)
    groups = torch.tensor([0] * 40 + [1] * 40 + [0, 0, 1, 1])
    noisy = torch.tensor([1] * 10 + [0] * 30 + [1] * 20 + [0] * 20 + [1] * 4)
    statistic, degrees, worst = independence(true, noisy, groups)
    assert statistic == pytest.approx(2 * 25 / 15 + 2 * 25 / 25)
    assert (degrees, worst) == (1, 0)


def test_tails_and_holm() -> None:
    assert chi2_tail(torch.tensor(3.841459), torch.tensor(1)).item() == pytest.approx(0.05, abs=1e-6)
    assert chi2_tail(torch.tensor(18.307), torch.tensor(10)).item() == pytest.approx(0.05, abs=1e-5)
    assert chi2_tail(torch.tensor(math.inf), torch.tensor(2)).item() == 0
    assert normal_tail(1.959964) == pytest.approx(0.025, abs=1e-7)
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_ranks_within_strata_equal_a_naive_count() -> None:
    values, strata = torch.randint(5, (60,)).float(), torch.randint(3, (60,))
    ranks = ranks_within(values, strata)
    for n in range(60):
        same = values[strata == strata[n]]
        below, ties = int((same < values[n]).sum()), int((same == values[n]).sum())
        assert float(ranks[n]) == pytest.approx((below + ties / 2) / len(same))
    assert set(bins_within(values, strata, 3).tolist()) == {0, 1, 2}


def test_the_stratified_test_equals_its_permutations() -> None:
    generator = torch.Generator().manual_seed(0)
    strata = torch.randint(3, (90,), generator=generator)
    scores, hits = torch.rand(90, generator=generator), torch.rand(90, generator=generator) < 0.3
    z = stratified_score_test(scores, hits, strata)
    sums = []
    for _ in range(2000):
        shuffled = scores.clone()
        for s in range(3):
            where = (strata == s).nonzero().flatten()
            shuffled[where] = scores[where[torch.randperm(len(where), generator=generator)]]
        sums.append(float(shuffled[hits].sum()))
    drawn = torch.tensor(sums)
    expected = (float(scores[hits].sum()) - float(drawn.mean())) / float(drawn.std())
    assert z == pytest.approx(expected, abs=0.1)
    assert stratified_score_test(scores, torch.zeros(90, dtype=torch.bool), strata) is None


def test_few_samples_raise_no_error_and_no_alarm() -> None:
    assert (
        check_noise_model(
            GOOD,
            noisy_probs=torch.eye(3)[:2],
            noisy_labels=torch.tensor([0, 1]),
            clean_probs=torch.eye(3)[:1],
            clean_labels=torch.tensor([0]),
            clean_noisy_labels=torch.tensor([1]),
        )
        == []
    )


PROBS, LABELS = torch.eye(3), torch.arange(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noisy_probs": PROBS}, "noisy_probs must come with noisy_labels, of the same samples"),
        ({"clean_labels": LABELS}, "clean_labels must come with clean_probs"),
        (
            {"noisy_probs": PROBS, "noisy_labels": LABELS[:2]},
            "of the same samples, at least one; got 3 and 2",
        ),
        ({"noisy_probs": 4 * PROBS - 1, "noisy_labels": LABELS}, "If these are logits, apply softmax"),
        ({"noisy_groups": LABELS}, "noisy_groups must come with noisy_probs and noisy_labels"),
        ({"clean_noisy_labels": LABELS}, "clean_noisy_labels must come with clean_probs and clean_labels"),
        (
            {"clean_probs": PROBS, "clean_labels": LABELS, "clean_groups": LABELS},
            "clean_groups must come with clean_noisy_labels",
        ),
        (
            {"noisy_probs": PROBS, "noisy_labels": LABELS, "noisy_groups": LABELS[:1]},
            "an entry for each of the 3 samples .* got 1",
        ),
        (
            {"noisy_probs": PROBS, "noisy_labels": LABELS, "noisy_groups": LABELS - 5},
            "noisy_groups must be integers from 0; got -3",
        ),
        ({"training_loss": 0.5}, "training_loss needs num_training"),
        ({"training_loss": 0.5, "num_training": 9}, "training_loss needs class_prior"),
        (
            {"training_loss": 0.5, "num_training": 9, "class_prior": torch.ones(3)},
            "3 probabilities that sum to 1; they sum to 3",
        ),
        ({"standard_error": torch.zeros(2, 2)}, r"the shape of noise_matrix, \(3, 3\); got \(2, 2\)"),
        ({"standard_error": torch.full((3, 3), torch.nan)}, "none negative and none NaN"),
        ({"level": 5}, "level is a share of false alarms, between 0 and 1, as in 0.05; got 5"),
    ],
)
def test_errors_say_what_came(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_noise_model(GOOD, **arguments)


def test_a_transposed_matrix_is_refused(skewed: Tensor) -> None:
    with pytest.raises(ValueError, match="columns must sum to 1.*from_transition_matrix"):
        check_noise_model(skewed.T.contiguous())


def test_devices(device: torch.device) -> None:
    data = input_dependent(1500, generator=torch.Generator().manual_seed(0))
    arguments: dict[str, Any] = {
        "clean_probs": data.probs.float(),
        "clean_labels": data.true,
        "clean_noisy_labels": data.noisy,
        "noisy_probs": data.probs.float(),
        "noisy_labels": data.noisy,
    }
    expected = check_noise_model(data.noise_matrix.float(), **arguments)
    moved = {name: value.to(device) for name, value in arguments.items()}
    assert check_noise_model(data.noise_matrix.float().to(device), **moved) == expected
