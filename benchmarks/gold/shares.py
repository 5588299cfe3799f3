"""Shares of classes from a language model's labels and a few checked ones, beside PPI++: error and coverage.

python benchmarks/gold/shares.py --data DIR

DIR holds ``llm/persuasion.csv`` and its like, with columns ``llm_label`` and ``true_label``; see docs/datasets.md. A
draw checks 100 or 200 samples at random; figures are over 400 draws.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from labelled_sets import SETS, read

from noiselayer import measure_labels


def prediction_powered(labels, truth, rows, K):
    """PPI++ per class, its weight tuned, with the usual normal interval (Angelopoulos, Duchi and Zrnic 2023)."""
    one = np.eye(K + 1)[:, :K]
    Y, F, everyone, n, N = one[truth[rows]], one[labels[rows]], one[labels], len(rows), len(labels)
    together = ((Y - Y.mean(0)) * (F - F.mean(0))).mean(0)
    weight = np.clip(together / np.maximum(F.var(0), 1e-12) / (1 + n / N), 0, 1)
    value = weight * everyone.mean(0) + (Y - weight * F).mean(0)
    error = np.sqrt((Y - weight * F).var(0, ddof=1) / n + weight**2 * everyone.var(0) / N)
    return value, value - 1.96 * error, value + 1.96 * error


def main():
    """One row per set and number of checked labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "results" / "gold_shares.json"
    )
    parser.add_argument("--draws", type=int, default=400)
    args = parser.parse_args()
    before = json.loads(args.out.read_text()) if args.out.is_file() else []  # other tools' columns are kept
    found = []
    for name in SETS:
        labels, truth, K = read(args.data / "llm" / f"{name}.csv")
        shares = np.bincount(truth, minlength=K) / len(truth)
        for n in (100, 200):
            generator = np.random.default_rng(0)
            ours, theirs, held, theirs_held = [], [], [], []
            for _ in range(args.draws):
                rows = generator.choice(len(truth), n, replace=False)
                gold = np.full(len(truth), -1)
                gold[rows] = truth[rows]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    figures = measure_labels(labels, gold, K).shares
                ours.append([f.value for f in figures])
                held.append([f.low <= p <= f.high for f, p in zip(figures, shares, strict=True)])
                value, low, high = prediction_powered(labels, truth, rows, K)
                theirs.append(value)
                theirs_held.append((low <= shares) & (shares <= high))
            squares = [((np.array(one) - shares) ** 2).mean(axis=1) for one in (ours, theirs)]
            errors = [float(np.sqrt(one.mean())) for one in squares]
            apart = (squares[0] - squares[1]) / squares[1].mean() / 2  # of the errors, to first order
            row = {
                "set": name,
                "checked": n,
                "error": errors[0],
                "error_ppi++": errors[1],
                "apart": float(apart.mean()),
                "apart_error": float(apart.std() / np.sqrt(len(apart))),
                "coverage": float(np.mean(held)),
                "coverage_ppi++": float(np.mean(theirs_held)),
            }
            print({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
            others = next((r for r in before if (r["set"], r["checked"]) == (name, n)), {})
            found.append({**others, **row})
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
