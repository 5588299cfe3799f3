"""How the data of a run are read, so that the same reading can be asked for again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from noiselayer.choices import Layout
from noiselayer.data import LabeledData, TableEncoder, TableInputs, read_data
from noiselayer.data.frames import TABLE_SUFFIXES
from noiselayer.data.inputs import Inputs, SubsetInputs
from noiselayer.data.label_files import is_label_file
from noiselayer.data.numpy_files import npz_keys, split_address

__all__ = ["Reading", "fingerprint", "table_encoder", "usable_key"]


@dataclass(frozen=True)
class Reading:
    """The arguments of :func:`noiselayer.data.read_data`, see there.

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

    def read(self, *, encoder: TableEncoder | None = None, with_labels: bool = True) -> LabeledData:
        """Read the data.

        Args:
            encoder: Of the table that the model was trained on.
            with_labels: False for data to predict on.

        Raises:
            InputError: If the data are unfit; the message says what to do.
        """
        options = asdict(self)
        if encoder is not None:  # it knows the features already
            del options["feature_columns"], options["categorical_columns"], options["impute_missing"]
        return read_data(**options, encoder=encoder, with_labels=with_labels)

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
        arrays, table = suffix in (".npy", ".npz"), suffix in TABLE_SUFFIXES
        # Arrays are never resized: another size is an error, and is said to be one of the samples.
        same = replace(
            self,
            path=path,
            class_names=class_names,
            image_size=None if arrays else image_size,
            annotator_column=None,  # of the noisy labels alone
        )
        if not table:
            same = replace(
                same, image_column=None, feature_columns=None, categorical_columns=(), impute_missing=False
            )
        if not arrays:
            same = replace(same, layout="auto")
        if suffix != ".npz" and not table:  # these have no array or column of that name
            same = replace(same, labels=None, label_column=None)
        if self.labels is not None and is_label_file(self.labels):  # those were the labels of other samples
            same = replace(same, labels=None)
        if labels is not None:
            keep = is_label_file(labels)
            same = replace(same, labels=labels, label_column=self.label_column if keep else None)
        return replace(same, inputs_key=usable_key(path, self.inputs_key or split_address(self.path)[1]))

    def to_dict(self) -> dict[str, Any]:
        """As plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Reading:
        """What :meth:`to_dict` wrote, also after a trip through JSON.

        >>> reading = Reading("a.npz", image_size=(8, 8), class_names=("a", "b"))
        >>> Reading.from_dict({**reading.to_dict(), "image_size": [8, 8]}) == reading
        True
        >>> Reading.from_dict({"path": "a.csv", "source_column": "who"}).annotator_column  # as 0.1 wrote it
        'who'
        """
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
        if "source_column" in plain:  # its name in version 0.1
            plain["annotator_column"] = plain.pop("source_column")
        return cls(**plain)


def usable_key(path: str, key: str | None) -> str | None:
    """The array of an .npz file to read if its address names none: the one read in training, if it is there.

    >>> usable_key("images", "x_train") is None
    True
    """
    file, own = split_address(path)
    if key is None or own is not None or file.suffix.lower() != ".npz" or not file.is_file():
        return None
    return key if key in npz_keys(file) else None


def table_encoder(inputs: Inputs) -> TableEncoder | None:
    """The encoder of inputs that come from a table.

    >>> from noiselayer.data import ArrayInputs
    >>> table_encoder(ArrayInputs(np.eye(2))) is None
    True
    """
    base = inputs.base if isinstance(inputs, SubsetInputs) else inputs
    return base.encoder if isinstance(base, TableInputs) else None


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
    N = len(data)
    chosen = np.unique(np.linspace(0, N - 1, min(N, samples)).astype(np.int64))
    digest.update(data.inputs.__getitems__(chosen).contiguous().numpy().tobytes())
    return digest.hexdigest()
