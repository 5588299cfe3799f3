"""Options that several jobs share, declared once; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass

from noiselayer.choices import ImageFit, Layout
from noiselayer.jobs.option import option

_DATA, _MODEL, _HARDWARE = "Data", "Model and training", "Hardware"
_SETS = "Clean, outside and test data, read as DATA is"


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How data are read: the fields of :class:`noiselayer.data.reading.Reading`."""

    data: str = option(
        ..., "FILE.npz[:KEY], FILE.npy, a folder of images by class, or a table.", positional=True
    )
    labels: str | None = option(None, "Array, column or file with the labels.", _DATA)
    label_column: str | None = option(None, "Column with the labels.", _DATA)
    annotator_column: str | None = option(
        None, "Column that says who gave each label: a noise matrix for each annotator.", _DATA
    )
    checked_column: str | None = option(
        None,
        "Column with trusted labels beside the others, empty where nobody has looked: no feature.",
        _DATA,
    )
    image_column: str | None = option(None, "Column with paths of images.", _DATA)
    text_column: str | None = option(None, "Column with texts to learn from.", _DATA)
    embed: str | None = option(
        None,
        "What makes features: tfidf of texts; patches of images; timm:NAME, torchvision:NAME, st:NAME, hf:NAME or "
        "package:NAME, frozen networks, of images or texts.",
        _DATA,
        shown="tfidf for texts",
    )
    feature_columns: tuple[str, ...] | None = option(
        None, "Columns to learn from: a,b,e*.", _DATA, ("--features",)
    )
    ignore_columns: tuple[str, ...] = option(
        (), "Columns that are no features: a,b,e*.", _DATA, ("--ignore",)
    )
    id_column: str | None = option(None, "Column of the samples' names: no feature.", _DATA)
    split_column: str | None = option(
        None,
        "Column that says test or train of each row: no feature. train keeps the test rows for the test error (by the "
        "checked labels where there are some), audit judges all.",
        _DATA,
    )
    show_columns: tuple[str, ...] = option(
        (), "Columns that a review shows of a sample: a,b,e*.", _DATA, ("--show",)
    )
    categorical_columns: tuple[str, ...] = option(
        (), "Columns of codes to take as categories: a,b.", _DATA, ("--categorical",)
    )
    impute_missing: bool = option(False, "Fill missing numbers.", _DATA)
    inputs_key: str | None = option(None, "Array of an .npz file with the inputs.", _DATA)
    layout: Layout = option("auto", "Where the channels of image arrays are.", _DATA)
    image_size: tuple[int, int] | None = option(None, "Bring image files to this size: 32 or 32x48.", _DATA)
    image_fit: ImageFit = option(
        "squash", "Other proportions: squash the image, pad it with white, or crop what sticks out.", _DATA
    )
    class_names: tuple[str, ...] | None = option(None, "Names of the classes 0, 1, ...: a,b,c.", _DATA)
    skip_unreadable: bool = option(False, "Leave out damaged images.", _DATA)


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """Samples with trusted labels."""

    clean: str | None = option(
        None, "Data with trusted labels: to train with, to measure the noise with.", _SETS
    )
    clean_labels: str | None = option(None, "Where the labels of --clean are.", _SETS)


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The network and its training; what is None has a default by kind of data."""

    model: str | None = option(
        None,
        "small, paper, paper-wide, alexnet32, mlp, linear, a classifier of torchvision; head, a linear classifier of "
        "frozen features, takes seconds.",
        _MODEL,
        shown="by kind of data; head for texts and for vectors of 64 numbers and more",
    )
    max_epochs: int | None = option(None, "At most, in the main stage.", _MODEL, ("--epochs",))
    batch_size: int | None = option(None, "Samples a step.", _MODEL)
    learning_rate: float | None = option(None, "Of the network.", _MODEL)
    seed: int = option(0, "Of everything random.", _MODEL, least=0, most=2**32 - 1)


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """The machine: fields of :class:`noiselayer.training.options.Hardware`."""

    precision: str = option("32-true", "32-true, bf16-mixed, 16-mixed, ...", _HARDWARE)
    accelerator: str = option("auto", "auto, cpu, gpu, mps, ...", _HARDWARE)
