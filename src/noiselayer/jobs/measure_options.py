"""What ``noiselayer measure`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from noiselayer.jobs.option import Option

_GOLD = "The checked labels: a column of the same table, or a table of their own"


@dataclass(frozen=True, kw_only=True)
class MeasureJob:
    """A table of labels, some of them checked, and how to read it."""

    table: Annotated[Path, Option("Table with the labeller's labels.", positional=True)]
    out: Annotated[Path, Option("Folder for the page and the tables.", names=("--out", "-o"))]
    label_column: Annotated[str | None, Option("Column with the labeller's labels.")] = None
    abstention: Annotated[
        tuple[str, ...] | None, Option("What stands for no answer, beside an empty cell: a,b.", default="-1")
    ] = None
    confidence_column: Annotated[
        str | None, Option("Column with the certainty that the labeller states, 0 to 1.")
    ] = None
    group_column: Annotated[
        str | None, Option("Column whose values are compared: time, origin, version of a model.")
    ] = None
    gold: Annotated[Path | None, Option("Table with checked samples.", _GOLD)] = None
    checked_column: Annotated[
        str | None,
        Option(
            "Column with the true class, empty where nobody has looked.", _GOLD, default="label, in --gold"
        ),
    ] = None
    id_column: Annotated[
        str | None,
        Option("Column that both tables have, which says who is who.", _GOLD, default="id, or the only one"),
    ] = None
    weight_column: Annotated[
        str | None,
        Option("Column with one divided by the probability that a sample was chosen to be checked.", _GOLD),
    ] = None
    class_names: Annotated[tuple[str, ...] | None, Option("The classes: a,b,c.", default="those seen")] = None
    confidence: Annotated[float, Option("Of the intervals.")] = 0.95
    force: Annotated[bool, Option("Write over files.")] = False
