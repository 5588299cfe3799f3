"""The noise matrix measured with clean samples (§3.2; Fig. 2b, steps 1 to 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from noiselayer.arrays.folds import shuffled_folds
from noiselayer.data.labeled import LabeledData
from noiselayer.estimation.from_confusions import estimate_from_predictions
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.noise.simplex import project
from noiselayer.training.batches import clean_part, noisy_part
from noiselayer.training.logits import predict_logits
from noiselayer.training.options import TrainingOptions
from noiselayer.training.stage import StageRunner


class Measured(NamedTuple):
    """Q with its errors, and ``probs`` of the noisy samples by models that have not seen the sample's label."""

    estimate: NoiseEstimate
    probs: Tensor
    probs_predict: Literal["given", "true"]


def measured_matrix(
    noisy: LabeledData,
    noisy_validation: LabeledData,
    clean: LabeledData,
    clean_validation: LabeledData,
    options: TrainingOptions,
    runner: StageRunner,
) -> Measured | None:
    """Train models, measure their confusions on clean and on noisy samples they have not seen, and solve for Q.

    The models are cross-fitted, and the folds' answers averaged. Models of the clean set are the paper's way. Of a few
    hundred clean samples they are poor, C* is then ill-conditioned and its errors grow; models of the (many) noisy ones
    see better, and the equations ask only that they have not been fitted to the labels they are measured on.
    None if the user stopped one of them.
    """
    K = noisy.num_classes
    of_clean = trained_on_clean(options, len(clean), len(noisy))
    base, validation = (clean, clean_validation) if of_clean else (noisy, noisy_validation)
    part = clean_part if of_clean else noisy_part
    fold_of = shuffled_folds(base.given, options.folds, options.seed + 2)
    estimates = []
    probs = torch.zeros(len(noisy), K)
    fold_models = runner.run_folds(
        *("measure", base, fold_of, part, [part(validation)]),
        max_epochs=options.max_epochs if of_clean else options.warm_up_epochs,
        seed=options.seed + 2000,
    )
    for k, (left_out, unseen, network) in enumerate(fold_models):
        measured_clean, measured_noisy = (unseen, noisy) if of_clean else (clean, unseen)
        of_noisy = _probs(network, measured_noisy)
        if of_clean:
            probs += of_noisy / options.folds
        else:
            probs[left_out] = of_noisy
        estimates.append(
            estimate_from_predictions(
                _probs(network, measured_clean),
                measured_clean.given,
                of_noisy,
                measured_noisy.given,
                generator=torch.Generator().manual_seed(options.seed + k),
            )
        )
    if runner.trained.interrupted:
        return None
    return Measured(_average(estimates), probs, "true" if of_clean else "given")


def trained_on_clean(options: TrainingOptions, num_clean: int, num_noisy: int) -> bool:
    """Whether the models that are measured are trained on the clean samples.

    >>> trained_on_clean(TrainingOptions(), 500, 20_000)
    False
    """
    if options.measure_with == "auto":
        return num_clean >= num_noisy / 5
    return options.measure_with == "clean"


def _probs(network: torch.nn.Module, data: LabeledData) -> Tensor:
    return predict_logits(network, data.inputs).softmax(dim=1)


def _average(estimates: list[NoiseEstimate]) -> NoiseEstimate:
    """The folds share samples, so their errors do not average out: the mean of the errors stands for them."""

    def mean(name: str) -> Tensor:
        return torch.stack([getattr(e, name) for e in estimates]).mean(dim=0)

    first = estimates[0]
    errors = all(e.standard_error is not None for e in estimates)
    ends = [e.interval for e in estimates if e.interval is not None]
    return replace(
        first,
        noise_matrix=project(mean("noise_matrix")),
        inverse_noise_matrix=project(mean("inverse_noise_matrix")),
        class_prior=mean("class_prior"),
        standard_error=mean("standard_error") if errors else None,
        interval=(
            torch.stack([low for low, _ in ends]).mean(dim=0),
            torch.stack([high for _, high in ends]).mean(dim=0),
        )
        if len(ends) == len(estimates)
        else None,
        condition_number=max(e.condition_number or 0.0 for e in estimates),
        outside_simplex=max(e.outside_simplex or 0.0 for e in estimates),
        warnings=tuple(dict.fromkeys(w for e in estimates for w in e.warnings)),
    )
