"""From how many samples a class on is a noise matrix of 200 classes better than none?

    python experiments/many_classes.py [--seeds N] [--samples N ...] [--noise NAME ...]

Made features, where everything is known: 200 classes in groups of ten alike, 64 numbers each. Half of the labels are
wrong: evenly, each class as three others of its group ("sparse"), or as all of its group ("blocks"). A linear head
(:func:`noiselayer.features.fit_head`) is fitted to them plainly, through the matrix that it learns, through one that is
estimated with ten checked samples a class, and through the true one; 10,000 other samples are the test.
"""

from __future__ import annotations

import json
import time
from typing import Any

import torch
from cells import RESULTS as FOLDER
from cells import new_parser, write_json

from noiselayer import corrupt_labels
from noiselayer.features import fit_head
from noiselayer.noise import symmetric
from noiselayer.paper.markdown import grouped, markdown, spread

RESULTS = FOLDER / "many_classes"
K, GROUP, D, WRONG = 200, 10, 64, 0.5
TEST, CHECKED = 10_000, 10
SAMPLES = (20, 50, 100, 200)
METHODS = ("normal", "learned", "estimated", "known")
NOISE = ("even", "sparse", "blocks")


def matrix(kind: str, generator: torch.Generator) -> torch.Tensor:
    """The true one."""
    if kind == "even":
        return symmetric(K, WRONG)
    Q = torch.zeros(K, K)
    for i in range(K):
        first = i // GROUP * GROUP
        others = torch.tensor([j for j in range(first, first + GROUP) if j != i])
        if kind == "sparse":
            others = others[torch.randperm(len(others), generator=generator)[:3]]
        share = torch.rand(len(others), generator=generator) + 0.2
        Q[others, i] = WRONG * share / share.sum()
    Q.diagonal().fill_(1 - WRONG)
    return Q


def features(labels: torch.Tensor, means: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One Gaussian a class."""
    return means[labels] + torch.randn(len(labels), D, generator=generator)


def run(kind: str, samples: int, method: str, seed: int) -> dict[str, Any]:
    """One cell."""
    generator = torch.Generator().manual_seed(seed)
    of_group = torch.randn(K // GROUP, D, generator=generator).repeat_interleave(GROUP, dim=0)
    means = 0.5 * of_group + 0.5 * torch.randn(K, D, generator=generator)
    Q = matrix(kind, generator)
    truth, checked, test = (torch.arange(K).repeat(n) for n in (samples, CHECKED, TEST // K))
    X, X_checked, X_test = (features(y, means, generator) for y in (truth, checked, test))
    labels = corrupt_labels(truth, Q, generator=generator)
    chosen: dict[str, Any] = {"method": method}
    if method == "known":
        chosen["noise_matrix"] = Q
    if method == "estimated":
        chosen |= {"clean_features": X_checked, "clean_labels": checked}
    began = time.process_time()
    head = fit_head(X, labels, K, **chosen, seed=seed)
    seconds = time.process_time() - began
    wrong = head.logits(X_test).argmax(dim=1) != test
    found = head.found_matrix.float()
    return {
        "noise": kind,
        "samples": samples,
        "method": method,
        "seed": seed,
        "test_error": round(100 * wrong.double().mean().item(), 2),
        "noise_matrix_error": round((found - Q).abs().sum(dim=0).mean().item(), 4),
        "mean_diagonal": round(found.diagonal().mean().item(), 4),
        "taken": head.taken,
        "gain": round(head.gain / max(head.gain_error, 1e-12), 2),
        "cpu_seconds": round(seconds, 1),
    }


def table() -> str:
    """A row per noise and number of samples, over seeds: test errors, and how far each matrix is from the truth."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    rows.sort(key=lambda row: (NOISE.index(row["noise"]), row["samples"]))
    lines = []
    for (kind, samples), of_setting in grouped(rows, lambda row: (row["noise"], row["samples"])).items():
        by_method = grouped(of_setting, lambda row: row["method"])
        lines.append(
            [
                kind,
                f"{samples}",
                *(spread([row["test_error"] for row in by_method.get(m, [])]) for m in METHODS),
                *(
                    spread([row["noise_matrix_error"] for row in by_method.get(m, [])], 2)
                    for m in ("learned", "estimated")
                ),
                f"{max(map(len, by_method.values()))}",
            ]
        )
    header = ["wrong labels", "samples a class", "normal", "learned", "estimated", "true Q"]
    return markdown([*header, "L1 of learned Q", "L1 of estimated Q", "seeds"], lines)


def main() -> None:
    """Run the cells that have no result yet."""
    parser = new_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES)
    parser.add_argument("--noise", nargs="+", default=NOISE, choices=NOISE)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    given = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        for kind in given.noise:
            for samples in given.samples:
                for method in given.methods:
                    path = RESULTS / f"{kind}_{samples}_{method}_{seed}.json"
                    if not path.exists():
                        row = run(kind, samples, method, seed)
                        write_json(path, row)
                        print(row, flush=True)


if __name__ == "__main__":
    main()
