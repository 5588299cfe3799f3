"""The audit on small tables, weak models and rare classes: its ranking beside the label's own probability.

    python benchmarks/audit/tables.py --cleanlab-python VENV/bin/python [--out benchmarks/results]

Eight tables of scikit-learn, two models each, whose probabilities are cross-validated (five folds); pair, symmetric and
random noise, and noise on the samples that a linear model finds hard. The rules of the audit were set with tables like
these in view, from probabilities alone, and with the features too, as ``noiselayer audit`` reads a table. Beside it are
cleanlab, and neighbours on the features: the share of a sample's ten nearest ones with another label, as in SimiFeat.
Some minutes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from compare import ask_cleanlab, cleanlab_of, f1
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noiselayer import audit_labels
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.noise import pair_flip, random, symmetric
from noiselayer.storage.environment import versions

NOISE = (("pair", 0.25), ("symmetric", 0.1), ("random", 0.3), ("hard samples", 0.15))
MODELS = {
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)),
    "forest": lambda: RandomForestClassifier(60, min_samples_leaf=3, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15),
}


def tables() -> Iterator[tuple[str, Any, Any, tuple[str, str]]]:
    """Name, features, true classes and two models."""
    for name, load in (("digits", load_digits), ("wine", load_wine), ("cancer", load_breast_cancer)):
        yield (name, *load(return_X_y=True), ("linear", "forest"))

    def made(n: int, features: int, **options: Any) -> tuple[Any, Any]:
        X, y = make_classification(n, features, n_redundant=options.pop("redundant", 2), **options)
        return X, y

    five = {"n_classes": 5, "n_informative": 6, "class_sep": 0.7, "random_state": 0}
    yield ("five, hard", *made(3000, 20, **five), ("linear", "forest"))
    shares = [0.45, 0.4, 0.07, 0.05, 0.03]
    five = {
        "n_classes": 5,
        "n_informative": 4,
        "n_clusters_per_class": 1,
        "class_sep": 0.6,
        "random_state": 1,
    }
    yield ("five, uneven", *made(1461, 6, redundant=0, weights=shares, **five), ("linear", "boosting"))
    three = {"n_classes": 3, "n_informative": 5, "class_sep": 1.0, "random_state": 2}
    yield ("three, one rare", *made(4000, 15, weights=[0.68, 0.3, 0.02], **three), ("linear", "boosting"))
    two = {"n_classes": 2, "n_informative": 4, "class_sep": 0.5, "random_state": 3}
    yield ("two, hard", *made(2000, 10, **two), ("linear", "boosting"))
    ten = {
        "n_classes": 10,
        "n_informative": 12,
        "n_clusters_per_class": 1,
        "class_sep": 1.5,
        "random_state": 4,
    }
    yield ("ten", *made(3000, 30, **ten), ("linear", "forest"))


def corrupted(X: Any, true: Any, kind: str, rate: float, seed: int) -> np.ndarray:
    """Noisy labels; of hard samples by how near a linear model sees them to another class."""
    generator, K = np.random.default_rng(seed), int(true.max()) + 1
    if kind == "hard samples":
        near = MODELS["linear"]().fit(X, true).predict_proba(X)
        own = near.max(axis=1)
        near[np.arange(len(true)), true] = 0
        rank = (near.max(axis=1) / own).argsort().argsort() / len(true)
        moved = generator.random(len(true)) < np.minimum(1, 3 * rate * rank**2)
        return np.where(moved, near.argmax(axis=1), true)
    drawn = torch.Generator().manual_seed(3)
    make = {
        "pair": lambda: pair_flip(K, rate),
        "symmetric": lambda: symmetric(K, rate),
        "random": lambda: random(K, rate, generator=drawn),
    }
    below = make[kind]().numpy().cumsum(axis=0)[:, true]
    return np.minimum((generator.random(len(true))[None] > below).sum(axis=0), K - 1)


def out_of_fold(model: str, X: Any, y: Any, K: int) -> np.ndarray:
    """Probabilities of every class, by models that have not seen the sample."""
    probs = np.zeros((len(y), K))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        fitted = MODELS[model]().fit(X[train], y[train])
        probs[np.ix_(test, fitted.classes_)] = fitted.predict_proba(X[test])
    return probs


def unlike_neighbours(X: Any, y: np.ndarray) -> np.ndarray:
    """The share of the ten nearest samples that carry another label."""
    scaled = StandardScaler().fit_transform(X)
    near = NearestNeighbors(n_neighbors=11).fit(scaled).kneighbors(scaled, return_distance=False)[:, 1:]
    return (y[near] != y[:, None]).mean(axis=1)


def audited(y: np.ndarray, probs: np.ndarray, wrong: np.ndarray, features: Any = None) -> dict[str, Any]:
    """What the audit finds, beside the truth."""
    audit = audit_labels(y, probs, probs_predict="given", features=features, check_model=False)
    count = audit.wrong
    return {
        "ap": float(average_precision_score(wrong, -audit.rank)),
        "f1": f1(audit.is_error, wrong),
        "expected": count.total,
        "interval": [count.total_low, count.total_high],
        "settled": count.settled,
    }


def in_words(found: list[dict[str, Any]], rows: list[dict[str, Any]]) -> str:
    """Figures of the audits of all sets."""
    gain = [one["ap"] - row["own"] for one, row in zip(found, rows, strict=True)]
    covered = sum(covers(one, row) for one, row in zip(found, rows, strict=True))
    ap, score = (np.mean([one[k] for one in found]) for k in ("ap", "f1"))
    return (
        f"average precision is {ap:.3f}, {np.mean(gain):+.3f} beside the label's own probability in the mean, more "
        f"than 0.01 below it on {sum(g < -0.01 for g in gain)}, at worst {min(gain):+.3f}; F1 is {score:.3f}; the "
        f"interval covers {covered} of {len(rows)}."
    )


def covers(one: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether the interval holds the true number."""
    return bool(one["interval"][0] <= row["wrong"] <= one["interval"][1])


