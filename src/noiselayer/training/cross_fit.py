"""Out-of-sample probabilities: every sample is judged by a model that has not seen its label."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from noiselayer.arrays.folds import check_folds, shuffled_folds
from noiselayer.data import LabeledData, check_for_training
from noiselayer.errors import InputError, argument, list_some
from noiselayer.noise.simplex import project
from noiselayer.training.frozen_head import HEAD, fit_frozen_head
from noiselayer.training.logits import predict_logits
from noiselayer.training.options import THROUGH_Q, Hardware, TrainingOptions
from noiselayer.training.trained import TrainedClassifier


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What the models of all folds say of the samples that they have not seen, ``logits`` of shape (N, K).

    ``fold_of`` says which model was not trained on each sample: -1 of one whose label stands once, which is taken to be
    right; None for the head on features, which makes folds of its own. Where the models were trained through a noise
    matrix, ``noise_matrix`` is the mean of the folds' and ``standard_error`` how far they differ. If ``interrupted``,
    the logits are incomplete.
    """

    logits: Tensor
    fold_of: Tensor | None
    probs_predict: Literal["given", "true"]
    noise_matrix: Tensor | None = None
    standard_error: Tensor | None = None
    interrupted: bool = False

    @property
    def probs(self) -> Tensor:
        """Shape (N, K), rows sum to 1."""
        return self.logits.softmax(dim=1)


def cross_fit(
    data: LabeledData,
    options: TrainingOptions,
    *,
    folds: int = 5,
    clean: LabeledData | None = None,
    noise_matrix: Tensor | None = None,
    hardware: Hardware | None = None,
    folder: Path | None = None,
    device: torch.device | str | None = None,
    on_stage: Callable[[str], None] | None = None,
) -> CrossFit:
    """Train a model per fold on all other folds, and ask it about its own.

    Method "normal" gives probabilities of the noisy label, those that train through a noise matrix give probabilities
    of the true class. Folds leave checkpoints in ``fold-0``, ``fold-1``, ... of ``folder``: a finished one is not
    trained again, one that was stopped goes on. The model "head" has chosen its ridge on such folds: one fit is all.

    >>> from noiselayer.data import from_arrays
    >>> from noiselayer.training.options import default_options
    >>> data = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    >>> options = default_options("vector", model="linear", model_options={}, method="normal", max_epochs=2)
    >>> cross_fit(data, options, folds=2).probs.shape
    torch.Size([40, 2])
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2, so that each leaves a part out; got {folds}.")
    check_for_training(data)
    alone = data.counts()[data.given] == 1
    if bool(alone.any()):
        names = list_some(repr(data.class_names[k]) for k in data.given[alone].tolist())
        if options.method != "normal" and options.model != HEAD:
            raise InputError(
                f"{names} of {data.origin}: the noise of a label that stands once cannot be learned. Mend it if it is "
                f"a slip of the pen, leave the sample out, or audit with {argument('method', 'normal')}."
            )
        warnings.warn(
            f"{names}: a label that stands once cannot be judged by others of its kind, and is taken to be right. Look "
            "at it yourself; if it is a slip of the pen, mend it.",
            stacklevel=2,
        )
    check_folds(folds, len(data))
    if options.model == HEAD:
        fitted = fit_frozen_head(
            data, options, clean=clean, noise_matrix=noise_matrix, folds=folds, on_stage=on_stage
        )
        return _of_head(fitted, data.given, alone)
    from noiselayer.training.methods import fit_classifier  # brings Lightning, which the head does without

    say = on_stage or (lambda message: None)
    N, K = len(data), data.num_classes
    fold_of = shuffled_folds(data.given, folds, options.seed).masked_fill(alone, -1)
    logits = torch.full((N, K), torch.nan)
    matrices = []
    of_true = False
    for k in range(folds):
        say(f"Fold {k + 1} of {folds}.")
        trained = fit_classifier(
            data.subset((fold_of != k).nonzero().flatten()),
            replace(options, seed=options.seed + k),
            clean=clean,
            noise_matrix=noise_matrix,
            hardware=hardware,
            folder=None if folder is None else folder / f"fold-{k}",
            on_stage=on_stage,
        )
        of_true = trained.options.method in THROUGH_Q
        if trained.interrupted:
            return CrossFit(logits, fold_of, "true" if of_true else "given", interrupted=True)
        left_out = (fold_of == k).nonzero().flatten()
        logits[left_out] = predict_logits(trained.network, data.subset(left_out).inputs, device=device).cpu()
        matrices.append(trained.noise_matrix)
    logits[alone] = _as_given(data.given[alone], K)
    if not of_true:
        return CrossFit(logits, fold_of, "given")
    stacked = torch.stack(matrices).double()
    # The folds share most of their samples, so what differs between them is more than sampling and less than
    # it: the spread of single models, not of their mean.
    return CrossFit(logits, fold_of, "true", project(stacked.mean(dim=0)).float(), stacked.std(dim=0).float())


def _as_given(labels: Tensor, num_classes: int) -> Tensor:
    """Logits that leave no doubt about labels."""
    return 40.0 * functional.one_hot(labels, num_classes)


def _of_head(fitted: TrainedClassifier, labels: Tensor, alone: Tensor) -> CrossFit:
    head = fitted.head
    assert head is not None
    logits = head.out_of_fold.float()
    logits[alone] = _as_given(labels[alone], logits.shape[1])
    of_true = fitted.options.method in THROUGH_Q
    error = None if fitted.estimate is None else fitted.estimate.standard_error
    return CrossFit(
        logits,
        None,
        "true" if of_true else "given",
        fitted.noise_matrix if of_true else None,
        error if of_true else None,
    )
