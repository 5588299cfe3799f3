"""Labelled data from .npz and .npy files."""

from __future__ import annotations

from pathlib import Path

from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.image_files import height_and_width
from noiselayer.data.label_files import find_labels
from noiselayer.data.labeled import LabeledData, label_inputs
from noiselayer.data.numpy_files import npz_keys, read_npy, read_npz, usual_key
from noiselayer.data.read_options import ReadOptions
from noiselayer.errors import InputError, argument

_MAPPED = 1 << 30  # bytes: smaller arrays are read, which checks them against their checksum

INPUT_NAMES = ("x", "X", "inputs", "images", "x_train", "X_train")


def read_arrays(path: Path, how: ReadOptions, *, with_labels: bool = True) -> LabeledData:
    """Read inputs and labels from an .npz or .npy file; see :class:`ReadOptions`.

    An array ``class_names`` in an .npz file, if there is one, says what its integer labels mean.

    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "data.npz"
    >>> np.savez(path, x=np.eye(3), y=[0, 1, 1], class_names=["cat", "dog"])
    >>> read_arrays(path, ReadOptions(str(path))).summary().split(". ")[-1]
    '2 classes: cat 1, dog 2.'
    """
    own_names = None
    if path.suffix.lower() == ".npz":
        keys = npz_keys(path)
        key = (
            how.inputs_key
            if how.inputs_key is not None
            else usual_key(path, keys, INPUT_NAMES, "inputs", "inputs_key")
        )
        origin = f"array {key!r} of {path}"
        inputs = ArrayInputs(read_npz(path, key, map_from=_MAPPED), layout=how.layout, name=origin)
        if "class_names" in keys:
            own_names = list(map(str, read_npz(path, "class_names").tolist()))
    else:
        origin = str(path)
        inputs = ArrayInputs(read_npy(path, memory_map=True), layout=how.layout, name=f"the array of {path}")
    if how.image_size is not None and inputs.shape[1:] != height_and_width(how.image_size):
        raise InputError(
            f"{argument('image_size')} is {how.image_size}, but the samples of {path} have shape {inputs.shape}; "
            "arrays are not resized."
        )
    if not with_labels:
        return LabeledData(inputs, None, tuple(how.class_names or ()), origin)
    place = find_labels(path, how.labels, how.label_column)
    return label_inputs(
        inputs,
        place.read(),
        how.class_names,
        own_names=own_names,
        annotators=place.read_beside(how.annotator_column, "annotator_column"),
        checked=place.read_beside(how.checked_column, "checked_column"),
        origin=origin,
        where=place.words,
    )
