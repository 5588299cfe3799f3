"""A table of labels, some of them checked -> how right the labeller is, the true shares, one page and one table."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noiselayer.data.frames import read_columns, read_frame, require_columns
from noiselayer.data.label_files import find_labels, labels_of_column, names_of_column
from noiselayer.data.labels import encode_labels
from noiselayer.data.no_answer import respellings, signs_beside
from noiselayer.errors import InputError, argument, as_input_errors, list_some
from noiselayer.estimation.labeller import Figure, LabellerFigures, measure_labels
from noiselayer.estimation.stand_in import StandIn, alternative_annotator_test
from noiselayer.files.given import check_not_read, check_target
from noiselayer.files.whole_file import from_spreadsheet, whole_files, write_json, write_rows, writing
from noiselayer.interchange.read_review import read_review
from noiselayer.jobs.measure_next import COLUMNS, abstentions, missing, take_reviewed, write_next
from noiselayer.jobs.measure_options import MeasureJob
from noiselayer.report.measure_page import render_measure

Column = npt.NDArray[Any]
_ROW = "sample"  # the column of rows' numbers in next.csv, where no other names the samples


@dataclass(frozen=True)
class Group:
    """Samples of one value of the group column; ``apart`` is their share of right labels less that of all others."""

    name: str
    figures: LabellerFigures | None
    apart: Figure | None


@dataclass(frozen=True)
class Measured:
    """What was found: by number as in ``class_names``, and per group."""

    figures: LabellerFigures
    class_names: tuple[str, ...]
    groups: tuple[Group, ...]
    stand_in: StandIn | None


def measure_table(job: MeasureJob) -> Measured:
    r"""Measure a labeller on its checked labels, and write a page, a table and a JSON file.

    Raises:
        InputError: If anything is unfit; then nothing is written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> rows = ["cat,cat", "dog,cat", "dog,dog"] * 20 + ["cat,", "dog,"] * 70
    >>> _ = (folder / "said.csv").write_text("\n".join(["model,human", *rows]))
    >>> job = MeasureJob(
    ...     table=folder / "said.csv", label_column="model", checked_column="human", out=folder / "measured"
    ... )
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # checked labels that are no random draw
    ...     print(round(measure_table(job).figures.accuracy.value, 2))
    0.72
    """
    files = [job.out / name for name in ("measure.json", "measure.csv", "measure.html")]
    if job.suggest is not None:
        if job.weight_column is not None:
            raise InputError(
                f"{argument('suggest')} adds to checked samples that were drawn at random; it cannot weigh on after "
                f"{argument('weight_column')}. Leave one of them out."
            )
        files += [job.out / "next.csv", job.out / "next.html"]
    check_not_read(files, [job.table, job.gold, job.reviewed])
    if job.out.is_dir():
        check_target(*files, force=job.force)
    else:
        check_target(job.out)
    if not 0 < job.confidence < 1:
        raise InputError(
            f"{argument('confidence')} must lie between 0 and 1, as in 0.95; got {job.confidence}."
        )
    given, checked, weights = _columns(job)
    people, said = [_column(job.table, name) for name in job.people or ()], ""
    checked = _without(checked, signs_beside(given, checked) - set(job.class_names or ()))
    none = abstentions(job, given, np.concatenate([checked, *people]))
    given = _without(given, none)
    if job.reviewed is not None:
        if weights is None or job.gold is None:
            raise InputError(
                f"{argument('reviewed')} are decisions about the samples of next.csv: give that table with "
                f"{argument('gold')}, and {argument('weight_column')} weight."
            )
        checked, weights, said = take_reviewed(read_review(job.reviewed), given, checked, weights, none, job)
    (labels, gold, *of_people), names, respelled = _encoded([given, checked, *people], job)
    certainty = None if job.confidence_column is None else _numbers(job.table, job.confidence_column)

    def with_options(message: str) -> str:
        message = message.replace("stated_confidence", "confidence_column", 1)
        return message if job.gold else message.replace("gold ", "checked_column ", 1)

    with as_input_errors(with_options):
        figures = _measure(labels, gold, names, certainty, weights, job)
    without = labels < 0
    if without.any():
        note = (
            f"{without.sum():,} of {len(labels):,} samples have no label, {(without & (gold >= 0)).sum():,} of the "
            "checked ones among them; they count as not right, and are left out of what the labels alone say."
        )
        figures = replace(figures, notes=(note, *figures.notes))
    if said:
        figures = replace(figures, notes=(said, *figures.notes))
    if words := sorted(set(none) - {"-1"}):
        which = f"{list_some(map(repr, words))} stand{'s' if len(words) == 1 else ''} for no answer."
        figures = replace(figures, notes=(which, *figures.notes))
    if respelled:
        figures = replace(figures, notes=(f"{respelled}.", *figures.notes))
    groups = () if job.group_column is None else _groups(job, labels, gold, names, certainty, weights)
    stand_in = None
    if job.people is not None:
        with as_input_errors(lambda message: message.replace("people", "--people", 1)):
            stand_in = alternative_annotator_test(labels, np.stack(of_people, axis=1), epsilon=job.epsilon)
    found = Measured(figures, names, groups, stand_in)
    job.out.mkdir(parents=True, exist_ok=True)
    with writing(str(job.out), "Nothing was written."), whole_files(job.out, files[0].name) as beside:
        write_rows(beside / files[1].name, ["figure", "class", "group", "value", "low", "high"], _rows(found))
        (beside / files[2].name).write_text(
            render_measure(
                figures,
                names,
                groups,
                title=job.table.name,
                group_column=job.group_column,
                stand_in=stand_in,
                people=job.people or (),
            ),
            encoding="utf-8",
        )
        if job.suggest is not None:
            write_next(beside, job, figures, labels, gold, _ids(job), names)
        write_json(beside / files[0].name, _plain(found))
    return found


def _columns(job: MeasureJob) -> tuple[Column, Column, Column | None]:
    """The labeller's labels, the checked ones (or None) and the weights, a row per sample of the table."""
    given = find_labels(job.table, None, job.label_column).read()
    if job.gold is None:
        if job.checked_column is None:
            raise InputError(
                f"give the checked labels: {argument('gold')}, a table of their own, or "
                f"{argument('checked_column')}, a column of {job.table} that is empty where nobody has looked."
            )
        weights = None if job.weight_column is None else _numbers(job.table, job.weight_column, gaps=True)
        return given, _column(job.table, job.checked_column), weights
    own, theirs = read_columns(job.table), read_columns(job.gold)
    listed = theirs[1:4] == list(COLUMNS)  # by write_next
    by_row = listed and theirs[0] == _ROW and _ROW not in own and job.id_column is None
    key = _ROW if by_row else job.id_column or _key(job, own, theirs)
    place = find_labels(job.gold, None, job.checked_column)
    ids = list(map(str, range(len(given)))) if by_row else _names(job.table, key)
    of_gold, truth = _names(job.gold, key), place.read()
    if listed:
        of_gold, truth = list(map(from_spreadsheet, of_gold)), _read_back(truth)
    row_of = {value: row for row, value in enumerate(ids)}
    unknown = [value for value in of_gold if value not in row_of]
    if unknown:
        raise InputError(
            f"{len(unknown):,} of {len(of_gold):,} rows of {job.gold} are not in {job.table} by column {key!r}: "
            f"{list_some(unknown, 3)}. Gold must be part of what was labelled; name the column of "
            f"the samples' names with {argument('id_column')}."
        )
    times = Counter(ids)
    if twice := sorted({value for value in of_gold if times[value] > 1}):
        raise InputError(
            f"{len(twice):,} of the checked samples stand in {job.table} more than once by column {key!r}: "
            f"{list_some(twice, 3)}. A checked label has no one place then; keep one row of each, or name another "
            f"column with {argument('id_column')}."
        )
    rows = np.array([row_of[value] for value in of_gold], dtype=np.int64)
    if len(set(rows.tolist())) < len(rows):
        raise InputError(f"{job.gold} holds some samples twice by column {key!r}; keep one row of each.")
    if by_row:
        _check_same(job, given[rows], _read_back(_column(job.gold, COLUMNS[0])), of_gold)
    checked = np.full(len(ids), None, dtype=object)
    checked[rows] = truth
    weights = None
    if job.weight_column is not None:
        weights = np.full(len(ids), np.nan)
        weights[rows] = _numbers(job.gold, job.weight_column)
    return given, checked, weights


