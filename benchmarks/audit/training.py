r"""Training on noisy labels and finding the wrong ones: noiselayer beside cleanlab's CleanLearning.

    python benchmarks/audit/training.py --data DIR --cleanlab-python VENV/bin/python \
        [--sets worse,random-30] [--seeds 0,1,2] [--subset 10000] [--epochs 8] [--out benchmarks/results/audit_training]

The same network, for as many epochs, on the same images and labels (see ``crossfit.py`` for DIR and the sets):

- ``learned``: five folds out of fold, half of each one's epochs to find its noise matrix and half to train through
  it; the audit takes the folds' matrix; a last network is trained through that matrix, on all labels.
- ``audit``: five folds as usual (Q = I); the audit estimates the noise matrix; a last network is trained through it.
- ``cleanlab``: CleanLearning itself, in an interpreter of its own, on a classifier that asks this program for
  every fit: five folds as usual, its default filter, a last network on what is left. Its sample weights are honoured by
  repeating samples, so that its last network takes no fewer steps for them.

Average precision is of the ranking of all given labels (cleanlab's: its label quality), accuracy of the last network on
the test set, asked once per cell. One cell a file; what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from crossfit import CLASS_NAMES, DELIBERATE, HUMAN
from sklearn.metrics import average_precision_score

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.storage.environment import versions
from noiselayer.training.cross_fit import cross_fit
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, TrainingOptions, default_options
from noiselayer.training.precision import best_precision

FOLDS = 5
METHODS = ("learned", "audit", "cleanlab")
CLEANLAB = """
import json, subprocess, sys
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from cleanlab.classification import CleanLearning

folder, command = sys.argv[1], json.loads(sys.argv[2])
fits = 0

class Network(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        global fits
        given, self.answers_ = f"{folder}/given-{fits}.npz", f"{folder}/probs-{fits}.npy"
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        np.savez(given, rows=np.asarray(X)[:, 0], labels=np.asarray(y), weight=weight, fit=fits)
        subprocess.run([*command, "--fit", given, "--answers", self.answers_], check=True)
        fits += 1
        self.classes_ = np.unique(y)
        return self
    def predict_proba(self, X):
        return np.load(self.answers_)[np.asarray(X)[:, 0]].astype(np.float64)
    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)

with np.load(f"{folder}/data.npz") as data:
    labels, rows, seed, folds = data["labels"], data["rows"], int(data["seed"]), int(data["folds"])
learning = CleanLearning(Network(), seed=seed, cv_n_folds=folds)
learning.fit(np.arange(len(labels)).reshape(-1, 1), labels)
issues = learning.get_label_issues()
np.savez(
    f"{folder}/out.npz",
    quality=issues["label_quality"].to_numpy(),
    issue=issues["is_label_issue"].to_numpy(),
    predicted=learning.predict(rows.reshape(-1, 1)),
)
"""


class Task:
    """Images, noisy labels and the truth of one set."""

    def __init__(self, args: argparse.Namespace, name: str, seed: int) -> None:
        with np.load(args.data / "cifar10.npz") as file:
            images, true = file["x_train"], file["y_train"].reshape(-1).astype(np.int64)
            self.test, self.test_true = file["x_test"], file["y_test"].reshape(-1).astype(np.int64)
            human = file[f"cifar10n_{name}"] if name in HUMAN else None
        rows = np.sort(np.random.default_rng(seed).permutation(len(images))[: args.subset])
        self.images, self.true = images[rows], true[rows]
        if human is not None:
            self.labels = human[rows].astype(np.int64)
        else:
            generator = torch.Generator().manual_seed(seed + 1)
            clean = torch.from_numpy(self.true)
            self.labels = noiselayer.corrupt_labels(clean, DELIBERATE[name](), generator=generator).numpy()

    def noisy(self, rows: Any = slice(None), labels: Any = None) -> Any:
        """Some of the samples, with their noisy labels."""
        labels = self.labels[rows] if labels is None else labels
        return from_arrays(self.images[rows], torch.from_numpy(labels), class_names=CLASS_NAMES)

    def accuracy(self, network: Any) -> float:
        """Of a network on the test set."""
        test = from_arrays(self.test, torch.from_numpy(self.test_true), class_names=CLASS_NAMES)
        found = predict_logits(network, test.inputs).argmax(dim=1).cpu().numpy()
        return float((found == self.test_true).mean())


def options_of(args: argparse.Namespace, seed: int, **changes: Any) -> TrainingOptions:
    """The defaults for images, with this benchmark's network and epochs."""
    return default_options("image", model=args.model, **{"max_epochs": args.epochs, "seed": seed, **changes})


