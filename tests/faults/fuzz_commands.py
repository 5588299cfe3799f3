"""Valid lines of every command, and options and paths that no command can follow."""

import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import numpy as np
import typer
from fuzz_files import FAST, PROBS, damage

from noiselayer.cli.app import app

_TRAIN = (*FAST, "--warm-up-epochs", "1", "--no-progress")
_AUDIT = ("--out", "out", "--no-progress", *PROBS)
_COLUMNS = ("--label-column", "label")
_IGNORED = (*_COLUMNS, "--ignore", "id,checked")

LINES: dict[str, tuple[tuple[str, ...], ...]] = {
    "train": (
        ("data.npz", "--labels", "y", "--out", "out", *_TRAIN, "--method", "normal"),
        ("data.npz", "--labels", "y", "--out", "out", *_TRAIN, "--dry-run"),
        ("x.npy", "--labels", "text.npy", "--out", "out", *_TRAIN, "--dry-run", "--clean", "x.npy"),
        ("table.csv", *_IGNORED, "--out", "out", *_TRAIN, "--dry-run"),
        (
            "table.tsv",
            *_COLUMNS,
            "--id-column",
            "id",
            "--checked-column",
            "checked",
            "--out",
            "out",
            "--dry-run",
        ),
        ("table.csv.gz", *_IGNORED, "--out", "out", *_TRAIN, "--dry-run", "--outside", "table.parquet"),
        (
            "table.parquet",
            *_IGNORED,
            "--out",
            "out",
            "--dry-run",
            "--method",
            "known",
            "--noise-matrix",
            "matrix.csv",
        ),
        ("table.jsonl", *_COLUMNS, "--features", "a,b", "--out", "out", *_TRAIN, "--dry-run"),
        ("images", "--out", "out", *_TRAIN, "--dry-run", "--skip-unreadable"),
        ("images", "--out", "out", *_TRAIN, "--method", "normal", "--image-size", "4"),
        ("data.npz", "--labels", "y", "--out", "run", *FAST, "--method", "normal", "--resume"),
    ),
    "predict": (
        ("run", "data.npz:x", "--out", "out.csv"),
        ("run", "x.npy", "--out", "out.parquet", "--probs"),
        ("run", "x.npy"),
    ),
    "audit": (
        ("table.csv", *_IGNORED, *_AUDIT),
        ("text.npy", *_AUDIT),
        ("y.npy", "--out", "out", "--probs", "probs.npy", "--probs-predict", "given"),
        ("table.parquet", *_COLUMNS, *_AUDIT, "--noise-matrix", "matrix.csv", "--checked-column", "checked"),
        ("images", "--out", "out", "--folds", "2", *FAST, "--no-progress"),
        ("data.npz", "--labels", "y", "--run", "run", "--in-sample", "--out", "out", "--no-progress"),
        ("table.csv", *_IGNORED, *_AUDIT, "--reviewed", "review.csv"),
    ),
    "estimate": (
        ("--true-labels", "true.npy", "--given-labels", "y.npy", "--out", "out"),
        ("--given-labels", "table.csv:label", "--checked-column", "checked", "--out", "out"),
        (
            *("--clean-probs", "probs.npy", "--clean-labels", "true.npy", "--noisy-probs", "probs.csv"),
            *("--noisy-labels", "y.npy", "--bootstrap", "2", "--out", "out", "--class-names", "cat,dog,owl"),
        ),
    ),
    "combine": (
        ("votes.csv", "--label-columns", "w1,w2,w3", "--out", "out.csv"),
        ("votes.csv", "--label-columns", "w1,w2,w3", "--true-column", "truth", "--out", "out.csv"),
        ("votes.csv", "--label-columns", "w1,w2,w3", "--probs", "probs.csv", "--out", "out.csv"),
        (
            "long.csv",
            "--annotator-column",
            "who",
            "--label-column",
            "value",
            "--id-column",
            "item",
            "--out",
            "out.csv",
        ),
    ),
    "corrupt": (
        ("y.npy", "--out", "out.npy", "--noise", "symmetric"),
        ("table.csv", *_COLUMNS, "--out", "out.csv", "--noise", "pair-flip"),
        ("table.parquet", *_COLUMNS, "--out", "out.parquet", "--noise", "matrix.csv"),
        ("data.npz:y", "--out", "out.npz"),
    ),
    "measure": (
        ("llm.csv", *_COLUMNS, "--checked-column", "checked", "--out", "out"),
        (
            *("llm.csv", *_COLUMNS, "--checked-column", "checked", "--out", "out"),
            *("--confidence-column", "sure", "--group-column", "group"),
        ),
        (
            "llm.csv",
            *_COLUMNS,
            "--gold",
            "table.csv",
            "--checked-column",
            "checked",
            "--id-column",
            "id",
            "--out",
            "out",
        ),
    ),
    "tune": (
        ("data.npz", "--labels", "y", "--out", "out", "--method", "top-down", *FAST, "--trials", "1"),
        (
            "data.npz",
            "--labels",
            "y",
            "--out",
            "tuned",
            "--method",
            "top-down",
            *FAST,
            "--trials",
            "0",
            "--resume",
        ),
        (
            "table.csv",
            *_IGNORED,
            "--out",
            "out",
            "--method",
            "top-down",
            *FAST,
            "--grid",
            "0.5",
            "--trials",
            "0",
        ),
    ),
    "report": (
        ("audit", "--out", "out.html"),
        ("run", "--out", "out.html"),
        ("audit", "--reviewed", "review.csv"),
    ),
    "export-review": (
        ("audit", "--out", "out.csv"),
        ("audit", "--format", "label-studio", "--out", "out.json"),
        ("audit", "--format", "fiftyone", "--out", "out.json"),
        ("run",),
    ),
    "apply-review": (
        ("table.csv", "review.csv", "--out", "out.csv", *_COLUMNS),
        ("table.parquet", "studio.json", "--out", "out.parquet", *_COLUMNS),
        ("images", "review.csv", "--out", "out"),
        ("text.npy", "review.csv", "--out", "out.npy"),
    ),
    "reproduce": (
        ("fig4a", "--scale", "small", "--list"),
        ("table1", "--scale", "small", "--cells", "none such", "--out", "out"),
    ),
    "demo": (("--out", "."), ("--out", "table.csv", "--seed", "3")),
}
"""Each is right as it stands, but for those that would train for long: they end before they begin."""

