"""The linear head on frozen features in the place of a network: no epochs, no batches, seconds."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from noiselayer.annotators.gold_head import GoldHead
from noiselayer.annotators.gold_inputs import FEWEST
from noiselayer.annotators.with_gold import fit_with_gold
from noiselayer.data.inputs import Inputs, SubsetInputs
from noiselayer.data.labeled import LabeledData
from noiselayer.errors import InputError, argument, list_some
from noiselayer.estimation.labeller import selected_by_label
from noiselayer.estimation.noise_estimate import combine_estimates
from noiselayer.features.feature_head import FeatureHead
from noiselayer.features.head import BEYOND_CHANCE, fit_head
from noiselayer.losses.log_space import noisy_nll
from noiselayer.models import build_model
from noiselayer.training.options import TrainingOptions
from noiselayer.training.per_annotator import check_annotators, judge_annotators
from noiselayer.training.set_checks import (
    automatic_method,
    check_complete,
    check_known,
    check_learnable,
    estimate_from_checked,
    trainable,
)
from noiselayer.training.trained import StageResult, TrainedClassifier

HEAD = "head"
"""The model's name."""
_GOLD_UP_TO = 200_000
"""Samples that fit_with_gold takes at once, in memory."""
OF_NETWORKS = (
    *(
        "max_epochs",
        "batch_size",
        "learning_rate",
        "weight_decay",
        "warm_up_epochs",
        "augmentation",
        "patience",
    ),
    *("validation_fraction", "on_nonfinite", "mixing", "measure_with", "train_on_clean", "start", "rule"),
    *("fresh_network", "noise_trainable", "noise_learning_rate", "trace_penalty", "noise_weight_decay"),
    *("volume_penalty", "logger", "keep_checkpoints", "max_iter", "n_iter_no_change"),
)
"""Options that mean nothing to the head."""


def check_head(method: str, data: LabeledData, given: Collection[str] = ()) -> None:
    """Raise an error if the head cannot do what is asked for.

    Raises:
        InputError: Names the method, the shape, or an option among ``given`` that is for networks.

    >>> from noiselayer.data.labeled import from_arrays
    >>> check_head("normal", from_arrays(np.eye(3), [0, 1, 1]), ["batch_size"])
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: batch_size is for networks; the head, which texts, sparse matrices and embeddings get,
    is fitted to all samples at once. Leave it out, or take model='linear' or another network.
    """
    network = f"{argument('model', 'linear')} or another network"
    unused = [argument(name) for name in given if name in OF_NETWORKS]
    if unused:
        raise InputError(
            f"{list_some(unused)} {'is' if len(unused) == 1 else 'are'} for networks; the head, which texts, sparse "
            "matrices and embeddings get, is fitted to all samples at once. "
            f"Leave {'it' if len(unused) == 1 else 'them'} out, or take {network}."
        )
    if method == "refined":
        raise InputError(
            f"{argument('method', 'refined')} lets a network and the matrix learn on together; with the head take "
            f"estimated or learned, or take {network}."
        )
    if len(data.inputs.shape) != 1:
        raise InputError(
            f"the head takes vectors; these samples have shape {tuple(data.inputs.shape)}. Take a network."
        )


def automatic_head_method(
    data: LabeledData, clean: LabeledData | None, *, weighted: bool = False
) -> tuple[str, str]:
    """What "auto" takes for the head, and why in one line: "gold" from ten trusted labels on, else as for a network.

    Where samples are ``weighted``, from outside the classes, or labelled by several annotators, it is as for a network
    too.

    >>> from noiselayer.data.labeled import from_arrays
    >>> data = from_arrays(np.eye(20), [0, 1] * 10)
    >>> automatic_head_method(data, data)
    ('gold', '20 trusted labels choose between classifiers, that of these labels alone among them')
    """
    if (
        weighted
        or data.annotators is not None
        or clean is None
        or not FEWEST <= len(clean) <= _GOLD_UP_TO - len(data)
    ):
        return automatic_method(data, clean)
    why = f"{len(clean):,} trusted labels choose between classifiers, that of these labels alone among them"
    return "gold", why


