"""Whether the interval of an audit covers where its assumptions hold exactly: noise by class, exact probabilities.

    python benchmarks/audit/exact.py [--sets 300] [--out benchmarks/results]

As many sets each of 2, 5 and 10 classes, 2,000 samples, symmetric and asymmetric noise of 5 to 45 %; probabilities
are those of the noisy label, p(noisy | x), computed exactly.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from noiselayer import audit_labels
from noiselayer.files.whole_file import whole_file

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
    """One row per number of classes and kind of noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sets", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[tuple[int, str], list[tuple[bool, float, float, bool]]] = {}
    for seed in range(args.sets):
        K = (2, 5, 10)[seed // 2 % 3]
        y, probs, wrong, kind = drawn(K, seed)
        count = audit_labels(y, probs, probs_predict="given", check_model=False).wrong
        covered = count.total_low <= wrong <= count.total_high
        width = (count.total_high - count.total_low) / max(wrong, 1)
        rows.setdefault((K, kind), []).append((covered, width, count.total / max(wrong, 1), count.settled))
        if (seed + 1) % 30 == 0 or seed + 1 == args.sets:
            write(rows, seed + 1, args.out)


def write(rows: dict[tuple[int, str], list[tuple[bool, float, float, bool]]], sets: int, out: Path) -> None:
    """What has been found so far, as a page."""
    lines = [
        "# Noise by class, exact probabilities",
        "",
        f"`python benchmarks/audit/exact.py --sets {sets}`",
        "",
        "| classes | noise | sets | covered | width / wrong labels | expected / wrong labels | settled |",
        "|---|---|---|---|---|---|---|",
    ]
    for (K, kind), found in sorted(rows.items()):
        covered, width, ratio, settled = (float(np.mean(column)) for column in zip(*found, strict=True))
        lines.append(
            f"| {K} | {kind} | {len(found)} | {covered:.0%} | {width:.2f} | {ratio:.2f} | {settled:.0%} |"
        )
    everything = np.mean([one[0] for found in rows.values() for one in found])
    lines += ["", f"Of all {sets} sets the interval of 95 % covers in {everything:.1%}.", ""]
    print("\n".join(lines))
    with whole_file(out / "audit_exact.md") as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
