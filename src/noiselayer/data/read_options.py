"""What can be said of how data are read, for data of every form, and how a run keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from noiselayer.choices import ImageFit, Layout

R = TypeVar("R", bound="ReadOptions")

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
class ReadOptions:
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

    >>> ReadOptions("people.csv", label_column="town").to_dict()["label_column"]
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

    def to_dict(self) -> dict[str, Any]:
        """As plain types, for JSON."""
        return {name: value for name, value in asdict(self).items() if _LATER.get(name, self) != value}

    @classmethod
    def from_dict(cls: type[R], state: dict[str, Any]) -> R:
        """What :meth:`to_dict` wrote, also after a trip through JSON; of older runs, whose images were cropped, too.

        >>> ReadOptions.from_dict({"path": "a.csv", "source_column": "who"}).annotator_column  # as 0.1 wrote it
        'who'
        >>> reading = ReadOptions("a.npz", image_size=(8, 8), class_names=("a", "b"))
        >>> ReadOptions.from_dict({**reading.to_dict(), "image_size": [8, 8]}) == reading
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
