"""Shares of classes by other tools, on the draws of shares.py; each tool in an environment of its own.

python benchmarks/gold/rivals.py TOOL --data DIR

TOOL is ppi-python, glide-py or judgy; the environment needs that package and NumPy, and not this project. Results are
added to benchmarks/results/gold_shares.json, which shares.py wrote. Each class is a mean of its own; where a tool
raises an error (every checked sample of one class, a judge no better than chance), the draw is counted as failed, and
figures are over the others. judgy is for two classes; its interval is from 200 bootstrap samples.
"""

import argparse
import json
import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
from labelled_sets import SETS, read


def ppi_python(y, f, rows, others):
    """PPI++ with its weight tuned."""
    from ppi_py import ppi_mean_ci, ppi_mean_pointestimate

    given = y[rows].astype(float), f[rows].astype(float), f[others].astype(float)
    low, high = ppi_mean_ci(*given, alpha=0.05)
    return tuple(float(np.ravel(x)[0]) for x in (ppi_mean_pointestimate(*given), low, high))


def glide_py(y, f, rows, others):
    """Its estimator of a mean, power-tuned."""
    from glide.estimators import PPIMeanEstimator

    true = np.full(len(y), np.nan)
    true[rows] = y[rows]
    found = PPIMeanEstimator().estimate(true, f.astype(float), confidence_level=0.95).confidence_interval
    return found.mean, found.lower_bound, found.upper_bound


def judgy(y, f, rows, others):
    """Rogan and Gladen's correction."""
    from judgy import estimate_success_rate

    return estimate_success_rate(
        y[rows].astype(int), f[rows].astype(int), f[others].astype(int), bootstrap_iterations=200
    )


def main():
    """Two columns and a count per tool."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", choices=["ppi-python", "glide-py", "judgy"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=400)
    args = parser.parse_args()
    estimate = globals()[args.tool.replace("-", "_")]
    out = Path(__file__).parents[1] / "results" / "gold_shares.json"
    found = json.loads(out.read_text())
    np.random.seed(0)  # noqa: NPY002 - judgy draws from the global generator
    for name in SETS:
        labels, truth, K = read(args.data / "llm" / f"{name}.csv")
        if args.tool == "judgy" and K > 2:
            continue
        for n in (100, 200):
            generator = np.random.default_rng(0)
            errors, held, failed = [], [], 0
            for _ in range(args.draws):
                rows = generator.choice(len(truth), n, replace=False)
                others = np.setdiff1d(np.arange(len(truth)), rows)
                for k in range(1 if K == 2 else 0, K):
                    share = float((truth == k).mean())
                    try:
                        value, low, high = estimate(truth == k, labels == k, rows, others)
                    except (ValueError, RuntimeError, ZeroDivisionError):
                        failed += 1
                        continue
                    if not math.isfinite(value):
                        failed += 1
                        continue
                    errors.append(value - share)
                    held.append(low <= share <= high)
            row = next(r for r in found if r["set"] == name and r["checked"] == n)
            row[f"error_{args.tool}"] = float(np.sqrt(np.mean(np.square(errors)))) if errors else None
            row[f"coverage_{args.tool}"] = float(np.mean(held)) if held else None
            row[f"failed_{args.tool}"] = failed
            row[f"version_{args.tool}"] = version(args.tool)
            print(name, n, {key: value for key, value in row.items() if args.tool in key}, flush=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
