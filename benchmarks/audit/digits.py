"""The verdict on scikit-learn's digits with deliberate noise: three ways to call a label wrong, F1 of each.

    python benchmarks/audit/digits.py [--out benchmarks/results]

Five kinds of noise and two models, whose probabilities are cross-validated by scikit-learn (five folds). The sets were
used in the design of the audit, so this is no test of it; CIFAR-10N (``compare.py``) is. A minute.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noiselayer import audit_labels, corrupt_labels
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.noise import matrices
from noiselayer.storage.environment import versions

NOISE = {
    "symmetric, 20 %": lambda: matrices.symmetric(10, 0.2),
    "symmetric, 40 %": lambda: matrices.symmetric(10, 0.4),
    "pair flip, 30 %": lambda: matrices.pair_flip(10, 0.3),
    "random, 30 %": lambda: matrices.random(10, 0.3, generator=torch.Generator().manual_seed(0)),
    "symmetric, 5 %": lambda: matrices.symmetric(10, 0.05),
}
MODELS = {
    "linear": lambda: LogisticRegression(C=0.01, max_iter=2000),
    "MLP": lambda: MLPClassifier((64,), alpha=1.0, max_iter=60, early_stopping=True, random_state=0),
}


def f1(flags: torch.Tensor, wrong: torch.Tensor) -> float:
    """Of a verdict."""
    return float(2 * (flags & wrong).sum() / (flags.sum() + wrong.sum()).clamp_min(1))


def main() -> None:
    """One row per noise and model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    args = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    true = torch.from_numpy(y).long()
    rows = []
    for noise, matrix in NOISE.items():
        noisy = corrupt_labels(true, matrix(), generator=torch.Generator().manual_seed(1))
        wrong = noisy != true
        for model, make in MODELS.items():
            pipeline = make_pipeline(StandardScaler(), make())
            probs = torch.from_numpy(cross_val_predict(pipeline, X, noisy.numpy(), method="predict_proba"))
            audit = audit_labels(noisy, probs, probs_predict="given")
            rows.append(
                {
                    **{"noise": noise, "model": model, "wrong": int(wrong.sum())},
                    "argmax": f1(probs.argmax(dim=1) != noisy, wrong),
                    "half": f1(audit.error_probability > 0.5, wrong),
                    "default": f1(audit.is_error, wrong),
                    "expected": float(audit.wrong.total),
                }
            )
            print(rows[-1], flush=True)
    many = [row for row in rows if row["noise"] != "symmetric, 5 %"]
    lines = [
        "# The verdict on digits",
        "",
        "`python benchmarks/audit/digits.py`; F1 of labels called wrong.",
        "",
        "| noise | model | wrong | expected | argmax differs | e > 1/2 | best expected F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['noise']} | {row['model']} | {row['wrong']:,} | {row['expected']:,.0f} | {row['argmax']:.2f} "
        f"| {row['half']:.2f} | {row['default']:.2f} |"
        for row in rows
    ]
    medians = [statistics.median(row[name] for row in many) for name in ("argmax", "half", "default")]
    lines.append(f"| 20 to 40 %, median | both | | | {' | '.join(f'{m:.2f}' for m in medians)} |")
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "audit_digits.json", {"versions": versions(), "rows": rows})
    with whole_file(args.out / "audit_digits.md") as beside:
        beside.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
