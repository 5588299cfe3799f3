"""Options out of range are refused in words, and "auto" chooses as documented."""

import math
import subprocess
import sys
from typing import Any

import pytest

from noiselayer import NoisyLabelClassifier
from noiselayer.estimators.arguments import options_of
from noiselayer.training.options import METHODS, Optimization, TrainingOptions, choose_method, default_options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"method": "forward"},
            "method must be one of auto, normal, top-down, known, learned, estimated, refined, gold; got 'forward'.",
        ),
        ({"start": "random"}, "start must be one of features, confusion, identity, joint; got 'random'."),
        ({"rule": "worst"}, "rule must be one of best, one-standard-error; got 'worst'."),
        ({"mixing": "shuffled"}, "mixing must be one of joined, alternating; got 'shuffled'."),
        ({"measure_with": "both"}, "measure_with must be one of auto, clean, noisy; got 'both'."),
        ({"noisy_weight": -0.1}, "noisy_weight must be a number from 0 up; got -0.1."),
        ({"noisy_weight": math.nan}, "noisy_weight must be a number from 0 up; got nan."),
        ({"outside_weight": math.inf}, "outside_weight must be a number from 0 up; got inf."),
        ({"alpha": 1.01}, "alpha must lie between 0 and 1; got 1.01."),
        ({"max_epochs": 0}, "max_epochs must be at least 1; got 0."),
        ({"warm_up_epochs": 0}, "warm_up_epochs must be at least 1; got 0."),
        ({"max_epochs": 2**31}, "max_epochs must be at most 1,000,000; got 2147483648."),
        ({"max_epochs": 1.5}, "max_epochs must be a whole number; got 1.5."),
        ({"patience": 10**9}, "patience must be at most 1,000,000; got 1000000000."),
        ({"batch_size": "many"}, "batch_size must be a whole number; got 'many'."),
        ({"seed": -1}, "seed must be a whole number from 0 up; got -1."),
        ({"seed": 2**32}, "seed must be at most 4,294,967,295; got 4294967296."),
        ({"noisy_weight": 1e9}, "noisy_weight must be at most 1,000,000; got 1000000000.0."),
        ({"batch_size": -4}, "batch_size must be at least 1; got -4."),
        ({"patience": 0}, "patience must be at least 1 epoch, or None for no limit; got 0."),
        ({"folds": 1}, "folds must be at least 2, so that each leaves a part out; got 1."),
        (
            {"validation_fraction": 1},
            "validation_fraction must lie between 0 and 1, both excluded; got 1.",
        ),
    ],
)
def test_training_options_refuse(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - compared in full
        TrainingOptions(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adam"}, "optimizer must be one of sgd, adamw; got 'adam'."),
        ({"schedule": "cosine"}, "schedule must be one of one-cycle, constant; got 'cosine'."),
        ({"learning_rate": -0.1}, "learning_rate must be a number from 0 up; got -0.1."),
        ({"learning_rate": 1e308}, "learning_rate must be at most 1,000,000; got 1e+308."),
        ({"weight_decay": math.inf}, "weight_decay must be a number from 0 up; got inf."),
        ({"noise_learning_rate": math.nan}, "noise_learning_rate must be a number from 0 up; got nan."),
        ({"trace_penalty": -1}, "trace_penalty must be a number from 0 up; got -1."),
        ({"noise_weight_decay": -1.0}, "noise_weight_decay must be a number from 0 up; got -1.0."),
        ({"volume_penalty": -1.0}, "volume_penalty must be a number from 0 up; got -1.0."),
    ],
)
def test_optimization_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - compared in full
        Optimization(**options)
    assert str(error.value) == message


@pytest.mark.parametrize("method", [method for method in METHODS if method != "gold"])  # that is for the head
@pytest.mark.parametrize("kind", ["image", "table", "vector"])
def test_defaults_pass_their_own_checks(method: str, kind: Any) -> None:
    options = default_options(kind, method=method, seed=3)
    assert (options.method, options.seed) == (method, 3)
    assert options.model == ("small" if kind == "image" else "mlp")


def test_a_small_folder_of_images_is_trained_with_adamw() -> None:
    large, small = default_options("image", num_samples=10_000), default_options("image", num_samples=9_999)
    assert large == default_options("image") == TrainingOptions()
    rates = small.optimization
    assert (rates.optimizer, rates.learning_rate, rates.weight_decay, small.batch_size) == (
        *("adamw", 1e-3, 0.05),
        64,
    )
    # Rates and networks that somebody has chosen are meant for the optimizer that they know.
    for chosen in ("model", "optimizer", "learning_rate"):
        assert default_options("image", num_samples=100, given=[chosen, "seed"]) == TrainingOptions()
    for kind in ("table", "vector"):
        assert default_options(kind, num_samples=100) == default_options(kind)


@pytest.mark.parametrize("chosen", [{}, {"learning_rate": 0.02}])
def test_the_estimator_knows_how_many_images_it_has(chosen: dict[str, float]) -> None:
    few, many = (options_of(NoisyLabelClassifier(**chosen), "image", size) for size in (500, 50_000))
    assert many.optimization.optimizer == "sgd"
    assert few.optimization.optimizer == ("sgd" if chosen else "adamw")


@pytest.mark.parametrize(
    ("num_clean", "num_classes", "method", "why"),
    [
        (
            0,
            10,
            "learned",
            "there is no clean set, so the noise is learned from the 5,000 noisy samples alone",
        ),
        (99, 10, "learned", "99 clean samples, 9 a class, are too few to measure the noise with"),
        (
            100,
            10,
            "estimated",
            "100 clean samples, 10 a class, are enough to measure the noise of 5,000 noisy",
        ),
        (1999, 200, "learned", "1,999 clean samples, 9 a class, are too few"),
    ],
)
def test_auto_looks_at_the_clean_set(num_clean: int, num_classes: int, method: str, why: str) -> None:
    chosen, reason = choose_method(5000, num_clean, num_classes)
    assert chosen == method
    assert reason.startswith(why)


def test_the_options_bring_neither_torch_nor_lightning() -> None:
    """So that a command line can be made of them and answer at once."""
    line = (
        "import sys; from noiselayer.training.options import Hardware, TrainingOptions; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert "noiselayer.training.options" in done.stdout.split()
    assert not {"torch", "pytorch_lightning", "numpy"} & set(done.stdout.split())
