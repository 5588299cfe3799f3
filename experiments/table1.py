"""Table 1: 30,000 noisy images of CIFAR-10, with true, learned and estimated noise matrices.

    python experiments/table1.py --data DIR

The paper's protocol (§4.1): 20,000 clean images serve the estimate alone, 10,000 to train a normal network and
10,000 to measure it (here crossed over, so that both halves do both); then a new network is trained on the 30,000
noisy ones. The noise is deliberate and asymmetric, drawn anew for every seed; at 70 % its shares are drawn with
concentration 5, so that the true class still leads its row, as Theorem 1 asks.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from cells import CLASS_NAMES, Arrays, result_of, run_cells

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.training import Hardware, default_options, fit_classifier

NOISE = {"noise-50": (0.5, 1.0), "noise-70": (0.7, 5.0)}
METHODS = {"normal": "normal", "true": "known", "learned": "learned", "estimated": "estimated"}


def run(cell: str, arrays: Arrays) -> dict[str, Any]:
    """One cell, from the data to its row."""
    setting, method, seed = cell.split("/")
    rate, concentration = NOISE[setting]
    generator = torch.Generator().manual_seed(int(seed))
    order = torch.randperm(50_000, generator=generator).numpy()
    Q = noiselayer.noise_matrix.random(10, rate, concentration=concentration, generator=generator)
    true = torch.from_numpy(arrays["y_train"][order])
    noisy_labels = noiselayer.corrupt_labels(true[:30_000], Q, generator=generator)
    noisy = from_arrays(arrays["x_train"][order[:30_000]], noisy_labels, class_names=CLASS_NAMES)
    clean = from_arrays(arrays["x_train"][order[30_000:]], true[30_000:], class_names=CLASS_NAMES)
    options = default_options(
        "image",
        model="paper",
        method=METHODS[method],
        train_on_clean=False,
        measure_with="clean",
        seed=int(seed),
    )
    began = time.process_time()
    trained = fit_classifier(
        noisy,
        options,
        clean=clean if method == "estimated" else None,
        noise_matrix=Q if method == "true" else None,
        hardware=Hardware(precision="bf16-mixed"),
        on_stage=print,
    )
    return result_of(trained, arrays, Q, time.process_time() - began)


if __name__ == "__main__":
    cells = [f"{setting}/{method}/{seed}" for seed in range(3) for setting in NOISE for method in METHODS]
    run_cells("table1", __doc__, cells, run)
