"""A model that is too simple for the classes: are its own mistakes taken for wrong labels?

    python benchmarks/audit/clusters.py [--tables 40] [--most 40] [--out benchmarks/results]

Tables of scikit-learn's make_classification, of 2 to 8 classes with one to three clusters each, 600 to 3,000 rows, and
logistic regression, cross-validated; labels that are right, and with 5 to 35 % symmetric or pair flips. Each is audited
from the probabilities alone and with the features. The rules were set with the seeds below 220 in view; these start at
1,000. Sets of fewer than 40 % labels that agree with the model are left out. Tables that the results hold are not made
again; ``--most`` is how many new ones there are in one go.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noiselayer import audit_labels
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.storage.environment import versions

FIRST = 1000
LEAST_AGREEMENT = 0.4


def table(seed: int) -> tuple[Any, Any, int, int]:
    """Features, true classes, how many these are, and the clusters of each."""
    generator = np.random.default_rng(seed)
    K, clusters, informative = (
        int(generator.choice(of)) for of in ((2, 3, 4, 5, 8), (1, 2, 3), (5, 6, 8, 10))
    )
    rows, apart = int(generator.choice((600, 1500, 3000))), float(generator.choice((1.0, 1.5, 2.0)))
    X, y = make_classification(
        rows,
        informative + 6,
        n_informative=informative,
        n_classes=K,
        n_clusters_per_class=clusters,
        class_sep=apart,
        flip_y=0,
        random_state=seed,
    )
    return X, y, K, clusters


def with_noise(truth: Any, K: int, kind: str, generator: np.random.Generator) -> Any:
    """Right labels, or 5 to 35 % to the next class or to any other."""
    rate = 0.0 if kind == "none" else generator.uniform(0.05, 0.35)
    step = 1 if kind == "pair" else generator.integers(1, K, size=len(truth))
    return np.where(generator.random(len(truth)) < rate, (truth + step) % K, truth)


def audited(labels: Any, probs: Any, wrong: Any, features: Any) -> dict[str, Any]:
    """What an audit says, beside the truth."""
    audit = audit_labels(labels, probs, probs_predict="given", features=features, check_model=False)
    count, called = audit.wrong, np.asarray(audit.is_error)
    return {
        "expected": count.total,
        "interval": [count.total_low, count.total_high],
        "settled": count.settled,
        "called": int(called.sum()),
        "ap": float(average_precision_score(wrong, -np.asarray(audit.rank))) if wrong.any() else None,
        "f1": float(2 * (called & wrong).sum() / max(1, called.sum() + wrong.sum())),
    }


def main() -> None:
    """A row per table and noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", type=int, default=40)
    parser.add_argument("--most", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    stored = args.out / "audit_clusters.json"
    done: dict[str, list[dict[str, Any]]] = (
        json.loads(stored.read_text())["tables"] if stored.exists() else {}
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    for seed in [s for s in range(FIRST, FIRST + args.tables) if str(s) not in done][: args.most]:
        X, truth, K, clusters = table(seed)
        done[str(seed)] = []
        for kind in ("none", "symmetric" if seed % 2 or K == 2 else "pair"):
            labels = with_noise(truth, K, kind, np.random.default_rng(seed))
            folds = StratifiedKFold(5, shuffle=True, random_state=0)
            probs = cross_val_predict(model, X, labels, cv=folds, method="predict_proba")
            wrong = labels != truth
            if (probs.argmax(axis=1) == labels).mean() < LEAST_AGREEMENT:
                continue
            row = {
                "classes": K,
                "clusters": clusters,
                "rows": len(X),
                "noise": kind,
                "wrong": int(wrong.sum()),
            }
            row["right"] = float((probs.argmax(axis=1) == truth).mean())
            row |= {
                "alone": audited(labels, probs, wrong, None),
                "features": audited(labels, probs, wrong, X),
            }
            done[str(seed)].append(row)
            print(seed, row, flush=True)
        write_json(stored, {"versions": versions(), "tables": done})
    lines = in_a_table([row for rows in done.values() for row in rows], args.tables)
    print("\n".join(lines))
    with whole_file(args.out / "audit_clusters.md") as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")


def in_a_table(rows: list[dict[str, Any]], tables: int) -> list[str]:
    """As Markdown; means over the sets of each noise."""
    lines = [
        "# Models that are too simple for the classes",
        "",
        f"`python benchmarks/audit/clusters.py --tables {tables}`",
        "",
        "| labels | audited from | sets | lower end more than 3 too high | by more than 2 % of the labels "
        "| upper end too low | error of the number / labels | width / labels | settled | called wrong | AP | F1 |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for noise, labels in (("none", "right"), ("symmetric", "symmetric flips"), ("pair", "pair flips")):
        some = [row for row in rows if row["noise"] == noise]
        for how, said in (("alone", "probabilities"), ("features", "features too")):
            found = [(row["wrong"], row["rows"], row[how]) for row in some]
            if not found:
                continue
            above = [one["interval"][0] - wrong for wrong, _, one in found]
            below = sum(wrong > one["interval"][1] for wrong, _, one in found)
            far = sum(much > 0.02 * size for much, (_, size, _) in zip(above, found, strict=True))
            off = np.mean([abs(one["expected"] - wrong) / size for wrong, size, one in found])
            width = np.mean([(one["interval"][1] - one["interval"][0]) / size for _, size, one in found])
            called = np.mean([one["called"] / size for _, size, one in found])
            scores = (
                " | ".join(f"{np.mean([one[score] for _, _, one in found]):.3f}" for score in ("ap", "f1"))
                if noise != "none"
                else " | "
            )
            lines.append(
                f"| {labels} | {said} | {len(found)} | {sum(much > 3 for much in above)} | {far} | {below} | {off:.1%} "
                f"| {width:.1%} | {sum(one['settled'] for _, _, one in found)} | {called:.1%} | {scores} |"
            )
    return [*lines, ""]


if __name__ == "__main__":
    main()
