"""Out-of-fold probabilities of a network trained on the combined labels of CIFAR-10N's three sets, for ``compare.py``.

    python benchmarks/annotators/evidence.py --data DIR --out FILE.npz [--subset N] [--epochs E]
        [--folds F] [--model NAME]

DIR holds ``cifar10.npz``, as ``benchmarks/audit/crossfit.py`` says. The labels are combined without a network first,
and each network is trained on the combined labels of the other folds. True labels are not read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from noiselayer.annotators import combine_labels
from noiselayer.data import from_arrays
from noiselayer.files.whole_file import whole_file
from noiselayer.storage.environment import versions
from noiselayer.training.cross_fit import cross_fit
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.precision import best_precision

SETS = ("aggre", "random1", "worse")


def main() -> None:
    """One file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subset", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--model", default="paper")
    parser.add_argument("--precision", default=best_precision())
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with np.load(args.data / "cifar10.npz") as file:
        images = file["x_train"]
        said = np.stack([file[f"cifar10n_{name}"] for name in SETS], axis=1).astype(np.int64)
        names = [str(name) for name in file["class_names"]]
    rows = np.sort(np.random.default_rng(args.seed).permutation(len(images))[: args.subset])
    combined = combine_labels(torch.from_numpy(said[rows]), class_names=names, annotator_names=SETS)
    fitted = cross_fit(
        from_arrays(images[rows], combined.labels, class_names=tuple(names)),
        default_options("image", model=args.model, method="normal", max_epochs=args.epochs, seed=args.seed),
        folds=args.folds,
        hardware=Hardware(precision=args.precision),
        folder=args.out.with_suffix(".stages"),
        on_stage=lambda message: print(message, flush=True),
    )
    if fitted.interrupted:
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.out) as beside:
        np.savez_compressed(
            beside,
            probs=fitted.probs.numpy(),
            rows=rows,
            trained_on="combined labels",
            model=args.model,
            epochs=args.epochs,
            folds=args.folds,
            seed=args.seed,
            torch=versions()["torch"],
        )


if __name__ == "__main__":
    main()
