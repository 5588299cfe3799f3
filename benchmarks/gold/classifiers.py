"""Classifiers from a language model's, rules' or a crowd's labels and some checked ones: gold alone, plain, auto.

python benchmarks/gold/classifiers.py --data DIR [--embeddings DIR] [--only semeval,trec,hausa,labelme] [--seeds 10]

DIR holds ``llm/`` and ``crowd/``; see docs/datasets.md. Texts are TF-IDF; with ``--embeddings``, the folder that
embed.py made, the sets are run with every encoder's too, and with both side by side; ``--features TF-IDF,E5`` runs
some of these. Which samples are checked, and the folds, differ from seed to seed; test sets are read for the report
alone. Figures are accuracies in percent, of Hausa beside it the F1 of the classes, weighted by how often they occur.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import torch

from noiselayer.annotators import fit_with_gold
from noiselayer.features.text import TextFeatures

PARTS = {"semeval": ("train", "valid"), "trec": ("train",), "hausa": ("train_clean", "train_noisy")}
"""Of what the pool is made."""


def read(path, **options):
    """Rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, **options))


def semeval(data):
    """1,749 sentences labelled by Mixtral; 178 more were checked too."""
    parts = [read(data / "llm" / f"semeval_{part}.csv") for part in ("train", "valid", "test")]
    texts = [[row["text"] for row in part] for part in parts]
    said, true = (
        [np.array([int(r[c]) for r in part]) for part in parts] for c in ("llm_label", "true_label")
    )
    gold = np.concatenate([np.full(len(said[0]), -1), true[1]])
    labels = np.concatenate(said[:2])
    return [*texts[0], *texts[1]], labels, texts[2], true[2], {178: lambda seed: gold}


def trec(data):
    """5,033 questions labelled by 68 rules."""
    parts = [read(data / "llm" / f"trec_{part}.csv") for part in ("train", "test")]
    rules = [name for name in parts[0][0] if name.startswith("rule_")]
    votes = np.array([[int(float(r[c])) if r[c] else -1 for c in rules] for r in parts[0]])
    true = [np.array([int(r["true_label"]) for r in part]) for part in parts]
    texts = [[r["text"] for r in part] for part in parts]
    return texts[0], votes, texts[1], true[1], {n: drawn(true[0], n) for n in (100, 500)}


def hausa(data):
    """5,215 titles labelled by lists of keywords; those checked are of the 2,045 whose truth is known."""

    def part(name):
        return read(data / "llm" / f"hausa_{name}.tsv", delimiter="\t", quoting=csv.QUOTE_NONE)

    known, said, more, test = map(part, ("train_clean", "train_clean_noisy_labels", "train_noisy", "test"))
    code = {name: k for k, name in enumerate(sorted({row["label"] for row in known}))}
    texts = [row["news_title"] for row in known + more]
    labels = np.array([code[row["label"]] for row in said + more])
    true = np.array([code[row["label"]] for row in known])
    gold = {n: drawn(true, n, len(texts)) for n in (100, 300, 500)}
    return (
        texts,
        labels,
        [row["news_title"] for row in test],
        np.array([code[row["label"]] for row in test]),
        gold,
    )


def labelme(data):
    """1,000 photographs labelled by 59 people, VGG features."""
    with np.load(data / "crowd" / "labelme.npz") as d:
        arrays = {name: d[name] for name in d}
    X, test = (arrays[f"x_{part}"].astype(np.float32) for part in ("train", "test"))
    true = arrays["y_train"].astype(int)
    gold = {n: drawn(true, n) for n in (0, 50)}
    return X, arrays["answers_train"].astype(int), test, arrays["y_test"].astype(int), gold


def drawn(true, n, size=None):
    """Checked labels of n samples drawn at random, by seed."""

    def gold(seed):
        found = np.full(size or len(true), -1)
        rows = np.random.default_rng(seed).choice(len(true), n, replace=False)
        found[rows] = true[rows]
        return found

    return gold


