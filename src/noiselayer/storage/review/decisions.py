"""Decisions as the report exports them, CSV or JSON, as checked rows; and the command line that applies them."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noiselayer.errors import InputError, list_some, reason
from noiselayer.files.whole_file import from_spreadsheet

if TYPE_CHECKING:
    from noiselayer.data.reading import Reading


COLUMNS = ("sample", "id", "given_label", "decision", "new_label")
"""What a file of decisions must have; it may have more."""

WITHOUT_LABEL = ("unsure", "none", "exclude")
"""Leave the label and the question open, remove the label (it is none of the classes), leave the sample out."""

KINDS = ("accept", "reject", "pick", *WITHOUT_LABEL)
"""Take the suggestion, keep the label, take another class; and those without a new label."""


@dataclass(frozen=True)
class Decision:
    """What somebody decided about the label of a sample: ``kind`` is one of :data:`KINDS`.

    ``inclusion_probability`` is that with which the label was drawn to be looked at; None if it was no draw.
    """

    sample: int
    id: str
    given_label: str
    kind: str
    new_label: str
    inclusion_probability: float | None = None

    @property
    def changes(self) -> bool:
        """Whether the label becomes another one, or none."""
        return self.kind == "none" or (self.kind not in WITHOUT_LABEL and self.new_label != self.given_label)


def read_decisions(path: str | Path) -> list[Decision]:
    """Read a file that a report has exported.

    In a table with a column ``suggested_label`` rows without decision and label are left out, and one of the two cells
    is enough.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".json"):
        raise InputError(
            f"decisions must be a file .csv or .json, as the report exports them; got {str(path)!r}."
        )
    if not path.is_file():
        raise InputError(f"there is no file of decisions {path}.")
    rows = _from_json(path) if path.suffix.lower() == ".json" else _from_csv(path)
    if not rows:
        raise InputError(
            f"{path} holds no decisions; review some labels in the report and export them again."
        )
    decisions = [_decision(row, f"decision {place} of {path}") for place, row in enumerate(rows, start=1)]
    seen: set[tuple[int, str]] = set()
    for decision in decisions:
        if (decision.sample, decision.id) in seen:
            raise InputError(
                f"{path} decides twice about sample {decision.sample} ({short(decision.id)}); leave one of the rows."
            )
        seen.add((decision.sample, decision.id))
    return decisions


def _from_csv(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            csv.field_size_limit(1 << 24)
            reader = csv.DictReader(file)
            rows = [
                {
                    name: from_spreadsheet(cell) if isinstance(cell, str) else cell
                    for name, cell in row.items()
                }
                for row in reader
            ]
            header = list(reader.fieldnames or [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read the decisions {path}: {reason(error)}.") from error
    _require(header, path)
    # In a table that people fill in, what nobody has looked at stays empty, and the rest need not be typed twice.
    return [_completed(row) for row in rows if row["decision"] != "" or row["new_label"] != ""]


def _completed(row: dict[str, Any]) -> dict[str, Any]:
    """The label of "accept" and "reject" where it was left out, and the decision where only a label was given."""
    given, suggested = row["given_label"], row.get("suggested_label")
    decision = _word(row["decision"])
    if row["new_label"] == "" and decision in ("accept", "reject"):
        row["new_label"] = (suggested if decision == "accept" else given) or ""
    if decision == "" and row["new_label"]:
        new = row["new_label"]
        row["decision"] = "reject" if new == given else "accept" if new == suggested else "pick"
    return row


def _from_json(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read the decisions {path}: {reason(error)}.") from error
    rows = content.get("decisions") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} must hold a list of decisions, as the report exports it.")
    if content.get("format") != 1:
        raise InputError(
            f"{path} is of format {content.get('format')}, and this version of noiselayer reads 1."
        )
    for row in rows:
        _require(list(row), path)
    return rows


def _require(found: Sequence[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        raise InputError(
            f"{path} lacks {list_some(map(repr, missing))}; a file of decisions has the columns {', '.join(COLUMNS)}, "
            "as the report exports them."
        )


def _decision(row: Mapping[str, Any], where: str) -> Decision:
    if any(row[name] is None for name in COLUMNS):
        raise InputError(f"{where} has too few cells.")
    sample = str(row["sample"]).strip()
    if not (sample.isascii() and sample.isdigit()):
        raise InputError(f"{where} must name a sample by its number, counted from 0; got {short(sample)}.")
    kind = _word(row["decision"])
    if kind not in KINDS:
        raise InputError(f"{where} must be one of {', '.join(KINDS)}; got {short(kind)}.")
    given, new = str(row["given_label"]), str(row["new_label"])
    decision = Decision(int(sample), str(row["id"]), given, kind, new, _chance(row, where))
    if kind in WITHOUT_LABEL:
        if decision.new_label:
            raise InputError(
                f"{where} is {kind!r}, so its new_label must be empty; got {short(decision.new_label)}."
            )
        return decision
    if not decision.new_label:
        raise InputError(f"{where} is {kind!r}, so its new_label must name a class; it is empty.")
    if kind == "reject" and decision.changes:
        raise InputError(
            f"{where} rejects the suggestion, so its new_label must be its given_label, "
            f"{short(decision.given_label)}; got {short(decision.new_label)}."
        )
    return decision


def _word(cell: Any) -> str:
    """A decision as somebody has typed it, "Accept " for example."""
    return str(cell or "").strip().lower()


def _chance(row: Mapping[str, Any], where: str) -> float | None:
    """With which probability the label was drawn, where the file says that it was."""
    cell = row.get("inclusion_probability")
    if cell is None or cell == "":
        return None
    try:
        chance = float(cell)
    except (TypeError, ValueError):
        chance = 0.0
    if not 0 < chance <= 1:
        raise InputError(
            f"{where} must have an inclusion_probability above 0 and at most 1, or none; got {short(str(cell))}."
        )
    return chance


def short(text: str) -> str:
    """A name or a label as messages quote it."""
    return repr(text if len(text) <= 60 else text[:59] + "…")


_OPTIONS = {
    "labels": "--labels",
    "label_column": "--label-column",
    "image_column": "--image-column",
    "id_column": "--id-column",
    "class_names": "--class-names",
}


def review_command(reading: Reading) -> str:
    """What to type to apply decisions to data that were read in this way."""
    words = ["noiselayer", "apply-review", reading.path, "decisions.csv"]
    for name, option in _OPTIONS.items():
        value = getattr(reading, name)
        if value is not None:
            words += [option, value if isinstance(value, str) else ",".join(value)]
    return shlex.join(words)