def _ids(job: MeasureJob) -> tuple[str, list[str]]:
    """The column of the samples' names, and these; rows' numbers, counted from 0, where no column names them."""
    own = read_columns(job.table)
    again = 0
    for name in [job.id_column] if job.id_column is not None else [n for n in ("id", "text") if n in own]:
        ids = _names(job.table, name)
        if not (again := len(ids) - len(set(ids))):
            return name, ids
    if job.id_column is None and _ROW not in own:
        return _ROW, list(map(str, range(len(read_frame(job.table)))))
    if again:
        raise InputError(
            f"column {name!r} of {job.table} says the same of {again:,} rows as of others, so what is checked would "
            f"have no one place. Name another with {argument('id_column')}, a number of each row if there is none."
        )
    raise InputError(
        f"{argument('suggest')} needs a column of {job.table} that says which sample is which; name it with "
        f"{argument('id_column')}."
    )


def _check_same(job: MeasureJob, given: Column, listed: Column, rows: list[str]) -> None:
    """Rows are known by their numbers alone: the labels that were listed beside them must still be theirs."""

    def plain(value: Any) -> str:
        return "" if missing(value) else str(value).strip().removesuffix(".0").casefold()

    for row, now, then in zip(rows, given.tolist(), listed.tolist(), strict=True):
        if plain(then) and plain(now) != plain(then):
            raise InputError(
                f"{job.gold} numbers the rows of {job.table} from 0, and lists row {row} with label {str(then)!r}, "
                f"where {job.table} has {str(now)!r} now. Give the table that {job.gold} was drawn from."
            )


