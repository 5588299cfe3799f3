r"""Sets that the rules of the audit were not set with: out-of-sample probabilities for ``strong_models.py``.

    python benchmarks/audit/more_sets.py --data DIR --out SETS [--features FEATURES.npy] [--only NAME]
    python benchmarks/audit/strong_models.py --probs SETS --cleanlab-python VENV/bin/python \
        --repetitions 0 --name audit_more

DIR is the folder of real data (``probs``, ``llm``, ``crowd``, ``cifar10``). FEATURES holds a frozen network's features
of CIFAR-10's training images. Every set gets two models where it can, each cross-fitted in five folds; parts of the
strong models' sets (five classes, the half they are least sure of, 2,000 samples, one label in four of the rarer
classes) keep the networks' own
probabilities. Of every set 10,000 labels at most are written.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import ComplementNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MOST = 10_000  # labels of a set, at random
Set = tuple[str, np.ndarray, np.ndarray, np.ndarray]  # name, probabilities, given labels, truth


def out_of_fold(model: Callable[[], Any], X: Any, y: np.ndarray, K: int, seed: int) -> np.ndarray:
    """Probabilities by models that have not seen the sample's label."""
    probs = np.zeros((len(y), K))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(np.zeros(len(y)), y):
        fitted = model().fit(X[train], y[train])
        probs[np.ix_(test, fitted.classes_)] = fitted.predict_proba(X[test])
    return probs


def all_texts(data: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Rows of text, given label and truth: labels by language models, rules and keyword lists, some of them missing."""
    found = {}
    for name in ("semeval", "trec"):
        rows = [row for part in ("train", "valid", "test") for row in _rows(data / f"{name}_{part}.csv")]
        if name == "trec":
            for row in rows:
                row["llm_label"] = _most(row)
        found[name] = [(r["text"], r["llm_label"], r["true_label"]) for r in rows]
    found["warming"] = [
        (r["text"], r["llm_label"], r["true_label"]) for r in _rows(data / "global_warming.csv")
    ]
    true, noisy = (_rows(data / f"hausa_train_clean{end}.tsv", "\t") for end in ("", "_noisy_labels"))
    text, label = list(true[0])[:2]
    found["hausa"] = [(a[text], b[label], a[label]) for a, b in zip(true, noisy, strict=True)]
    return found


def labelled(row: tuple[str, str, str]) -> bool:
    """Whether there is a text and a label."""
    return bool(row[0]) and row[1] not in ("", "-1", None)


def texts(data: Path) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Name and rows of the texts that have labels."""
    for name, rows in all_texts(data).items():
        yield name, [row for row in rows if labelled(row)]


def text_sets(data: Path) -> Iterator[Set]:
    """The texts, of which two linear models learned the labels."""
    for name, kept in texts(data):
        names = sorted({row[2] for row in kept} | {row[1] for row in kept})
        y, truth = (np.array([names.index(row[k]) for row in kept]) for k in (1, 2))
        for model, make in (
            ("linear", lambda: LogisticRegression(C=4.0, max_iter=300)),
            ("bayes", lambda: ComplementNB()),
        ):
            vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
            X = vectors.fit_transform([row[0] for row in kept])
            yield f"{name}_{model}", out_of_fold(make, X, y, len(names), len(model)), y, truth


def photographs(data: Path) -> Iterator[Set]:
    """A crowd's photographs, each with one of its annotators' labels."""
    with np.load(data / "crowd" / "labelme.npz") as file:
        X, truth, answers = file["x_train"].astype(float), file["y_train"].astype(int), file["answers_train"]
    generator = np.random.default_rng(0)
    y = np.array([generator.choice(row[row >= 0]) for row in answers]).astype(int)
    for model, make in (
        ("linear", lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))),
        ("trees", lambda: ExtraTreesClassifier(200, min_samples_leaf=3, random_state=0)),
    ):
        yield f"labelme_{model}", out_of_fold(make, X, y, int(truth.max()) + 1, len(model)), y, truth


def frozen(data: Path, features: Path) -> Iterator[Set]:
    """People's labels of CIFAR-10, a linear model and neighbours on a frozen network's features."""
    X = PCA(200, random_state=0).fit_transform(np.load(features).astype(np.float32))
    with np.load(data / "cifar10" / "labels.npz") as file:
        truth = file["train"].astype(int)
        given = {name: file[f"cifar10n_{name}"].astype(int) for name in ("aggre", "random1", "worse")}
    for name, y in given.items():
        linear = out_of_fold(
            lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200)), X, y, 10, 0
        )
        yield f"frozen-{name}_linear", linear, y, truth
        near = out_of_fold(lambda: KNeighborsClassifier(40, algorithm="brute"), X[:, :64], y, 10, 1)
        yield f"frozen-{name}_neighbours", 0.98 * near + 0.002, y, truth  # none is impossible


def parts(data: Path) -> Iterator[Set]:
    """Parts of the strong models' sets, chosen by class, by confidence and at random."""
    for path in sorted((data / "probs").glob("*.npz")):
        with np.load(path) as file:
            probs = file["probs"].astype(float)
            y, truth = file["noisy_labels"].astype(int), file["true_labels"].astype(int)
        probs /= probs.sum(axis=1, keepdims=True)
        name, _, model = path.stem.rpartition("_")
        animals = np.isin(truth, range(2, 7)) & np.isin(y, range(2, 7))
        five = np.clip(probs[animals, 2:7], 1e-4, None)
        five /= five.sum(axis=1, keepdims=True)
        yield f"{name}-animals_{model}", five, y[animals] - 2, truth[animals] - 2
        certain = probs.max(axis=1)
        chosen = {
            "uneven": (y < 5) | (np.arange(len(y)) % 4 == 0),
            "2000": np.random.default_rng(1).permutation(len(y))[:2000],
            f"unsure-{model}": certain < np.median(certain),
        }
        for part, rows in chosen.items():
            yield f"{name}-{part}_{model}", probs[rows], y[rows], truth[rows]


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _most(row: dict[str, str]) -> str:
    """The label that most rules give; none if all abstain."""
    votes = [cell for name, cell in row.items() if name.startswith("rule_") and cell]
    return max(sorted(set(votes)), key=votes.count) if votes else ""


def main() -> None:
    """One file per set and model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=("text", "photographs", "parts", "frozen"))
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="The least populated class")
    args.out.mkdir(parents=True, exist_ok=True)
    kinds = {
        "text": lambda: text_sets(args.data / "llm"),
        "photographs": lambda: photographs(args.data),
        "parts": lambda: parts(args.data),
        "frozen": lambda: () if args.features is None else frozen(args.data, args.features),
    }
    for kind in [args.only] if args.only else kinds:
        for name, probs, y, truth in kinds[kind]():
            some = np.random.default_rng(2).permutation(len(y))[:MOST]  # of two models the same
            probs, y, truth = probs[some].astype(np.float32), y[some], truth[some]
            np.savez(args.out / name, probs=probs, noisy_labels=y, true_labels=truth)
            print(
                f"{name}: {len(y):,} labels, {(y != truth).mean():.1%} wrong, model right on "
                f"{(probs.argmax(axis=1) == truth).mean():.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
