"""Labels of several annotators as one: majority vote, crowd-kit's Dawid-Skene, and ours without and with a network.

    python benchmarks/annotators/compare.py --crowdkit VENV/bin/python [--seeds S] [--data DIR [--probs FILE.npz ...]]

Simulated annotators always; CIFAR-10N's three sets with ``--data``, the folder of ``cifar10.npz``; there with a
network's out-of-fold probabilities for each file of ``--probs`` (``evidence.py`` makes one,
``benchmarks/audit/crossfit.py`` those of networks trained on a single set). True labels are read for the figures
alone. Writes ``annotators.json`` and ``annotators.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noiselayer.annotators import combine_labels, votes_of
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.storage.environment import versions

SETS = ("aggre", "random1", "worse")
# Samples, annotators, classes, labels per sample, and the network's accuracy (roughly; see `network`).
SETTINGS: dict[str, dict[str, Any]] = {
    "few annotators, each labels half": {"N": 2000, "S": 6, "K": 5, "per": 3, "signal": 1.3},
    "many annotators, 60 labels each": {"N": 2000, "S": 100, "K": 5, "per": 3, "signal": 1.3},
    "two labels per sample, 8 classes": {"N": 3000, "S": 30, "K": 8, "per": 2, "signal": 1.5},
    "adversaries and spammers among 20": {"N": 2000, "S": 20, "K": 4, "per": 4, "signal": 1.3, "bad": 0.3},
}
METHODS = (
    "majority vote",
    "Dawid-Skene (crowd-kit)",
    "noiselayer",
    "noiselayer, with the network",
    "network alone",
)


def crowd(setting: dict[str, Any], seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """True classes, matrices, a table of labels with -1 for none, and the network's probabilities."""
    N, S, K, per = (setting[name] for name in ("N", "S", "K", "per"))
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(K, (N,), generator=generator)
    skill = 0.5 + 0.45 * torch.rand(S, 1, generator=generator, dtype=torch.float64)
    own = (skill + 0.2 * (torch.rand(S, K, generator=generator, dtype=torch.float64) - 0.5)).clamp(0.05, 0.99)
    share = torch._standard_gamma(torch.full((S, K, K), 0.7, dtype=torch.float64), generator=generator) + 1e-9
    eye = torch.eye(K, dtype=torch.bool)
    share = share.masked_fill(eye, 0)
    Q = share / share.sum(dim=1, keepdim=True) * (1 - own).unsqueeze(1)
    Q = torch.where(eye, own.unsqueeze(1), Q)
    for s in range(int(setting.get("bad", 0) * S)):
        if s % 2:  # one who says anything
            Q[s] = 1 / K
        else:  # one who has two classes the wrong way round
            Q[s][:, [0, 1]] = Q[s][:, [1, 0]]
    said = torch.full((N, S), -1)
    who = torch.rand(N, S, generator=generator).argsort(dim=1)[:, :per]
    for k in range(per):
        s = who[:, k]
        said[torch.arange(N), s] = torch.multinomial(Q[s, :, truth], 1, generator=generator).squeeze(1)
    z = torch.randn(N, K, generator=generator) + setting["signal"] * torch.eye(K)[truth]
    return truth, Q, said, (setting["signal"] * z).softmax(dim=1)  # calibrated: the log odds of the classes


