"""What ``noiselayer report``, ``export-review`` and ``apply-review`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noiselayer.choices import ReviewFormat
from noiselayer.jobs.option import option


@dataclass(frozen=True, kw_only=True)
class _FolderOptions:
    folder: Path = option(..., "Folder that noiselayer train or audit has left.", positional=True)
    data: str | None = option(None, "Where the data lie now.", shown="where they lay then")


@dataclass(frozen=True, kw_only=True)
class ReportJob(_FolderOptions):
    """The page of a run or an audit."""

    out: Path | None = option(None, "The page.", names=("--out", "-o"), shown="report.html in the folder")
    top: int = option(200, "List at most so many suspects.", least=0)
    reviewed: Path | None = option(None, "Decisions of an earlier review, whose labels are not listed again.")
    force: bool = option(False, "Write over a file named with --out.")
    accelerator: str = option("auto", "auto, cpu, gpu or mps.")


@dataclass(frozen=True, kw_only=True)
class ExportReviewJob(_FolderOptions):
    """Suspect labels for another tool."""

    format: ReviewFormat = option("csv", "The tool that opens it.")
    out: Path | None = option(None, "The file.", names=("--out", "-o"), shown="review.* in the folder")
    top: int = option(200, "At most so many labels, those most likely wrong.", least=1)
    media_prefix: str | None = option(
        None, "Stands before a sample's name in the path or address of its image.", shown="small copies"
    )
    force: bool = option(False, "Write over an older file.")


@dataclass(frozen=True, kw_only=True)
class ApplyReviewJob:
    """What a review has decided, and the labels that it was about."""

    data: str = option(..., "FILE.npz, FILE.npy, a folder of images by class, or a table.", positional=True)
    decisions: Path = option(
        ..., "What a report, a filled-in table, Label Studio or FiftyOne has exported.", positional=True
    )
    out: Path | None = option(
        None, "The corrected copy.", names=("--out", "-o"), shown="NAME.corrected.* beside the labels"
    )
    labels: str | None = option(None, "Array, column or file with the labels.")
    label_column: str | None = option(None, "Column with the labels.")
    image_column: str | None = option(None, "Column with paths of images.")
    id_column: str | None = option(None, "Column of the samples' names.")
    class_names: tuple[str, ...] | None = option(None, "Names of the classes 0, 1, ...: a,b,c.")
    force: bool = option(False, "Write over an older copy.")