def fit_frozen_head(
    data: LabeledData,
    options: TrainingOptions,
    *,
    clean: LabeledData | None = None,
    clean_given: Tensor | None = None,
    outside: Inputs | None = None,
    overlapping: Literal["error", "drop"] = "error",
    noise_matrix: Tensor | None = None,
    folds: int | None = None,
    on_stage: Callable[[str], None] | None = None,
) -> TrainedClassifier:
    """Fit :func:`noiselayer.features.fit_head` to samples that are vectors; see ``fit_classifier`` for the arguments.

    No sample is held out: ridge and matrix are chosen by folds, and ``head.out_of_fold`` says of every sample what a
    classifier thinks that has not seen its label. Where plain regression was taken, the method is "normal".
    With "gold", which "auto" takes from ten clean samples on, these choose the classifier
    (:func:`noiselayer.annotators.fit_with_gold`): it is not worse than that of the clean samples alone, beyond chance.
    The method of the result is then "estimated", or "normal" where labels as they are were best.

    >>> from noiselayer.data.labeled import from_arrays
    >>> from noiselayer.training.options import default_options
    >>> data = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    >>> trained = fit_frozen_head(data, default_options("embedded", method="normal"))
    >>> trained.network(torch.eye(2)).argmax(dim=1)
    tensor([0, 1])
    """
    say = on_stage or (lambda message: None)
    data, rows = trainable(data, clean, outside, overlapping=overlapping)
    assert data.labels is not None
    if options.method == "auto":
        weighted = outside is not None or options.noisy_weight != 1
        method, why = automatic_head_method(data, clean, weighted=weighted)
        say(f"Method {method}: {why}.")
        options = replace(options, method=method)
    check_head(options.method, data)
    check_annotators(data, options, noise_matrix)
    check_known(data, noise_matrix)
    check_learnable(options.method, data)
    if options.method == "estimated" and clean is not None:
        check_complete(clean)
    if options.method == "gold":
        if clean is None or outside is not None:
            raise InputError(
                "method gold chooses between classifiers by trusted labels: give some with "
                f"{argument('clean')} DATA."
                if clean is None
                else f"method gold takes no samples from {argument('outside')}; take estimated."
            )
        if data.annotators is not None:
            raise InputError(
                "method gold has no noise matrix of its own for each annotator; take estimated, or leave the "
                "annotators out."
            )
        return _fit_with_gold(data, options, clean, clean_given, rows, say)
    began = time.perf_counter()
    shared: dict[str, Any] = {
        "outside_features": None if outside is None else _Rows(outside),
        "noisy_weight": options.noisy_weight,
        "outside_weight": options.outside_weight,
        "alpha": options.alpha,
        "folds": folds,
        "standardize": standardizes(data.inputs),
        "seed": options.seed,
    }
    if clean is not None:
        shared |= {"clean_features": _Rows(clean.inputs), "clean_labels": clean.labels}
    features, K = _Rows(data.inputs), data.num_classes
    known: dict[str, Any] = {"method": "known", "annotators": data.annotators, **shared}
    asked = known if options.method == "known" else {"method": options.method, **shared}
    head = fit_head(features, data.labels, K, noise_matrix=noise_matrix, **asked)
    estimate = head.estimate
    pairs = None if clean is None or clean_given is None else estimate_from_checked(clean, clean_given)
    if estimate is not None and pairs is not None:  # pairs of labels say more than a few models do
        estimate = combine_estimates(estimate, pairs) if estimate.standard_error is not None else pairs
        Q = estimate.noise_matrix.double()
        head = fit_head(features, data.labels, K, **{**known, "annotators": None}, noise_matrix=Q)
    matrices, judged = noise_matrix, None
    if data.annotators is not None and matrices is None:
        # What a classifier says that has not seen the label; plain, it repeats the labels.
        guesses: Literal["given", "true"] = "given" if head.taken == "plain" else "true"
        judged = judge_annotators(
            data, head.out_of_fold.softmax(dim=1), head.found_matrix, probs_predict=guesses
        )
        assert judged.annotators is not None
        matrices = judged.annotators.noise_matrices
        through = fit_head(features, data.labels, K, noise_matrix=matrices, **known)
        if through.gain > max(head.gain, BEYOND_CHANCE * through.gain_error):
            head = replace(through, estimate=estimate)
    say(head.summary())
    if head.taken == "plain":
        options = replace(options, method="normal")
    seconds = time.perf_counter() - began
    trained = _trained(data, options, head, head.noise_matrix, rows, clean, seconds, estimate)
    if data.annotators is not None:
        trained.annotator_names, trained.by_annotator = data.annotator_names, judged
        trained.annotator_matrices = None if matrices is None else matrices.float()
    return trained


