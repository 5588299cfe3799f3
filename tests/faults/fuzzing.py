"""Every command and every public function with damaged inputs and arguments out of range, drawn from a seed.

``python fuzzing.py --cases 3000 --seed 0`` runs that many and prints what is wrong; ``--only SEED`` runs one and says
what it did. Of a case is asked: no traceback, no word of torch's or NumPy's, an end within the bound, every input as
it was, and exit code 0 with a result, or 2 with a message that names an argument, an option or a file.
"""

import argparse
import contextlib
import hashlib
import inspect
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_calls import CALLS, call_case
from fuzz_commands import LINES, command_case, commands, make_odd_places, options_of
from fuzz_files import make_files
from typer.testing import CliRunner

import noiselayer
from noiselayer.cli.app import app

BOUND = 30
"""Seconds of computing that a case may take: the inputs are of 45 samples."""

PATIENCE = 10
"""That many times as long may it wait, for a busy machine or for a pipe that nobody writes into."""

INTERNAL = re.compile(
    r"Traceback|object has no attribute|out of bounds|out of range for|unpack|NoneType|invalid literal|unhashable"
    r"|could not convert|expected sequence|codec can't|not subscriptable|is not callable|broadcast|mat1 and mat2"
    r"|size of tensor|must be real number|ufunc|embedded null|Errno|dtype\('|__array|not supported between"
)
"""Words that only those know who wrote the library, or another one."""

COMMANDS, NAMES = tuple(LINES), tuple(sorted(CALLS))


class Hang(BaseException):
    """A case has not come to its end."""


@dataclass
class Finding:
    """What is wrong with a case; ``kind`` says in a word or two."""

    seed: int
    about: str
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"[{self.seed}] {self.kind}: {self.about}\n    {self.detail}"


def make_template(folder: Path) -> None:
    """The valid files that every case begins with."""
    with in_folder(folder):
        make_files(folder, run)


def run(words: list[str]) -> Any:
    """The program in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CliRunner().invoke(app, words)


def try_seed(seed: int, template: Path) -> list[Finding]:
    """Run the case of a seed: commands and functions take turns."""
    draw = np.random.default_rng(seed)
    if seed % 2:
        return _try_function(seed, NAMES[seed // 2 % len(NAMES)], draw, template)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name).resolve() / "case"
        shutil.copytree(template, folder, symlinks=True)
        make_odd_places(folder)
        try:
            with in_folder(folder):
                return _try_command(seed, COMMANDS[seed // 2 % len(COMMANDS)], draw, folder)
        finally:
            for place in (folder, *folder.rglob("*")):
                if place.is_dir() and not place.is_symlink():
                    place.chmod(0o755)


def _try_command(seed: int, name: str, draw: np.random.Generator, folder: Path) -> list[Finding]:
    case = command_case(name, draw, folder)
    before = contents(folder, case.read)
    about = f"{' '.join(case.words)!r} ({'; '.join(case.about)})"
    with bound() as late:
        result = run(case.words)
    if late:
        return [Finding(seed, about, "hang", late[0])]
    found = list(faults_of(case.words, result, folder))
    changed = [
        path for path, digest in contents(folder, case.read).items() if before.get(path, digest) != digest
    ]
    gone = [path for path in before if not os.path.lexists(folder / path)]
    if changed or gone:
        found.append(("input changed", f"{changed + gone}; exit code {result.exit_code}"))
    return [Finding(seed, about, *one) for one in found]


def faults_of(words: list[str], result: Any, folder: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with an end of the program: its kind, and more."""
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        yield f"traceback {type(result.exception).__name__}", _last_line(result.exception)
    elif result.exit_code not in (0, 2):
        yield f"exit code {result.exit_code}", text[-300:]
    elif result.exit_code == 2:
        if INTERNAL.search(text):
            yield "internal words", text[-300:]
        if not _names_something(text, words, folder):
            yield "nothing named", text[-300:]
    elif not _has_result(words, folder, result.stdout):
        yield "no result", text[-300:]
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.output.replace("\r\n", "\n")):
        yield "control characters", repr(result.output[-300:])


def _names_something(text: str, words: list[str], folder: Path) -> bool:
    """Whether a message names an option, an argument or a file."""
    parameters = options_of(words[0])
    names = [each.flag or each.name.upper() for each in parameters] + [each.name for each in parameters]
    names += [word for word in words[1:] if len(word) > 2 and not word.startswith("-")]
    names += [repr(word)[1:-1] for word in words[1:] if re.search(r"[^\x20-\x7e]", word)]
    names += [repr(word) for word in words[1:]] + ["column '", "array '", "class name"]
    names += [path.name for path in folder.rglob("*")]
    short = "|".join(re.escape(word) for word in words[1:] if 0 < len(word) < 3)  # such as "a" and "-"
    if short and re.search(
        rf"\b(file|folder|labels|probabilities|table|matrix|run|audit|in) ({short})(?!\w)", text
    ):
        return True
    return any(" ".join(name.split()) in text or repr(name)[1:-1] in text for name in names)


