"""How long the command takes to begin: its help, its first training step, and a whole small run.

    python benchmarks/startup.py [--quick]

Seconds from the start of the process: until the help is printed and the process has ended; until the first optimizer
step of ``noiselayer train`` is done (the process ends there), of which the imports are a part; until a run of one epoch
over 320 images has left its folder, with pictures and report.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import Row, arguments, row, write

FIRST_STEP = """
import time
began = time.perf_counter()
import json, os
from noiselayer.training.module import NoisyLabelModule
import noiselayer.jobs.train, noiselayer.cli.train
imported = time.perf_counter() - began
def stop(*arguments, **options):
    print(json.dumps(imported), flush=True)
    os._exit(0)
NoisyLabelModule.on_train_batch_end = stop
from noiselayer.cli import main
main()
"""
IMPORTED = ("torch", "torchmetrics", "scipy.signal", "torchvision", "torch._dynamo")
PROGRAM = "from noiselayer.cli import main; main()"


def seconds_of(code: str, *words: str) -> tuple[float, str]:
    """Of a process that runs ``code`` as the program, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, done.stdout


def import_shares() -> list[Row]:
    """Of packages in the time that importing Lightning takes, with all that each of them imports first."""
    command = [sys.executable, "-X", "importtime", "-c", "import pytorch_lightning"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    taken = {}
    for line in lines:
        own, cumulative, name = (part.strip() for part in line.removeprefix("import time:").split("|"))
        if own.isdigit():
            taken[name] = int(cumulative)
    whole = taken["pytorch_lightning"]
    return [
        row(f"share of {name} in importing Lightning, with what it imports", [taken[name] / whole], "x")
        for name in IMPORTED
        if name in taken
    ]


def main() -> None:
    """Parse the options and run."""
    options = arguments(__doc__).parse_args()
    rounds = 1 if options.quick else 5
    seconds: dict[str, list[float]] = {"help": [], "imports": [], "first": [], "whole": []}
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        images = generator.integers(0, 256, (320, 32, 32, 3), dtype=np.uint8)
        np.savez(data, x=images, y=generator.integers(0, 10, 320))
        words = [*("train", str(data), "--labels", "y", "--inputs-key", "x", "--method", "normal")]
        words += ["--model", "paper", "--epochs", "1", "--out"]
        for k in range(-1, rounds):  # the first time fills the disk's cache
            taken, _ = seconds_of(PROGRAM, "--help")
            first, printed = seconds_of(FIRST_STEP, *words, f"{folder}/first-{k}")
            whole, _ = seconds_of(PROGRAM, *words, f"{folder}/whole-{k}")
            if k >= 0:
                imports = json.loads(printed.splitlines()[-1])
                for name, value in zip(seconds, (taken, imports, first, whole), strict=True):
                    seconds[name].append(value)
    rows = [
        row("noiselayer --help", seconds["help"], "s", at_most=1.0),
        row("noiselayer train, until the first step is done", seconds["first"], "s", at_most=6.0),
        row("of that, importing torch, Lightning and the package", seconds["imports"], "s"),
        row("noiselayer train, whole, 320 images and one epoch", seconds["whole"], "s"),
    ]
    rows += import_shares()
    write("startup", "Until the command begins", rows, quick=options.quick)


if __name__ == "__main__":
    main()
