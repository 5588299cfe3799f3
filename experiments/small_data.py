"""What the defaults rest on, where an experiment takes seconds: digits and two tables, several kinds of noise.

    python experiments/small_data.py [--seeds N]

Data come with scikit-learn. Every row is a mean over seeds (and the spread between them); variants of "learned"
differ in where Q starts and how its penalties are chosen, "paper" is §3.3 as it stands: Q starts at the identity
after a first phase and is learned with weight decay 0.05 by the network that has learned the noise. "paper, fresh
network" trains another one through the Q that this has found.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from cells import RESULTS as FOLDER
from cells import new_parser, write_json
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.model_selection import train_test_split

import noiselayer
from noiselayer.data import from_arrays
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.paper.trial import count_matrix
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import TrainingOptions, default_options

RESULTS = FOLDER / "small_data.json"
VARIANTS: dict[str, dict[str, Any]] = {
    "normal": {"method": "normal"},
    "known": {"method": "known"},
    "learned": {"method": "learned"},
    "learned, best likelihood": {"method": "learned", "rule": "best"},
    "learned, from confusion": {"method": "learned", "start": "confusion"},
    "paper": {"method": "learned", "start": "identity"},
    "paper, fresh network": {"method": "learned", "start": "joint"},
}


def data_of(name: str, seed: int) -> tuple[np.ndarray, ...]:
    """Inputs and true labels to train and to test on."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
    elif name == "breast cancer":
        X, y = load_breast_cancer(return_X_y=True)
    else:
        X, y = make_classification(
            4000, 20, n_informative=8, n_classes=4, n_clusters_per_class=2, class_sep=1.5, random_state=seed
        )
    return tuple(train_test_split(X.astype(np.float32), y, test_size=0.25, random_state=seed, stratify=y))


def noise_of(kind: str, num_classes: int, generator: torch.Generator) -> torch.Tensor:
    """The true noise matrix."""
    if kind == "none":
        return noiselayer.noise.identity(num_classes)
    if num_classes == 2:  # a pair flip of 45 % each way leaves nothing to learn from
        return torch.tensor([[0.9, 0.35], [0.1, 0.65]])
    if kind == "pair flip 45 %":
        return noiselayer.noise.pair_flip(num_classes, 0.45)
    return noiselayer.noise.random(num_classes, 0.45, generator=generator)


def run(name: str, kind: str, variant: str, seed: int) -> dict[str, Any]:
    """One cell."""
    X, X_test, y, y_test = data_of(name, seed)
    generator = torch.Generator().manual_seed(seed)
    truth = torch.from_numpy(y).long()
    K = int(truth.max()) + 1
    Q = noise_of(kind, K, generator)
    noisy = noiselayer.corrupt_labels(truth, Q, generator=generator)
    options: TrainingOptions = default_options("vector", seed=seed, **VARIANTS[variant])
    trained = fit_classifier(from_arrays(X, noisy), options, noise_matrix=Q if variant == "known" else None)
    guesses = predict_logits(trained.network, from_arrays(X_test).inputs).argmax(dim=1)
    return {
        "data": name,
        "noise": kind,
        "method": variant,
        "seed": seed,
        "test_error": 100 * (guesses != torch.from_numpy(y_test)).float().mean().item(),
        "noise_matrix_error": (trained.noise_matrix - Q).abs().sum(dim=0).mean().item(),
        "counted_error": (count_matrix(noisy, truth, K) - Q).abs().sum(dim=0).mean().item(),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: mean and standard deviation over seeds."""
    lines = [
        [
            *key,
            spread([row["test_error"] for row in of_key]),
            spread([row["noise_matrix_error"] for row in of_key], 3),
            spread([row["counted_error"] for row in of_key], 3),
            str(len(of_key)),
        ]
        for key, of_key in grouped(rows, lambda row: (row["data"], row["noise"], row["method"])).items()
    ]
    return markdown(["data", "noise", "method", "test error, %", "L1 of Q", "counted", "seeds"], lines)


def main() -> None:
    """Run the cells that have no row yet; write the rows and their table."""
    parser = new_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    done = {(row["data"], row["noise"], row["method"], row["seed"]) for row in rows}
    for seed in range(arguments.seeds):
        for name in ("digits", "breast cancer", "made table"):
            for kind in ("none", "pair flip 45 %", "random 45 %"):
                if name == "breast cancer" and kind == "random 45 %":
                    continue
                for variant in VARIANTS:
                    if (name, kind, variant, seed) in done:
                        continue
                    rows.append(run(name, kind, variant, seed))
                    print(rows[-1], flush=True)
                    write_json(RESULTS, rows)
    RESULTS.with_suffix(".md").write_text(table(rows), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