def features(name, X, test, kind, embeddings):
    """What the classifier is given."""
    if not isinstance(X, list):
        return X, test
    pairs = []
    if "TF-IDF" in kind:
        found = TextFeatures.fit(X)
        pairs.append((found.transform(X), found.transform(test)))
    for encoder in set(kind.split(" + ")) - {"TF-IDF"}:
        parts = [np.load(embeddings / encoder / f"{name}_{part}.npy") for part in (*PARTS[name], "test")]
        pairs.append((np.concatenate(parts[:-1]), parts[-1]))
    scales = [1 / np.sqrt(pool.var(axis=0).sum()) for pool, _ in pairs]  # equally loud
    return tuple(
        np.concatenate([part[k] * s for part, s in zip(pairs, scales, strict=True)], axis=1) for k in (0, 1)
    )


def f1(predicted, true):
    """The classes' F1, each weighted by how often it occurs, in percent."""
    both = [(int(((predicted == k) & (true == k)).sum()), k) for k in np.unique(true)]
    return 100 * sum(
        2 * b / ((predicted == k).sum() + (true == k).sum()) * float((true == k).mean()) for b, k in both
    )


def table(found):
    """Rows of README: mean and standard deviation over seeds."""
    cells = {}
    for row in found:
        cells.setdefault((row["set"], row["features"], row["checked"]), []).append(row)
    order = {name: at for at, name in enumerate(("labelme", "semeval", "trec", "hausa"))}
    shown_cells = [(name, kind, n, "scores") for name, kind, n in cells]
    shown_cells += [(name, kind, n, "f1") for name, kind, n in cells if name == "hausa"]
    for name, kind, n, figure in sorted(shown_cells, key=lambda c: (order[c[0]], c[3] == "f1", c[1], c[2])):
        rows = cells[name, kind, n]
        shown = [f"{name}, {kind}" + (", F1" if figure == "f1" else ""), str(n), str(len(rows))]
        for one in ("gold", "plain", "matrices", "taught", "auto"):
            values = [row[figure][one] for row in rows if one in row[figure]]
            spread = f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
            shown.append(f"{np.mean(values):.1f}{spread}" if values else "")
        print("|", " | ".join([*shown, f"{np.mean([row['seconds'] for row in rows]):.0f}"]), "|")


def main():
    """One line per set, features, number of checked labels and seed; then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path)
    parser.add_argument("--features")
    parser.add_argument("--only", default="semeval,labelme,trec,hausa")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "results" / "gold_classifiers.json"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(args.out.read_text()) if args.out.is_file() else []
    done = {(r["set"], r["features"], r["checked"], r["seed"]) for r in found}
    for name in args.only.split(","):
        X, labels, test, true, checks = globals()[name](args.data)
        made = [] if args.embeddings is None else sorted(args.embeddings.glob(f"*/{name}_test.npy"))
        encoders = [path.parent.name for path in made]
        kinds = ["TF-IDF", *encoders, *(f"TF-IDF + {encoder}" for encoder in encoders)]
        for kind in ["VGG"] if name == "labelme" else kinds:
            if args.features and kind not in args.features.split(","):
                continue
            K = int(true.max()) + 1
            pool, unseen = features(name, X, test, kind, args.embeddings)
            for n, gold in checks.items():
                for seed in range(args.seeds):
                    if (name, kind, n, seed) in done:
                        continue
                    start = time.process_time()
                    head = fit_with_gold(pool, labels, gold(seed), K, standardize=False, seed=seed)
                    seconds = time.process_time() - start
                    predicted = {"auto": head.logits(unseen).argmax(dim=1).numpy()}
                    for one in head.candidates:
                        logits = unseen @ one.weight.numpy().T + one.bias.numpy()
                        predicted[one.name] = logits.argmax(axis=1)
                    figures = {"scores": {key: 100 * (p == true).mean() for key, p in predicted.items()}}
                    if name == "hausa":
                        figures["f1"] = {key: f1(p, true) for key, p in predicted.items()}
                    found.append(
                        {
                            "set": name,
                            "features": kind,
                            "checked": n,
                            "seed": seed,
                            "taken": head.taken,
                            "seconds": round(seconds, 1),
                            **{
                                what: {key: round(float(value), 2) for key, value in values.items()}
                                for what, values in figures.items()
                            },
                        }
                    )
                    print(found[-1], flush=True)
                    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table(found)


if __name__ == "__main__":
    main()
