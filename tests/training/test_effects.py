"""Options that would change nothing are refused, and no others."""

import inspect
from typing import Any

import pytest

from noiselayer import NoisyLabelClassifier
from noiselayer.errors import InputError
from noiselayer.estimators.arguments import REFUSED
from noiselayer.training.effects import check_effects
from noiselayer.training.options import TrainingOptions, default_options

GRADIENT = ("noise_learning_rate", "trace_penalty", "noise_weight_decay", "volume_penalty")


@pytest.mark.parametrize("name", GRADIENT)
@pytest.mark.parametrize(
    ("options", "acts"),
    [
        ({"method": "learned"}, False),
        ({"method": "learned", "start": "confusion"}, False),
        ({"method": "learned", "start": "identity"}, True),
        ({"method": "learned", "start": "joint"}, True),
        ({"method": "learned", "fresh_network": False}, True),
        ({"method": "learned", "noise_trainable": True}, True),
        ({"method": "refined"}, True),
        ({"method": "estimated"}, False),
        ({"method": "normal", "start": "identity"}, False),
    ],
)
def test_penalties_act_while_the_matrix_learns(name: str, options: dict[str, Any], acts: bool) -> None:
    if acts:
        check_effects(TrainingOptions(**options), [name], clean=True)
        return
    with pytest.raises(InputError, match=rf"^{name} acts only while .* by gradient, .*Use method 'refined'"):
        check_effects(TrainingOptions(**options), [name], clean=True)


@pytest.mark.parametrize(
    ("options", "given", "sets", "message"),
    [
        ({"method": "normal"}, "alpha", {}, "alpha is for method 'top-down'; this is method 'normal'"),
        ({"method": "estimated"}, "start", {"clean": True}, "start is for method 'learned'"),
        ({"start": "confusion"}, "rule", {}, "'learned' with start 'features'; .* with start 'confusion'"),
        ({"fresh_network": False, "method": "normal"}, "fresh_network", {}, "fresh_network=False is for"),
        ({"noise_trainable": True, "method": "known"}, "noise_trainable", {}, "is for method 'learned'"),
        ({}, "measure_with", {"clean": True}, "is for methods 'estimated' and 'refined'"),
        ({}, "noisy_weight", {}, "noisy_weight weighs noisy samples against clean ones"),
        (
            {"train_on_clean": False, "method": "estimated"},
            "noisy_weight",
            {"clean": True},
            "none to train on",
        ),
        ({}, "outside_weight", {"clean": True}, "outside the classes, and there are none"),
        ({}, "mixing", {"outside": True}, "how clean samples are mixed"),
        ({"train_on_clean": False}, "train_on_clean", {}, "train_on_clean=False is about clean samples"),
        ({"train_on_clean": False}, "train_on_clean", {"clean": True}, "'learned' does not measure it"),
        ({"noisy_weight": 0.0}, "noisy_weight", {"outside": True}, "nothing would be learned"),
    ],
)
def test_without_effect(options: dict[str, Any], given: str, sets: dict[str, bool], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_effects(TrainingOptions(**options), [given], **sets)


@pytest.mark.parametrize(
    ("options", "given", "sets"),
    [
        ({"method": "top-down"}, ["alpha", "max_epochs", "seed"], {}),
        ({"method": "learned"}, ["start", "rule", "fresh_network", "noise_trainable"], {}),
        ({"method": "refined"}, ["measure_with", "mixing", "noisy_weight"], {"clean": True}),
        ({"method": "normal"}, ["noisy_weight", "outside_weight"], {"outside": True}),
        ({"method": "estimated", "train_on_clean": False}, ["train_on_clean"], {"clean": True}),
        ({"method": "normal", "noisy_weight": 0.0}, ["noisy_weight"], {"clean": True}),
    ],
)
def test_with_effect(options: dict[str, Any], given: list[str], sets: dict[str, bool]) -> None:
    check_effects(TrainingOptions(**options), given, **sets)


def test_the_estimator_knows_its_own_defaults() -> None:
    """Parameters of its own, and what training takes where ``options`` say nothing."""
    parameters, options = inspect.signature(NoisyLabelClassifier).parameters, default_options("vector")
    own = {name: parameters[name].default for name in REFUSED if name in parameters}
    training = {name: getattr(options, name) for name in REFUSED if hasattr(options, name)}
    rates = {
        name: getattr(options.optimization, name) for name in REFUSED if hasattr(options.optimization, name)
    }
    assert {**rates, "noise_learning_rate": None, **training, **own} == REFUSED  # the rate is one of its own
