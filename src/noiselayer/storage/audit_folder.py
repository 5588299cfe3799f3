"""The folder that an audit leaves: what was found, in files that anything can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from noiselayer._version import __version__
from noiselayer.checks import Finding
from noiselayer.errors import InputError, list_some, reason
from noiselayer.estimation.in_words import finite
from noiselayer.files.given import check_regular, reading_folder
from noiselayer.files.whole_file import read_json, whole_file, write_json
from noiselayer.storage.annotators_file import read_annotator_figures, write_annotator_figures
from noiselayer.storage.matrix_file import (
    read_noise_matrix,
    read_standard_error,
    write_entries,
    write_noise_matrix,
)

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
"""Of audit.json; another number means that an older program could misread it. In format 1 the labels were numbers."""

_BEFORE = {"noisy": "given", "true": "true"}  # "probs_of" of version 0.1

LABEL_COLUMNS = {
    "sample": "int64",
    "id": "str",
    "given_label": "str",
    "suggested_label": "str",
    "error_probability": "float32",
    "is_error": "bool",
    "rank": "int64",
    "given_class": "int64",
    "suggested_class": "int64",
}
"""The columns of labels.parquet and their types: labels by name, their numbers as classes; rank counts from 0, the
label most likely wrong."""


_NUMBERS = {"given_class": "given_label", "suggested_class": "suggested_label"}
_AS_THEY_ARE = ("num_samples", "threshold", "counts", "temperature", "folds")


@dataclass(frozen=True, eq=False)
class SavedAudit:
    """The content of an audit's folder.

    ``labels`` holds the rows that were asked for, by rank, with the columns of ``LABEL_COLUMNS``; ``num_samples``
    labels were audited. ``counts`` is ``{"all": {"expected", "low", "high", "flagged"}, "per_class": [{"class",
    "labels", "expected", "low", "high"}, ...]}``: wrong labels, by the label that is given. "all" has
    "sample_end" and "label_end" too, how many are wrong if the model's doubt is the samples' or the labels',
    and "settled", whether the data tell between them (not in folders of version 0.1). "expected" is None, of all and
    of every class, where no number can be named and the interval is all there is. Where drawn labels were looked
    at, "drawn" is ``{"labels", "wrong", "unanswered", "before": {"expected", "low", "high"}}``. ``noise_matrix`` and
    its ``standard_error`` have shape (K, K), columns = true classes. ``origin`` is ``{"path": ..., "reading": {...}}``,
    the arguments that read the data. ``folds`` is None if the probabilities came from elsewhere, ``temperature`` if the
    logits were taken as they are.
    """

    class_names: tuple[str, ...]
    probs_predict: str
    num_samples: int
    threshold: float
    counts: dict[str, Any]
    labels: pd.DataFrame
    noise_matrix: Tensor
    standard_error: Tensor | None = None
    findings: tuple[Finding, ...] = ()
    temperature: float | None = None
    origin: dict[str, Any] = field(default_factory=dict)
    folds: int | None = None
    warnings: tuple[str, ...] = ()
    annotators: dict[str, Any] | None = None
    made_by: str = f"noiselayer {__version__}"

    def in_words(self) -> list[str]:
        """What was found, a line each: numbers, the classes with most errors, findings, warnings."""
        every = self.counts["all"]
        total = sum(row["labels"] for row in self.counts["per_class"])
        between = f"{every['low']:,.0f} to {every['high']:,.0f}"
        lines = [
            (
                f"How many of {total:,} labels are wrong cannot be known from these probabilities: {between}"
                if every["expected"] is None
                else f"{every['expected']:,.0f} of {total:,} labels are expected to be wrong ({between})"
            )
            + f"; {every['flagged']:,} are called wrong, with an error probability above {self.threshold:.2f}."
        ]
        if not every.get("settled", True):
            lines.append(
                f"If the model's doubt is the samples', about {every['sample_end']:,.0f} are wrong; if it is the "
                f"labels', about {every['label_end']:,.0f}. Probabilities and labels cannot tell."
            )
        if every["expected"] is not None:
            shares = [
                (*(row[name] / max(row["labels"], 1) for name in ("expected", "low", "high")), row["class"])
                for row in self.counts["per_class"]
            ]
            worst = ", ".join(
                f"{name} {share:.1%} ({low:.0%} to {high:.0%})"
                for share, low, high, name in sorted(shares, reverse=True)[:3]
            )
            lines.append(f"Largest shares of wrong labels: {worst}.")
        lines += self.checked_in_words()
        if self.annotators is not None:
            ordered = sorted(self.annotators["annotators"], key=lambda one: one["accuracy"])
            worst = ", ".join(f"{one['name']} {one['accuracy']:.1%}" for one in ordered[:3])
            lines.append(f"{len(ordered)} annotators; right labels of the worst: {worst}.")
        lines += [f"Note: {warning}" for warning in self.warnings]
        return lines + [f"Check: {finding}" for finding in self.findings]

    def checked_in_words(self) -> list[str]:
        """What the labels that have been checked say by themselves; nothing if there are none."""
        drawn = self.counts.get("drawn")
        if drawn is not None:
            before, left = drawn["before"], drawn["unanswered"]
            more = f" {left:,} more were drawn and not decided; these stand for them." if left else ""
            between = f"{before['low']:,.0f} to {before['high']:,.0f}"
            without = (
                f"the audit could not know how many are wrong, {between}."
                if before["expected"] is None
                else f"the audit expected {before['expected']:,.0f} wrong labels ({between})."
            )
            return [
                f"{drawn['labels']:,} labels were drawn and looked at, {drawn['wrong']:,} of them are wrong; all "
                f"numbers rest on that.{more} Without them {without}"
            ]
        checked = self.counts.get("checked")
        if checked is None or not checked["labels"]:  # no label but the checked one is no pair
            return []
        labels, wrong = checked["labels"], checked["wrong"]
        return [
            f"Of {labels:,} labels that have been checked, {wrong:,} were wrong ({wrong / labels:.1%}); they are not "
            "among those counted here."
        ]


def save_audit(folder: str | Path, audit: SavedAudit) -> None:
    """Write an audit's folder; ``audit.json`` comes last, so where it is, all is.

    ===================================  =====================================================================
    ``audit.json``                       counts, findings, how it was done
    ``labels.parquet``                   a row per label that was asked for, see ``LABEL_COLUMNS``
    ``noise_matrix.csv``                 columns are true classes
    ``noise_matrix_standard_error.csv``  of every entry, where it is known
    ``annotators.json``                  how good each annotator is, where that was asked
    ``probs.parquet``                    of cross-fitted models, by ``noiselayer audit``
    ``checks.csv``, ``checks.html``      labels that were drawn to be looked at, likewise
    ===================================  =====================================================================
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / "labels.parquet") as beside:
            _typed(audit.labels, audit.class_names).to_parquet(beside, index=False)
        write_noise_matrix(folder / "noise_matrix.csv", audit.noise_matrix, audit.class_names)
        errors = folder / "noise_matrix_standard_error.csv"
        if audit.standard_error is not None:
            write_entries(errors, audit.standard_error, audit.class_names)
        else:
            errors.unlink(missing_ok=True)  # of an audit that lay here before
        write_annotator_figures(folder, audit.annotators)
        write_json(folder / "audit.json", _plain(audit))
    except OSError as error:
        raise InputError(f"cannot write to the folder {folder}: {error.strerror}.") from error


