"""How often an audit says that the noise depends on more than the class, where it does and where it does not.

    python benchmarks/audit/power.py --probs DIR [--samples 5000] [--repetitions 10] [--out benchmarks/results]

DIR is that of ``strong_models.py``; sets that it lacks keep their results. Labels as they are, of random parts of every
set; and labels drawn anew by the set's own noise matrix, which obey the noise model exactly. (The stored labels of
``synthetic20`` do not: 62 % of the first 5,000 are wrong, and none of the fifth and the sixth.)
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noiselayer import audit_labels
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.storage.environment import versions


def alarms(labels: np.ndarray, probs: np.ndarray) -> bool:
    """Whether a test contradicts the noise model."""
    audit = audit_labels(labels, probs, probs_predict="given")
    return any(finding.p_value is not None for finding in audit.findings)


def main() -> None:
    """One row per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--probs", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    stored = args.out / "audit_power.json"
    sets: dict[str, Any] = json.loads(stored.read_text())["sets"] if stored.exists() else {}
    lines = [
        "# How often the noise model is contradicted",
        "",
        f"`python benchmarks/audit/power.py --samples {args.samples} --repetitions {args.repetitions}`",
        "",
        "| set | labels as they are | drawn anew by class |",
        "|---|---|---|",
    ]
    for path in sorted(args.probs.glob("*.npz")):
        with np.load(path) as file:
            probs, y, truth = (file[name] for name in ("probs", "noisy_labels", "true_labels"))
        probs = probs.astype(float) / probs.astype(float).sum(axis=1, keepdims=True)
        y, truth, K = y.astype(int), truth.astype(int), probs.shape[1]
        Q = np.array([[np.mean(y[truth == i] == j) for i in range(K)] for j in range(K)])
        found = np.zeros((args.repetitions, 2), dtype=bool)
        for r in range(args.repetitions):
            generator = np.random.default_rng(r)
            some = generator.permutation(len(y))[: args.samples]
            above = generator.random(len(y))[None] > Q.cumsum(axis=0)[:, truth]
            anew = np.minimum(above.sum(axis=0), K - 1)
            found[r] = [alarms(labels[some], probs[some]) for labels in (y, anew)]
        as_they_are, by_class = (int(count) for count in found.sum(axis=0))
        sets[path.stem] = {"parts": args.repetitions, "as_they_are": as_they_are, "by_class": by_class}
        print(path.stem, sets[path.stem], flush=True)
        write_json(
            stored, {"versions": versions(), "samples": args.samples, "sets": dict(sorted(sets.items()))}
        )
    lines += [
        f"| {name} | {one['as_they_are'] / one['parts']:.0%} | {one['by_class'] / one['parts']:.0%} |"
        for name, one in sorted(sets.items())
    ]
    with whole_file(args.out / "audit_power.md") as beside:
        beside.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
