"""What the defaults rest on: normal, known and learned with the paper's network on CIFAR-10.

    python experiments/defaults.py --data DIR [--cells deliberate-50/learned/0 ...]

DIR holds ``cifar10.npz`` with x_train, y_train, x_test, y_test and, for human labels, ``cifar10n_worse``. Cells:

    deliberate-50   30,000 images, deliberate asymmetric noise of 50 % (§4.1): 3,000 held out for validation
    human-worse     50,000 images with the labels of CIFAR-10N "worse" (40 % wrong, Wei et al. 2022)
    clean           30,000 images with their true labels: does "learned" do harm?

All with default options, but for the network (the paper's) and bfloat16 (three times as fast here). Test labels
are read once a cell, for its result. A result is a JSON file that appears whole or not at all; cells that have
one are skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.training import Hardware, default_options, fit_classifier, predict_logits

RESULTS = Path(__file__).parent / "results" / "defaults"
CELLS = [
    f"{setting}/{method}/{seed}"
    for seed in range(3)
    for setting, methods in (
        ("deliberate-50", ("normal", "known", "learned")),
        ("human-worse", ("normal", "learned")),
        ("clean", ("normal", "learned")),
    )
    for method in methods
]


def labels_of(
    setting: str, seed: int, arrays: dict[str, np.ndarray]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which images, their noisy labels, and the true noise matrix (counted, for human labels)."""
    truth = torch.from_numpy(arrays["y_train"].astype(np.int64))
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(truth), generator=generator)[: 50_000 if setting == "human-worse" else 30_000]
    if setting == "human-worse":
        noisy = torch.from_numpy(arrays["cifar10n_worse"].astype(np.int64))[chosen]
        counts = torch.zeros(10, 10).index_put_(
            (noisy, truth[chosen]), torch.ones(len(noisy)), accumulate=True
        )
        return chosen, noisy, counts / counts.sum(dim=0)
    rate = 0.5 if setting == "deliberate-50" else 0.0
    Q = noiselayer.noise_matrix.random(10, rate, generator=generator)
    return chosen, noiselayer.corrupt_labels(truth[chosen], Q, generator=generator), Q


def run(cell: str, data: Path) -> dict[str, object]:
    """One cell, from the data to its row."""
    setting, method, seed = cell.split("/")
    with np.load(data / "cifar10.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    chosen, noisy, Q = labels_of(setting, int(seed), arrays)
    options = default_options("image", model="paper", method=method, seed=int(seed))
    began = time.monotonic()
    trained = fit_classifier(
        from_arrays(arrays["x_train"][chosen.numpy()], noisy),
        options,
        noise_matrix=Q if method == "known" else None,
        hardware=Hardware(precision="bf16-mixed"),
        on_stage=print,
    )
    seconds = time.monotonic() - began
    test = from_arrays(arrays["x_test"], arrays["y_test"].astype(np.int64))
    wrong = predict_logits(trained.network, test.inputs).argmax(dim=1) != test.labels
    return {
        "experiment": "defaults",
        "setting": setting,
        "method": method,
        "seed": int(seed),
        "test_error": 100 * wrong.float().mean().item(),
        "noise_matrix_error": ((trained.noise_matrix - Q).abs().sum() / Q.abs().sum()).item(),
        "mean_diagonal": trained.noise_matrix.diagonal().mean().item(),
        "seconds": round(seconds, 1),
        "epochs": [stage.epochs for stage in trained.stages],
        "best_epochs": [stage.best_epoch for stage in trained.stages],
        "validation_loss": trained.stages[-1].best_loss,
        "versions": {
            "noiselayer": noiselayer.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Run the cells that have no result yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("NOISELAYER_DATA"),
        required="NOISELAYER_DATA" not in os.environ,
    )
    parser.add_argument("--cells", nargs="+", default=CELLS, choices=CELLS, metavar="CELL")
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for cell in arguments.cells:
        path = RESULTS / (cell.replace("/", "_") + ".json")
        if path.exists():
            continue
        row = run(cell, Path(arguments.data))
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
        os.replace(beside, path)
        print(f"{cell}: test error {row['test_error']:.2f} %, {row['seconds']} s")


if __name__ == "__main__":
    main()
