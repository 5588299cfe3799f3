"""How the data of a run are read: one way in for data of every form, that can be asked for again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from noiselayer.choices import ImageFit, Layout
from noiselayer.data.embedded_inputs import EmbeddedInputs, embed_inputs
from noiselayer.data.encoder import TableEncoder
from noiselayer.data.frames import TABLE_SUFFIXES, is_table
from noiselayer.data.inputs import Inputs, SubsetInputs
from noiselayer.data.label_files import is_label_file
from noiselayer.data.labeled import LabeledData
from noiselayer.data.numpy_files import npz_keys, split_address
from noiselayer.data.read_arrays import read_arrays
from noiselayer.data.read_folder import IMAGE_SUFFIXES, read_folder, read_image
from noiselayer.data.table_inputs import TableInputs, read_table
from noiselayer.errors import InputError, argument
from noiselayer.features.source import FeatureSource
from noiselayer.files.given import existing_file

Encoder: TypeAlias = TableEncoder | FeatureSource
"""What turned samples into numbers, and turns others into numbers in the same way."""

_LABELS = {"labels", "label_column", "annotator_column", "checked_column"}
_IMAGES = {"image_fit", "skip_unreadable"}
_EMBEDDED = {"text_column", "embed"}
_OF_TABLES = {"image_column", "id_column", "show_columns", "split_column"}
_UNSEEN = (8, 8)
"""Height and width that nobody looks at: a network of features brings images to a size of its own."""
_ENCODED = {"feature_columns", "ignore_columns", "categorical_columns", "impute_missing"}
_FORMS: dict[str, tuple[str, Any, set[str]]] = {
    "npz": ("an .npz file", read_arrays, {*_LABELS, "inputs_key", "layout"}),
    "npy": ("an .npy file", read_arrays, {*_LABELS, "layout"}),
    "folder": ("a folder of images", read_folder, _IMAGES),
    "image": ("an image", read_image, _IMAGES),
    "table": (
        "a table",
        read_table,
        {*_LABELS, *_IMAGES, *_ENCODED, *_EMBEDDED, *_OF_TABLES, "encoder"},
    ),
}
_FOR_ALL = {"class_names", "image_size", "with_labels"}
# These permit something, or say how, rather than ask for it: no harm where there is nothing to permit.
_HARMLESS = {"skip_unreadable", "impute_missing", "image_fit"}
# Newer than the first saved runs, which must stay what they were: written down only where they are set.
_LATER: dict[str, Any] = {
    "ignore_columns": (),
    "id_column": None,
    "show_columns": (),
    "split_column": None,
    "checked_column": None,
    "text_column": None,
    "embed": None,
}


@dataclass(frozen=True)
class Reading:
    """How to read inputs and labels from files, whatever their form.

    ====================  ===========================================  ======================================
    ``path``              inputs                                       labels
    ====================  ===========================================  ======================================
    ``FILE.npz[:KEY]``    an array of the file                         another array of it, or a file
    ``FILE.npy``          the array, memory-mapped                     a file
    a folder              its images, of any format Pillow reads       the sub-folder each image lies in
    an image              itself                                       none
    a table               ``image_column``, ``text_column``, or the    a column, or a file
                          feature columns
    ====================  ===========================================  ======================================

    A table is a file .csv, .tsv (both packed with gzip too), .jsonl, .xlsx or .parquet. Separators and UTF-16
    are recognised; other text must be UTF-8.

    Attributes:
        path: The data.
        labels: What holds the labels: an array of the .npz file, a column of the table, or a file: ``.npy``,
            ``FILE.npz:KEY``, a table or ``TABLE:COLUMN``. If None, the array or column with a usual name ("y",
            "labels", ...). Samples without a label are left out, and counted.
        label_column: The column with the labels, in the table or in the table that ``labels`` names.
        annotator_column: The column that says who gave each label, in the table that holds the labels; of an .npz file
            that holds them, the array.
        inputs_key: The array of an .npz file with the inputs, the same as ``FILE.npz:KEY``. If None, the
            one with a usual name ("x", "images", "x_train", ...).
        layout: Where the channels of image arrays are: "NHWC", "NCHW", or "auto" where that is clear.
        image_column: The column with paths of images, relative to the table.
        image_size: Height and width to bring image files to; needed if they differ in size.
        skip_unreadable: Leave out, with a warning, image files that cannot be read, instead of stopping.
        feature_columns: The columns to learn from, by name or pattern (``e*``); all but the labels if None.
        categorical_columns: Feature columns to take as categories although they look like numbers.
        impute_missing: Fill missing numbers of a table with the median instead of refusing them.
        class_names: The K classes in the order of the model's outputs. If None they are the array
            ``class_names`` of the .npz file or else the different labels, sorted: whole numbers by size, other names
            as text.
        ignore_columns: Columns that are no features, by name or pattern.
        id_column: The column with the samples' names, which is no feature either; predictions and reviews say them.
            Images go by their paths.
        split_column: The column that sets samples apart for the test; no feature.
        show_columns: Columns that a review shows of a sample, by name or pattern; what it is learned from if empty.
        image_fit: How an image of other proportions is brought to ``image_size``: "squash" scales each side by
            itself, "pad" adds white margins, "crop" cuts off what sticks out.
        checked_column: The column, beside the labels, with what somebody who is trusted has found them to be, empty
            where nobody has looked; of an .npz file, the array. It is no feature.
        text_column: The column with texts to learn from, instead of feature columns.
        embed: What makes features of texts or images, see :func:`noiselayer.features.make_source` and
            :func:`noiselayer.extraction.load_pretrained`; "tfidf" of texts if None.

    >>> Reading("people.csv", label_column="town").to_dict()["label_column"]
    'town'
    """

    path: str
    labels: str | None = None
    label_column: str | None = None
    annotator_column: str | None = None
    inputs_key: str | None = None
    layout: Layout = "auto"
    image_column: str | None = None
    image_size: tuple[int, int] | None = None
    skip_unreadable: bool = False
    feature_columns: tuple[str, ...] | None = None
    categorical_columns: tuple[str, ...] = ()
    impute_missing: bool = False
    class_names: tuple[str, ...] | None = None
    ignore_columns: tuple[str, ...] = ()
    id_column: str | None = None
    image_fit: ImageFit = "squash"
    checked_column: str | None = None
    text_column: str | None = None
    embed: str | None = None
    show_columns: tuple[str, ...] = ()
    split_column: str | None = None

    def read(self, *, encoder: Encoder | None = None, with_labels: bool = True) -> LabeledData:
        """Read the data.

        Args:
            encoder: Of the table or of the texts that the model was trained on.
            with_labels: False for data to predict on; then ``labels`` is ignored.

        Raises:
            InputError: If the data are unfit; the message says what to do.
        """
        file, key = split_address(self.path)
        if key is not None and self.inputs_key is not None and key != self.inputs_key:
            raise InputError(
                f"{self.path} names the array {key!r}, {argument('inputs_key')} the array {self.inputs_key!r}; "
                "give one of them."
            )
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        options |= {"inputs_key": key or self.inputs_key, "encoder": encoder, "with_labels": with_labels}
        del options["path"]
        if encoder is not None:  # it knows the features already
            options = {name: value for name, value in options.items() if name not in _ENCODED}
        form = _form(file)
        what, read, takes = _FORMS[form]
        source = None if isinstance(encoder, TableEncoder) else encoder
        of_images = source is not None and source.takes == "images"
        if of_images:
            options["encoder"] = None
        if of_images or (self.embed is not None and (form != "table" or self.image_column is not None)):
            if self.image_size is not None:
                size, embed = argument("image_size"), argument("embed")
                raise InputError(
                    f"{size} has no effect with {embed}: a network brings images to a size of its own."
                )
            options |= {"embed": None, "image_size": None if form in ("npy", "npz") else _UNSEEN}
        for name, value in options.items():
            unset = value is None or value is False or value == "auto" or value == ()
            if not unset and name not in takes | _FOR_ALL | _HARMLESS:
                forms = " or ".join(form for form, _, names in _FORMS.values() if name in names)
                raise InputError(f"{argument(name)} is for {forms}; {file} is {what}.")
        wanted = takes | _FOR_ALL
        data: LabeledData = read(file, **{name: value for name, value in options.items() if name in wanted})
        if data.inputs.kind == "text" or self.embed is not None or source is not None:
            data = embed_inputs(data, self.embed or "tfidf", source)
        return data

    def like_this(
        self,
        path: str,
        *,
        class_names: tuple[str, ...],
        image_size: tuple[int, int] | None,
        labels: str | None = None,
    ) -> Reading:
        """How to read other data for the same model: of the same form or another one.

        Args:
            path: The other data.
            class_names: Of the model.
            image_size: Height and width that the model takes; None if it takes no images.
            labels: Where the other labels are; in the column or array of the same name if None.

        >>> reading = Reading("a.csv", label_column="noisy", image_column="file", image_size=(8, 8))
        >>> other = reading.like_this("b.csv", class_names=("x", "y"), image_size=(8, 8), labels="true")
        >>> other.labels, other.label_column, other.image_column
        ('true', None, 'file')
        """
        suffix = split_address(path)[0].suffix.lower()
        arrays, table = suffix in (".npy", ".npz"), is_table(path)
        # Arrays are never resized: another size is an error, and is said to be one of the samples.
        changes: dict[str, Any] = {
            "path": path,
            "class_names": class_names,
            "image_size": None if arrays else image_size,
            "annotator_column": None,  # of the noisy labels alone
            "checked_column": None,
            "split_column": None,
        }
        if not table:
            unset = Reading(path)
            changes |= {name: getattr(unset, name) for name in (*_ENCODED, *_EMBEDDED, *_OF_TABLES)}
        if not arrays:
            changes["layout"] = "auto"
        if suffix != ".npz" and not table:  # these have no array or column of that name
            changes |= {"labels": None, "label_column": None}
        if self.labels is not None and is_label_file(self.labels):  # those were the labels of other samples
            changes["labels"] = None
        if labels is not None:
            keep = is_label_file(labels)
            changes |= {"labels": labels, "label_column": self.label_column if keep else None}
        key = self.inputs_key or split_address(self.path)[1]
        return replace(self, **changes, inputs_key=usable_key(path, key))

    def to_dict(self) -> dict[str, Any]:
        """As plain types, for JSON."""
        return {name: value for name, value in asdict(self).items() if _LATER.get(name, self) != value}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Reading:
        """What :meth:`to_dict` wrote, also after a trip through JSON; of older runs, whose images were cropped, too.

        >>> Reading.from_dict({"path": "a.csv", "source_column": "who"}).annotator_column  # as 0.1 wrote it
        'who'
        >>> reading = Reading("a.npz", image_size=(8, 8), class_names=("a", "b"))
        >>> Reading.from_dict({**reading.to_dict(), "image_size": [8, 8]}) == reading
        True
        """
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
        if "source_column" in plain:  # its name in version 0.1
            plain["annotator_column"] = plain.pop("source_column")
        for name in (
            "path",
            "labels",
            "label_column",
            "annotator_column",
            "checked_column",
            "image_column",
            "text_column",
        ):
            if not isinstance(plain.get(name), str | None):
                raise ValueError(f"{name} must be text; got {plain[name]!r}")
        return cls(**{"image_fit": "crop", **plain})


def read_data(
    path: str | Path, *, encoder: Encoder | None = None, with_labels: bool = True, **options: Any
) -> LabeledData:
    r"""Read inputs and labels from files, whatever their form.

    Everything that can be wrong with the data is found here, not in the middle of a training run; every image
    is decoded once for that.

    Args:
        path: The data: ``FILE.npz[:KEY]``, ``FILE.npy``, a folder of images by class, an image or a table.
        encoder: Of a table or of texts that a model was trained on: give ``data.inputs.encoder`` of the training data.
        with_labels: Whether to read labels; False for data to predict on, then ``labels`` is ignored.
        **options: Of :class:`~noiselayer.data.reading.Reading`: ``labels``, ``label_column``, ``image_size``,
            ``feature_columns``, ``class_names`` and the others.

    Raises:
        InputError: If a file, array or column is missing or unfit, an option does not belong to this form of
            data, or labels do not fit; the message says what to do. Use
            :func:`~noiselayer.data.check_for_training` for what only training needs.

    Warns:
        UserWarning: If samples without a label or unreadable images were left out, or missing numbers were filled
            in a column that had none in training.

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
    plain: dict[str, Any] = {
        name: tuple(value) if _is_list(value) else value for name, value in options.items()
    }
    return Reading(str(path), **plain).read(encoder=encoder, with_labels=with_labels)


