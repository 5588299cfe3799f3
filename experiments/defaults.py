"""What the defaults rest on: normal, known and learned with the paper's network on CIFAR-10.

    python experiments/defaults.py --data DIR [--cells deliberate-50/learned/0 ...]

DIR holds cifar10.npz: x_train (50000, 32, 32, 3) and x_test (10000, 32, 32, 3) as bytes, y_train and y_test in the
order of torchvision's CIFAR10, and cifar10n_worse, the "worse_label" of the authors' CIFAR-10_human.pt. Settings:

    deliberate-50   30,000 images, deliberate asymmetric noise of 50 % (§4.1): 3,000 held out for validation
    human-worse     50,000 images with the labels of CIFAR-10N "worse" (40 % wrong, Wei et al. 2022)
    clean           30,000 images with their true labels: does "learned" do harm?

Default options but for the network (the paper's) and bfloat16, which is about three times as fast on a CPU that
has it. Test labels are read once a cell, for its result.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from cells import Arrays, result_of, run_cells

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.paper.datasets import CIFAR10_CLASSES
from noiselayer.paper.trial import count_matrix
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.precision import best_precision

METHODS = {
    "deliberate-50": ("normal", "known", "learned"),
    "human-worse": ("normal", "learned"),
    "clean": ("normal", "learned"),
}


def run(cell: str, arrays: Arrays) -> dict[str, Any]:
    """One cell, from the data to its row."""
    setting, method, seed = cell.split("/")
    truth = torch.from_numpy(arrays["y_train"])
    generator = torch.Generator().manual_seed(int(seed))
    chosen = torch.randperm(50_000, generator=generator)[: 50_000 if setting == "human-worse" else 30_000]
    if setting == "human-worse":
        noisy = torch.from_numpy(arrays["cifar10n_worse"])[chosen]
        Q = count_matrix(noisy, truth[chosen], 10)
    else:
        Q = noiselayer.noise.random(10, 0.5 if setting == "deliberate-50" else 0.0, generator=generator)
        noisy = noiselayer.corrupt_labels(truth[chosen], Q, generator=generator)
    began = time.process_time()
    trained = fit_classifier(
        from_arrays(arrays["x_train"][chosen.numpy()], noisy, class_names=CIFAR10_CLASSES),
        default_options("image", model="paper", method=method, seed=int(seed)),
        noise_matrix=Q if method == "known" else None,
        hardware=Hardware(precision=best_precision()),
        on_stage=print,
    )
    return result_of(trained, arrays, Q, time.process_time() - began)


if __name__ == "__main__":
    cells = [
        f"{setting}/{m}/{seed}" for seed in range(3) for setting, methods in METHODS.items() for m in methods
    ]
    run_cells("defaults", __doc__, cells, run)
