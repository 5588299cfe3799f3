"""Out-of-fold probabilities on CIFAR-10 with human and with deliberate label noise, one .npz per set.

    python benchmarks/audit/crossfit.py --data DIR --out DIR [--sets aggre,random1,...] [--subset N] [--epochs E]

DIR holds ``cifar10.npz``: ``x_train``, ``y_train`` and CIFAR-10N's ``cifar10n_aggre``, ``cifar10n_random1``,
``cifar10n_worse``. Each model is trained as usual on the noisy labels of the other folds (Q = I), and the true
labels are not read but to be stored beside the probabilities. A set that is there already is left as it is; one
that was stopped goes on with its unfinished fold.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.files.whole_file import whole_file
from noiselayer.storage.environment import versions
from noiselayer.training.cross_fit import cross_fit
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.precision import best_precision

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
HUMAN = ("aggre", "random1", "worse")
# Noise matrices of deliberate noise: the rate is the share of wrong labels.
DELIBERATE = {
    "symmetric-30": lambda: noiselayer.noise.symmetric(10, 0.3),
    "pair-flip-30": lambda: noiselayer.noise.pair_flip(10, 0.3),
    "random-30": lambda: noiselayer.noise.random(
        10, 0.3, concentration=0.5, generator=torch.Generator().manual_seed(0)
    ),
}


def main() -> None:
    """One file per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for the probabilities")
    parser.add_argument("--sets", default=",".join((*HUMAN, *DELIBERATE)))
    parser.add_argument("--subset", type=int, default=50_000, help="so many images, drawn by --seed")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--model", default="paper")
    parser.add_argument(
        "--method", default="normal", help="normal, or learned: probabilities of true classes"
    )
    parser.add_argument("--precision", default=best_precision())
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with np.load(args.data / "cifar10.npz") as file:
        images, true = file["x_train"], file["y_train"].reshape(-1)
        human = {name: file[f"cifar10n_{name}"] for name in HUMAN}
    rows = np.sort(np.random.default_rng(args.seed).permutation(len(images))[: args.subset])
    for name in args.sets.split(","):
        path = args.out / f"{name}.npz"
        if path.exists():
            print(f"{path} is there already.")
            continue
        if name in human:
            noisy = torch.from_numpy(human[name][rows].astype(np.int64))
        else:
            generator = torch.Generator().manual_seed(args.seed + 1)
            noisy = noiselayer.corrupt_labels(
                torch.from_numpy(true[rows].astype(np.int64)), DELIBERATE[name](), generator=generator
            )
        data = from_arrays(images[rows], noisy, class_names=CLASS_NAMES)
        options = default_options(
            "image", model=args.model, method=args.method, max_epochs=args.epochs, seed=args.seed
        )
        began = time.process_time()
        fitted = cross_fit(
            data,
            options,
            folds=args.folds,
            hardware=Hardware(precision=args.precision),
            folder=args.out / "stages" / name,
            on_stage=lambda message, name=name: print(f"{name}: {message}", flush=True),
        )
        if fitted.interrupted:
            return
        extra = {} if fitted.noise_matrix is None else {"noise_matrix": fitted.noise_matrix.numpy()}
        with whole_file(path) as beside:
            np.savez_compressed(
                beside,
                probs=fitted.probs.numpy(),
                labels=noisy.numpy(),
                true=true[rows].astype(np.int64),
                rows=rows,
                class_names=CLASS_NAMES,
                probs_predict=fitted.probs_predict,
                folds=args.folds,
                epochs=args.epochs,
                model=args.model,
                method=args.method,
                subset=len(rows),
                seed=args.seed,
                torch=versions()["torch"],
                cpu_seconds=time.process_time() - began,
                **extra,
            )
        share = float((noisy.numpy() != true[rows]).mean())
        right = float((fitted.logits.argmax(dim=1).numpy() == true[rows]).mean())
        print(
            f"{name}: {share:.1%} wrong labels, {right:.1%} right predictions, written to {path}.", flush=True
        )


if __name__ == "__main__":
    main()