def load_audit(folder: str | Path) -> SavedAudit:
    """Read the folder that ``noiselayer audit`` has left.

    >>> load_audit("nowhere")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no audit in nowhere: it has no audit.json.
    """
    import pandas as pd

    folder = Path(folder)
    check_regular(folder)
    if not (folder / "audit.json").is_file():
        raise InputError(f"there is no audit in {folder}: it has no audit.json.")
    content = read_json(folder / "audit.json")
    if content.get("format") not in range(1, FORMAT + 1):
        raise InputError(
            f"the audit in {folder} is of format {content.get('format')}, and this version of noiselayer reads "
            f"up to {FORMAT}. Use the version that wrote it."
        )
    try:
        labels = pd.read_parquet(folder / "labels.parquet")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {folder / 'labels.parquet'}: {reason(error)}.") from error
    needed = [name for name in LABEL_COLUMNS if content["format"] > 1 or name not in _NUMBERS]
    missing = [name for name in needed if name not in labels.columns]
    if missing:
        raise InputError(f"{folder / 'labels.parquet'} is damaged: it lacks {list_some(missing)}.")
    with reading_folder(folder / "audit.json"):
        class_names = tuple(content["class_names"])
        findings = tuple(
            Finding(
                one["name"],
                one["message"],
                math.nan if one["statistic"] is None else one["statistic"],
                p_value=one["p_value"],
            )
            for one in content["findings"]
        )
        plain = {name: content[name] for name in (*_AS_THEY_ARE, "made_by")}
        probs_predict = content.get("probs_predict") or _BEFORE[content["probs_of"]]
        origin, warnings = content["source"], tuple(content["warnings"])
    standard_error = read_standard_error(folder, len(class_names))
    return SavedAudit(
        **plain,
        probs_predict=probs_predict,
        class_names=class_names,
        labels=_typed(labels, class_names),
        noise_matrix=read_noise_matrix(folder / "noise_matrix.csv", class_names),
        standard_error=None if standard_error is None else standard_error.float(),
        findings=findings,
        origin=origin,
        warnings=warnings,
        annotators=read_annotator_figures(folder),
    )


def _plain(audit: SavedAudit) -> dict[str, Any]:
    return {
        "made_by": audit.made_by,
        "format": FORMAT,
        "class_names": list(audit.class_names),
        "probs_predict": audit.probs_predict,
        **{name: getattr(audit, name) for name in _AS_THEY_ARE},
        # JSON has no infinity: a likelihood ratio is infinite where a label was impossible.
        "findings": [
            {
                "name": one.name,
                "message": one.message,
                "statistic": finite(one.statistic),
                "p_value": one.p_value,
            }
            for one in audit.findings
        ],
        "source": audit.origin,
        "warnings": list(audit.warnings),
    }


def _typed(labels: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """The columns that the format has, in its order and types; where labels are numbers, they are named."""
    whole = labels.reset_index(drop=True)
    for number, name in _NUMBERS.items():
        if number not in whole.columns:
            whole[number] = whole[name].astype("int64")
            whole[name] = [class_names[k] for k in whole[number]]
    kinds = {name: object if kind == "str" else kind for name, kind in LABEL_COLUMNS.items()}
    typed: pd.DataFrame = whole[list(LABEL_COLUMNS)].astype(kinds)
    return typed