def _fit_with_gold(
    data: LabeledData,
    options: TrainingOptions,
    clean: LabeledData,
    clean_given: Tensor | None,
    rows: Tensor,
    say: Callable[[str], None],
) -> TrainedClassifier:
    """What the checked labels prefer: themselves alone, all labels, or what is made of both."""
    if len(clean) < FEWEST:
        raise InputError(
            f"method gold chooses between classifiers by at least {FEWEST} trusted labels; there are {len(clean)}. "
            "Check more, or leave the method to the program."
        )
    began = time.perf_counter()
    K, N = data.num_classes, len(data)
    unseen = torch.full((len(clean),), -1)
    labels = torch.cat([data.given, unseen if clean_given is None else clean_given])
    if clean_given is not None and bool((clean_given >= 0).all()):
        odd = selected_by_label(labels.numpy(), np.arange(N, len(labels)), K + 1, data.class_names)
        if odd is not None:
            warnings.warn(odd.split(". Each")[0] + ". Draw them at random.", stacklevel=2)
    if absent := [name for name, n in zip(clean.class_names, clean.counts().tolist(), strict=True) if n == 0]:
        warnings.warn(
            f"no checked sample is of {list_some(map(repr, absent))}: only the labels speak for such a class. Check "
            "samples that carry this label.",
            stacklevel=2,
        )
    if unsaid := [name for name, n in zip(data.class_names, data.counts().tolist(), strict=True) if n == 0]:
        warnings.warn(
            f"no label is of {list_some(map(repr, unsaid))}: only the checked samples speak for such a class. Check "
            "more, or have the labeller told of it.",
            stacklevel=2,
        )
    head = fit_with_gold(
        _Rows(data.inputs, clean.inputs),
        labels,
        torch.cat([torch.full((N,), -1), clean.given]),
        K,
        standardize=standardizes(data.inputs),
        seed=options.seed,
    )
    head = replace(head, out_of_fold=head.out_of_fold[:N])
    # Pairs of labels measure the noise as the command "estimate" does.
    estimate = None if clean_given is None else estimate_from_checked(clean, clean_given)
    plain = head.taken == "plain"
    Q = torch.eye(K) if plain else head.matrix if estimate is None else torch.as_tensor(estimate.noise_matrix)
    options = replace(options, method="normal" if plain else "estimated")
    say(head.summary())
    seconds = time.perf_counter() - began
    return _trained(data, options, head, Q.double(), rows, clean, seconds, estimate)


def standardizes(inputs: Inputs) -> bool:
    """Whether every feature is brought to variance 1; not where the source of features says so."""
    base = inputs.base if isinstance(inputs, SubsetInputs) else inputs
    return bool(getattr(getattr(base, "encoder", None), "standardize", True))


def _trained(
    data: LabeledData,
    options: TrainingOptions,
    head: FeatureHead | GoldHead,
    noise_matrix: Tensor,
    rows: Tensor,
    clean: LabeledData | None,
    seconds: float,
    estimate: Any,
) -> TrainedClassifier:
    assert data.labels is not None
    # Raw features in, of any precision, as every network of ours takes them.
    arguments: dict[str, Any] = {
        "name": HEAD,
        "num_classes": data.num_classes,
        "input_shape": tuple(data.inputs.shape),
        "mean": 0.0,
        "std": 1.0,
    }
    network = build_model(**arguments)
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), (head.weight, head.bias), strict=True):
            parameter.copy_(value)
    loss = float(noisy_nll(head.out_of_fold, data.labels, noise_matrix).mean())
    tried = [ridge for ridge, _ in head.path] if isinstance(head, FeatureHead) else []
    best = tried.index(head.ridge) if isinstance(head, FeatureHead) and head.ridge in tried else None
    nothing = torch.empty(0, dtype=torch.int64)
    trained = TrainedClassifier(
        network=network.eval(),
        noise_matrix=noise_matrix.float(),
        class_names=data.class_names,
        options=options,
        model_arguments=arguments,
        stages=[StageResult(HEAD, epochs=len(tried), best_epoch=best, best_loss=loss, seconds=seconds)],
        estimate=estimate,
        splits={"train": rows, "validation": nothing},
        sample_counts={"noisy": data.counts()},
        head=head,
    )
    if clean is not None:
        trained.splits |= {"clean_train": torch.arange(len(clean)), "clean_validation": nothing}
        trained.sample_counts["clean"] = clean.counts()
    return trained


class _Rows:
    """Inputs, one after another, as the head reads them: from the first row to the last, some thousand at a time."""

    ndim = 2

    def __init__(self, *inputs: Inputs) -> None:
        self._inputs, self.shape = inputs, (sum(map(len, inputs)), inputs[0].shape[0])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        wanted, first, parts = np.arange(*rows.indices(len(self))), 0, []
        for inputs in self._inputs:
            parts.append(
                inputs.__getitems__(wanted[(wanted >= first) & (wanted < first + len(inputs))] - first)
            )
            first += len(inputs)
        return torch.cat(parts)
