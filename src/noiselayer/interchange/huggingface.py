"""Hugging Face ``datasets``: a data set as data to train on or to audit, and its labels corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noiselayer.data import ArrayInputs, LabeledData, encode_labels
from noiselayer.data.frames import require_columns
from noiselayer.errors import InputError, list_some
from noiselayer.interchange.data_frames import from_frame, written_as

if TYPE_CHECKING:
    from datasets import Dataset


def from_datasets(
    dataset: Dataset,
    label_column: str = "label",
    *,
    input_column: str | None = None,
    class_names: Sequence[str] | None = None,
    **options: Any,
) -> LabeledData:
    """The samples of a Hugging Face data set with their labels; names come from its ``ClassLabel``.

    Args:
        dataset: One split, not a ``DatasetDict``.
        label_column: The column with the noisy labels.
        input_column: A column of images, all of one size, or of vectors (embeddings). The other columns are
            taken as a table if None; text must become numbers first.
        class_names: The K names, if the column is not a ``ClassLabel`` and numbers stand for them.
        **options: For tables: ``feature_columns``, ``categorical_columns``, ``impute_missing``.

    Raises:
        ImportError: If ``datasets`` is not installed.
        InputError: If a column is missing or unfit, or the labels are.
    """
    datasets = _package("from_datasets")
    if not isinstance(dataset, datasets.Dataset):
        raise InputError(
            f"dataset must be one split, a datasets.Dataset; got {type(dataset).__name__}. Choose one: "
            "dataset['train']."
        )
    require_columns(dataset.column_names, [label_column], "the data set")
    names = _class_names(dataset, label_column, class_names)
    if input_column is None:
        return from_frame(dataset.with_format(None).to_pandas(), label_column, class_names=names, **options)
    require_columns(dataset.column_names, [input_column], "the data set")
    labels, known = encode_labels(
        list(dataset.with_format(None)[label_column]), names, name=f"labels ({label_column})"
    )
    inputs = ArrayInputs(_stacked(dataset, input_column), name=f"column {input_column!r}")
    origin = f"a data set, inputs from column {input_column!r}, labels from column {label_column!r}"
    return LabeledData(inputs, labels, known, origin)


def relabel_datasets(
    dataset: Dataset,
    labels: Sequence[str],
    label_column: str = "label",
    *,
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """A data set with other labels; all other columns, their order and every feature's type stay.

    Args:
        dataset: That had the labels.
        labels: Shape (N,), the class of every sample by name; see :func:`corrected_labels`.
        label_column: The column with the labels.
        class_names: The K names, if the column is not a ``ClassLabel`` and numbers stand for them.

    Raises:
        ImportError: If ``datasets`` is not installed.
        InputError: If the numbers of samples differ, or a name is not one of the classes.
    """
    _package("relabel_datasets")
    require_columns(dataset.column_names, [label_column], "the data set")
    names = _class_names(dataset, label_column, class_names)
    old = list(dataset.with_format(None)[label_column])
    new = written_as(old, labels, names, f"column {label_column!r}")
    features = dataset.features
    changed = dataset.remove_columns(label_column).add_column(label_column, new)
    return changed.select_columns(list(features)).cast(features)


def _package(caller: str) -> Any:
    """The package, which only some people have."""
    missing = ImportError(f"{caller} needs datasets, which is not installed: pip install datasets.")
    try:
        import datasets
    except ModuleNotFoundError as error:
        if error.name != "datasets":
            raise
        raise missing from error
    if getattr(datasets, "__file__", None) is None:  # a folder of that name, which Python takes for a package
        raise missing
    return datasets


def _class_names(dataset: Dataset, column: str, given: Sequence[str] | None) -> Sequence[str] | None:
    own = getattr(dataset.features[column], "names", None)
    if own is not None and given is not None and list(given) != list(own):
        raise InputError(
            f"class_names are {list_some(given)}, but column {column!r} says {list_some(own)}; leave class_names out."
        )
    return given if own is None else own


def _stacked(dataset: Dataset, column: str) -> npt.NDArray[Any]:
    """Images or vectors as one array."""
    values = [np.asarray(value) for value in dataset.with_format(None)[column]]
    shapes = {value.shape for value in values}
    if len(shapes) != 1:
        raise InputError(
            f"column {column!r} must hold samples of one shape; got {list_some(sorted(shapes), 3)}. Resize images with "
            "dataset.map first."
        )
    stacked = np.stack(values)
    if stacked.dtype.kind not in "biuf":
        raise InputError(
            f"column {column!r} must hold images or vectors of numbers; got {stacked.dtype}. Turn text into embeddings "
            "or TF-IDF features first."
        )
    return stacked
