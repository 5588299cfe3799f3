"""How the data of a run are read: one way in for data of every form, that can be asked for again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from noiselayer.data.embedded_inputs import EmbeddedInputs, embed_inputs
from noiselayer.data.encoder import TableEncoder
from noiselayer.data.frames import TABLE_SUFFIXES, is_table
from noiselayer.data.inputs import Inputs, SubsetInputs
from noiselayer.data.label_files import is_label_file
from noiselayer.data.labeled import LabeledData
from noiselayer.data.numpy_files import npz_keys, split_address
from noiselayer.data.read_arrays import read_arrays
from noiselayer.data.read_folder import IMAGE_SUFFIXES, read_folder, read_image
from noiselayer.data.read_options import ReadOptions
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
UNSEEN = (8, 8)
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
_FOR_ALL = {"class_names", "image_size"}
# These permit something, or say how, rather than ask for it: no harm where there is nothing to permit.
_HARMLESS = {"skip_unreadable", "impute_missing", "image_fit"}


class Reading(ReadOptions):
    """How to read inputs and labels from files, and the reading of them; see :class:`ReadOptions` for the fields.

    >>> Reading("people.csv", label_column="town").to_dict()["label_column"]
    'town'
    """

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
        how: ReadOptions = replace(self, inputs_key=key or self.inputs_key)
        unset = ReadOptions(self.path)
        if encoder is not None:  # it knows the features already
            how = replace(how, **{name: getattr(unset, name) for name in _ENCODED})
        form = _form(file)
        what, read, takes = _FORMS[form]
        source = None if isinstance(encoder, TableEncoder) else encoder
        of_images = source is not None and source.takes == "images"
        if of_images or (self.embed is not None and (form != "table" or self.image_column is not None)):
            if self.image_size is not None:
                size, embed = argument("image_size"), argument("embed")
                raise InputError(
                    f"{size} has no effect with {embed}: what makes features brings images to a size of its own."
                )
            how = replace(how, embed=None, image_size=None if form in ("npy", "npz") else UNSEEN)
        asked = [
            field.name
            for field in fields(how)
            if getattr(how, field.name) not in (getattr(unset, field.name), None)
        ]
        if of_images:
            encoder = None
        for name in [*asked, *(["encoder"] if encoder is not None else [])]:
            if name not in takes | _FOR_ALL | _HARMLESS:
                forms = " or ".join(form for form, _, names in _FORMS.values() if name in names)
                raise InputError(f"{argument(name)} is for {forms}; {file} is {what}.")
        more = {"encoder": encoder} if form == "table" else {}
        data: LabeledData = read(file, how, with_labels=with_labels, **more)
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
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in options.items()
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