def crowdkit(python: str, said: Tensor, num_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Majority vote, Dawid-Skene's labels and its matrices."""
    votes = votes_of(said, num_classes=num_classes)
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(
            given,
            samples=votes.samples.numpy(),
            annotators=votes.annotators.numpy(),
            labels=votes.labels.numpy(),
            sizes=[votes.num_samples, votes.num_annotators, num_classes],
        )
        subprocess.run(
            [python, str(Path(__file__).parent / "crowdkit_side.py"), str(given), str(out)], check=True
        )
        with np.load(out) as file:
            found = {name: torch.from_numpy(file[name]) for name in ("majority", "labels", "matrices")}
    return found["majority"], found["labels"], found["matrices"]


def figures(
    python: str, truth: Tensor, Q: Tensor, said: Tensor, probs: Tensor | None
) -> dict[str, dict[str, float]]:
    """Accuracy of labels and mean absolute error of matrices, by method."""

    def row(labels: Tensor, matrices: Tensor | None = None) -> dict[str, float]:
        found = {"accuracy": float((labels == truth).double().mean())}
        if matrices is not None:
            found["matrix_error"] = float((matrices.double() - Q).abs().mean())
        return found

    majority, ds_labels, ds_matrices = crowdkit(python, said, Q.shape[-1])
    alone = combine_labels(said, num_classes=Q.shape[-1])
    assert alone.annotators is not None
    found = {
        "majority vote": row(majority),
        "Dawid-Skene (crowd-kit)": row(ds_labels, ds_matrices),
        "noiselayer": row(alone.labels, alone.annotators.noise_matrices)
        | covered(alone.annotators.interval, Q)
        | {"warnings": list(alone.warnings)},  # type: ignore[dict-item]
    }
    if probs is not None:
        both = combine_labels(said, probs=probs)
        assert both.annotators is not None
        found["noiselayer, with the network"] = (
            row(both.labels, both.annotators.noise_matrices)
            | covered(both.annotators.interval, Q)
            | {"expected_wrong": both.expected_wrong / len(truth), "warnings": list(both.warnings)}  # type: ignore[dict-item]
        )
        found["network alone"] = row(probs.argmax(dim=1))
    return found


def covered(interval: tuple[Tensor, Tensor], Q: Tensor) -> dict[str, float]:
    """The share of true entries that lie in their intervals."""
    low, high = interval
    return {"coverage": float(((low.double() <= Q) & (high.double() >= Q)).double().mean())}


def human(path: Path, rows: np.ndarray | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """CIFAR-10N's true classes, the three sets' true matrices, and their labels."""
    with np.load(path / "cifar10.npz") as file:
        truth = torch.from_numpy(file["y_train"].reshape(-1).astype(np.int64))
        said = torch.from_numpy(
            np.stack([file[f"cifar10n_{name}"] for name in SETS], axis=1).astype(np.int64)
        )
    if rows is not None:
        truth, said = truth[rows], said[rows]
    counts = torch.stack(
        [torch.bincount(said[:, s] * 10 + truth, minlength=100).reshape(10, 10).double() for s in range(3)]
    )
    return truth, counts / counts.sum(dim=1, keepdim=True), said


def table(title: str, runs: list[dict[str, dict[str, float]]]) -> list[str]:
    """Means over seeds, and the smallest and largest."""
    lines = [f"## {title}", "", "| method | labels right | matrices, mean absolute error |", "|---|---|---|"]
    for method in METHODS:
        if method not in runs[0]:
            continue
        cells = []
        for name, form in (("accuracy", "{:.1%}"), ("matrix_error", "{:.4f}")):
            values = [run[method][name] for run in runs if name in run[method]]
            mean = form.format(sum(values) / len(values)) if values else ""
            spread = f" ({form.format(min(values))} to {form.format(max(values))})" if len(values) > 1 else ""
            cells.append(mean + spread)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return [*lines, ""]


def main() -> None:
    """Print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--crowdkit", required=True, help="a Python that has crowd-kit")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--probs", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    parser.add_argument("--name", default="annotators")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "versions": {**versions(), "crowd-kit": "1.4.2"},
        "seeds": args.seeds,
        "sets": {},
    }
    lines = [
        "# Labels of several annotators as one",
        "",
        "`python benchmarks/annotators/compare.py`; mean over seeds, smallest and largest in brackets.",
        "",
    ]
    for name, setting in SETTINGS.items():
        runs = []
        for seed in range(args.seeds):
            truth, Q, said, probs = crowd(setting, seed)
            runs.append(figures(args.crowdkit, truth, Q, said, probs))
        result["sets"][name] = {"setting": setting, "runs": runs}
        lines += table(name, runs)
        print("\n".join(lines[-9:]), flush=True)
    if args.data is not None:
        lines += [
            "# CIFAR-10N's three sets as three annotators",
            "",
            "They are not independent: `aggre` is a majority of three labels, `random1` is one of them, and `worse` "
            "a wrong one of the three wherever there is one. Votes that repeat each other outvote the best set: "
            "compare each method with `aggre` alone, below the tables.",
            "",
        ]
        jobs: list[tuple[str, Path | None]] = [("all images, no network", None)]
        for path in args.probs:
            jobs.append((f"a network's probabilities: {path.stem}", path))
        for title, path in jobs:
            about: dict[str, Any] = {}
            rows, probs = None, None
            if path is not None:
                with np.load(path) as file:
                    rows, probs = file["rows"], torch.from_numpy(file["probs"])
                    keys = ("model", "method", "epochs", "folds", "seed", "trained_on")
                    about = {name: file[name].item() for name in keys if name in file.files}
            truth, Q, said = human(args.data, rows)
            found = figures(args.crowdkit, truth, Q, said, probs)
            alone = {name: float((said[:, s] == truth).double().mean()) for s, name in enumerate(SETS)}
            result["sets"][title] = {"about": about, "samples": len(truth), "alone": alone, "runs": [found]}
            lines += table(f"{title}, {len(truth):,} images", [found])
            shares = ", ".join(f"{name} {right:.1%}" for name, right in alone.items())
            lines += [f"Each set alone is right: {shares}. {about or ''}".strip(), ""]
            print("\n".join(lines[-10:]), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / f"{args.name}.json", json.loads(json.dumps(result)))
    with whole_file(args.out / f"{args.name}.md") as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
