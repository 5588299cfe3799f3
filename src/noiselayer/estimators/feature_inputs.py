"""What estimators take beside an array of numbers: texts, sparse matrices, columns of embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data
from torch import Tensor

from noiselayer.arrays.class_labels import is_missing
from noiselayer.arrays.kinds import check_unmasked
from noiselayer.arrays.tensors import as_tensor
from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.embedded_inputs import Pixels
from noiselayer.data.pixel_units import check_pixel_units
from noiselayer.errors import InputError, list_some
from noiselayer.estimators.arguments import DTYPES as OF_NETWORKS
from noiselayer.estimators.arguments import for_networks, plain_labels
from noiselayer.features.by_name import KINDS, make_source
from noiselayer.features.patches import has_patches
from noiselayer.features.text import SparseFeatures
from noiselayer.training.options import FEW_IMAGES

DTYPES = (np.float64, np.float32, np.float16)
_LARGEST = 1e12
"""A pixel whose square single precision bears, and sums of such squares."""
_OF_BOTH = {"layout", "overlapping", "outside_weight", "folds"}
"""Further options that mean something to the head as well as to a network."""


def features_of(
    estimator: Any,
    X: Any,
    y: Any = "no_validation",
    *,
    embed: Any = None,
    layout: Any = "auto",
    reset: bool = False,
) -> Any:
    """Features, shape (N, D), of X in any form, with y checked beside them; ``reset`` where X is being fitted.

    Sets ``source_`` of the estimator: None where X are numbers already.
    """
    y = y if isinstance(y, str) else plain_labels(y, "y" if reset else "y_clean")
    if not callable(embed):
        X = joined(X)
    check_units(estimator, X, reset=reset)
    if reset:
        estimator.source_ = None
    source: Any = getattr(estimator, "source_", None)
    samples: Any = None
    if embed is not None or (source is not None and hasattr(source, "takes")):
        samples = images_of(X, layout)
        samples = samples_of(X) if samples is None else samples
        takes = getattr(source, "takes", None if embed != "patches" else "images")
        if samples is None and takes in ("images", "texts"):
            form = f"numbers of shape {np.shape(X)}" if hasattr(X, "shape") else type(X).__name__
            raise InputError(f"X must hold {takes}{'' if reset else ', as in fit'}; got {form}.")
    samples = texts_of(X) if samples is None else samples
    if samples is not None and (reset or hasattr(source, "takes")):
        if reset:
            source = estimator.source_ = _source(embed or "tfidf", samples)
        features = np.asarray(source.transform(samples))
        if isinstance(y, str):  # "no_validation"
            return features
        y = column_or_1d(y, warn=True)
        check_consistent_length(features, y)
        return features, y
    if samples is not None:
        raise InputError("X must hold numbers, as in fit; got texts.")
    checked = validate_data(estimator, stacked(X), y, reset=reset, dtype=DTYPES, accept_sparse="csr")
    X, y = checked if isinstance(checked, tuple) else (checked, None)
    if hasattr(X, "tocsr") and reset:
        source = estimator.source_ = SparseFeatures.fit(X)
    if source is not None:
        from scipy.sparse import csr_matrix

        X = source.transform(csr_matrix(X))
    elif hasattr(X, "tocsr"):
        X = X.toarray()
    return X if y is None else (X, y)


def numbers_of(estimator: Any, X: Any, y: Any, name: str, *, reset: bool) -> Any:
    """Vectors or images for a network, with y checked beside them unless it is a word; ``name`` is that of X."""
    X = joined(X)
    shapes = (
        {tuple(image.shape) for image in X if getattr(image, "ndim", 0) > 1} if isinstance(X, list) else {}
    )
    if len(shapes) > 1:
        raise InputError(
            f"{name} must hold images of one shape; got {list_some(sorted(shapes), 3)}. Resize them."
        )
    check_units(estimator, X, reset=reset)
    y = y if isinstance(y, str) else plain_labels(y, name.replace("X", "y"))
    return validate_data(estimator, stacked(X), y, reset=reset, dtype=OF_NETWORKS, allow_nd=True)


def are_features_made(X: Any) -> bool:
    """Whether X are texts or a sparse matrix, of which features are made first.

    >>> are_features_made(["good", "bad"]), are_features_made(np.eye(2))
    (True, False)
    """
    return hasattr(X, "tocsr") or texts_of(X) is not None


def usual_embed(estimator: Any, X: Any) -> str | None:
    """The name "patches" for few images that nobody has asked a network for, nor what only one has.

    >>> from noiselayer import NoisyLabelClassifier
    >>> X = np.zeros((50, 8, 8))
    >>> usual_embed(NoisyLabelClassifier(), X), usual_embed(NoisyLabelClassifier(max_iter=9), X)
    ('patches', None)
    """
    X = joined(X)
    few = len(getattr(X, "shape", ())) > 2 and len(X) < FEW_IMAGES
    few = few and has_patches((1, *sorted(X.shape[1:])[-2:]))  # wherever the channels are
    asked = estimator.model is not None or estimator.method == "refined"
    asked = asked or for_networks(estimator) or set(estimator.options or {}) - _OF_BOTH
    return "patches" if few and not asked else None


def check_units(estimator: Any, X: Any, *, reset: bool) -> None:
    """Keep ``largest_pixel_`` where X are images and ``reset``, else :func:`check_pixel_units` against it.

    >>> from noiselayer import NoisyLabelClassifier
    >>> model = NoisyLabelClassifier()
    >>> check_units(model, np.full((2, 4, 4), 255), reset=True)
    >>> model.largest_pixel_
    255.0
    """
    if len(getattr(X, "shape", ())) < 3 or not len(X):
        return
    values = X.detach() if isinstance(X, Tensor) else np.asarray(X)
    largest, least = float(values.max()), float(values.min())
    if max(largest, -least) > _LARGEST:
        raise InputError(
            f"X must hold images with pixels of at most {_LARGEST:g}; got {max(largest, -least):.3g}. Divide them."
        )
    if reset:
        estimator.largest_pixel_ = largest
    check_pixel_units(largest, getattr(estimator, "largest_pixel_", None), "X", "fit")


def texts_of(X: Any) -> list[str] | None:
    """Texts in a list, an array or a column; None for anything else.

    >>> texts_of(["good", "bad"]), texts_of(np.eye(2))
    (['good', 'bad'], None)
    """
    values = samples_of(X)
    if values is None or not len(values) or not any(isinstance(value, str) for value in values):
        return None
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise InputError(
                f"X must hold a text in every row; row {row} (counting from 0) holds {value!r}. Give '' for no text."
            )
    return values


def images_of(X: Any, layout: Any = "auto") -> Pixels | None:
    """Images one by one, shape (H, W, C), of an array or a tensor of more than two dimensions; None for anything else.

    >>> len(images_of(np.zeros((5, 8, 8)))), images_of(np.eye(2))
    (5, None)
    """
    if len(getattr(X, "shape", ())) < 3:
        return None
    if isinstance(X, Tensor):
        X = X if X.dtype == torch.uint8 else stacked(X).float()
    elif X.dtype != np.uint8:
        X = np.asarray(X, dtype=np.float32)
    return Pixels(ArrayInputs(X, layout=layout, name="X"))


def samples_of(X: Any) -> list[Any] | None:
    """One object a sample, of a list, a one-dimensional array of objects or a column; None for numbers."""
    if hasattr(X, "columns") and len(X.columns) == 1 and hasattr(X, "iloc"):
        X = X.iloc[:, 0]
    if hasattr(X, "to_list"):  # pandas and polars
        X = X.to_list()
    elif hasattr(X, "to_pylist"):  # pyarrow
        X = X.to_pylist()
    if isinstance(X, np.ndarray):
        if X.dtype.kind not in "OU" or X.ndim > 2 or (X.ndim == 2 and X.shape[1] != 1):
            return None
        X = X.ravel().tolist()
    if not isinstance(X, Sequence) or isinstance(X, str) or (len(X) and isinstance(X[0], int | float)):
        return None
    return list(X)


def joined(X: Any) -> Any:
    """A list of images of one shape as the array that they make; anything else as it is.

    >>> joined([np.zeros((8, 8)), np.ones((8, 8))]).shape, joined(["good", "bad"])
    ((2, 8, 8), ['good', 'bad'])
    """
    if not isinstance(X, list | tuple) or not all(isinstance(image, np.ndarray | Tensor) for image in X):
        return X
    if not X or X[0].ndim < 2 or len({tuple(image.shape) for image in X}) > 1:
        return X
    return torch.stack([torch.as_tensor(image) for image in X]) if isinstance(X[0], Tensor) else np.stack(X)


def stacked(X: Any) -> Any:
    """A column of embeddings as the array that it is, a tensor as one that NumPy has; anything else as it is."""
    if isinstance(X, Tensor):  # of a type that NumPy lacks, on any device, with a gradient
        X = as_tensor(X, "X").cpu()
        return X.float() if X.dtype == torch.bfloat16 else X
    check_unmasked(X, "X")
    values = None if isinstance(X, list | tuple) else samples_of(X)
    first = next((row for row, value in enumerate(values or ()) if value is not None), 0)
    if not values or not isinstance(values[first], Sequence | np.ndarray) or isinstance(values[first], str):
        return _of_numbers(X)
    lengths = [len(value) if hasattr(value, "__len__") else -1 for value in values]
    if len(set(lengths)) > 1:
        wrong = next(row for row, length in enumerate(lengths) if length != lengths[first])
        raise InputError(
            f"X must hold embeddings of one length; row {first} has {lengths[first]} numbers, row {wrong} holds "
            f"{str(values[wrong])[:60]}."
        )
    return np.array(values)


def _of_numbers(X: Any) -> Any:
    """X; raises on a frame's column, or a table's of pyarrow, that holds no numbers, or numbers that are names."""
    names: Any = getattr(X, "column_names", None) or getattr(X, "columns", ())
    of_pandas = hasattr(X, "dtypes") and hasattr(X, "items")
    for name, column in X.items() if of_pandas else [(name, X[name]) for name in names]:
        array = np.asarray(column)
        numbers = array.dtype.kind in "biufc"
        for value in () if numbers else column if of_pandas else array.tolist():
            try:
                float(0 if is_missing(value) else value)  # of a text, too, that is a number
            except (TypeError, ValueError):
                raise InputError(
                    f"X must hold numbers; column {name!r} holds {str(value)[:40]!r}. Encode it first, or leave it out."
                ) from None
        if str(getattr(column, "dtype", "")) == "category" and not _is_ranked(column.cat):
            raise InputError(
                f"X must hold numbers; column {name!r} holds categories. Encode it first, or make numbers of it "
                "where they measure something: X.astype({" + f"{name!r}: float" + "})."
            )
    return X


def _is_ranked(categories: Any) -> bool:
    """Whether categories of pandas have an order, that of numbers: then these say all that the categories do."""
    values = categories.categories
    return bool(categories.ordered and values.dtype.kind in "biuf" and values.is_monotonic_increasing)


def _source(embed: Any, samples: Sequence[Any]) -> Any:
    """A source by name, as it is, or around a function of samples."""
    if isinstance(embed, str):
        if embed not in KINDS:
            from noiselayer import extraction  # noqa: F401 - slow to import; its networks are known by name then
        return make_source(embed, samples)
    return embed if hasattr(embed, "transform") else _Function(embed)


class _Function:
    """Somebody's own function from samples to rows of numbers."""

    name, takes, standardize = "function", "samples", True

    def __init__(self, function: Callable[[Sequence[Any]], npt.ArrayLike]) -> None:
        self.function = function

    def transform(self, samples: Sequence[Any]) -> npt.NDArray[Any]:
        """Shape (N, D)."""
        return np.asarray(self.function(samples))