ENDLESS = {"--workers", "--threads", "--heartbeat", "--storage"}
"""Options whose large values start processes, or wait."""

WHOLE = ("-1", "0", "1.5", "nan", "", "9" * 19, "9" * 400, "0x10", "\u0663", "1e3")
REAL = ("nan", "inf", "-inf", "-1", "2", "1e308", "", "x", "1,5")
WORDS = (
    *(
        "",
        " ",
        ".",
        "..",
        "/proc",
        "/proc/x",
        "~",
        "zzz",
        "x" * 300,
        "a\nb",
        "a\x1b[31mb",
        "a:b",
        ":bug:",
        ",",
    ),
    *("a,a", "label,label", "*", "[", "-", "\udcff.csv", "C:\\x.csv", "http://localhost/x.csv", "pipe.csv"),
    *("folder.csv", "loop.csv", "broken.npy", "data.npz:zzz", "data.npz:", "table.csv:zzz", "none/x.csv"),
    *(
        "y.npy",
        "x.npy",
        "probs.csv",
        "table.csv",
        "images",
        "run",
        "audit",
        "matrix.csv",
        "review.csv",
        "plain",
    ),
    *("1", "-1", "0.5", "cat,dog,owl", "cat,dog", "a", "label", "id", "0,1,2", "\x07", "deep.json"),
)
OUTS = (
    *(
        "",
        ".",
        "..",
        "/proc",
        "/proc/x",
        "x" * 300,
        "x" * 300 + ".csv",
        "none/deep/x.csv",
        "folder.csv",
        "out.zzz",
    ),
    *(
        "a\nb.csv",
        "a\x1bb.npy",
        "\udcff.csv",
        "pipe.csv",
        "loop.csv",
        "broken.npy",
        "~",
        ":bug:.html",
        "out:x.npz",
    ),
    *("@first", "@second", "@first/x.csv", "link.csv"),
)
NO_DEMO = ("", ".", "/proc", "/proc/x", "x" * 300, "pipe.csv", "loop.csv", "@first")
"""Folders that a demonstration refuses; in others it would take a quarter of a minute."""