def main() -> None:
    """One row per table, noise and model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cleanlab-python", required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="The least populated class")
    rows, given = [], {}
    for seed, (name, X, true, models) in enumerate(tables()):
        for kind, rate in NOISE:
            y = corrupted(X, true, kind, rate, seed)
            unlike = unlike_neighbours(X, y)
            for model in models:
                probs = out_of_fold(model, X, y, int(true.max()) + 1)
                wrong, own = y != true, probs[np.arange(len(y)), y]
                rows.append(
                    {
                        **{"table": name, "noise": f"{kind} {rate:.0%}", "model": model},
                        "right": float((probs.argmax(axis=1) == true).mean()),
                        **audited(y, probs, wrong),
                        "features": audited(y, probs, wrong, X),
                        "own": float(average_precision_score(wrong, -own)),
                        "neighbours": float(average_precision_score(wrong, unlike)),
                        "argmax_f1": f1(probs.argmax(axis=1) != y, wrong),
                        "wrong": int(wrong.sum()),
                    }
                )
                given[f"{len(rows) - 1:03d}"] = (y, probs, wrong)
                print(rows[-1], flush=True)
    theirs = ask_cleanlab({name: (y, probs) for name, (y, probs, _) in given.items()}, args.cleanlab_python)
    for row, (name, (_, _, wrong)) in zip(rows, given.items(), strict=True):
        row["cleanlab"] = cleanlab_of(theirs[name], wrong)
    own, near, argmax = (np.mean([row[k] for row in rows]) for k in ("own", "neighbours", "argmax_f1"))
    best, default = (np.mean([row["cleanlab"][k] for row in rows]) for k in ("ap", "f1"))
    with_features = [row["features"] for row in rows]
    lines = [
        "# The audit on tables",
        "",
        f"`python benchmarks/audit/tables.py`; {len(rows)} sets.",
        "",
        f"- From probabilities alone {in_words(rows, rows)}",
        f"- With the features {in_words(with_features, rows)}",
        f"- Average precision of cleanlab's best score {best:.3f}, own probability {own:.3f}, neighbours {near:.3f}; "
        f"F1 of cleanlab's default {default:.3f}, argmax differs {argmax:.3f}.",
        "",
        "| table | noise | model | right | AP | with features | own probability | neighbours | cleanlab's best | F1 "
        "| with features | cleanlab's default | wrong | expected (interval) | with features |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['table']} | {row['noise']} | {row['model']} | {row['right']:.0%} | {row['ap']:.3f} "
            f"| {two['ap']:.3f} | {row['own']:.3f} | {row['neighbours']:.3f} | {row['cleanlab']['ap']:.3f} "
            f"| {row['f1']:.3f} | {two['f1']:.3f} | {row['cleanlab']['f1']:.3f} | {row['wrong']:,} | "
            + " | ".join(
                f"{one['expected']:,.0f} ({one['interval'][0]:,.0f} to {one['interval'][1]:,.0f})"
                + ("" if one["settled"] else ", not settled")
                + ("" if covers(one, row) else ", **missed**")
                for one in (row, two)
            )
            + " |"
            for row, two in zip(rows, with_features, strict=True)
        ),
        "",
    ]
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "audit_tables.json", {"versions": versions(), "rows": rows})
    with whole_file(args.out / "audit_tables.md") as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
