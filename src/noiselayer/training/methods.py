"""The methods: which stages run, on what, and with which noise matrix (§3.4)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData, check_for_training
from noiselayer.data.splits import split_validation
from noiselayer.errors import InputError, list_some
from noiselayer.estimation.noise_estimate import combine_estimates
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.noise.matrices import check
from noiselayer.training.batches import Part, clean_part, noisy_part, outside_part
from noiselayer.training.frozen_head import HEAD, fit_frozen_head
from noiselayer.training.input_statistics import input_statistics
from noiselayer.training.machine import check_hardware
from noiselayer.training.measured import measured_matrix, trained_on_clean
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.options import THROUGH_Q, Hardware, TrainingOptions, with_weight_decay
from noiselayer.training.per_annotator import check_annotators, judge_annotators, mean_matrix
from noiselayer.training.phases import NoisePhases
from noiselayer.training.set_checks import (
    automatic_method,
    check_complete,
    check_known,
    check_learnable,
    check_like,
    check_measurable,
    estimate_from_checked,
    kept_rows,
)
from noiselayer.training.stage import StageRunner
from noiselayer.training.start import check_folds, starting_matrix
from noiselayer.training.swallowed import swallowed_classes
from noiselayer.training.trained import TrainedClassifier


def fit_classifier(
    data: LabeledData,
    options: TrainingOptions,
    *,
    clean: LabeledData | None = None,
    clean_given: Tensor | None = None,
    outside: Inputs | None = None,
    overlapping: Literal["error", "drop"] = "error",
    noise_matrix: Tensor | None = None,
    hardware: Hardware | None = None,
    folder: Path | None = None,
    on_stage: Callable[[str], None] | None = None,
    main_callbacks: Callable[[TrainedClassifier], Sequence[Callback]] | None = None,
) -> TrainedClassifier:
    """Train a classifier on noisy labels, and on clean ones and outside images where there are any.

    Args:
        data: Samples and their noisy labels.
        options: Method, model, rates, weights.
        clean: Samples with trusted labels, of the same classes and shape.
        clean_given: Shape (N_clean,), the noisy labels of the clean samples that have been labelled so too, else -1:
            what is measured with models is combined with these pairs, every class by its errors.
        outside: Samples that show none of the classes; they are trained on with uniform labels.
        overlapping: What to do with samples that stand in ``data`` and in ``clean``: an "error", or "drop"
            them from ``data``.
        noise_matrix: Shape (K, K), columns = true classes; for the method "known", and only for it. Where ``data``
            knows who gave each label, shape (S, K, K), in the order of its ``annotator_names``.
        hardware: Devices and precision.
        folder: Where stages leave checkpoints; a run stopped there goes on.
        on_stage: Told in words what begins.
        main_callbacks: Asked when the main stage begins, with the record so far (its ``splits`` say what is
            held out), for Lightning callbacks to train it with.

    Returns:
        The classifier at its best validation epoch, and how it got there.

    Raises:
        InputError: If the data cannot be trained on, the sets do not fit together, what is no image is to be
            augmented, or the hardware is not here.
        ValueError: If ``noise_matrix`` does not suit the method or the classes.

    >>> from noiselayer.data.labeled import from_arrays
    >>> from noiselayer.training.options import default_options
    >>> data = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    >>> options = default_options("vector", method="normal", max_epochs=2)
    >>> fit_classifier(data, options).noise_matrix
    tensor([[1., 0.],
            [0., 1.]])
    """
    say = on_stage or (lambda message: None)
    hardware = hardware or Hardware()
    check_hardware(hardware)
    if options.model == HEAD:
        return fit_frozen_head(
            data,
            options,
            clean=clean,
            clean_given=clean_given,
            outside=outside,
            overlapping=overlapping,
            noise_matrix=noise_matrix,
            on_stage=on_stage,
        )
    rows = torch.arange(len(data))
    if clean is not None:
        rows = kept_rows(data, clean, overlapping=overlapping)
        data = data if len(rows) == len(data) else data.subset(rows)
    if outside is not None:
        check_like(data.inputs, outside, "outside")
    check_for_training(data)
    if options.augmentation != "none" and len(data.inputs.shape) != 3:
        raise InputError(
            f"augmentation {options.augmentation!r} is for images of shape (channels, height, width); these samples "
            f"have shape {tuple(data.inputs.shape)}. Leave it out."
        )
    K = data.num_classes
    if options.method == "auto":
        method, why = automatic_method(data, clean)
        say(f"Method {method}: {why}.")
        options = replace(options, method=method)
    options = with_weight_decay(options)
    _check_method(options.method, clean, noise_matrix, K)
    check_annotators(data, options, noise_matrix)
    check_known(data, noise_matrix)
    check_learnable(options.method, data)
    generator = torch.Generator().manual_seed(options.seed)

    def split(of: LabeledData) -> tuple[Tensor, Tensor]:
        return split_validation(of.given, options.validation_fraction, num_classes=K, generator=generator)

    chosen, held_out = split(data)
    noisy, noisy_validation = data.subset(chosen), data.subset(held_out)
    mean, std = input_statistics(noisy.inputs)
    trained = TrainedClassifier(
        network=nn.Identity(),
        noise_matrix=torch.eye(K),
        class_names=data.class_names,
        options=options,
        model_arguments={
            "name": options.model,
            "num_classes": K,
            "input_shape": tuple(data.inputs.shape),
            "mean": mean,
            "std": std,
            **options.model_options,
        },
        splits={"train": rows[chosen], "validation": rows[held_out]},
        sample_counts={"noisy": noisy.counts()},
    )
    train, validation = [noisy_part(noisy)], [noisy_part(noisy_validation)]
    trusted = trusted_validation = None
    if clean is not None:
        clean_chosen, clean_held_out = split(clean)
        trusted, trusted_validation = clean.subset(clean_chosen), clean.subset(clean_held_out)
        trained.splits |= {"clean_train": clean_chosen, "clean_validation": clean_held_out}
        trained.sample_counts["clean"] = trusted.counts()
        if options.method in ("estimated", "refined") and trained_on_clean(options, len(trusted), len(noisy)):
            check_measurable(trusted, options.folds)
        if options.train_on_clean:
            train.append(clean_part(trusted))
            validation.append(clean_part(trusted_validation))
    if outside is not None:
        train.append(outside_part(outside))
    by_folds = options.method == "learned" and options.start in ("features", "confusion")
    if by_folds:
        check_folds(options.folds, len(noisy))
    runner = StageRunner(options, hardware, folder, trained)

    start = torch.eye(K) if noise_matrix is None else noise_matrix.detach().float().cpu()
    if options.method == "learned" and options.start == "joint":
        say(
            "Joint learning: a network with Q = I, then with a Q that learns; another one will be trained through it."
        )
        joint = runner.run(
            "joint",
            NoiseLayer(K, torch.eye(K)),
            train,
            validation,
            max_epochs=options.warm_up_epochs + options.max_epochs,
            phases=_late_matrix(options),
            seed=options.seed + 4000,
        )
        if trained.interrupted:
            return trained
        start = joint.noise_layer.noise_matrix.detach().float().cpu()
        trained.start_matrix = start
    if by_folds:
        say(f"Warm-up: {options.folds} models with Q = I, each on its folds, to find where Q starts.")
        found = starting_matrix(noisy, noisy_validation, options, runner)
        if found is None:
            return trained
        start, trained.start_estimates = found.noise_matrix, found.estimates
        trained.start_matrix = start
        if found.note:
            say(found.note)
        if noisy.annotators is not None:
            trained.by_annotator = judge_annotators(
                noisy, found.logits.softmax(dim=1), start, probs_predict="given"
            )
        for warning in dict.fromkeys(e.warning for e in trained.start_estimates if e.warning):
            warnings.warn(warning[0].upper() + warning[1:], stacklevel=2)
    if options.method in ("estimated", "refined"):
        assert trusted is not None
        assert trusted_validation is not None
        say(f"Measuring: {options.folds} models, and their confusions on clean and on noisy samples.")
        measured = measured_matrix(noisy, noisy_validation, trusted, trusted_validation, options, runner)
        if measured is None:
            return trained
        trained.estimate = measured.estimate
        assert clean is not None
        pairs = None if clean_given is None else estimate_from_checked(clean, clean_given)
        if pairs is not None:
            trained.estimate = combine_estimates(measured.estimate, pairs)
        start = trained.estimate.noise_matrix.float()
        trained.noise_matrix = start  # a run that is stopped from here on knows this much
        if noisy.annotators is not None:
            trained.by_annotator = judge_annotators(
                noisy, measured.probs, start, probs_predict=measured.probs_predict
            )
    if noisy.annotators is not None:
        if trained.by_annotator is not None:
            assert trained.by_annotator.annotators is not None
            start = trained.by_annotator.annotators.noise_matrices.float()
        trained.annotator_names, trained.annotator_matrices = noisy.annotator_names, start
        trained.noise_matrix = mean_matrix(start, noisy.annotators)
    callbacks = main_callbacks(trained) if main_callbacks else ()
    return _main_stage(start, train, validation, noisy, runner, say, callbacks)


def _main_stage(
    start: Tensor,
    train: list[Part],
    validation: list[Part],
    noisy: LabeledData,
    runner: StageRunner,
    say: Callable[[str], None],
    callbacks: Sequence[Callback],
) -> TrainedClassifier:
    """A fresh network with the noise matrix found, or the two phases of §3.4 in one run.

    Where it predicts a class far too seldom, another one is trained: the likelihood has optima in which a class is
    hidden in another, and other initial weights lead elsewhere.
    """
    trained, options = runner.trained, runner.options
    module = _trained_once("main", options.seed, start, train, validation, runner, say, callbacks)
    _take(module, trained)
    if options.method not in THROUGH_Q or trained.interrupted:
        return trained
    swallowed = swallowed_classes(trained.network, noisy, trained.noise_matrix)
    if swallowed and not callbacks:  # else somebody follows this very network
        named = list_some(
            f"{trained.class_names[i]!r} ({share:.0%} of the samples, where {due:.0%} should be of it)"
            for i, (share, due) in swallowed.items()
        )
        say(f"The network predicts too seldom {named}: training another one.")
        first = trained.stages[-1]
        again = _trained_once("main-again", options.seed + 5000, start, train, validation, runner, say, ())
        if trained.interrupted:
            return trained
        still = swallowed_classes(again.network, noisy, trained.noise_matrix)
        if (len(still), trained.stages[-1].best_loss) < (len(swallowed), first.best_loss):
            _take(again, trained)
            swallowed = still
        else:  # the last stage is that of the network kept
            trained.stages.append(trained.stages.pop(-2))
    never = {i: due for i, (share, due) in swallowed.items() if share == 0}
    if never:
        named = list_some(
            f"{trained.class_names[i]!r} ({due:.0%} of the samples should be of it)"
            for i, due in never.items()
        )
        warnings.warn(
            f"The network never predicts {named}. Check some of their labels, or give clean samples.",
            stacklevel=3,
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
    train: list[Part],
    validation: list[Part],
    runner: StageRunner,
    say: Callable[[str], None],
    callbacks: Sequence[Callback],
) -> NoisyLabelModule:
    options, K = runner.options, start.shape[-1]
    phases = None
    of_paper = options.method == "learned" and (options.start == "identity" or not options.fresh_network)
    if of_paper:  # phase 1 with the identity; phase 2 starts from what the warm-up found, if there was one
        phases = _late_matrix(options, start if options.start != "identity" else None)
    elif options.method == "refined":  # phase 1 with the estimate
        phases = NoisePhases(patience=options.patience or 5, phase_epochs=options.max_epochs)
    learns = phases is not None or (options.method == "learned" and options.noise_trainable)
    epochs = options.max_epochs + (options.warm_up_epochs if phases else 0)
    say(f"Main stage: {options.model}, at most {epochs} epochs, method {options.method}.")
    return runner.run(
        name,
        NoiseLayer(K, torch.eye(K) if of_paper else start, trainable=learns),
        train,
        validation,
        max_epochs=epochs,
        phases=phases,
        seed=seed,
        alpha=options.alpha if options.method == "top-down" else None,
        callbacks=callbacks,
    )


def _late_matrix(options: TrainingOptions, start: Tensor | None = None) -> NoisePhases:
    """§3.4's two phases: Q = I, then Q learns, from ``start`` if that is given."""
    return NoisePhases(
        patience=options.patience or 5,
        phase_epochs=options.warm_up_epochs,
        start=None if start is None else lambda module: start.to(module.device),
    )


def _check_method(
    method: str, clean: LabeledData | None, noise_matrix: Tensor | None, num_classes: int
) -> None:
    if method == "known" and noise_matrix is None:
        raise ValueError("method 'known' needs noise_matrix.")
    if method != "known" and noise_matrix is not None:
        raise ValueError(f"noise_matrix is for method 'known'; method {method!r} finds its own.")
    if method in ("estimated", "refined") and clean is None:
        raise ValueError(
            f"method {method!r} measures the noise with trusted labels and needs clean; without any, use 'learned'."
        )
    if method in ("estimated", "refined"):
        assert clean is not None
        check_complete(clean)
    if noise_matrix is not None and noise_matrix.ndim != 3:
        check(noise_matrix, num_classes=num_classes)
