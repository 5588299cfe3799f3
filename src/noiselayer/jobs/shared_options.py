"""Options that several jobs share, declared once; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from noiselayer.choices import ImageFit, Layout
from noiselayer.jobs.option import Option

_DATA, _MODEL, _HARDWARE = "Data", "Model and training", "Hardware"
_SETS = "Clean, outside and test data, read as DATA is"


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How data are read: the fields of :class:`noiselayer.data.reading.Reading`."""

    data: Annotated[
        str,
        Option(
            "FILE.npz[:KEY], FILE.npy, a folder of images by class, or a table.",
            positional=True,
        ),
    ]
    labels: Annotated[str | None, Option("Array, column or file with the labels.", _DATA)] = None
    label_column: Annotated[str | None, Option("Column with the labels.", _DATA)] = None
    annotator_column: Annotated[
        str | None, Option("Column that says who gave each label: a noise matrix for each annotator.", _DATA)
    ] = None
    checked_column: Annotated[
        str | None,
        Option(
            "Column with trusted labels beside the others, empty where nobody has looked: no feature.", _DATA
        ),
    ] = None
    image_column: Annotated[str | None, Option("Column with paths of images.", _DATA)] = None
    feature_columns: Annotated[
        tuple[str, ...] | None, Option("Columns to learn from: a,b,e*.", _DATA, ("--features",))
    ] = None
    ignore_columns: Annotated[
        tuple[str, ...], Option("Columns that are no features: a,b,e*.", _DATA, ("--ignore",))
    ] = ()
    id_column: Annotated[str | None, Option("Column of the samples' names: no feature.", _DATA)] = None
    categorical_columns: Annotated[
        tuple[str, ...], Option("Columns of codes to take as categories: a,b.", _DATA, ("--categorical",))
    ] = ()
    impute_missing: Annotated[bool, Option("Fill missing numbers.", _DATA)] = False
    inputs_key: Annotated[str | None, Option("Array of an .npz file with the inputs.", _DATA)] = None
    layout: Annotated[Layout, Option("Where the channels of image arrays are.", _DATA)] = "auto"
    image_size: Annotated[
        tuple[int, int] | None, Option("Bring image files to this size: 32 or 32x48.", _DATA)
    ] = None
    image_fit: Annotated[
        ImageFit,
        Option("Other proportions: squash the image, pad it with white, or crop what sticks out.", _DATA),
    ] = "squash"
    class_names: Annotated[
        tuple[str, ...] | None, Option("Names of the classes 0, 1, ...: a,b,c.", _DATA)
    ] = None
    skip_unreadable: Annotated[bool, Option("Leave out damaged images.", _DATA)] = False


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """Samples with trusted labels."""

    clean: Annotated[
        str | None, Option("Data with trusted labels: to train with, to measure the noise with.", _SETS)
    ] = None
    clean_labels: Annotated[str | None, Option("Where the labels of --clean are.", _SETS)] = None


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The network and its training; what is None has a default by kind of data."""

    model: Annotated[
        str | None,
        Option("small, paper, paper-wide, alexnet32, mlp, linear, or a classifier of torchvision.", _MODEL),
    ] = None
    max_epochs: Annotated[int | None, Option("At most, in the main stage.", _MODEL, ("--epochs",))] = None
    batch_size: Annotated[int | None, Option("Samples a step.", _MODEL)] = None
    learning_rate: Annotated[float | None, Option("Of the network.", _MODEL)] = None
    seed: Annotated[int, Option("Of everything random.", _MODEL, least=0, most=2**32 - 1)] = 0


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """The machine: fields of :class:`noiselayer.training.options.Hardware`."""

    precision: Annotated[str, Option("32-true, bf16-mixed, 16-mixed, ...", _HARDWARE)] = "32-true"
    accelerator: Annotated[str, Option("auto, cpu, gpu, mps, ...", _HARDWARE)] = "auto"
