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

from noiselayer.arrays.folds import check_folds
from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData
from noiselayer.errors import InputError
from noiselayer.estimation.noise_estimate import NoiseEstimate, combine_estimates
from noiselayer.losses.annotator_rows import mean_matrix
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.noise.matrices import check
from noiselayer.training.frozen_head import HEAD, fit_frozen_head
from noiselayer.training.held_out import TrainingSets, hold_out
from noiselayer.training.input_statistics import input_statistics
from noiselayer.training.machine import check_hardware
from noiselayer.training.main_stage import late_matrix, run_main_stage
from noiselayer.training.measured import measured_matrix, trained_on_clean
from noiselayer.training.options import Hardware, TrainingOptions, with_weight_decay
from noiselayer.training.per_annotator import check_annotators, judge_annotators
from noiselayer.training.set_checks import (
    automatic_method,
    check_complete,
    check_known,
    check_learnable,
    check_measurable,
    estimate_from_checked,
    trainable,
)
from noiselayer.training.stage import StageRunner
from noiselayer.training.start import by_columns, by_patches, starting_matrix
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
    data, rows = trainable(data, clean, outside, overlapping=overlapping)
    if options.augmentation != "none" and len(data.inputs.shape) != 3:
        raise InputError(
            f"augmentation {options.augmentation!r} is for images of shape (channels, height, width); these samples "
            f"have shape {tuple(data.inputs.shape)}. Leave it out."
        )
    if options.method == "auto":
        method, why = automatic_method(data, clean)
        say(f"Method {method}: {why}.")
        options = replace(options, method=method)
    options = with_weight_decay(options)
    _check_method(options.method, clean, noise_matrix, data.num_classes)
    check_annotators(data, options, noise_matrix)
    check_known(data, noise_matrix)
    check_learnable(options.method, data)
    sets = hold_out(data, clean, outside, options)
    measures = options.method in ("estimated", "refined")
    by_folds = options.method == "learned" and options.start in ("features", "confusion")
    if by_folds:
        check_folds(options.folds, len(sets.noisy))
    if measures and sets.trusted and trained_on_clean(options, len(sets.trusted), len(sets.noisy)):
        check_measurable(sets.trusted, options.folds)
    trained = _record(data, rows, sets, options)
    runner = StageRunner(options, hardware, folder, trained)
    start: Tensor | None = (
        torch.eye(data.num_classes) if noise_matrix is None else noise_matrix.detach().float().cpu()
    )
    if options.method == "learned" and options.start == "joint":
        start = _learned_jointly(sets, runner, say)
    elif by_folds:
        start = _learned_by_folds(sets, runner, say)
    elif measures:
        assert clean is not None
        pairs = None if clean_given is None else estimate_from_checked(clean, clean_given)
        start = _measured(sets, pairs, runner, say)
    if start is None:
        return trained
    if data.annotators is not None:
        if trained.by_annotator is not None:
            assert trained.by_annotator.annotators is not None
            start = trained.by_annotator.annotators.noise_matrices.float()
        assert sets.noisy.annotators is not None
        trained.annotator_names, trained.annotator_matrices = data.annotator_names, start
        trained.noise_matrix = mean_matrix(start, sets.noisy.annotators)
    callbacks = main_callbacks(trained) if main_callbacks else ()
    return run_main_stage(start, sets, runner, say, callbacks)


def _record(
    data: LabeledData, rows: Tensor, sets: TrainingSets, options: TrainingOptions
) -> TrainedClassifier:
    """What is known before the first stage; ``rows`` are those of ``data`` in the set as it was given."""
    mean, std = input_statistics(sets.noisy.inputs)
    noisy = {name: rows[sets.rows[name]] for name in ("train", "validation")}
    counts = {"noisy": sets.noisy, "clean": sets.trusted}
    return TrainedClassifier(
        network=nn.Identity(),
        noise_matrix=torch.eye(data.num_classes),
        class_names=data.class_names,
        options=options,
        model_arguments={
            "name": options.model,
            "num_classes": data.num_classes,
            "input_shape": tuple(data.inputs.shape),
            "mean": mean,
            "std": std,
            **options.model_options,
        },
        splits={**sets.rows, **noisy},
        sample_counts={name: of.counts() for name, of in counts.items() if of is not None},
    )


# Each of these returns where the main stage's Q starts, or None if the user has stopped it.


def _learned_jointly(sets: TrainingSets, runner: StageRunner, say: Callable[[str], None]) -> Tensor | None:
    """§3.4's recipe, for its Q alone."""
    say(
        "Joint learning: a network with Q = I, then with a Q that learns; another one will be trained through it."
    )
    options, K = runner.options, sets.noisy.num_classes
    joint = runner.run(
        "joint",
        NoiseLayer(K, torch.eye(K)),
        sets.train,
        sets.validation,
        max_epochs=options.warm_up_epochs + options.max_epochs,
        phases=late_matrix(options),
        seed=options.seed + 4000,
    )
    if runner.trained.interrupted:
        return None
    runner.trained.start_matrix = joint.noise_layer.noise_matrix.detach().float().cpu()
    return runner.trained.start_matrix


def _learned_by_folds(sets: TrainingSets, runner: StageRunner, say: Callable[[str], None]) -> Tensor | None:
    """From noisy labels of samples that the models had not seen."""
    options, trained = runner.options, runner.trained
    noisy = sets.noisy
    shown = noisy.inputs.shape, noisy.num_classes, len(noisy) + len(sets.noisy_validation), options
    models = f"{options.folds} models with Q = I, each on its folds,"
    if by_patches(*shown):
        say("A linear classifier of patches finds where Q starts.")
    elif by_columns(*shown):
        say(f"Warm-up: a linear classifier of the columns, then {models} or Q as that one finds it.")
    else:
        say(f"Warm-up: {models} to find where Q starts.")
    found = starting_matrix(noisy, sets.noisy_validation, options, runner)
    if found is None:
        return None
    trained.start_matrix, trained.start_estimates = found.noise_matrix, found.estimates
    if found.note:
        say(found.note)
    if noisy.annotators is not None:
        trained.by_annotator = judge_annotators(
            noisy, found.logits.softmax(dim=1), found.noise_matrix, probs_predict=found.logits_predict
        )
    for warning in dict.fromkeys(e.warning for e in trained.start_estimates if e.warning):
        warnings.warn(warning[0].upper() + warning[1:], stacklevel=3)
    return found.noise_matrix


def _measured(
    sets: TrainingSets, pairs: NoiseEstimate | None, runner: StageRunner, say: Callable[[str], None]
) -> Tensor | None:
    """With models, on clean samples (§3.2), and by ``pairs`` of labels where there are some."""
    assert sets.trusted is not None
    assert sets.trusted_validation is not None
    options, trained = runner.options, runner.trained
    say(f"Measuring: {options.folds} models, and their confusions on clean and on noisy samples.")
    measured = measured_matrix(
        sets.noisy, sets.noisy_validation, sets.trusted, sets.trusted_validation, options, runner
    )
    if measured is None:
        return None
    trained.estimate = measured.estimate if pairs is None else combine_estimates(measured.estimate, pairs)
    start = trained.estimate.noise_matrix.float()
    trained.noise_matrix = start  # a run that is stopped from here on knows this much
    if sets.noisy.annotators is not None:
        trained.by_annotator = judge_annotators(
            sets.noisy, measured.probs, start, probs_predict=measured.probs_predict
        )
    return start


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