def _key(job: MeasureJob, own: list[str], theirs: list[str]) -> str:
    shared = [name for name in own if name in theirs and name not in (job.label_column, job.checked_column)]
    for name in ("id", "text"):
        if name in shared:
            return name
    if len(shared) == 1:
        return shared[0]
    raise InputError(
        f"{job.table} and {job.gold} share {'no column' if not shared else 'columns ' + list_some(shared)}; name "
        f"the one with the samples' names with {argument('id_column')}."
    )


def _column(table: Path, name: str) -> Column:
    require_columns(read_columns(table), [name], str(table))
    return labels_of_column(read_frame(table, text_columns=[name]), name)


def _names(table: Path, name: str) -> list[str]:
    require_columns(read_columns(table), [name], str(table))
    names: list[str] = names_of_column(read_frame(table, text_columns=[name]), name).tolist()
    return names


def _numbers(table: Path, name: str, *, gaps: bool = False) -> npt.NDArray[np.float64]:
    require_columns(read_columns(table), [name], str(table))
    try:
        values = read_frame(table)[name].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name!r} of {table} must hold numbers.") from error
    if not gaps and np.isnan(values).any():
        raise InputError(f"column {name!r} of {table} has no number in {int(np.isnan(values).sum()):,} rows.")
    return values


def _read_back(cells: Column) -> Column:
    """Cells as they were before they were written for spreadsheets."""
    return np.array(
        [from_spreadsheet(cell) if isinstance(cell, str) else cell for cell in cells], dtype=object
    )


def _without(given: Column, abstention: Collection[str]) -> Column:
    """An abstention is no class: None, as an empty cell is."""
    return np.array([None if str(value).strip() in abstention else value for value in given], dtype=object)


