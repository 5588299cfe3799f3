"""The gold-set story: 20,000 images with labels by hurried people (40 % wrong), 500 checked ones.

    python experiments/gold_set.py --data DIR

CIFAR-10N "worse" (Wei et al. 2022), the paper's network, otherwise default options. The first three methods are what
one would do without a noise model: train on the 500 alone, on the 20,000 alone, on both plainly mixed. "auto" is one
call with both sets; it estimates the noise matrix (§3.2) and trains through it on both.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch
from cells import CLASS_NAMES, Arrays, result_of, run_cells

from noiselayer.data import from_arrays
from noiselayer.training import Hardware, default_options, fit_classifier

METHODS = ("clean-only", "noisy-only", "mixture", "auto")


def run(cell: str, arrays: Arrays) -> dict[str, Any]:
    """One cell, from the data to its row."""
    _, method, seed = cell.split("/")
    generator = torch.Generator().manual_seed(int(seed))
    order = torch.randperm(50_000, generator=generator).numpy()
    gold, crowd = order[:500], order[500:20_500]
    clean = from_arrays(arrays["x_train"][gold], arrays["y_train"][gold], class_names=CLASS_NAMES)
    noisy = from_arrays(arrays["x_train"][crowd], arrays["cifar10n_worse"][crowd], class_names=CLASS_NAMES)
    true = torch.from_numpy(arrays["y_train"][crowd])
    assert noisy.labels is not None
    counts = torch.zeros(10, 10).index_put_((noisy.labels, true), torch.ones(len(true)), accumulate=True)
    options = default_options(
        "image", model="paper", method="auto" if method == "auto" else "normal", seed=int(seed)
    )
    if method == "clean-only":  # 500 images make 3 steps an epoch: 20 epochs would be no training at all
        options = replace(options, max_epochs=300)
    began = time.process_time()
    trained = fit_classifier(
        clean if method == "clean-only" else noisy,
        options,
        clean=clean if method in ("mixture", "auto") else None,
        hardware=Hardware(precision="bf16-mixed"),
        on_stage=print,
    )
    return result_of(trained, arrays, counts / counts.sum(dim=0), time.process_time() - began)


if __name__ == "__main__":
    cells = [f"human-worse/{method}/{seed}" for seed in range(3) for method in METHODS]
    run_cells("gold_set", __doc__, cells, run)
