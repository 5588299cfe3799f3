"""The classifier with scikit-learn's interface."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from noiselayer.audit import AuditResult, audit_labels
from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.embedded_inputs import EmbeddedInputs
from noiselayer.data.labeled import LabeledData
from noiselayer.errors import InputError
from noiselayer.estimators.arguments import (
    BESIDE_TRAINING,
    REFUSED,
    as_matrix,
    codes_of,
    for_networks,
    options_of,
    prediction_device,
)
from noiselayer.estimators.audited import check_audit_options
from noiselayer.estimators.feature_inputs import are_features_made, features_of, numbers_of, usual_embed
from noiselayer.estimators.true_classes import TrueClassesMixin, check_pair
from noiselayer.training.cross_fit import cross_fit
from noiselayer.training.effects import check_effects
from noiselayer.training.frozen_head import HEAD, automatic_head_method, check_head, fit_frozen_head
from noiselayer.training.logits import predict_logits
from noiselayer.training.options import Hardware, TrainingOptions
from noiselayer.training.set_checks import automatic_method
from noiselayer.training.trained import TrainedClassifier


class NoisyLabelClassifier(TrueClassesMixin):
    """A classifier that learns from wrong labels, with scikit-learn's interface: a network, or a head on features.

    ``fit`` takes labels of which many may be wrong, and trusted ones where there are some; ``predict`` gives
    true classes. The noise matrix is found on the way and stands in ``noise_matrix_``. Numbers, and images
    from 10,000 on, train a network; texts, sparse matrices and fewer images (features of patches:
    :mod:`noiselayer.features.patches`) become features, and a linear head is fitted to these, as the command line does.

    Whatever weighs, mixes or penalises something raises an error where it would change nothing.

    Args:
        method: "auto" ("estimated" with enough clean samples, else "learned"; with the head, ten clean ones choose
            between classifiers, "gold"), "learned" (from noisy labels alone), "estimated" (measured with clean
            samples), "refined" (then learned further), "known" (the matrix is given), "top-down" (labels are
            softened) or "normal" (ordinary training, which takes every label as right). All train on the clean
            samples too, if there are any.
        model: A name that :func:`noiselayer.models.build_model` knows; None takes "mlp" for two-dimensional X,
            "small" for images from 10,000 on, or where anything is asked that only networks have, and "head" for fewer
            images, texts and sparse matrices. "head" suits embeddings too, in seconds.
        noise_matrix: Shape (K, K), array or tensor, ``noise_matrix[j, i] = p(noisy = j | true = i)``: columns
            are true classes and sum to 1; rows and columns in the order of ``classes_``, sorted labels. For
            ``method="known"``, and only for it. If ``fit`` is told who gave each label, shape (S, K, K), a matrix
            for each annotator in the order of ``annotators_``, sorted names.
        max_iter: Passes over the training samples in the main stage. Where there is a warm-up, it keeps its
            share: half of it. None for the default of the kind of data, here and below.
        batch_size: Samples per step.
        learning_rate: Of the network, at its peak.
        weight_decay: Of the network's weights; never of the noise matrix.
        validation_fraction: Share of the samples held out, of every label alike, whose likelihood chooses the
            best epoch and how free the noise matrix is. Their labels are as noisy as the others.
        n_iter_no_change: Epochs without improvement that end a stage; None runs every stage to its end.
        noisy_weight: Weight of a noisy sample where a clean one has 1.
        alpha: For "top-down", how much of a label is believed, 0 to 1.
        options: What is rarely changed, by the names of :class:`~noiselayer.training.options.TrainingOptions` and
            :class:`~noiselayer.training.options.Optimization`, such as ``{"start": "identity", "trace_penalty": 0.1}``
            or ``{"augmentation": "flip-shift"}``; also ``embed``, what makes features of texts and of other samples
            (:class:`~noiselayer.NoisyLabelFeaturesClassifier`); ``model_options``, the model's own, such as
            ``{"hidden": (256, 256)}`` for the mlp; ``precision``, Lightning's; ``layout`` of 4-dimensional X,
            "NHWC", "NCHW" or "auto", which does not guess when both are possible; and ``overlapping``, what
            to do with samples that stand in X and in ``X_clean``: "error", or "drop" them from X.
        accelerator: Lightning's: "auto", "cpu", "gpu", "mps"; one device is used.
        random_state: An int makes fits bit-identical on one machine's CPU; None draws from NumPy's global
            generator.
        verbose: Say which stage begins, and show progress.

    Attributes:
        classes_: Shape (K,), the different labels, sorted, of whatever type they came in.
        method_: What "auto" has chosen, or ``method``.
        noise_matrix_: Shape (K, K), columns = true classes: learned, estimated, given, or the identity. With
            ``annotators``, of all labels together.
        annotators_: Shape (S,), the different ``annotators`` given to ``fit``, sorted; None without.
        annotator_matrices_: Shape (S, K, K), the noise matrix of every annotator; None without annotators.
        annotator_estimate_: A :class:`~noiselayer.annotators.AnnotatorEstimate`: which annotator is how good at what,
            with intervals and in words (``summary()``); None without annotators, or where their matrices were given.
        estimate_: A :class:`~noiselayer.estimation.NoiseEstimate` with the standard errors of the matrix as it
            was measured, and warnings; None for methods that do not measure it.
        start_matrix_: Where the learned matrix started, shape (K, K); None for other methods and starts.
        network_: A ``torch.nn.Module``: raw inputs, or what ``source_`` makes of them, to logits of the true class.
        source_: What made features of texts, of a sparse matrix or of other samples; None if X were numbers.
        head_: The :class:`~noiselayer.features.FeatureHead` of the model "head" (a
            :class:`~noiselayer.annotators.GoldHead` with method "gold"), with ``summary()``; None for a network.
        n_iter_: Epochs of the main stage.
        history_: A dict for every epoch of every stage: its stage, losses, tr(Q) / K, rate, seconds.
        n_features_in_: ``X.shape[1]``.
        feature_names_in_: Column names, if X was a DataFrame whose columns are all text.

    >>> from sklearn.datasets import make_blobs
    >>> X, truth = make_blobs(400, centers=[[-2, 0], [2, 0]], random_state=0)
    >>> y = np.where(np.random.default_rng(0).random(400) < 0.3 * truth, 1 - truth, truth)  # 1s are often 0
    >>> model = NoisyLabelClassifier(max_iter=10, random_state=0).fit(X, np.array(["cat", "dog"])[y])
    >>> model.predict([[-2.0, 0.0], [2.0, 0.0]]).tolist()
    ['cat', 'dog']
    >>> model.noise_matrix_.shape, bool(np.allclose(model.noise_matrix_.sum(axis=0), 1))
    ((2, 2), True)
    """

    source_: Any

    def __init__(
        self,
        method: str = "auto",
        *,
        model: str | None = None,
        noise_matrix: npt.ArrayLike | Tensor | None = None,
        max_iter: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = None,
        noisy_weight: float = 1.0,
        alpha: float = 0.5,
        options: dict[str, Any] | None = None,
        accelerator: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.method = method
        self.model = model
        self.noise_matrix = noise_matrix
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.noisy_weight = noisy_weight
        self.alpha = alpha
        self.options = options
        self.accelerator = accelerator
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        annotators: Any = None,
        X_clean: Any = None,
        y_clean: Any = None,
        X_outside: Any = None,
    ) -> NoisyLabelClassifier:
        """Train on noisy labels, and on clean ones where there are some.

        Args:
            X: Shape (N, D): an array, a DataFrame of numbers, nested lists. Or images: (N, H, W),
                (N, H, W, C) or (N, C, H, W), bytes or floats, taken in the units they come in. Or N texts: a list, an
                array, a column of pandas or polars. Or a sparse matrix, which is never made dense.
            y: Shape (N,), the noisy labels, of any type that sorts.
            annotators: Shape (N,), who gave each label (annotator, prompt or model version, web site, rule), of any
                type that sorts. Each gets a noise matrix of its own, drawn to the common one by how little it has
                labelled. For methods "learned", "estimated" and "known".
            X_clean: Samples like X whose labels can be trusted. A pipeline does not transform them.
            y_clean: Their labels, each among those of y; some of every class, or "auto" takes "learned".
            X_outside: Samples like X that show none of the classes.

        Returns:
            The estimator. Where every class has one sample only, nothing can be held out: the training
            samples are validated on, with a warning.

        Raises:
            ValueError: If X or y is unfit, the clean or outside samples do not suit them, a parameter is out
                of range or would change nothing, or ``noise_matrix`` does not suit the method or the classes.
        """
        data = self._labeled(X, y, annotators)
        clean = self._clean(X_clean, y_clean, data)
        outside = None if X_outside is None else self._inputs(X_outside, "X_outside")[0]
        trained = self._train(data, clean, outside)
        self.method_ = trained.options.method
        self.network_, self.head_ = trained.network, trained.head
        self.noise_matrix_ = trained.noise_matrix.double().numpy()
        self.estimate_ = trained.estimate
        self.annotator_estimate_ = None if trained.by_annotator is None else trained.by_annotator.annotators
        matrices = trained.annotator_matrices
        self.annotator_matrices_ = None if matrices is None else matrices.double().numpy()
        start = trained.start_matrix
        self.start_matrix_ = None if start is None else start.double().numpy()
        self.n_iter_ = trained.stages[-1].epochs
        self.history_ = [{"stage": stage.name, **row} for stage in trained.stages for row in stage.curves]
        return self

    def audit(
        self, X: Any, y: Any, *, X_clean: Any = None, y_clean: Any = None, cv: int = 5, **options: Any
    ) -> AuditResult:
        """Find the labels in y that are wrong; every one is judged by a copy that has not seen it.

        ``cv`` copies are trained as ``fit`` trains, each on the other folds. The estimator stays as it is, fitted
        or not: a network fitted to y itself has memorised labels and would find too few errors.

        Args:
            X: As in ``fit``.
            y: As in ``fit``.
            X_clean: As in ``fit``.
            y_clean: As in ``fit``.
            cv: How many folds.
            **options: Of :func:`noiselayer.audit_labels`: ``verified``, ``threshold``, ``top``, ``calibrate``.

        Returns:
            The result; its labels are numbers, positions in the sorted labels, ``class_names``.

        Raises:
            ValueError: As ``fit`` does.
        """
        check_audit_options(options)
        other = clone(self)
        data = other._labeled(X, y)
        clean = other._clean(X_clean, y_clean, data)
        training = other._options(data, clean, None)
        fitted = cross_fit(
            data,
            training,
            folds=cv,
            clean=clean,
            noise_matrix=as_matrix(self.noise_matrix),
            hardware=self._hardware(),
            on_stage=print if self.verbose else None,
        )
        if fitted.interrupted:
            raise KeyboardInterrupt("the audit was interrupted.")
        return audit_labels(
            data.labels,
            fitted.probs,
            fitted.noise_matrix,
            probs_predict=fitted.probs_predict,
            standard_error=fitted.standard_error,
            class_names=data.class_names,
            **options,
        )

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """p(true class | x), shape (N, K), columns as in ``classes_``; never through the noise matrix."""
        return _as_array(self._log_proba(X).exp())

    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Log-probabilities of the true class, shape (N, K); finite where the probability itself is 0."""
        return _as_array(self._log_proba(X))

    def noisy_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """p(noisy label | x), shape (N, K): what the annotators would say, through the noise matrix.

        >>> X, y = np.repeat([[-1.0], [1.0]], 20, axis=0), np.repeat([0, 1], 20)
        >>> mostly_0 = [[0.75, 0.75], [0.25, 0.25]]  # whatever the true class
        >>> model = NoisyLabelClassifier("known", noise_matrix=mostly_0, max_iter=1)
        >>> model.fit(X, y).noisy_proba([[1.0]])
        array([[0.75, 0.25]])
        """
        return super().noisy_proba(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True  # and four: there is no tag for it
        tags.input_tags.sparse = not (self.model in (None, HEAD) and for_networks(self))
        return tags

    def _labeled(self, X: Any, y: Any, annotators: Any = None) -> LabeledData:
        embed = self._setting("embed") or usual_embed(self, X)
        inputs, y = self._inputs(X, "X", y, embed=embed, reset=True)
        codes = self._codes(y)
        self.input_shape_ = inputs.shape
        data = LabeledData(inputs, torch.from_numpy(codes), self._class_names(), "X and y")
        self.annotators_ = None
        if annotators is not None:
            data = data.with_annotators(annotators, "annotators")
            self.annotators_ = np.unique(np.asarray(annotators))
        if len(data) > len(self.classes_):
            return data
        warnings.warn(
            f"each of the {len(self.classes_)} classes has one sample only, so that none can be held out; "
            "the training samples are validated on.",
            stacklevel=3,
        )
        return data.subset(np.repeat(np.arange(len(data)), 2))  # a copy to each side of the split

    def _clean(self, X_clean: Any, y_clean: Any, data: LabeledData) -> LabeledData | None:
        """The trusted samples, checked; None without."""
        check_pair(X_clean, y_clean)
        if X_clean is None:
            return None
        inputs, y_clean = self._inputs(X_clean, "X_clean", y_clean)
        return LabeledData(inputs, codes_of(y_clean, self.classes_), data.class_names, "X_clean and y_clean")

    def _setting(self, name: str, default: Any = None) -> Any:
        """A parameter, or what ``options`` says in its place."""
        if hasattr(self, name):
            return getattr(self, name)
        return (self.options or {}).get(name, BESIDE_TRAINING.get(name, default))

    def _inputs(
        self, X: Any, name: str, y: Any = "no_validation", *, embed: Any = None, reset: bool = False
    ) -> tuple[ArrayInputs, Any]:
        """Samples of the form of the X that is fitted, which ``reset`` sets, and their labels if they have any."""
        if reset:
            self.source_ = None
        with np.errstate(over="ignore"):  # too large for single precision: refused in words, as infinity is
            if embed is not None or self.source_ is not None or are_features_made(X):
                layout = self._setting("layout")
                checked = features_of(self, X, y, embed=embed, layout=layout, reset=reset)
            else:
                checked = numbers_of(self, X, y, name, reset=reset)
        numbers, y = checked if isinstance(checked, tuple) else (checked, None)
        if self.source_ is not None:
            return EmbeddedInputs(X, self.source_, features=numbers), y
        return ArrayInputs(numbers, layout=self._setting("layout"), name=name), y

    def _train(
        self, data: LabeledData, clean: LabeledData | None, outside: ArrayInputs | None
    ) -> TrainedClassifier:
        options = self._options(data, clean, outside)
        shared: dict[str, Any] = {
            "clean": clean,
            "outside": outside,
            "overlapping": self._setting("overlapping"),
            "noise_matrix": as_matrix(self.noise_matrix),
            "on_stage": print if self.verbose else None,
        }
        if options.model == HEAD:
            return fit_frozen_head(data, options, **shared)
        from noiselayer.training.methods import fit_classifier  # brings Lightning; the head does without

        trained = fit_classifier(data, options, hardware=self._hardware(), **shared)
        if trained.interrupted:
            raise KeyboardInterrupt("fit was interrupted; the estimator is not fitted.")
        return trained

    def _options(
        self, data: LabeledData, clean: LabeledData | None, outside: ArrayInputs | None
    ) -> TrainingOptions:
        options = options_of(self, data.inputs.kind, len(data))
        if options.method == "auto" and options.model == HEAD:
            weighted = outside is not None or options.noisy_weight != 1
            options = replace(options, method=automatic_head_method(data, clean, weighted=weighted)[0])
        elif options.method == "auto":
            method, why = automatic_method(data, clean)
            options = replace(options, method=method)
            if self.verbose:
                print(f"Method {method}: {why}.")  # noqa: T201
        given = [name for name, default in REFUSED.items() if self._setting(name, default) != default]
        if options.model == HEAD:
            check_head(options.method, data, for_networks(self))
        check_effects(options, given, clean=clean is not None, outside=outside is not None)
        return options

    def _hardware(self) -> Hardware:
        # One device: a second process would need the caller's script to be written for it.
        return Hardware(
            accelerator=self.accelerator,
            devices=1,
            precision=self._setting("precision"),
            progress=bool(self.verbose),
        )

    def _log_proba(self, X: Any) -> Tensor:
        """Log-probabilities of the true class, shape (N, K), double precision, on the CPU."""
        check_is_fitted(self)
        inputs, _ = self._inputs(X, "X")
        if inputs.shape != self.input_shape_:
            raise InputError(
                f"X must hold samples of shape {self.input_shape_}, as in fit; got samples of shape "
                f"{inputs.shape}."
            )
        if inputs.kind != "image":
            # Single precision would round differently in batches of other sizes; a small network can afford
            # double, which also leaves nothing for an accelerator to win.
            logits = predict_logits(copy.deepcopy(self.network_).double(), inputs)
        else:
            logits = predict_logits(self.network_, inputs, device=prediction_device(self.accelerator))
            self.network_.cpu()  # an estimator pickled here opens on a machine without an accelerator
        return logits.double().log_softmax(dim=1)


def _as_array(tensor: Tensor) -> npt.NDArray[np.float64]:
    array: npt.NDArray[np.float64] = tensor.numpy()
    return array
