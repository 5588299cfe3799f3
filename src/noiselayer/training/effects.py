"""Options that would change nothing are refused, so that nobody tunes one of them."""

from __future__ import annotations

from collections.abc import Collection

from noiselayer.errors import InputError, argument
from noiselayer.training.options import TrainingOptions


def learns_by_gradient(options: TrainingOptions) -> bool:
    """Whether the noise matrix takes gradient steps at any time.

    >>> learns_by_gradient(TrainingOptions("learned")), learns_by_gradient(TrainingOptions("refined"))
    (False, True)
    """
    if options.method == "learned":
        return options.start in ("identity", "joint") or not options.fresh_network or options.noise_trainable
    return options.method == "refined"


def check_effects(
    options: TrainingOptions, given: Collection[str], *, clean: bool = False, outside: bool = False
) -> None:
    """Raise an error if one of the options ``given``, names that somebody has chosen, would change nothing here."""
    method = options.method
    measures = method in ("estimated", "refined")
    trains_on_clean = clean and options.train_on_clean
    gradient = (
        "acts only while the noise matrix learns by gradient, which it does not do here (method "
        f"{method!r}{f', start {options.start!r}' if method == 'learned' else ''}). Use method 'refined', or 'learned' "
        f"with {argument('noise_trainable', True)}, {argument('start', 'identity')} or "
        f"{argument('fresh_network', False)}; or leave it out."
    )
    of_learned = f"is for method 'learned'; this is method {method!r}."
    two_sets = "weighs noisy samples against clean ones or ones from outside, and there are none to train on."
    rules: dict[str, tuple[bool, str]] = {
        **dict.fromkeys(
            ("noise_learning_rate", "trace_penalty", "noise_weight_decay", "volume_penalty"),
            (learns_by_gradient(options), gradient),
        ),
        **dict.fromkeys(("start", "fresh_network", "noise_trainable"), (method == "learned", of_learned)),
        "rule": (
            method == "learned" and options.start == "features",
            f"is for method 'learned' with start 'features'; this is method {method!r}"
            f"{f' with start {options.start!r}' if method == 'learned' else ''}.",
        ),
        "alpha": (method == "top-down", f"is for method 'top-down'; this is method {method!r}."),
        "measure_with": (measures, f"is for methods 'estimated' and 'refined'; this is method {method!r}."),
        "noisy_weight": (trains_on_clean or outside, two_sets),
        "outside_weight": (outside, "weighs samples from outside the classes, and there are none."),
        "mixing": (
            trains_on_clean,
            "says how clean samples are mixed with noisy ones, and there are none to train on.",
        ),
        "train_on_clean": (
            clean and (measures or options.train_on_clean),
            f"leaves the clean samples to measuring the noise, and method {method!r} does not measure it."
            if clean
            else "is about clean samples, and there are none.",
        ),
    }
    if options.noisy_weight == 0 and not trains_on_clean:
        raise InputError(
            f"{argument('noisy_weight')} is 0 and no clean samples are trained on, so nothing would be learned."
        )
    for name in given:
        acts, why = rules.get(name, (True, ""))
        if not acts:
            raise InputError(f"{_written(name, options)} {why}")


def _written(name: str, options: TrainingOptions) -> str:
    """A switch with its position, for it is the position that is without effect."""
    switch = name in ("fresh_network", "train_on_clean")
    return argument(name, getattr(options, name)) if switch else argument(name)
