"""Options that several commands share: how data are read."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = [
    "AnnotatorColumn",
    "Categorical",
    "ClassNames",
    "DataPath",
    "Features",
    "ImageColumn",
    "ImageSize",
    "ImputeMissing",
    "InputsKey",
    "LabelColumn",
    "Labels",
    "Layout",
    "SkipUnreadable",
]

_DATA = "Data"

DataPath = Annotated[
    str, typer.Argument(help="FILE.npz[:KEY], FILE.npy, a folder of images by class, or a table.")
]
Labels = Annotated[
    str | None, typer.Option(help="Array, column or file with the labels.", rich_help_panel=_DATA)
]
LabelColumn = Annotated[str | None, typer.Option(help="Column with the labels.", rich_help_panel=_DATA)]
AnnotatorColumn = Annotated[
    str | None,
    typer.Option(
        help="Column that says who gave each label: a noise matrix for each annotator.", rich_help_panel=_DATA
    ),
]
ImageColumn = Annotated[str | None, typer.Option(help="Column with paths of images.", rich_help_panel=_DATA)]
Features = Annotated[str | None, typer.Option(help="Columns to learn from: a,b,c.", rich_help_panel=_DATA)]
Categorical = Annotated[
    str | None, typer.Option(help="Columns of codes to take as categories: a,b.", rich_help_panel=_DATA)
]
ImputeMissing = Annotated[
    bool, typer.Option("--impute-missing", help="Fill missing numbers.", rich_help_panel=_DATA)
]
InputsKey = Annotated[
    str | None, typer.Option(help="Array of an .npz file with the inputs.", rich_help_panel=_DATA)
]
Layout = Annotated[str, typer.Option(help="Of image arrays: NHWC, NCHW or auto.", rich_help_panel=_DATA)]
ImageSize = Annotated[
    str | None, typer.Option(help="Scale image files to this: 32 or 32x48.", rich_help_panel=_DATA)
]
ClassNames = Annotated[
    str | None, typer.Option(help="Names of the classes 0, 1, ...: a,b,c.", rich_help_panel=_DATA)
]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out damaged images.", rich_help_panel=_DATA)
]
