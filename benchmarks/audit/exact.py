"""Whether the interval of an audit covers where its assumptions hold exactly: noise by class, exact probabilities.

    python benchmarks/audit/exact.py [--sets 300] [--most 50] [--out benchmarks/results]

As many sets each of 2, 5 and 10 classes, 2,000 samples, symmetric and asymmetric noise of 5 to 45 %; probabilities
are those of the noisy label, p(noisy | x), computed exactly. Sets that the results hold are not made again;
``--most`` is how many new ones there are in one go.
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

N = 2000


def drawn(K: int, seed: int) -> tuple[np.ndarray, np.ndarray, int, str]:
    """Labels, p(noisy | x), how many labels are wrong, and which noise."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(K, size=N)
    x = generator.uniform(1.5, 4) * np.eye(K)[truth] + generator.normal(size=(N, K))
    scale = x[np.arange(N), truth].mean()
    true_probs = np.exp(scale * (x - x.max(axis=1, keepdims=True)))
    true_probs /= true_probs.sum(axis=1, keepdims=True)
    rate, kind = generator.uniform(0.05, 0.45), ("symmetric", "asymmetric")[seed % 2]
    rate = min(rate, 0.9 * (K - 1) / K) if kind == "symmetric" else rate
    off = np.full((K, K), 1.0) if kind == "symmetric" else generator.dirichlet(np.full(K, 0.5), size=K).T
    np.fill_diagonal(off, 0.0)
    off /= np.maximum(off.sum(axis=0), 1e-12)
    Q = (1 - rate) * np.eye(K) + rate * off
    Q /= Q.sum(axis=0)
    below = Q.cumsum(axis=0)[:, truth]
    y = np.minimum((generator.random(N)[None] > below).sum(axis=0), K - 1)
    return y, true_probs @ Q.T, int((y != truth).sum()), kind


def main() -> None:
    """One row per set; the page has one per number of classes and kind of noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--most", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    stored = args.out / "audit_exact.json"
    rows: dict[str, Any] = json.loads(stored.read_text())["sets"] if stored.exists() else {}
    todo = [seed for seed in range(args.sets) if str(seed) not in rows]
    for seed in todo[: args.most]:
        K = (2, 5, 10)[seed // 2 % 3]
        y, probs, wrong, kind = drawn(K, seed)
        count = audit_labels(y, probs, probs_predict="given", check_model=False).wrong
        rows[str(seed)] = {
            **{"classes": K, "noise": kind, "wrong": wrong, "expected": count.total},
            **{"interval": [count.total_low, count.total_high], "settled": count.settled},
        }
        write_json(stored, {"versions": versions(), "samples": N, "sets": rows})
    lines = in_a_table(rows, args.sets)
    print("\n".join(lines))
    with whole_file(args.out / "audit_exact.md") as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")


def in_a_table(rows: dict[str, Any], sets: int) -> list[str]:
    """As Markdown."""
    lines = [
        "# Noise by class, exact probabilities",
        "",
        f"`python benchmarks/audit/exact.py --sets {sets}`",
        "",
        "| classes | noise | sets | covered | width / wrong labels | expected / wrong labels | settled |",
        "|---|---|---|---|---|---|---|",
    ]
    found: dict[tuple[int, str], list[tuple[float, ...]]] = {}
    for row in rows.values():
        (low, high), wrong = row["interval"], max(row["wrong"], 1)
        one = (low <= row["wrong"] <= high, (high - low) / wrong, row["expected"] / wrong, row["settled"])
        found.setdefault((row["classes"], row["noise"]), []).append(one)
    for (K, kind), each in sorted(found.items()):
        covered, width, ratio, settled = (float(np.mean(column)) for column in zip(*each, strict=True))
        lines.append(
            f"| {K} | {kind} | {len(each)} | {covered:.0%} | {width:.2f} | {ratio:.2f} | {settled:.0%} |"
        )
    everything = np.mean([one[0] for each in found.values() for one in each])
    return [*lines, "", f"Of {len(rows)} sets the interval of 95 % covers in {everything:.1%}.", ""]


if __name__ == "__main__":
    main()