def _has_result(words: list[str], folder: Path, stdout: str) -> bool:
    if {"--dry-run", "--list"} & set(words) or "--out" not in words:
        return True
    last = max(place for place, word in enumerate(words) if word == "--out")
    out = words[last + 1]
    return (folder / Path(out).expanduser()).exists() or (out == "-" and bool(stdout))


def contents(folder: Path, read: list[str]) -> dict[str, str]:
    """The files that a command reads, with a digest of each; a folder's with all that is in it."""
    files: dict[str, str] = {}
    for name in read:
        place = folder / name
        for path in place.rglob("*") if place.is_dir() else [place]:
            if path.name == "report.html":  # a page is made anew where it lies
                continue
            if path.is_file() and not path.is_symlink():
                files[str(path.relative_to(folder))] = hashlib.md5(path.read_bytes()).hexdigest()
    return files


def _try_function(seed: int, name: str, draw: np.random.Generator, template: Path) -> list[Finding]:
    case = call_case(name, draw, template)
    about = f"{name}({', '.join(f'{key}={_short(value)}' for key, value in case.arguments.items())}) ({case.about})"
    error: BaseException | None = None
    with bound() as late, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            case.function(**case.arguments)
        except Exception as raised:
            error = raised
    if late:
        return [Finding(seed, about, "hang", late[0])]
    if error is None:
        return [Finding(seed, about, "nonsense accepted", case.about)] if case.must_fail else []
    if case.must_work:
        return [Finding(seed, about, "refused", f"{type(error).__name__}: {error}")]
    values = [re.escape(str(value)) for value in case.arguments.values() if isinstance(value, str | Path)]
    return [
        Finding(seed, about, *one) for one in _faults_of_error(error, [*case.names, *filter(None, values)])
    ]


def _faults_of_error(error: Exception, names: list[str]) -> Iterator[tuple[str, str]]:
    text = str(error)
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    # torch's loss raises IndexError for labels that are no classes, and so do ours, in words of ours.
    if not isinstance(error, ValueError | TypeError | IndexError):
        yield f"traceback {type(error).__name__}", _last_line(error)
    elif not re.search(r"noiselayer|sklearn/utils", frame.f_code.co_filename):
        yield "another library's error", _last_line(error)
    elif "sklearn" not in frame.f_code.co_filename and not any(
        re.search(rf"\b{one}\b", text) for one in names
    ):
        yield "nothing named", _last_line(error)
    if INTERNAL.search(text) and "sklearn" not in frame.f_code.co_filename:
        yield "internal words", _last_line(error)


def _last_line(error: BaseException) -> str:
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    ours = [
        f"{Path(one.f_code.co_filename).name}:{number}"
        for one, number in traceback.walk_tb(error.__traceback__)
        if "noiselayer" in one.f_code.co_filename
    ]
    place = ours[-1] if ours else ""
    return (
        f"{type(error).__name__}: {str(error)[:300]} ({Path(frame.f_code.co_filename).name}:{line}, {place})"
    )


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    shape = getattr(value, "shape", None)
    return text[:40] if shape is None else f"{type(value).__name__}{tuple(shape)} {text[:30]}"


@contextlib.contextmanager
def bound() -> Iterator[list[str]]:
    """Stop what has not ended within :data:`BOUND`, and say so in the list."""
    late: list[str] = []

    def stop(number: int, _: Any) -> None:
        kind = "of computing" if number == signal.SIGPROF else "in all"
        late.append(f"not ended after {BOUND * (1 if kind == 'of computing' else PATIENCE)} seconds {kind}")
        for path in Path.cwd().rglob(
            "*"
        ):  # a thread that waits for a pipe would keep the process from its end
            if path.is_fifo():
                with contextlib.suppress(OSError):
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        raise Hang

    usual = {number: signal.signal(number, stop) for number in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_PROF, BOUND)
    signal.alarm(BOUND * PATIENCE)
    try:
        yield late
    except Hang:
        pass
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in usual.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """The current folder and the home folder, with wide lines and no colours."""
    folder.mkdir(exist_ok=True)
    here, kept = Path.cwd(), dict(os.environ)
    os.environ.update(HOME=str(folder), COLUMNS="5000", NO_COLOR="1", TERM="dumb")
    os.environ.pop("NOISELAYER_DATA", None)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(kept)


def missing() -> list[str]:
    """Commands and public names that no case tries."""
    return sorted({*commands(), *noiselayer.__all__} - {*COMMANDS, *NAMES, "__version__"})


def main() -> int:
    """Run so many cases."""
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]))
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--only", type=int, help="run one case")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.cases) if given.only is None else [given.only]
    found: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        make_template(Path(name) / "template")
        for seed in seeds:
            begun = time.process_time()
            here = try_seed(seed, Path(name) / "template")
            for finding in here:
                print(finding, flush=True)
            found += here
            if given.only is not None:
                print(f"{len(here)} findings in {time.process_time() - begun:.2f} s of CPU")
    kinds = {kind: sum(one.kind == kind for one in found) for kind in sorted({one.kind for one in found})}
    print(f"{len(seeds):,} cases, {len({one.seed for one in found})} with findings: {json.dumps(kinds)}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