def _encoded(columns: list[Column], job: MeasureJob) -> tuple[list[Column], tuple[str, ...], str]:
    """The labeller's, checked and people's labels by class number, the classes, and what was taken for the same."""
    given, *by_people = columns
    same = respellings(given, np.concatenate(by_people))
    # As text, whatever the table's columns are of: empty where there is none.
    texts = ["" if missing(value) else same.get(str(value), str(value)) for value in np.concatenate(columns)]
    codes, names = encode_labels(np.array(texts), job.class_names, name="labels", allow_missing=True)
    note = ", ".join(f"{label!r} was taken for {truth!r}" for label, truth in same.items())
    return list(codes.numpy().reshape(len(columns), -1)), names, note


def _measure(
    labels: Column, gold: Column, names: tuple[str, ...], certainty: Any, weights: Any, job: MeasureJob
) -> LabellerFigures:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they are among the notes too
        found = measure_labels(
            labels, gold, len(names), stated_confidence=certainty, weights=weights, level=job.confidence
        )
    return replace(found, notes=tuple(_named(note, names) for note in found.notes))


def _named(note: str, names: tuple[str, ...]) -> str:
    """Class numbers of a note as names."""

    def name(found: re.Match[str]) -> str:
        return found[1] + ", ".join(repr(names[int(k)]) for k in found[2].split(", "))

    return re.sub(r"((?:class|label) )((?:\d+, )*\d+)(?=[:.,]| |$)", name, note)


def _groups(
    job: MeasureJob, labels: Column, gold: Column, names: tuple[str, ...], certainty: Any, weights: Any
) -> tuple[Group, ...]:
    assert job.group_column is not None
    column = np.array([str(value) for value in _column(job.table, job.group_column)])
    values = np.unique(column)
    if len(values) > 50:
        raise InputError(
            f"column {job.group_column!r} has {len(values):,} different values; {argument('group_column')} compares "
            "at most 50. Make periods or kinds of them."
        )

    def of(rows: Column) -> LabellerFigures | None:
        stated, weight = (None if part is None else part[rows] for part in (certainty, weights))
        try:
            return _measure(labels[rows], gold[rows], names, stated, weight, job)
        except ValueError:
            return None

    groups = []
    for value in values.tolist():
        inside, others = of(column == value), of(column != value)
        apart = None if inside is None or others is None else difference(inside.accuracy, others.accuracy)
        groups.append(Group(value, inside, apart))
    return tuple(groups)


def difference(one: Figure, other: Figure) -> Figure:
    """One share less another of other samples, with Newcombe's (1998) interval from those of both.

    >>> print(difference(Figure(0.8, 0.7, 0.9), Figure(0.5, 0.4, 0.6)))
    30.0 % (15.9 to 44.1)
    """
    value = one.value - other.value
    down = np.hypot(one.value - one.low, other.high - other.value)
    up = np.hypot(one.high - one.value, other.value - other.low)
    return Figure(value, float(value - down), float(value + up))


def _rows(found: Measured) -> list[list[Any]]:
    rows: list[list[Any]] = []
    everything = [Group("", found.figures, None), *found.groups]
    for group in everything:
        if (figures := group.figures) is None:
            continue
        single = {"accuracy": figures.accuracy, "kappa": figures.kappa, "accuracy less others": group.apart}
        rows += [
            [what, "", group.name, f.value, f.low, f.high] for what, f in single.items() if f is not None
        ]
        for what in ("shares", "precision", "recall"):
            for name, one in zip(found.class_names, getattr(figures, what), strict=True):
                if one is not None:
                    rows.append([what.removesuffix("s"), name, group.name, one.value, one.low, one.high])
    return rows


def _plain(found: Measured) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return [plain(row) for row in value.tolist()]
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [plain(part) for part in value]
        return None if isinstance(value, float) and np.isnan(value) else value

    content: dict[str, Any] = plain(asdict(found))
    return content
