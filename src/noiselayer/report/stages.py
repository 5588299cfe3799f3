"""Losses of training, from a run's folder or from memory."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiselayer.report.content import StageLosses

if TYPE_CHECKING:
    from noiselayer.training.trained import StageResult


def stage_losses(
    name: str, rows: Sequence[Mapping[str, Any]], *, joined: int | None = None, best: int | None = None
) -> StageLosses:
    """The losses of a stage, from an epoch's ``train_loss`` and ``val_loss``: numbers or text, either may be missing.

    >>> stage_losses("main", [{"train_loss": 1.0, "val_loss": ""}, {"train_loss": "nan", "val_loss": "0.5"}])
    StageLosses(name='main stage', training=(1.0, None), validation=(None, 0.5), joined=None, best=None)
    """
    training, validation = (
        tuple(_number(row.get(key)) for row in rows) for key in ("train_loss", "val_loss")
    )
    return StageLosses(_in_words(name), training, validation, joined, best)


def losses_of(stage: StageResult) -> StageLosses:
    """The losses of a stage that training has left."""
    return stage_losses(stage.name, stage.curves, joined=stage.switched_at, best=stage.best_epoch)


def read_stages(folder: Path, stages: Sequence[Mapping[str, Any]]) -> list[StageLosses]:
    """The losses of every stage of a run, from its ``curves.csv`` and what ``metrics.json`` says of the stages."""
    path = folder / "curves.csv"
    rows: dict[str, list[dict[str, str]]] = {}
    if path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                rows.setdefault(row["stage"], []).append(row)
    return [
        stage_losses(
            stage["name"], rows.get(stage["name"], []), joined=stage["switched_at"], best=stage["best_epoch"]
        )
        for stage in stages
    ]


def _in_words(name: str) -> str:
    """A stage in words.

    >>> _in_words("main"), _in_words("main-again-1"), _in_words("warm-up-0"), _in_words("warm-up-again-0")
    ('main stage', 'main again, part 2', 'warm-up, part 1', 'warm-up again, part 1')
    """
    head, _, number = name.rpartition("-")
    if name in ("main", "main-again"):
        return name.replace("main", "main stage").replace("-", " ")
    words = head.replace("-again", " again")
    return f"{words}, part {int(number) + 1}" if head and number.isdigit() else name


def _number(value: Any) -> float | None:
    number = math.nan if value in (None, "") else float(value)
    return number if math.isfinite(number) else None
