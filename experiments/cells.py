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
from noiselayer.training import TrainedClassifier, predict_logits

RESULTS = Path(__file__).parent / "results"
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
Arrays = dict[str, np.ndarray]


def load_cifar10(folder: Path) -> Arrays:
    """x_train, y_train, x_test, y_test, and CIFAR-10N's labels where the file has them."""
    with np.load(folder / "cifar10.npz") as archive:
        return {
            name: archive[name].astype(np.int64)
            if archive[name].ndim == 1 and archive[name].dtype.kind in "iu"
            else archive[name]
            for name in archive.files
        }


def result_of(
    trained: TrainedClassifier, arrays: Arrays, truth: torch.Tensor, seconds: float
) -> dict[str, Any]:
    """Test error, the noise matrix's error, and what is needed to judge them. Test labels are read here only."""
    test = from_arrays(arrays["x_test"], arrays["y_test"], class_names=CLASS_NAMES)
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
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given = os.environ.get("NOISELAYER_DATA")
    parser.add_argument(
        "--data", type=Path, default=given, required=given is None, help="folder of cifar10.npz"
    )
    parser.add_argument("--cells", nargs="+", default=list(cells), choices=cells, metavar="CELL")
    arguments = parser.parse_args()
    folder = RESULTS / experiment
    folder.mkdir(parents=True, exist_ok=True)
    arrays = load_cifar10(Path(arguments.data))
    for cell in arguments.cells:
        path = folder / (cell.replace("/", "_") + ".json")
        if path.exists():
            continue
        setting, method, seed = cell.split("/")
        began = time.monotonic()
        row = {"experiment": experiment, "setting": setting, "method": method, "seed": int(seed)} | run(
            cell, arrays
        )
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)
        print(f"{cell}: test error {row['test_error']:.2f} %, {time.monotonic() - began:.0f} s", flush=True)
