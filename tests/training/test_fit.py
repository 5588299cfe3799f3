"""Every method on overlapping clusters with pair-flip noise, where believing the labels is expensive."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.data import LabeledData, from_arrays
from noiselayer.errors import InputError
from noiselayer.noise import matrices as nm
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import TrainingOptions, default_options
from noiselayer.training.swallowed import implied_shares
from noiselayer.training.trained import TrainedClassifier

K = 4
Q = nm.pair_flip(K, 0.45)
NAMES = ["north", "east", "south", "west"]


def clusters(size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Four clusters on a circle in the plane, and six coordinates that mean nothing."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.arange(size) % K
    angle = 2 * torch.pi * truth / K
    inputs = torch.randn(size, 8, generator=generator)
    inputs[:, 0] += 2 * angle.cos()
    inputs[:, 1] += 2 * angle.sin()
    return inputs, truth


def noisy_data(size: int = 800) -> LabeledData:
    inputs, truth = clusters(size, seed=0)
    noisy = corrupt_labels(truth, Q, generator=torch.Generator().manual_seed(2))
    return from_arrays(inputs, noisy, class_names=NAMES)


def clean_data(size: int = 80) -> LabeledData:
    return from_arrays(*clusters(size, seed=3), class_names=NAMES)


def options(method: str, **changes: Any) -> TrainingOptions:
    small = default_options("vector", method=method, max_epochs=12, warm_up_epochs=6, batch_size=64)
    optimization = replace(small.optimization, learning_rate=0.01)
    return replace(small, **{"model_options": {"hidden": (32,)}, "optimization": optimization, **changes})


def fit(method: str, **arguments: Any) -> TrainedClassifier:
    sets = {
        name: arguments.pop(name)
        for name in ("clean", "outside", "noise_matrix", "folder")
        if name in arguments
    }
    return fit_classifier(noisy_data(), options(method, **arguments), **sets)


@cache
def fitted(method: str) -> TrainedClassifier:
    """One of each for all tests; nobody changes it."""
    extra: dict[str, Any] = {"noise_matrix": Q} if method == "known" else {}
    if method in ("estimated", "refined"):
        extra["clean"] = clean_data()
    return fit(method, **extra)


def error_of(trained: TrainedClassifier) -> float:
    inputs, truth = clusters(4000, seed=1)
    predicted = predict_logits(trained.network, from_arrays(inputs).inputs).argmax(dim=1)
    return float((predicted != truth).float().mean())


def distance(a: Tensor, b: Tensor) -> float:
    """Mean over the columns of their L1 distance."""
    return float((a - b).abs().sum(dim=0).mean())


def test_normal_believes_the_labels() -> None:
    trained = fitted("normal")
    assert torch.equal(trained.noise_matrix, torch.eye(K))
    assert [stage.name for stage in trained.stages] == ["main"]
    assert trained.stages[0].epochs == 12
    assert error_of(trained) > 0.3


def test_known_beats_normal() -> None:
    trained = fitted("known")
    torch.testing.assert_close(trained.noise_matrix, Q)  # fixed: where it was, after hundreds of steps
    assert error_of(trained) < error_of(fitted("normal")) - 0.15


def test_learned_finds_the_matrix_and_beats_normal() -> None:
    trained = fitted("learned")
    folds = [
        "warm-up-0",
        "warm-up-1",
        "warm-up-again-0",
        "warm-up-again-1",
    ]  # of few samples networks are asked too
    assert [stage.name for stage in trained.stages] == [*folds, "main"]
    assert distance(trained.noise_matrix, Q) < 0.25
    assert distance(trained.noise_matrix, Q.T) > 0.6
    assert trained.start_matrix is not None
    assert torch.equal(trained.noise_matrix, trained.start_matrix)  # fixed from there on
    assert error_of(trained) < error_of(fitted("normal")) - 0.15


def test_a_matrix_that_gains_nothing_by_networks_is_not_kept() -> None:
    """With right labels the one that is learned is near the identity, and what is kept is the identity itself."""
    said: list[str] = []
    data = from_arrays(*clusters(600, seed=0), class_names=NAMES)
    trained = fit_classifier(data, options("learned"), on_stage=said.append)
    assert torch.equal(trained.noise_matrix, torch.eye(K))
    assert sum(line.startswith("Labels of samples held out are not explained better") for line in said) == 1


def test_estimated_is_as_exact_as_it_says() -> None:
    trained = fitted("estimated")
    assert trained.estimate is not None
    assert trained.estimate.standard_error is not None
    error = (trained.noise_matrix - Q).square().sum().sqrt()
    assert 0 < error < 2 * trained.estimate.standard_error.square().sum().sqrt()
    assert distance(trained.noise_matrix, Q) < 0.4
    torch.testing.assert_close(trained.noise_matrix, trained.estimate.noise_matrix.float())
    assert error_of(trained) < error_of(fitted("normal")) - 0.15
    assert [stage.name for stage in trained.stages] == ["measure-0", "measure-1", "main"]


def test_refined_goes_on_from_the_estimate() -> None:
    trained = fitted("refined")
    assert trained.estimate is not None
    main = trained.stages[-1]
    assert main.switched_at is not None
    assert {row["noise_learning"] for row in main.curves[: main.switched_at]} == {0.0}
    assert {row["noise_learning"] for row in main.curves[main.switched_at :]} == {1.0}
    assert not torch.equal(trained.noise_matrix, trained.estimate.noise_matrix.float())
    assert distance(trained.noise_matrix, trained.estimate.noise_matrix) < 0.3
    assert error_of(trained) < error_of(fitted("normal")) - 0.1


def test_the_papers_two_phases() -> None:
    trained = fit("learned", start="identity", patience=3)
    main = trained.stages[-1]
    assert main.switched_at is not None
    assert main.switched_at <= 6
    traces = [row["noise_trace"] for row in main.curves]
    assert set(traces[: main.switched_at]) == {1.0}
    assert min(traces[main.switched_at :]) < 1.0
    assert main.best_epoch is not None
    assert main.best_epoch >= main.switched_at
    torch.testing.assert_close(trained.noise_matrix.sum(dim=0), torch.ones(K))
    # The learning rate warms up and cools down again in the second phase, and ends near 0.
    rates = [row["learning_rate"] for row in main.curves[main.switched_at :]]
    peak = rates.index(max(rates))
    assert 0 < peak < len(rates) / 2
    assert rates[0] < rates[peak] > 100 * rates[-1]


@pytest.mark.parametrize(
    "penalty", [{"noise_weight_decay": 0.15}, pytest.param({"volume_penalty": 0.1}, marks=pytest.mark.slow)]
)
def test_joint_learning_then_a_fresh_network_through_its_matrix(penalty: dict[str, float]) -> None:
    rates = replace(options("learned").optimization, noise_learning_rate=0.02, **penalty)
    trained = fit("learned", start="joint", max_epochs=30, optimization=rates)
    joint, main = trained.stages
    assert (joint.name, main.name) == ("joint", "main")
    assert joint.switched_at == 6
    assert {row["noise_learning"] for row in joint.curves[6:]} == {1.0}
    assert {row["noise_learning"] for row in main.curves} == {0.0}
    assert trained.start_matrix is not None
    assert torch.equal(trained.noise_matrix, trained.start_matrix)
    assert distance(trained.noise_matrix, Q) < 0.3
    assert distance(trained.noise_matrix, Q.T) > 0.6
    assert error_of(trained) < error_of(fitted("normal")) - 0.15


def test_the_papers_weight_decay_is_taken_where_no_penalty_is_given() -> None:
    trained = fit("learned", start="joint", max_epochs=1, warm_up_epochs=1)
    assert trained.options.optimization.noise_weight_decay == 0.05
    rates = replace(options("learned").optimization, volume_penalty=0.1)
    by_volume = fit("learned", start="joint", max_epochs=1, warm_up_epochs=1, optimization=rates)
    assert by_volume.options.optimization.noise_weight_decay == 0.0


def test_joint_learning_without_a_fresh_network_has_another_name() -> None:
    with pytest.raises(ValueError, match="with fresh_network=False it would be start 'identity'. Use that"):
        TrainingOptions(start="joint", fresh_network=False)


def test_a_class_that_is_never_predicted_is_told_and_two_others_are_trained() -> None:
    """Two classes share one point of the plane, and the rarer of them is never the likelier: nothing can help."""
    truth = torch.tensor([0, 1, 2, 2, 2, 3, 3]).repeat(60)
    data = from_arrays(torch.eye(3)[truth.clamp_max(2)], truth, class_names=NAMES)
    said: list[str] = []
    given = options("known", model="linear", model_options={}, max_epochs=40)
    with pytest.warns(
        UserWarning,
        match=r"The network never predicts 'west' \(29% of the samples .*Check some",
    ):
        trained = fit_classifier(
            data, given, noise_matrix=0.99 * torch.eye(K) + 0.01 / K, on_stage=said.append
        )
    assert sorted(stage.name for stage in trained.stages) == ["main", "main-again", "main-again-1"]
    assert any(
        line.startswith("The network predicts too seldom 'west' (0% of the samples, where 29%")
        for line in said
    )
    best = trained.stages[-1].best_loss
    assert best == min(stage.best_loss for stage in trained.stages)
    followed = {
        "noise_matrix": 0.99 * torch.eye(K) + 0.01 / K,
        "main_callbacks": lambda trained: [Callback()],
    }
    for alone in (
        followed,
        {"noise_matrix": torch.eye(K)},
    ):  # somebody follows, or it is plain training: no other one
        with pytest.warns(UserWarning, match="The network never predicts 'west'"):
            once = fit_classifier(data, given, **alone)
        assert [stage.name for stage in once.stages] == ["main"]
    # Where labels are taken as they are, nobody is asked.
    assert len(fit_classifier(data, replace(given, method="normal")).stages) == 1


def test_shares_behind_the_labels_are_those_that_made_them() -> None:
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    skewed = Q.double()
    torch.testing.assert_close(implied_shares(1000 * (skewed @ shares), skewed), shares, atol=2e-3, rtol=0)
    none = implied_shares(
        torch.tensor([0, 50, 25, 25]), nm.symmetric(K, 0.4)
    )  # an inverse gives less than nothing
    assert none[0] < 1e-3
    assert float(none.sum()) == pytest.approx(1)


def test_a_matrix_that_goes_on_learning() -> None:
    few = {"max_epochs": 1, "warm_up_epochs": 1, "start": "confusion"}
    fixed, learning = fit("learned", **few), fit("learned", noise_trainable=True, **few)
    assert torch.equal(fixed.start_matrix, learning.start_matrix)  # type: ignore[arg-type]
    assert torch.equal(fixed.noise_matrix, fixed.start_matrix)  # type: ignore[arg-type]
    assert not torch.equal(learning.noise_matrix, fixed.noise_matrix)


def test_top_down_with_alpha_1_is_plain_training() -> None:
    plain, top_down = fit("normal", max_epochs=2), fit("top-down", alpha=1.0, max_epochs=2)
    other = fit("top-down", alpha=0.5, max_epochs=2)
    inputs = from_arrays(clusters(200, seed=1)[0]).inputs
    logits, same, different = (predict_logits(each.network, inputs) for each in (plain, top_down, other))
    torch.testing.assert_close(same, logits, rtol=0, atol=1e-3)
    assert float((different - logits).abs().max()) > 0.05
    assert top_down.stages[0].best_loss == pytest.approx(plain.stages[0].best_loss, abs=1e-5)


def test_samples_from_outside_lower_the_confidence_there() -> None:
    outside = from_arrays(clusters(100, seed=5)[0] + torch.tensor([0.0] * 7 + [8.0])).inputs
    with_them, without = fit("normal", outside=outside, max_epochs=6), fit("normal", max_epochs=6)
    there = from_arrays(clusters(100, seed=6)[0] + torch.tensor([0.0] * 7 + [8.0])).inputs
    unsure, sure = (
        predict_logits(each.network, there).softmax(dim=1).amax(dim=1).mean() for each in (with_them, without)
    )
    assert sure > unsure + 0.1


@pytest.mark.parametrize("mixing", ["joined", "alternating"])
def test_clean_samples_help_where_there_are_few_noisy_ones(mixing: str) -> None:
    clean = clean_data(400)
    mixed = fit("known", noise_matrix=Q, clean=clean, mixing=mixing, noisy_weight=0.5, max_epochs=6)
    assert error_of(mixed) < error_of(fitted("known")) + 0.02
    assert mixed.sample_counts["clean"].sum() == len(mixed.splits["clean_train"])


@pytest.mark.parametrize(
    ("num_clean", "method", "said"),
    [
        (
            None,
            "learned",
            "Method learned: there is no clean set, so the noise is learned from the 800 noisy",
        ),
        (16, "learned", "Method learned: 16 clean samples, 4 a class, are too few to measure the noise with"),
        (
            80,
            "estimated",
            "Method estimated: 80 clean samples, 20 a class, are enough to measure the noise of 800",
        ),
    ],
)
def test_auto_says_what_it_chose(num_clean: int | None, method: str, said: str) -> None:
    lines: list[str] = []
    trained = fit_classifier(
        noisy_data(),
        options("auto", start="confusion", max_epochs=1, warm_up_epochs=1),
        clean=None if num_clean is None else clean_data(num_clean),
        on_stage=lines.append,
    )
    assert lines[0].startswith(said)
    assert trained.options.method == method
    assert trained.stages[0].name == {"learned": "warm-up-0", "estimated": "measure-0"}[method]


DROPOUT: dict[str, Any] = {"hidden": (8,), "dropout": 0.5}


def test_a_seed_decides_every_bit() -> None:
    def short(seed: int) -> TrainedClassifier:
        torch.manual_seed(int(torch.randint(100, ())))  # what the caller did before must not matter
        few = options("learned", start="confusion", max_epochs=2, seed=seed)
        return fit_classifier(noisy_data(200), replace(few, model_options=DROPOUT, warm_up_epochs=1))

    one, same, other = short(0), short(0), short(1)
    for name, weight in one.network.state_dict().items():
        assert torch.equal(weight, same.network.state_dict()[name])
    assert torch.equal(one.noise_matrix, same.noise_matrix)
    assert not torch.equal(one.noise_matrix, other.noise_matrix)
    assert not torch.equal(one.splits["train"], other.splits["train"])


def test_the_callers_random_numbers_are_left_alone() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    fit("learned", start="confusion", max_epochs=1, warm_up_epochs=1, model_options=DROPOUT)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_record_of_the_data() -> None:
    trained = fitted("estimated")
    assert trained.class_names == tuple(NAMES)
    for names, size in ((("train", "validation"), 800), (("clean_train", "clean_validation"), 80)):
        together = torch.cat([trained.splits[name] for name in names])
        assert sorted(together.tolist()) == list(range(size))
    noisy = noisy_data().labels
    assert noisy is not None
    expected = torch.bincount(noisy[trained.splits["train"]], minlength=K)
    assert torch.equal(trained.sample_counts["noisy"], expected)
    assert trained.model_arguments["num_classes"] == K
    assert len(trained.model_arguments["mean"]) == 8


def test_splits_count_the_samples_that_were_given() -> None:
    noisy, few = noisy_data(200), {"max_epochs": 1}
    inputs, truth = clusters(200, seed=0)
    clean = from_arrays(
        inputs[:40], truth[:40], class_names=NAMES
    )  # the first 40 noisy samples, looked at again
    with pytest.raises(InputError, match="40 samples stand in the noisy and in the clean set"):
        fit_classifier(noisy, options("normal", **few), clean=clean)
    trained = fit_classifier(noisy, options("normal", **few), clean=clean, overlapping="drop")
    used = torch.cat([trained.splits["train"], trained.splits["validation"]])
    assert sorted(used.tolist()) == list(range(40, 200))


def test_prediction_never_goes_through_the_matrix() -> None:
    # Class 1 is labelled 0 most of the time: seen through Q, it would never be predicted.
    biased = torch.tensor(
        [[1.0, 0.7, 0.0, 0.0], [0.0, 0.3, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    )
    inputs, truth = clusters(800, seed=0)
    noisy = corrupt_labels(truth, biased, generator=torch.Generator().manual_seed(0))
    data = from_arrays(inputs, noisy)
    trained = fit_classifier(data, options("known"), noise_matrix=biased)
    probs = predict_logits(trained.network, data.inputs).softmax(dim=1)
    assert float((probs.argmax(dim=1)[truth == 1] == 1).float().mean()) > 0.7
    assert float(((probs @ biased.T).argmax(dim=1) == 1).float().mean()) < 0.02


@pytest.mark.parametrize(
    ("method", "noise_matrix", "message"),
    [
        ("known", None, "method 'known' needs noise_matrix."),
        ("learned", Q, "noise_matrix is for method 'known'; method 'learned' finds its own."),
        ("known", torch.eye(3), "noise_matrix is 3 x 3, but there are 4 classes"),
        ("known", nm.random(K, 0.4, generator=torch.Generator().manual_seed(0)).T, "columns must sum to 1"),
        (
            "estimated",
            None,
            "method 'estimated' measures the noise with trusted labels and needs clean; without any, use 'learned'.",
        ),
        ("refined", None, "method 'refined' measures the noise with trusted labels and needs clean"),
    ],
)
def test_methods_say_what_they_need(method: str, noise_matrix: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(method, noise_matrix=noise_matrix)