def ours(task: Task, args: argparse.Namespace, method: str, seed: int, folder: Path) -> dict[str, Any]:
    """Folds, audit, last network."""
    hardware = Hardware(precision=args.precision)
    options = options_of(args, seed, method="normal")
    if method == "learned":
        half = max(1, args.epochs // 2)
        options = replace(
            options, method="learned", warm_up_epochs=half, max_epochs=max(1, args.epochs - half)
        )
    fitted = cross_fit(task.noisy(), options, folds=FOLDS, hardware=hardware, folder=folder / "folds")
    labels = torch.from_numpy(task.labels)
    audit = noiselayer.audit_labels(
        labels, fitted.probs, fitted.noise_matrix, probs_predict=fitted.probs_predict
    )
    last = fit_classifier(
        task.noisy(),
        options_of(args, seed, method="known"),
        noise_matrix=audit.noise_matrix,
        hardware=hardware,
        folder=folder / "last",
    )
    return {
        "score": -audit.rank.numpy(),
        "flags": audit.is_error.numpy(),
        "accuracy": task.accuracy(last.network),
    }


def cleanlab(task: Task, args: argparse.Namespace, name: str, seed: int, folder: Path) -> dict[str, Any]:
    """CleanLearning in its own interpreter."""
    N = len(task.labels)
    rows = np.arange(N, N + len(task.test))
    np.savez(folder / "data.npz", labels=task.labels, rows=rows, seed=seed, folds=FOLDS)
    command = [sys.executable, str(Path(__file__).resolve()), "--data", str(args.data), "--sets", name]
    command += ["--seeds", str(seed), "--subset", str(args.subset), "--epochs", str(args.epochs)]
    command += ["--model", args.model, "--precision", args.precision]
    subprocess.run([args.cleanlab_python, "-c", CLEANLAB, str(folder), json.dumps(command)], check=True)
    with np.load(folder / "out.npz") as out:
        accuracy = float((out["predicted"] == task.test_true).mean())
        return {"score": -out["quality"], "flags": out["issue"].astype(bool), "accuracy": accuracy}


def fit_for_cleanlab(args: argparse.Namespace) -> None:
    """Train as usual on the rows that CleanLearning names, and say what the network thinks of every image."""
    seed = int(args.seeds)
    task = Task(args, args.sets, seed)
    with np.load(args.fit) as file:
        rows, labels, weight, number = file["rows"], file["labels"], file["weight"], int(file["fit"])
    wanted = weight / weight.min()
    times = np.floor(wanted + np.random.default_rng(seed).random(len(rows))).astype(int)
    rows, labels = np.repeat(rows, times), np.repeat(labels, times)
    trained = fit_classifier(
        task.noisy(rows, labels.astype(np.int64)),
        options_of(args, seed + number, method="normal"),
        hardware=Hardware(precision=args.precision),
    )
    both = np.concatenate([task.images, task.test])
    inputs = from_arrays(both, torch.zeros(len(both), dtype=torch.long), class_names=CLASS_NAMES).inputs
    np.save(args.answers, predict_logits(trained.network, inputs).softmax(dim=1).cpu().numpy())


def cell(args: argparse.Namespace, name: str, method: str, seed: int) -> dict[str, Any]:
    """One row."""
    task, began = Task(args, name, seed), time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if method == "cleanlab":
            found = cleanlab(task, args, name, seed, folder)
        else:
            found = ours(task, args, method, seed, folder)
    wrong = task.labels != task.true
    hits = int((found["flags"] & wrong).sum())
    return {
        **{"set": name, "method": method, "seed": seed, "subset": len(wrong), "wrong": int(wrong.sum())},
        **{"model": args.model, "epochs": args.epochs, "folds": FOLDS, "precision": args.precision},
        "average_precision": float(average_precision_score(wrong, found["score"])),
        "f1": 2 * hits / max(1, int(found["flags"].sum() + wrong.sum())),
        "test_accuracy": found["accuracy"],
        "seconds": time.perf_counter() - began,
        "versions": {**versions(), "cleanlab": "2.9.0"},
    }


def main() -> None:
    """Every cell that is not there yet, then the table of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10.npz")
    parser.add_argument("--cleanlab-python", help="left out: ours alone")
    parser.add_argument("--sets", default="worse,random-30")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--subset", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--model", default="paper")
    parser.add_argument("--precision", default=best_precision())
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent.parent / "results" / "audit_training"
    )
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--answers", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit is not None:
        fit_for_cleanlab(args)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    for seed in map(int, args.seeds.split(",")):
        for name in args.sets.split(","):
            for method in args.methods.split(","):
                path = args.out / f"{name}_{method}_{args.subset}_{args.epochs}_{seed}.json"
                if path.exists() or (method == "cleanlab" and not args.cleanlab_python):
                    continue
                row = cell(args, name, method, seed)
                write_json(path, row)
                print(json.dumps({k: v for k, v in row.items() if k != "versions"}), flush=True)
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(args.out.glob("*.json"))]
    lines = [
        "# Training on noisy labels beside CleanLearning",
        "",
        "`python benchmarks/audit/training.py`",
        "",
        "| labels | images, epochs, seed | method | average precision | F1 | test accuracy |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['set']} | {row['subset']:,}, {row['epochs']}, {row['seed']} | {row['method']} "
        f"| {row['average_precision']:.3f} | {row['f1']:.3f} | {row['test_accuracy']:.1%} |"
        for row in sorted(rows, key=lambda r: (r["set"], r["subset"], r["epochs"], r["seed"], r["method"]))
    ]
    print("\n".join(lines))
    with whole_file(args.out.with_suffix(".md")) as beside:
        beside.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
