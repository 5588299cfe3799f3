"""Finding wrong labels: noiselayer beside cleanlab, argmax disagreement and FiftyOne's mistakenness.

    python benchmarks/audit/compare.py --probs DIR --cleanlab-python VENV/bin/python [--out benchmarks/results]

DIR holds the files that ``crossfit.py`` makes. Every method sees the same out-of-fold probabilities and noisy labels;
the true labels are read for the figures alone. Intervals are of 95 %, by drawing the samples again.

A score that is no error probability gets no Brier score and calibration error, but for one minus the probability
that the model gives the label, which is the obvious one.
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
from sklearn.metrics import average_precision_score, roc_auc_score

from noiselayer import audit_labels
from noiselayer.audit.checked_batches import Batch
from noiselayer.audit.fit_noise_model import fit_noise_model
from noiselayer.audit.subsample import first_pass
from noiselayer.estimation.confusion import confusion_by_prediction
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.storage.environment import versions

BOOTSTRAP = 200
DEFAULT = "prune_by_noise_rate"
FILTERS = (DEFAULT, "prune_by_class", "both", "confident_learning", "predicted_neq_given")
BEST = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
FIGURES = ("ap", "auroc", "p100", "p1000", "f1", "brier", "ece", "count")
HEADS = ("AP", "AUROC", "P@100", "P@1000", "F1", "Brier", "ECE", "count / truth")


def ask_cleanlab(
    sets: dict[str, tuple[np.ndarray, np.ndarray]], python: str, filters: tuple[str, ...] = (DEFAULT,)
) -> dict[str, dict[str, np.ndarray]]:
    """What ``cleanlab_side.py`` finds of every set's labels and probabilities, run in cleanlab's environment."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (labels, probs) in sets.items():
            np.savez(Path(folder) / name, labels=labels, probs=probs)
        side = str(Path(__file__).parent / "cleanlab_side.py")
        subprocess.run([python, side, folder, *filters], check=True)
        found = {}
        for name in sets:
            with np.load(Path(folder) / f"OUT_{name}.npz") as file:
                found[name] = dict(file)
        return found


def f1(flags: np.ndarray, wrong: np.ndarray) -> float:
    """Of a verdict."""
    return float(2 * (flags & wrong).sum() / max(1, flags.sum() + wrong.sum()))


def cleanlab_of(theirs: dict[str, np.ndarray], wrong: np.ndarray) -> dict[str, float]:
    """F1 of cleanlab's default filter, and the best average precision of its three scores."""
    return {
        "f1": f1(theirs[f"filter {DEFAULT}"].astype(bool), wrong),
        "ap": max(float(average_precision_score(wrong, -theirs[f"score {name}"])) for name in BEST),
    }


