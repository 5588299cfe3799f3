"""What every experiment here shares: CIFAR-10 as arrays, and results that appear whole or not at all."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.files.whole_file import whole_file
from noiselayer.paper.datasets import CIFAR10_CLASSES, load_cifar10
from noiselayer.training.logits import predict_logits
from noiselayer.training.trained import TrainedClassifier

RESULTS = Path(__file__).parent / "results"
MARKS = "<!-- figures -->\n", "<!-- end of figures -->"
Arrays = dict[str, np.ndarray]


def new_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the script's own text as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """The option ``--data``: the folder of CIFAR-10, or what NOISELAYER_DATA names."""
    given = os.environ.get("NOISELAYER_DATA")
    parser.add_argument(
        "--data", type=Path, default=given, required=given is None, help="folder of cifar10.npz"
    )


def write_json(path: Path, content: Any) -> None:
    """The file is whole or not there."""
    with whole_file(path) as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def fill_page(page: Path, figures: str) -> None:
    """Put figures between the marks of a page of the documentation."""
    text = page.read_text(encoding="utf-8")
    before, after = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}{figures}{MARKS[1]}{after}", encoding="utf-8")


def load_arrays(folder: Path) -> Arrays:
    """x_train, y_train, x_test, y_test, and CIFAR-10N's labels where the folder has them."""
    sets = load_cifar10(folder)
    arrays = {f"cifar10n_{name}": labels for name, labels in sets["cifar10n"].items()}
    for part, images in (("train", sets["train"]), ("test", sets["test"])):
        arrays |= {f"x_{part}": images.images, f"y_{part}": images.labels}
    return arrays


def result_of(
    trained: TrainedClassifier, arrays: Arrays, truth: torch.Tensor, seconds: float
) -> dict[str, Any]:
    """Test error, the noise matrix's error, and what is needed to judge them. Test labels are read here only."""
    test = from_arrays(arrays["x_test"], arrays["y_test"], class_names=CIFAR10_CLASSES)
    wrong = predict_logits(trained.network, test.inputs).argmax(dim=1) != test.labels
    Q = trained.noise_matrix
    return {
        "test_error": round(100 * wrong.float().mean().item(), 2),
        "noise_matrix_error": round(((Q - truth).abs().sum() / truth.abs().sum()).item(), 4),
        "mean_diagonal": round(Q.diagonal().mean().item(), 4),
        "chosen_method": trained.options.method,
        "seconds": round(seconds, 1),
        "epochs": [stage.epochs for stage in trained.stages],
        "best_epochs": [stage.best_epoch for stage in trained.stages],
        "validation_loss": trained.stages[-1].best_loss,
        "start_paths": [
            [
                {
                    "ridge": c.ridge,
                    "trace_penalty": c.trace_penalty,
                    "trace": round(c.trace, 4),
                    "held_out_loss": round(c.held_out_loss, 4),
                    "excess_error": round(c.excess_error, 4),
                    "noise_matrix_error": round(
                        ((c.noise_matrix - truth).abs().sum() / truth.abs().sum()).item(), 4
                    ),
                    "chosen": (c.ridge, c.trace_penalty)
                    == (estimate.chosen.ridge, estimate.chosen.trace_penalty),
                }
                for c in estimate.path
            ]
            for estimate in trained.start_estimates
        ],
        "versions": {
            "noiselayer": noiselayer.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "threads": torch.get_num_threads(),
    }


def run_cells(
    experiment: str,
    description: str | None,
    cells: Sequence[str],
    run: Callable[[str, Arrays], dict[str, Any]],
) -> None:
    """Run the cells named on the command line that have no result yet; a cell is "setting/method/seed"."""
    parser = new_parser(description)
    add_data(parser)
    parser.add_argument("--cells", nargs="+", default=list(cells), choices=cells, metavar="CELL")
    arguments = parser.parse_args()
    folder = RESULTS / experiment
    folder.mkdir(parents=True, exist_ok=True)
    arrays = load_arrays(Path(arguments.data))
    for cell in arguments.cells:
        path = folder / (cell.replace("/", "_") + ".json")
        if path.exists():
            continue
        setting, method, seed = cell.split("/")
        began = time.monotonic()
        row = {"experiment": experiment, "setting": setting, "method": method, "seed": int(seed)} | run(
            cell, arrays
        )
        write_json(path, row)
        print(f"{cell}: test error {row['test_error']:.2f} %, {time.monotonic() - began:.0f} s", flush=True)
