"""The classifier with scikit-learn's interface."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from noiselayer.data.arrays import ArrayInputs, Layout
from noiselayer.data.inputs import Kind
from noiselayer.data.labeled import LabeledData
from noiselayer.errors import InputError
from noiselayer.training.fit import TrainedClassifier, fit_classifier
from noiselayer.training.options import Start, TrainingOptions, default_options
from noiselayer.training.predict import predict_logits
from noiselayer.training.stage import Hardware

__all__ = ["NoisyLabelClassifier"]


class NoisyLabelClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A neural network that learns from wrong labels, with scikit-learn's interface.

    ``fit`` takes labels of which many may be wrong; ``predict`` gives true classes. With ``method="learned"``
    the noise matrix is found on the way and stands in ``noise_matrix_``.

    Args:
        method: "learned" (the noise matrix is unknown), "known" (it is given) or "normal" (ordinary training,
            which takes every label as right).
        model: A name that :func:`noiselayer.models.build_model` knows; None takes "mlp" for two-dimensional X
            and "small" for images.
        model_options: The model's own, such as ``{"hidden": (256, 256)}`` for the mlp.
        noise_matrix: Shape (K, K), array or tensor, ``noise_matrix[j, i] = p(noisy = j | true = i)``: columns
            are true classes and sum to 1; rows and columns in the order of ``classes_``, sorted labels. For
            ``method="known"``, and only for it.
        max_epochs: Passes over the training samples in the main stage. Where there is a warm-up, it keeps its
            share: half of it. None for the default of the kind of data, here and below.
        batch_size: Samples per step.
        learning_rate: Of the network, at its peak.
        weight_decay: Of the network's weights; never of the noise matrix.
        validation_fraction: Share of the samples held out, of every label alike, whose likelihood chooses the
            best epoch and how free the noise matrix is. Their labels are as noisy as the others.
        patience: Epochs without improvement that end a stage; None runs every stage to its end.
        start: Where a learned noise matrix starts: "features", "confusion" or "identity", see
            :class:`~noiselayer.training.TrainingOptions`.
        fresh_network: Train a new network with the matrix found, or go on with the one that has learned the
            noise.
        noise_learning_rate: Of the noise matrix.
        trace_penalty: Weight of tr(Q) / K in the loss while Q learns; pulls the diagonal down.
        noise_weight_decay: Weight of ||Q||^2 / (2 K) while Q learns; pulls columns to uniform.
        precision: Lightning's: "32-true", "bf16-mixed", "16-mixed".
        accelerator: Lightning's: "auto", "cpu", "gpu", "mps"; one device is used.
        layout: Where 4-dimensional X has its channels: "NHWC", "NCHW" or "auto", which refuses to guess when
            both are possible.
        random_state: An int makes fits bit-identical on one machine's CPU; None draws from NumPy's global
            generator.
        verbose: Say which stage begins, and show progress.

    Attributes:
        classes_: Shape (K,), the different labels, sorted, of whatever type they came in.
        noise_matrix_: Shape (K, K), columns = true classes: learned, given, or the identity.
        start_matrix_: Where the learned matrix started, shape (K, K); None for other methods and starts.
        network_: A ``torch.nn.Module``: raw inputs to logits of the true class.
        history_: A dict for every epoch of every stage: its stage, losses, tr(Q) / K, rate, seconds.
        n_features_in_: ``X.shape[1]``.
        feature_names_in_: Column names, if X was a DataFrame whose columns are all text.

    >>> from sklearn.datasets import make_blobs
    >>> X, truth = make_blobs(400, centers=[[-2, 0], [2, 0]], random_state=0)
    >>> y = np.where(np.random.default_rng(0).random(400) < 0.3 * truth, 1 - truth, truth)  # 1s are often 0
    >>> model = NoisyLabelClassifier(max_epochs=10, random_state=0).fit(X, np.array(["cat", "dog"])[y])
    >>> model.predict([[-2.0, 0.0], [2.0, 0.0]]).tolist()
    ['cat', 'dog']
    >>> model.noise_matrix_.shape, bool(np.allclose(model.noise_matrix_.sum(axis=0), 1))
    ((2, 2), True)
    """

    def __init__(
        self,
        method: str = "learned",
        *,
        model: str | None = None,
        model_options: dict[str, Any] | None = None,
        noise_matrix: npt.ArrayLike | Tensor | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        start: Start = "features",
        fresh_network: bool = True,
        noise_learning_rate: float | None = None,
        trace_penalty: float = 0.0,
        noise_weight_decay: float = 0.0,
        precision: str = "32-true",
        accelerator: str = "auto",
        layout: Layout = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.method = method
        self.model = model
        self.model_options = model_options
        self.noise_matrix = noise_matrix
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.start = start
        self.fresh_network = fresh_network
        self.noise_learning_rate = noise_learning_rate
        self.trace_penalty = trace_penalty
        self.noise_weight_decay = noise_weight_decay
        self.precision = precision
        self.accelerator = accelerator
        self.layout = layout
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> NoisyLabelClassifier:
        """Train on noisy labels.

        Args:
            X: Shape (N, D): an array, a DataFrame of numbers, nested lists. Or images: (N, H, W),
                (N, H, W, C) or (N, C, H, W), bytes or floats, taken in the units they come in.
            y: Shape (N,), the noisy labels, of any type that sorts.

        Returns:
            The estimator. Where every class has one sample only, nothing can be held out: the training
            samples are validated on, with a warning.

        Raises:
            ValueError: If X or y is unfit, a parameter out of range, or ``noise_matrix`` does not suit the
                method or the classes.
        """
        trained = self._train(self._labeled(X, y))
        self.network_ = trained.network
        self.noise_matrix_ = trained.noise_matrix.double().numpy()
        start = trained.start_matrix
        self.start_matrix_ = None if start is None else start.double().numpy()
        self.history_ = [{"stage": stage.name, **row} for stage in trained.stages for row in stage.curves]
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable true class of every sample, shape (N,), in the labels' own type."""
        likeliest = self._log_proba(X).argmax(dim=1).numpy()
        classes: npt.NDArray[Any] = self.classes_[likeliest]
        return classes

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """p(true class | x), shape (N, K), columns as in ``classes_``; never through the noise matrix."""
        return _as_array(self._log_proba(X).exp())

    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Log-probabilities of the true class, shape (N, K); finite where the probability itself is 0."""
        return _as_array(self._log_proba(X))

    def noisy_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """p(noisy label | x), shape (N, K): what the annotators would say, through the noise matrix.

        >>> X, y = np.repeat([[-1.0], [1.0]], 20, axis=0), np.repeat([0, 1], 20)
        >>> always_0 = [[1.0, 1.0], [0.0, 0.0]]
        >>> model = NoisyLabelClassifier("known", noise_matrix=always_0, max_epochs=1)
        >>> model.fit(X, y).noisy_proba([[1.0]])
        array([[1., 0.]])
        """
        return _as_array(self._log_proba(X).exp() @ torch.from_numpy(self.noise_matrix_).T)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True  # and four: there is no tag for it
        return tags

    def _labeled(self, X: Any, y: Any) -> LabeledData:
        with np.errstate(over="ignore"):  # too large for single precision: refused in words, as infinity is
            X, y = validate_data(self, X, y, dtype=_DTYPES, allow_nd=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(
                f"all {len(y):,} labels in y are of one class, {self.classes_.tolist()[0]!r}; a classifier "
                "needs at least two."
            )
        inputs = ArrayInputs(X, layout=self.layout, name="X")
        names = tuple(map(str, self.classes_.tolist()))
        self.input_shape_ = inputs.shape
        data = LabeledData(inputs, torch.from_numpy(codes.astype(np.int64)), names, "X and y")
        if len(data) > len(self.classes_):
            return data
        warnings.warn(
            f"each of the {len(self.classes_)} classes has one sample only, so that none can be held out; "
            "the training samples are validated on.",
            stacklevel=3,
        )
        return data.subset(np.repeat(np.arange(len(data)), 2))  # a copy to each side of the split

    def _train(self, data: LabeledData) -> TrainedClassifier:
        trained = fit_classifier(
            data,
            self._options(data.inputs.kind),
            noise_matrix=_as_matrix(self.noise_matrix),
            # One device: a second process would need the caller's script to be written for it.
            hardware=Hardware(
                accelerator=self.accelerator, devices=1, precision=self.precision, progress=bool(self.verbose)
            ),
            on_stage=print if self.verbose else None,
        )
        if trained.interrupted:
            raise KeyboardInterrupt("fit was interrupted; the estimator is not fitted.")
        return trained

    def _options(self, kind: Kind) -> TrainingOptions:
        options = default_options(kind)
        model = self.model or options.model
        defaults = options.model_options if model == options.model else {}
        epochs, warm_up_epochs = options.max_epochs, options.warm_up_epochs
        if self.max_epochs is not None:
            # Searches over a range hand out NumPy's integers, which torch refuses.
            epochs = int(self.max_epochs)
            warm_up_epochs = max(1, round(warm_up_epochs * epochs / options.max_epochs))
        rates: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "noise_learning_rate": self.noise_learning_rate,
            "trace_penalty": self.trace_penalty,
            "noise_weight_decay": self.noise_weight_decay,
        }
        given = {name: rate for name, rate in rates.items() if rate is not None}
        return replace(
            options,
            method=self.method,
            model=model,
            model_options={**defaults, **(self.model_options or {})},
            max_epochs=epochs,
            warm_up_epochs=warm_up_epochs,
            batch_size=options.batch_size if self.batch_size is None else int(self.batch_size),
            validation_fraction=self.validation_fraction,
            patience=self.patience,
            optimization=replace(options.optimization, **given),
            start=self.start,
            fresh_network=self.fresh_network,
            seed=_seed(self.random_state),
        )

    def _log_proba(self, X: Any) -> Tensor:
        """Log-probabilities of the true class, shape (N, K), double precision, on the CPU."""
        check_is_fitted(self)
        with np.errstate(over="ignore"):
            X = validate_data(self, X, reset=False, dtype=_DTYPES, allow_nd=True)
        inputs = ArrayInputs(X, layout=self.layout, name="X")
        if inputs.shape != self.input_shape_:
            raise InputError(
                f"X must hold samples of shape {self.input_shape_}, as in fit; got samples of shape "
                f"{inputs.shape}."
            )
        if inputs.kind == "vector":
            # Single precision would round differently in batches of other sizes; a small network can afford
            # double, which also leaves nothing for an accelerator to win.
            logits = predict_logits(copy.deepcopy(self.network_).double(), inputs)
        else:
            logits = predict_logits(self.network_, inputs, device=_device(self.accelerator))
            self.network_.cpu()  # an estimator pickled here opens on a machine without an accelerator
        return logits.double().log_softmax(dim=1)


_DTYPES: Sequence[Any] = (np.float32, np.uint8)
"""What networks are fed; anything else becomes the first."""


def _as_matrix(noise_matrix: npt.ArrayLike | Tensor | None) -> Tensor | None:
    if noise_matrix is None:
        return None
    if isinstance(noise_matrix, Tensor):
        tensor = noise_matrix.detach().cpu()
        return tensor if tensor.is_floating_point() else tensor.double()
    try:
        array = np.array(noise_matrix)
        # Single precision stays, for its columns sum to 1 as well as single precision can.
        return torch.from_numpy(array if array.dtype == np.float32 else array.astype(np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"noise_matrix must be an array of numbers of shape (K, K), columns = true classes: {error}"
        ) from error


def _as_array(tensor: Tensor) -> npt.NDArray[np.float64]:
    array: npt.NDArray[np.float64] = tensor.numpy()
    return array


def _seed(random_state: int | np.random.RandomState | None) -> int:
    generator = check_random_state(random_state)
    return int(random_state) if isinstance(random_state, Integral) else int(generator.randint(2**31 - 1))


def _device(accelerator: str) -> str:
    """Where to predict: Lightning's choice for training, if this machine has it."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "cuda"
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return "mps"
    return "cpu"
