"""Run a command of the program in a process, kill it at a chosen moment, and run it again until it is done.

The processes are forked from one that has imported everything, so that a kill costs a fraction of a second. Started
as a program of its own: ``python killing.py JOB.json`` (see :class:`Job`), which prints what happened as JSON.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KILLS = int(os.environ.get("NOISELAYER_KILLS", "5"))
"""At how many moments the slow tests kill each command, in each way; 50 are as many minutes."""


@dataclass
class Job:
    """What to run and when to kill it.

    Attributes:
        command: Words after ``noiselayer``, the folder and ``--resume`` left out (a grid goes on without being told).
        straight: Folder for the run that is never killed.
        killed: Folder for the run that is killed and resumed until it is done; then the next of its kind begins.
        kills: How many.
        seed: Of the moments.
        way: "time" kills at random moments of the time that the straight run took; "file" at the random one of its
            operations on files (open, rename, remove, make a folder), before the system does it.
    """

    command: list[str]
    straight: str
    killed: str
    kills: int
    seed: int = 0
    way: str = "time"
    results: list[dict[str, Any]] = field(default_factory=list)


def run_killed(
    folder: Path, command: list[object], *, kills: int, way: str, seed: int = 0
) -> list[dict[str, Any]]:
    """Start this file as a program; returns a record per finished run: its folder, and the kills it took."""
    job = Job(
        [str(word) for word in command], str(folder / "straight"), str(folder / "killed"), kills, seed, way
    )
    (folder / "job.json").write_text(json.dumps(asdict(job)))
    done = subprocess.run(
        [sys.executable, __file__, str(folder / "job.json")],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main(path: str) -> None:
    """Run the job and print its records."""
    import optuna  # noqa: F401
    import pytorch_lightning  # noqa: F401
    import torchvision  # noqa: F401

    import noiselayer.jobs.audit
    import noiselayer.jobs.train
    import noiselayer.jobs.tuning.tune  # noqa: F401
    from noiselayer.cli.app import app

    job = Job(**json.loads(Path(path).read_text()))
    generator = random.Random(job.seed)
    straight = _Process(app, job.command, job.straight, resume=False)
    assert straight.wait() == 0, straight.output
    seconds, operations = straight.seconds, straight.operations
    kills, round_number = 0, 0
    while kills < job.kills:
        folder, of_this = f"{job.killed}-{round_number}", []
        resume = False
        while True:
            process = _Process(
                *(app, job.command, folder),
                resume=resume,
                die_at=generator.randrange(operations) if job.way == "file" and kills < job.kills else None,
            )
            if job.way == "time" and kills < job.kills:
                moment = generator.uniform(0, seconds)
                process.kill_after(moment)
            code = process.wait()
            resume = True
            if code == -signal.SIGKILL:
                kills += 1
                of_this.append(process.last_operation)
                continue
            assert code == 0, f"after {of_this}: {process.output}"
            break
        job.results.append({"folder": folder, "kills": of_this})
        round_number += 1
    print(json.dumps(job.results))


class _Process:
    """A fork that runs the program, and counts what it does with files below its folder."""

    def __init__(
        self, app: Any, command: list[str], folder: str, *, resume: bool, die_at: int | None = None
    ) -> None:
        self.began = time.monotonic()
        self.log = Path(f"{folder}.log")
        self.pid = os.fork()
        if self.pid:
            return
        code = 1
        try:
            with self.log.open("w", buffering=1) as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
                _watch_files(folder, log, die_at)
                quiet = ["--no-progress"] if command[0] in ("train", "audit") else []
                again = ["--resume"] if resume and command[0] != "reproduce" else []
                words = [*command, "--out", folder, *quiet, *again]
                try:
                    app(words, standalone_mode=True)
                except SystemExit as end:
                    code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def kill_after(self, seconds: float) -> None:
        deadline = self.began + seconds
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return
            time.sleep(0.002)
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.seconds = time.monotonic() - self.began
        self.output = self.log.read_text()
        seen = [line for line in self.output.splitlines() if line.startswith("file: ")]
        self.operations = len(seen)
        self.last_operation = seen[-1] if seen else "before any file"
        return code


def _watch_files(folder: str, log: Any, die_at: int | None) -> None:
    count = 0

    def seen(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            return
        path = str(arguments[0])
        if not path.startswith(folder + "/") or (
            event == "open" and not set("wax+") & set(str(arguments[1]))
        ):
            return
        log.write(f"file: {event} {path}\n")
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    sys.addaudithook(seen)


if __name__ == "__main__":
    main(sys.argv[1])
