"""The folder of a run: who may write into it, and whether what lies there is the same run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.differences import differences
from noiselayer.files.given import check_target_folder, content_of
from noiselayer.files.whole_file import read_json, remove_unfinished, write_json

_COMPARED = (
    *("options", "inputs", "class_names", "encoder", "data", "clean", "outside", "known_noise_matrix"),
    "precision",
)


class RunFolder:
    """The folder of a run or an audit; ``config`` is of the one that lies there, None for a new one."""

    def __init__(
        self,
        path: str | Path,
        *,
        resume: bool,
        job: str = "run",
        description: str = "config.json",
        stages: str = "stages",
    ) -> None:
        self.path, self._job = Path(path), job
        self.stages, self._description = self.path / stages, self.path / description
        self._made: Path | None = None
        if not resume:
            article = "an" if job[0] in "aeiou" else "a"
            other = f"go on with {article} {job} that was stopped there with {argument('resume')}"
            check_target_folder(self.path, instead=other)
        content = content_of(self.path)
        if content and not self._description.is_file():
            raise InputError(
                f"there is no {job} to resume in {self.path}: it holds {list_some(content, 4)}, but no {description}. "
                f"Name another folder with {argument('out')}."
            )
        self.config = read_json(self._description) if content else None

    @property
    def finished(self) -> bool:
        """Whether the run that lies here has come to its end."""
        metrics = self.path / "metrics.json"
        return metrics.is_file() and bool(read_json(metrics).get("finished"))

    def check_same(self, config: dict[str, Any]) -> None:
        """Raise an error that names what differs from the run that lies here and changes the result."""
        if self.config is None:
            return
        if self.config.get("format") != config.get("format"):
            raise InputError(
                f"the run in {self.path} was begun by another version of noiselayer (format "
                f"{self.config.get('format')}, this one writes {config.get('format')}). Go on with the version that "
                f"began it, or name another folder with {argument('out')}."
            )
        before, now = (_compared(one) if self._job == "run" else one for one in (self.config, config))
        differing = differences(before, now)
        if differing:
            raise InputError(
                f"the {self._job} in {self.path} was started otherwise, so it cannot be resumed: {differing}. Start it "
                f"as it was, or name another folder with {argument('out')}."
            )

    def begin(self, config: dict[str, Any]) -> None:
        """Make the folder, if need be, and write what the run is; a run that goes on keeps what is written there."""
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._made = missing[-1] if missing else None
            remove_unfinished(self.path)
            if self.config is None:
                write_json(self._description, config)
        except OSError as error:
            self.abandon()
            raise InputError(f"cannot write to the output folder {self.path}: {error.strerror}.") from error

    def remove_stages(self) -> None:
        """Remove the checkpoints: the run is at its end."""
        shutil.rmtree(self.stages, ignore_errors=True)

    def abandon(self) -> None:
        """After a failure, remove what this run has made, unless there are checkpoints to go on from."""
        if self.config is not None or any(self.stages.rglob("*.*")):
            return
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)
        elif self.path.is_dir():
            self._description.unlink(missing_ok=True)
            shutil.rmtree(self.stages, ignore_errors=True)


def _compared(config: dict[str, Any]) -> dict[str, Any]:
    compared = {key: config.get(key) for key in _COMPARED}
    options = compared["options"]
    if isinstance(options, dict):  # a run that was stopped by a loss may go on without that batch
        compared["options"] = {name: value for name, value in options.items() if name != "on_nonfinite"}
    return compared
