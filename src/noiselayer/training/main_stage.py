"""The main stage: a fresh network through the noise matrix found, or the two phases of §3.4 in one run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from noiselayer.errors import list_some
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.training.held_out import TrainingSets
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.options import THROUGH_Q, TrainingOptions
from noiselayer.training.phases import NoisePhases
from noiselayer.training.stage import StageRunner
from noiselayer.training.swallowed import swallowed_classes
from noiselayer.training.trained import TrainedClassifier

_AGAIN = ("main-again", "main-again-1")
"""Stages of other networks, where each so far predicts a class too seldom."""


def run_main_stage(
    start: Tensor,
    sets: TrainingSets,
    runner: StageRunner,
    say: Callable[[str], None],
    callbacks: Sequence[Callback],
) -> TrainedClassifier:
    """Train the network that is kept, from ``start``, (K, K) or (S, K, K) of annotators.

    Where it predicts a class far too seldom, another one is trained, and a third one at most: the likelihood has optima
    in which a class is hidden in another, and other initial weights lead elsewhere. Not where the matrix is the
    identity, which is plain training: nothing there is hidden in another class.
    """
    trained, options = runner.trained, runner.options
    module = _trained_once("main", options.seed, start, sets, runner, say, callbacks)
    _take(module, trained)
    if options.method not in THROUGH_Q or trained.interrupted:
        return trained
    plain = torch.equal(trained.noise_matrix, torch.eye(start.shape[-1]))
    swallowed = swallowed_classes(trained.network, sets.noisy, trained.noise_matrix)
    if plain or callbacks:  # or somebody follows this very network
        return _warned(swallowed, trained)
    best = trained.stages[-1]
    for number, name in enumerate(_AGAIN, start=1):
        if not swallowed:
            break
        named = list_some(
            f"{trained.class_names[i]!r} ({share:.0%} of the samples, where {due:.0%} should be of it)"
            for i, (share, due) in swallowed.items()
        )
        say(f"The network predicts too seldom {named}: training another one.")
        seed = options.seed + 5000 * number
        again = _trained_once(name, seed, start, sets, runner, say, ())
        if trained.interrupted:
            return trained
        still, stage = swallowed_classes(again.network, sets.noisy, trained.noise_matrix), trained.stages[-1]
        if (len(still), stage.best_loss) < (len(swallowed), best.best_loss):
            _take(again, trained)
            swallowed, best = still, stage
    trained.stages.sort(key=lambda stage: stage is best)  # the last stage is that of the network kept
    return _warned(swallowed, trained)


def _warned(swallowed: Mapping[int, tuple[float, float]], trained: TrainedClassifier) -> TrainedClassifier:
    """What was trained, with a warning if it never predicts a class."""
    never = {i: due for i, (share, due) in swallowed.items() if share == 0}
    if never:
        named = list_some(
            f"{trained.class_names[i]!r} ({due:.0%} of the samples should be of it)"
            for i, due in never.items()
        )
        warnings.warn(
            f"The network never predicts {named}. Check some of their labels, or give clean samples.",
            stacklevel=4,
        )
    return trained


def _take(module: NoisyLabelModule, trained: TrainedClassifier) -> None:
    trained.network = module.network.cpu().eval()
    if trained.annotator_matrices is None:  # those of annotators are fixed
        trained.noise_matrix = module.noise_layer.noise_matrix.detach().float().cpu()


def _trained_once(
    name: str,
    seed: int,
    start: Tensor,
    sets: TrainingSets,
    runner: StageRunner,
    say: Callable[[str], None],
    callbacks: Sequence[Callback],
) -> NoisyLabelModule:
    options, K = runner.options, start.shape[-1]
    phases = None
    of_paper = options.method == "learned" and (options.start == "identity" or not options.fresh_network)
    if of_paper:  # phase 1 with the identity; phase 2 starts from what the warm-up found, if there was one
        phases = late_matrix(options, start if options.start != "identity" else None)
    elif options.method == "refined":  # phase 1 with the estimate
        phases = NoisePhases(patience=options.patience or 5, phase_epochs=options.max_epochs)
    learns = phases is not None or (options.method == "learned" and options.noise_trainable)
    epochs = options.max_epochs + (options.warm_up_epochs if phases else 0)
    say(f"Main stage: {options.model}, at most {epochs} epochs, method {options.method}.")
    return runner.run(
        name,
        NoiseLayer(K, torch.eye(K) if of_paper else start, trainable=learns),
        sets.train,
        sets.validation,
        max_epochs=epochs,
        phases=phases,
        seed=seed,
        alpha=options.alpha if options.method == "top-down" else None,
        callbacks=callbacks,
    )


def late_matrix(options: TrainingOptions, start: Tensor | None = None) -> NoisePhases:
    """§3.4's two phases: Q = I, then Q learns, from ``start`` if that is given."""
    return NoisePhases(
        patience=options.patience or 5,
        phase_epochs=options.warm_up_epochs,
        start=None if start is None else lambda module: start.to(module.device),
    )
