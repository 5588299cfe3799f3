"""Labelled data from .npz and .npy files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from noiselayer.choices import Layout
from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.images import ImageSize, height_and_width
from noiselayer.data.label_files import LABEL_NAMES, is_label_file, read_annotator_column, read_label_file
from noiselayer.data.labeled import LabeledData
from noiselayer.data.labels import encode_labels, rename_labels
from noiselayer.data.numpy_files import describe_npz, npz_keys, read_npy, read_npz
from noiselayer.errors import InputError, argument

__all__ = ["INPUT_NAMES", "read_npy_data", "read_npz_data"]

_MAPPED = 1 << 30  # bytes: smaller arrays are read, which checks them against their checksum

INPUT_NAMES = ("x", "X", "inputs", "images", "x_train", "X_train")


def read_npz_data(
    path: Path,
    *,
    inputs_key: str | None = None,
    labels: str | None = None,
    label_column: str | None = None,
    annotator_column: str | None = None,
    class_names: Sequence[str] | None = None,
    layout: Layout = "auto",
    image_size: ImageSize | None = None,
    with_labels: bool = True,
) -> LabeledData:
    """Read inputs and labels from an .npz file; see :func:`~noiselayer.data.read_data` for the arguments.

    An array ``class_names`` in the file, if there is one, says what its integer labels mean.

    Raises:
        InputError: If an array is missing, unfit, or could be meant but is not the only one.

    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "data.npz"
    >>> np.savez(path, x=np.eye(3), y=[0, 1, 1], class_names=["cat", "dog"])
    >>> read_npz_data(path).summary().split(". ")[-1]
    '2 classes: cat 1, dog 2.'
    """
    key = inputs_key if inputs_key is not None else _only_key(path, INPUT_NAMES, "inputs", "inputs_key")
    inputs = ArrayInputs(
        read_npz(path, key, map_from=_MAPPED), layout=layout, name=f"array {key!r} of {path}"
    )
    _check_image_size(inputs, image_size, path)
    if not with_labels:
        return LabeledData(inputs, None, tuple(class_names or ()), f"array {key!r} of {path}")
    own_names = read_npz(path, "class_names").tolist() if "class_names" in npz_keys(path) else None
    name = labels if labels is not None else _only_key(path, LABEL_NAMES, "labels", "labels")
    if name in npz_keys(path) or not is_label_file(name):
        values, where, own = read_npz(path, name), f"array {name!r}", True
    else:
        values, where, own = read_label_file(name, label_column), name, False
    data = _label(inputs, values, own_names, class_names, f"array {key!r} of {path}", where)
    if annotator_column is None:
        return data
    if own:
        return data.with_annotators(read_npz(path, annotator_column), f"array {annotator_column!r} of {path}")
    return data.with_annotators(
        read_annotator_column(name, annotator_column), f"column {annotator_column!r} of {name}"
    )


def read_npy_data(
    path: Path,
    *,
    labels: str | None = None,
    label_column: str | None = None,
    annotator_column: str | None = None,
    class_names: Sequence[str] | None = None,
    layout: Layout = "auto",
    image_size: ImageSize | None = None,
    with_labels: bool = True,
) -> LabeledData:
    """Read inputs from an .npy file, which stays on the disk, and labels from another file.

    Raises:
        InputError: If a file is missing or unfit, or no labels are named.

    >>> import tempfile
    >>> import numpy as np
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.save(folder / "x.npy", np.eye(3)); np.save(folder / "y.npy", np.array(["cat", "dog", "dog"]))
    >>> read_npy_data(folder / "x.npy", labels=str(folder / "y.npy")).class_names
    ('cat', 'dog')
    """
    inputs = ArrayInputs(read_npy(path, memory_map=True), layout=layout, name=f"the array of {path}")
    _check_image_size(inputs, image_size, path)
    if not with_labels:
        return LabeledData(inputs, None, tuple(class_names or ()), str(path))
    if labels is None:
        raise InputError(
            f"{path} holds inputs only; name the file of their labels with labels (.npy, .npz:KEY, .csv)."
        )
    data = _label(inputs, read_label_file(labels, label_column), None, class_names, str(path), labels)
    if annotator_column is None:
        return data
    return data.with_annotators(
        read_annotator_column(labels, annotator_column), f"column {annotator_column!r} of {labels}"
    )


def _label(
    inputs: ArrayInputs,
    values: npt.NDArray[Any],
    own_names: Sequence[str] | None,
    class_names: Sequence[str] | None,
    inputs_from: str,
    labels_from: str,
) -> LabeledData:
    """Encode labels; where the file names its classes and the caller does too, the names are matched."""
    names = class_names if own_names is None else own_names
    indices, known = encode_labels(values, names, name=f"labels ({labels_from})")
    if own_names is not None and class_names is not None:
        indices, known = rename_labels(indices, known, class_names), tuple(class_names)
    if len(indices) != len(inputs):
        header = (
            " The first line of a .csv file is its header, not a label."
            if len(indices) == len(inputs) - 1 and labels_from.lower().endswith((".csv", ".tsv"))
            else ""
        )
        raise InputError(
            f"there must be one label per sample: {inputs_from} has {len(inputs):,} samples, {labels_from} "
            f"{len(indices):,} labels.{header}"
        )
    return LabeledData(inputs, indices, known, f"{inputs_from}, labels from {labels_from}")


def _only_key(path: Path, usual: Sequence[str], what: str, argument: str) -> str:
    found = [key for key in npz_keys(path) if key in usual]
    if len(found) == 1:
        return found[0]
    several = (
        f"more than one array of {path} could be" if found else f"no array of {path} has a usual name for"
    )
    raise InputError(f"{several} the {what}; name one with {argument}. Its arrays are: {describe_npz(path)}.")


def _check_image_size(inputs: ArrayInputs, image_size: ImageSize | None, path: Path) -> None:
    if image_size is not None and inputs.shape[1:] != height_and_width(image_size):
        raise InputError(
            f"{argument('image_size')} is {image_size}, but the samples of {path} have shape {inputs.shape}; arrays "
            "are not resized."
        )
