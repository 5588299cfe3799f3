"""What ``noiselayer tune`` can be asked; imports nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from noiselayer.choices import ObjectiveName
from noiselayer.jobs.option import command_words, option
from noiselayer.jobs.train_options import TrainJob, TrialOptions

_SEARCH = "Search"


@dataclass(frozen=True, kw_only=True)
class TuneJob(TrialOptions):
    """A search as it is asked for.

    >>> job = TuneJob(data="my data.npz", out=Path("tuned"), method="top-down", trials=5)
    >>> job.train_command()
    ['noiselayer', 'train', 'my data.npz', '--method', 'top-down', '--out', 'tuned-best']
    """

    out: Path = option(..., "Folder of the search.", _SEARCH, ("--out", "-o"))
    search: list[str] | None = option(
        None,
        "NAME=LOW:HIGH[:log], NAME one of alpha, noisy-weight, noise-weight-decay, trace-penalty, "
        "volume-penalty, outside-weight; may be given again. By default what the method has: alpha for top-down, "
        "noisy-weight with --clean, noise-weight-decay for a Q learned from the identity.",
        _SEARCH,
    )
    grid: tuple[float, ...] | None = option(
        None, "Try these values, and no others: 0,0.1,0.2,0.4,1.", _SEARCH
    )
    trials: int | None = option(
        None,
        "Trials to add now: 20, or what is left of the grid, if not given; 0 writes the report again.",
        _SEARCH,
    )
    objective: ObjectiveName | None = option(
        None, "With --clean: the error (default) or the loss on it.", _SEARCH
    )
    prune: bool = option(True, "Run every trial to its end.", _SEARCH)
    storage: str | None = option(
        None,
        "Where trials are kept, for workers to share: sqlite:///FILE; study.db in --out if not given.",
        _SEARCH,
    )
    resume: bool = option(False, "Add trials to those in --out or --storage, at any time.", _SEARCH)

    heartbeat: int = option(
        20,
        "Seconds between a worker's signs of life; without one for twice as long its trial is done again.",
        _SEARCH,
        least=1,
        most=86_400,
    )

    def trial(self) -> TrainJob:
        """What each trial trains, but for the values searched; it is trained in no folder."""
        shared = {field.name: getattr(self, field.name) for field in fields(TrialOptions)}
        return TrainJob(**shared, out=self.out / "trial", devices=1, progress=False)

    def train_command(self) -> list[str]:
        """The words that train as the trials did, but for the values searched."""
        words = command_words(self, TrialOptions)
        return ["noiselayer", "train", *words, "--out", f"{self.out}-best"]