def ece(e: np.ndarray, wrong: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error, bins of equal width."""
    where = np.minimum((e * bins).astype(int), bins - 1)
    filled = [where == b for b in range(bins) if (where == b).any()]
    return float(sum(abs(e[b].mean() - wrong[b].mean()) * b.mean() for b in filled))


def figures(method: dict[str, Any], wrong: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """All figures of one method on some rows."""
    w, out = wrong[rows], {}
    if "score" in method:
        s = method["score"][rows]
        order = np.argsort(-s, kind="stable")
        out |= {"ap": average_precision_score(w, s), "auroc": roc_auc_score(w, s)}
        out |= {f"p{k}": float(w[order[:k]].mean()) for k in (100, 1000) if len(w) > k}
    if "flags" in method:
        f = method["flags"][rows]
        out["f1"] = 2 * (f & w).sum() / max(1, f.sum() + w.sum())
    if "error" in method:
        e = method["error"][rows]
        out |= {"brier": float(((e - w) ** 2).mean()), "ece": ece(e, w)}
    if "count" in method:
        out["count"] = method["count"] / max(1, wrong.sum())
    return {name: float(value) for name, value in out.items()}


def methods_of(file: Any, cleanlab_python: str) -> dict[str, dict[str, Any]]:
    """Scores, verdicts, error probabilities and counts of every method."""
    labels, probs = file["labels"], file["probs"].astype(np.float32)
    own = probs[np.arange(len(labels)), labels]
    differs = probs.argmax(axis=1) != labels
    audit = audit_labels(
        torch.from_numpy(labels), torch.from_numpy(probs), probs_predict=str(file["probs_predict"])
    )
    error = audit.error_probability.double().numpy()
    found: dict[str, dict[str, Any]] = {
        "noiselayer": {
            "score": -audit.rank.double().numpy(),
            "flags": audit.is_error.numpy(),
            "error": error,
            "count": audit.wrong.total,
            "interval": [audit.wrong.total_low, audit.wrong.total_high],
            "matrix": audit.noise_matrix.tolist(),
            "learned_share": audit.learned_share,
            "temperature": audit.temperature,
            "threshold": audit.threshold,
            "findings": [str(finding) for finding in audit.findings],
        },
        "label is not the argmax": {
            "score": 1 - own,
            "flags": differs,
            "error": np.clip(1 - own, 0, 1).astype(np.float64),
            "count": float(differs.sum()),
        },
    }
    entropy = -(probs * np.log(np.maximum(probs, 1e-30))).sum(axis=1)
    found["FiftyOne mistakenness"] = {"score": (np.where(differs, 1, -1) * np.exp(-entropy) + 1) / 2}
    theirs = ask_cleanlab({"one": (labels, probs)}, cleanlab_python, FILTERS)["one"]
    for name, values in theirs.items():
        kind, _, what = name.partition(" ")
        if kind == "score":
            found[f"cleanlab {what}"] = {"score": -values}
        elif kind == "filter":
            found[f"cleanlab filter {what}"] = {"flags": values.astype(bool)}
    found["cleanlab filter prune_by_noise_rate"]["count"] = float(theirs["count"])
    return found


def with_the_true_matrix(file: Any) -> dict[str, float]:
    """What the audit would expect if it knew the noise, and how well either matrix explains the noisy labels."""
    labels, probs = torch.from_numpy(file["labels"]), torch.from_numpy(file["probs"]).float()
    K = probs.shape[1]
    counts = torch.zeros(K, K).index_put_(
        (labels, torch.from_numpy(file["true"])), torch.ones(len(labels)), accumulate=True
    )
    Q = counts / counts.sum(dim=0)
    first = first_pass([Batch(0, labels, probs, None)], K)
    confusion = confusion_by_prediction(first.counts)
    audit = audit_labels(labels, probs, Q, probs_predict=str(file["probs_predict"]))
    return {
        "count": audit.wrong.total,
        "likelihood": fit_noise_model(first.samples, confusion, noise_matrix=Q)[1],
        "likelihood_of_the_fit": fit_noise_model(first.samples, confusion)[1],
    }


def measured(path: Path, cleanlab_python: str) -> dict[str, Any]:
    """Every figure of every method on one set, as plain types."""
    with np.load(path) as file:
        wrong = file["labels"] != file["true"]
        about = {
            name: file[name].item()
            for name in ("model", "method", "epochs", "folds", "subset", "seed")
            if name in file.files
        }
        accuracy = float((file["probs"].argmax(axis=1) == file["true"]).mean())
        found = methods_of(file, cleanlab_python)
        informed = with_the_true_matrix(file)
    generator = np.random.default_rng(0)
    draws = [generator.integers(len(wrong), size=len(wrong)) for _ in range(BOOTSTRAP)]
    table = {}
    for name, method in found.items():
        value = figures(method, wrong, np.arange(len(wrong)))
        drawn = [figures(method, wrong, rows) for rows in draws]
        table[name] = {
            figure: {
                "value": value[figure],
                "interval": [float(q) for q in np.quantile([d[figure] for d in drawn], [0.025, 0.975])],
            }
            for figure in FIGURES
            if figure in value
        }
    ours = {name: value for name, value in found["noiselayer"].items() if not isinstance(value, np.ndarray)}
    row = {
        **{"about": about, "samples": len(wrong), "wrong": int(wrong.sum()), "accuracy": accuracy},
        **{
            "methods": table,
            "noiselayer": ours,
            "true_matrix": informed,
            "versions": {**versions(), "cleanlab": "2.9.0"},
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(row))
    return plain


def told(informed: dict[str, float] | None) -> str:
    """In words; sets that were measured before this was asked have no such figures."""
    if informed is None:
        return ""
    return (
        f" With the true matrix it expects {informed['count']:,.0f}; mean log-likelihood of the noisy labels "
        f"{informed['likelihood']:.4f} with that, {informed['likelihood_of_the_fit']:.4f} with the fitted one."
    )


def section(name: str, row: dict[str, Any]) -> list[str]:
    """A set in Markdown."""
    ours = row["noiselayer"]
    lines = [
        f"## {name}",
        "",
        f"{row['samples']:,} samples, {row['wrong'] / row['samples']:.1%} wrong labels ({row['wrong']:,}); the "
        f"model is right on {row['accuracy']:.1%}. {row['about']}. noiselayer expects {ours['count']:,.0f} wrong "
        f"labels ({ours['interval'][0]:,.0f} to {ours['interval'][1]:,.0f}).{told(row.get('true_matrix'))}",
        "",
        f"| method | {' | '.join(HEADS)} |",
        f"|---|{'---|' * len(HEADS)}",
    ]
    for method, found in row["methods"].items():
        cells = [
            f"{found[f]['value']:.3f} ({found[f]['interval'][0]:.3f} to {found[f]['interval'][1]:.3f})"
            if f in found and f != "count"
            else f"{found[f]['value']:.2f}"
            if f in found
            else ""
            for f in FIGURES
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return [*lines, ""]


def main() -> None:
    """Measure what DIR holds; sets of an earlier table that it does not hold stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--probs", type=Path, required=True)
    parser.add_argument("--cleanlab-python", required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    parser.add_argument("--name", default="audit")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path, sets = args.out / f"{args.name}.json", {}
    if path.exists():
        sets = json.loads(path.read_text(encoding="utf-8"))["sets"]
    for probs in sorted(args.probs.glob("*.npz")):
        sets[probs.stem] = measured(probs, args.cleanlab_python)
    sets = dict(sorted(sets.items()))
    lines = [
        "# Finding wrong labels",
        "",
        "`python benchmarks/audit/compare.py`; intervals of 95 % over samples.",
        "",
    ]
    for name, row in sets.items():
        lines += section(name, row)
    write_json(path, {"sets": sets})
    with whole_file(path.with_suffix(".md")) as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