def usable_key(path: str, key: str | None) -> str | None:
    """The array of an .npz file to read if its address names none: the one read in training, if it is there.

    >>> usable_key("images", "x_train") is None
    True
    """
    file, own = split_address(path)
    if key is None or own is not None or file.suffix.lower() != ".npz" or not os.path.isfile(file):  # noqa: PTH113
        return None
    return key if key in npz_keys(file) else None


def names_its_classes(reading: Reading) -> bool:
    """Whether somebody has put the classes in order: the caller, or the file of the data.

    >>> names_its_classes(Reading("people.csv")), names_its_classes(Reading("people.csv", class_names=("a", "b")))
    (False, True)
    """
    file = split_address(reading.path)[0]
    return reading.class_names is not None or (
        file.suffix.lower() == ".npz" and "class_names" in npz_keys(file)
    )


def encoder_of(inputs: Inputs) -> Encoder | None:
    """The encoder of inputs that come from a table, or the source of their features.

    >>> from noiselayer.data import ArrayInputs
    >>> encoder_of(ArrayInputs(np.eye(2))) is None
    True
    """
    base = inputs.base if isinstance(inputs, SubsetInputs) else inputs
    return base.encoder if isinstance(base, TableInputs | EmbeddedInputs) else None


def fingerprint(data: LabeledData, *, samples: int = 256) -> str:
    """A hash of all labels and of some samples, evenly spaced: tells data apart without reading all of it.

    >>> from noiselayer.data import from_arrays
    >>> one, other = from_arrays(np.eye(3), [0, 1, 1]), from_arrays(np.eye(3), [0, 1, 0])
    >>> fingerprint(one) == fingerprint(one), fingerprint(one) == fingerprint(other)
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    if data.labels is not None:
        digest.update(data.labels.numpy().tobytes())
    if data.checked is not None and bool((data.checked >= 0).any()):
        digest.update(data.checked.numpy().tobytes())
    N = len(data)
    chosen = np.unique(np.linspace(0, N - 1, min(N, samples)).astype(np.int64))
    inputs = data.inputs
    base, rows = (
        (inputs.base, inputs.indices[chosen]) if isinstance(inputs, SubsetInputs) else (inputs, chosen)
    )
    if isinstance(base, EmbeddedInputs):  # features differ in the last bit from machine to machine
        for row in rows:
            sample = base.samples[int(row)]
            known = sample.encode() if isinstance(sample, str) else sample
            digest.update(known.read_bytes() if isinstance(known, Path) else bytes(known))
            digest.update(b"\0")
        return digest.hexdigest()
    digest.update(data.inputs.__getitems__(chosen).contiguous().numpy().tobytes())
    return digest.hexdigest()


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _form(path: Path) -> str:
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir() raises on names that are too long
        return "folder"
    existing_file(path, "file or folder")
    suffix = path.suffix.lower()
    if is_table(path):
        return "table"
    if suffix in (".npz", ".npy"):
        return suffix[1:]
    if suffix in IMAGE_SUFFIXES:
        return "image"
    raise InputError(
        f"{path} is of no known form; data is an .npz or .npy file, a folder of images by class, an image, or a "
        f"table ({', '.join(TABLE_SUFFIXES)})."
    )