VALUES = {"int": WHOLE, "float": REAL, "choice": ("zzz", ""), "text": WORDS}


@dataclass
class Parameter:
    """An argument of a command, whose ``flag`` is None, or an option, and the kind of its values."""

    name: str
    flag: str | None
    kind: str
    choices: tuple[str, ...] = ()


@dataclass
class CommandCase:
    """A line of words, what was done to it and to files, and which of the words name what is read."""

    words: list[str]
    about: list[str]
    read: list[str]


def command_case(name: str, draw: np.random.Generator, folder: Path) -> CommandCase:
    """A command with damaged inputs, an option out of range, or both."""
    lines = LINES[name]
    words = list(lines[draw.integers(len(lines))])
    outs = {words[place + 1] for place, word in enumerate(words) if word == "--out"} - {"run", "tuned"}
    read = [
        word for word in words if word not in outs and (folder / word.split(":")[0]).exists() and word != "."
    ]
    about = []
    kind = draw.random()
    if read and kind < 0.6:
        about.append(damage(folder / read[draw.integers(len(read))].split(":")[0], draw))
    if kind > 0.5 or not read:
        about.append(_change(name, words, read, draw, folder))
    unchanged = [
        word.split(":")[0] for word in read if word not in ("run", "tuned") or "--resume" not in words
    ]
    return CommandCase([name, *words], about, unchanged)


def _change(name: str, words: list[str], read: list[str], draw: np.random.Generator, folder: Path) -> str:
    """Give an argument or an option another value."""
    parameters = options_of(name)
    arguments = [each for each in parameters if each.flag is None]
    chosen = parameters[draw.integers(len(parameters))]
    if chosen.flag is None:
        place = arguments.index(chosen)
        words[place] = str(draw.choice(WORDS))
        return f"{chosen.name} = {words[place][:30]!r}"
    if chosen.kind == "bool":
        words.append(chosen.flag)
        return chosen.flag
    values = (*chosen.choices, *VALUES[chosen.kind]) if chosen.flag != "--out" else OUTS
    if name == "demo":
        values = NO_DEMO if chosen.flag == "--out" else values
    value = str(draw.choice(values))
    if (chosen.flag in ENDLESS and value.isdigit()) or (chosen.flag == "--cells" and value in ("", ",")):
        value = "-1"
    for mark, file in zip(("@first", "@second"), (*read, "y.npy", "y.npy"), strict=False):
        value = value.replace(mark, file.split(":")[0])
    if value == "link.csv" and read and (folder / read[0]).is_file():
        (folder / value).hardlink_to(folder / read[0])
    if chosen.flag == "--out" and any(each.flag == "--force" for each in parameters):
        words.append("--force")
    words += [chosen.flag, value]
    return f"{chosen.flag} = {value[:30]!r}"


def options_of(name: str) -> list[Parameter]:
    """What a command takes."""
    signature = inspect.signature(commands()[name], eval_str=True)
    return [_parameter(each) for each in signature.parameters.values()]


def _parameter(each: inspect.Parameter) -> Parameter:
    (info,) = each.annotation.__metadata__
    kinds = [
        kind
        for kind in (each.annotation.__origin__, *get_args(each.annotation.__origin__))
        if kind is not NoneType
    ]
    if isinstance(info, typer.models.ArgumentInfo):
        return Parameter(each.name, None, "text")
    # Typer takes an annotation's first name for its default.
    names = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
    flag = max(names or ["--" + each.name.replace("_", "-")], key=len).strip(" /")
    choices = tuple(choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind))
    numbers = [kind.__name__ for kind in kinds if kind in (bool, int, float)]
    return Parameter(each.name, flag, "choice" if choices else numbers[0] if numbers else "text", choices)


def commands() -> dict[str, Any]:
    """The program's commands by name."""
    return {str(info.name): info.callback for info in app.registered_commands}


def make_odd_places(folder: Path) -> None:
    """What :data:`WORDS` and :data:`OUTS` name."""
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder.csv").mkdir()
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "broken.npy").symlink_to("nowhere.npy")
    (folder / "deep.json").write_text("[" * 100_000, encoding="utf-8")
