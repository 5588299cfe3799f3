"""What joint learning does, by the strength of its penalty, and what a fresh network through its matrix adds (§3.4).

    python experiments/joint_learning.py [--seeds N] [--methods NAME ...]

scikit-learn's digits, a quarter for the test; of the rest 45 % of the labels are wrong (asymmetric, drawn at random).
The network of the defaults for vectors; a matrix that learns takes steps of 0.02. "recipe" is the one network of §3.4,
"and fresh" another one through the matrix that it found. "estimated" has the true labels of 100 of the samples to
measure the matrix with, "refined" lets it learn on from there. Test labels are read once a row.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import torch
from cells import RESULTS as FOLDER
from cells import new_parser, write_json
from small_data import data_of, noise_of

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options

RESULTS = FOLDER / "joint_learning.json"
TRUSTED = 100
PENALTIES: dict[str, dict[str, float]] = {
    "weight decay 0.02": {"noise_weight_decay": 0.02},
    "weight decay 0.05": {"noise_weight_decay": 0.05},
    "weight decay 0.1": {"noise_weight_decay": 0.1},
    "volume 0.05": {"volume_penalty": 0.05},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "normal": {"method": "normal"},
    "true Q": {"method": "known"},
    "learned (default)": {"method": "learned"},
    "estimated, 100 trusted": {"method": "estimated"},
    "refined, 100 trusted": {"method": "refined"},
    **{
        f"{name}, {penalty}": {"method": "learned", "start": start, "penalty": penalty}
        for penalty in PENALTIES
        for name, start in (("recipe", "identity"), ("recipe and fresh", "joint"))
    },
}


def run(variant: str, seed: int) -> dict[str, Any]:
    """One row."""
    X, X_test, y, y_test = data_of("digits", seed)
    generator = torch.Generator().manual_seed(seed)
    truth = torch.from_numpy(y).long()
    Q = noise_of("random 45 %", 10, generator)
    noisy = noiselayer.corrupt_labels(truth, Q, generator=generator)
    chosen = dict(VARIANTS[variant])
    penalty = chosen.pop("penalty", None)
    options = default_options("vector", seed=seed, **chosen)
    if penalty is not None:
        rates = replace(options.optimization, noise_learning_rate=0.02, **PENALTIES[penalty])
        options = replace(options, optimization=rates)
    trusted = TRUSTED if chosen["method"] in ("estimated", "refined") else 0
    trained = fit_classifier(
        from_arrays(X[trusted:], noisy[trusted:]),
        options,
        clean=from_arrays(X[:trusted], truth[:trusted]) if trusted else None,
        noise_matrix=Q if chosen["method"] == "known" else None,
    )
    guesses = predict_logits(trained.network, from_arrays(X_test).inputs).argmax(dim=1)
    return {
        "method": variant,
        "seed": seed,
        "test_error": 100 * (guesses != torch.from_numpy(y_test)).float().mean().item(),
        "noise_matrix_error": (trained.noise_matrix - Q).abs().sum(dim=0).mean().item(),
        "mean_diagonal": trained.noise_matrix.diagonal().mean().item(),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, in the order of the variants."""
    by_method = grouped(
        sorted(rows, key=lambda row: list(VARIANTS).index(row["method"])), lambda row: row["method"]
    )
    lines = [
        [
            method,
            spread([row["test_error"] for row in of_method]),
            spread([row["noise_matrix_error"] for row in of_method], 3),
            spread([row["mean_diagonal"] for row in of_method], 2),
            str(len(of_method)),
        ]
        for method, of_method in by_method.items()
    ]
    return markdown(["method", "test error, %", "L1 of Q", "mean diagonal (true: 0.55)", "seeds"], lines)


def main() -> None:
    """Run the rows that are not there yet; write them and their table."""
    parser = new_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(VARIANTS), choices=VARIANTS, metavar="NAME")
    arguments = parser.parse_args()
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    done = {(row["method"], row["seed"]) for row in rows}
    for seed in range(arguments.seeds):
        for variant in arguments.methods:
            if (variant, seed) not in done:
                rows.append(run(variant, seed))
                print(rows[-1], flush=True)
                write_json(RESULTS, rows)
                RESULTS.with_suffix(".md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
