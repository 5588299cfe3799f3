"""One way in for data of every form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from noiselayer.choices import Layout
from noiselayer.data.encoder import TableEncoder
from noiselayer.data.frames import TABLE_SUFFIXES
from noiselayer.data.images import ImageSize
from noiselayer.data.labeled import LabeledData
from noiselayer.data.numpy_files import split_address
from noiselayer.data.read_arrays import read_npy_data, read_npz_data
from noiselayer.data.read_folder import read_folder
from noiselayer.data.table_inputs import read_table
from noiselayer.errors import InputError, argument, nearest

__all__ = ["read_data"]

_FOR_ALL = {"class_names", "image_size", "with_labels"}
_FORMS: dict[str, tuple[str, Any, set[str]]] = {
    "npz": (
        "an .npz file",
        read_npz_data,
        {"inputs_key", "labels", "label_column", "annotator_column", "layout"},
    ),
    "npy": ("an .npy file", read_npy_data, {"labels", "label_column", "annotator_column", "layout"}),
    "folder": ("a folder of images", read_folder, {"skip_unreadable"}),
    "table": (
        "a table",
        read_table,
        {
            *("labels", "label_column", "annotator_column", "image_column", "feature_columns"),
            *("categorical_columns", "impute_missing", "encoder", "skip_unreadable"),
        },
    ),
}
# These permit something rather than ask for it, so they do no harm where there is nothing to permit.
_HARMLESS = {"skip_unreadable", "impute_missing"}


def read_data(
    path: str | Path,
    *,
    labels: str | None = None,
    label_column: str | None = None,
    annotator_column: str | None = None,
    inputs_key: str | None = None,
    layout: Layout = "auto",
    image_column: str | None = None,
    image_size: ImageSize | None = None,
    skip_unreadable: bool = False,
    feature_columns: Sequence[str] | None = None,
    categorical_columns: Sequence[str] = (),
    impute_missing: bool = False,
    encoder: TableEncoder | None = None,
    class_names: Sequence[str] | None = None,
    with_labels: bool = True,
) -> LabeledData:
    r"""Read inputs and labels from files, whatever their form.

    ====================  ===========================================  ======================================
    ``path``              inputs                                       labels
    ====================  ===========================================  ======================================
    ``FILE.npz[:KEY]``    an array of the file                         another array of it, or a file
    ``FILE.npy``          the array, memory-mapped                     a file
    a folder              its images, of any format Pillow reads       the sub-folder each image lies in
    CSV, TSV, Parquet     ``image_column``, or the feature columns     a column, or a file
    ====================  ===========================================  ======================================

    Everything that can be wrong with the data is found here, not in the middle of a training run; every image
    is decoded once for that.

    Args:
        path: The data.
        labels: What holds the labels: an array of the .npz file, a column of the table, or a file: ``.npy``,
            ``FILE.npz:KEY`` or a table. If None, the array or column with a usual name ("y", "labels", ...).
        label_column: The column with the labels, in the table or in the table that ``labels`` names.
        annotator_column: The column that says who gave each label, in the table that holds the labels; of an .npz file
            that holds them, the array.
        inputs_key: The array of an .npz file with the inputs, the same as ``FILE.npz:KEY``. If None, the
            one with a usual name ("x", "images", "x_train", ...).
        layout: Where the channels of image arrays are: "NHWC", "NCHW", or "auto" where that is clear.
        image_column: The column with paths of images, relative to the table.
        image_size: Height and width to bring image files to; needed if they differ in size.
        skip_unreadable: Leave out, with a warning, image files that cannot be read, instead of stopping.
        feature_columns: The columns to learn from; all but the labels if None.
        categorical_columns: Feature columns to take as categories although they look like numbers.
        impute_missing: Fill missing numbers of a table with the median instead of refusing them.
        encoder: Of a table that a model was trained on: give ``data.inputs.encoder`` of the training data.
        class_names: The K classes in the order of the model's outputs. If None they are the array
            ``class_names`` of the .npz file or else the different labels, sorted.
        with_labels: Whether to read labels; False for data to predict on, then ``labels`` is ignored.

    Raises:
        InputError: If a file, array or column is missing or unfit, an option does not belong to this form of
            data, or labels do not fit; the message says what to do. Use
            :func:`~noiselayer.data.check_for_training` for what only training needs.

    Warns:
        UserWarning: If unreadable images were skipped, or missing numbers were filled in a column that had
            none in training.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "people.csv"
    >>> _ = path.write_text("age,town,label\n20,Bonn,no\n40,Aachen,yes\n")
    >>> train = read_data(path)
    >>> train.class_names, train.inputs.encoder.feature_names
    (('no', 'yes'), ('age', 'town = Aachen', 'town = Bonn'))
    >>> new = read_data(path, encoder=train.inputs.encoder, with_labels=False)
    >>> new.inputs[0]
    tensor([-1.,  0.,  1.])
    """
    file, key = split_address(path)
    if key is not None and inputs_key is not None and key != inputs_key:
        raise InputError(
            f"{path} names the array {key!r}, {argument('inputs_key')} the array {inputs_key!r}; give one of them."
        )
    options: dict[str, Any] = {
        "labels": labels,
        "label_column": label_column,
        "annotator_column": annotator_column,
        "inputs_key": key if key is not None else inputs_key,
        "layout": layout,
        "image_column": image_column,
        "image_size": image_size,
        "skip_unreadable": skip_unreadable,
        "feature_columns": feature_columns,
        "categorical_columns": categorical_columns,
        "impute_missing": impute_missing,
        "encoder": encoder,
        "class_names": class_names,
        "with_labels": with_labels,
    }
    what, read, takes = _FORMS[_form(file)]
    for name, value in options.items():
        unset = value is None or value is False or value == "auto" or value == ()
        if not unset and name not in takes | _FOR_ALL | _HARMLESS:
            forms = " or ".join(form for form, _, names in _FORMS.values() if name in names)
            raise InputError(f"{argument(name)} is for {forms}; {file} is {what}.")
    data: LabeledData = read(
        file, **{name: value for name, value in options.items() if name in takes | _FOR_ALL}
    )
    return data


def _form(path: Path) -> str:
    if path.is_dir():
        return "folder"
    if not path.exists():
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"there is no file or folder {path}.{nearest(path.name, beside)}")
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return "table"
    if suffix in (".npz", ".npy"):
        return suffix[1:]
    raise InputError(
        f"{path} is of no known form; data is an .npz or .npy file, a folder of images by class, or a table "
        f"({', '.join(TABLE_SUFFIXES)})."
    )
