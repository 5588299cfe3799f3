"""20,000 sentences with wrong labels, from the shell: a classifier and an audit, TF-IDF included.

    python experiments/text_in_seconds.py --data vaderSentiment-2.5.tar.gz [--sentences 20000]
        [--embed package:all-minilm-l6-v2]

The sentences are those of ``text_gold_set.py``: reviews of goods, of films, newspaper editorials and tweets, and
which of the four each is from is to be told. A third of the labels is wrong, each kind in its own way (MATRIX); 2,000
more sentences keep their true labels for the test. ``noiselayer train`` and ``noiselayer audit`` run as processes of
their own on one thread each, and what is reported of them is processor time (user and system, in seconds), start-up
included, which other programs on the machine do not change much. Beside them: scikit-learn's logistic regression
(C = 10) on the same words and pairs of words, without a noise model.

With ``--embed`` both commands take that sentence model's embeddings; the folder of caches is a new one, so ``train``
computes them and ``audit`` finds them there.

Writes ``results/text_in_seconds.json``, or ``results/text_in_seconds_embedded.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from text_gold_set import read

import noiselayer
from noiselayer import corrupt_labels, load_run
from noiselayer.storage.audit_folder import load_audit

PROGRAM = "from noiselayer.cli import main; main()"
NAMES = np.array(["goods", "films", "editorials", "tweets"])
MATRIX = torch.tensor(
    [[0.6, 0.2, 0.0, 0.1], [0.3, 0.7, 0.1, 0.0], [0.0, 0.1, 0.7, 0.2], [0.1, 0.0, 0.2, 0.7]],
    dtype=torch.float64,
)
"""p(noisy = row | true = column)."""
TEST = 2_000


def command(*words: str) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", PROGRAM, *words], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(texts: list[str], truth: np.ndarray, folder: Path, embed: str | None) -> dict[str, Any]:
    """Both commands on files in a folder, and what came of them."""
    noisy = corrupt_labels(
        torch.from_numpy(truth), MATRIX, generator=torch.Generator().manual_seed(1)
    ).numpy()
    table = pd.DataFrame({"text": texts, "label": NAMES[noisy]})
    table[:-TEST].to_csv(folder / "comments.csv", index=False)
    table[-TEST:].assign(label=NAMES[truth[-TEST:]]).to_csv(folder / "test.csv", index=False)
    said = [str(folder / "comments.csv"), "--text-column", "text", "--label-column", "label"]
    if embed is not None:
        os.environ["NOISELAYER_CACHE"] = str(folder / "cache")
        said += ["--embed", embed]
    seconds = {
        "train": command("train", *said, "--out", str(folder / "run")),
        "audit": command("audit", *said, "--out", str(folder / "audit")),
    }
    run = load_run(folder / "run")
    predicted = run.predict(texts[-TEST:]).labels
    found = load_audit(folder / "audit")
    wrong = noisy[:-TEST] != truth[:-TEST]
    doubt = found.labels.sort_values("sample")["error_probability"].to_numpy()
    classes = [list(run.class_names).index(name) for name in NAMES]
    Q = run.noise_matrix.double()[classes][:, classes]
    return {
        "processor_seconds": seconds,
        "accuracy": float((np.array(predicted) == NAMES[truth[-TEST:]]).mean()),
        "accuracy_without_noise_model": plain(texts, noisy, truth),
        "accuracy_of_labels": float(1 - wrong.mean()),
        "taken": run.metrics["head"]["taken"],
        "relative_error_of_matrix": float((Q - MATRIX).abs().sum() / MATRIX.sum()),
        "wrong": int(wrong.sum()),
        "expected_wrong": found.counts["all"]["expected"],
        "expected_wrong_interval": [found.counts["all"]["low"], found.counts["all"]["high"]],
        "average_precision": float(average_precision_score(wrong, doubt)),
    }


def plain(texts: list[str], noisy: np.ndarray, truth: np.ndarray) -> float:
    """Test accuracy of scikit-learn's regression on all words."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    X = words.fit_transform(texts[:-TEST])
    model = LogisticRegression(C=10, max_iter=1000).fit(X, noisy[:-TEST])
    return float((model.predict(words.transform(texts[-TEST:])) == truth[-TEST:]).mean())


def main() -> None:
    """Measure, and write what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--embed")
    given = parser.parse_args()
    sentences = read(given.data)
    chosen = np.random.default_rng(0).permutation(len(sentences.texts))[: given.sentences + TEST]
    texts = [sentences.texts[n] for n in chosen]
    with tempfile.TemporaryDirectory() as folder:
        result = measure(texts, sentences.domain[chosen], Path(folder), given.embed)
    result |= {
        "features": given.embed or "tfidf",
        "sentences": len(texts) - TEST,
        "torch": torch.__version__,
        "noiselayer": noiselayer.__version__,
    }
    print(json.dumps(result, indent=1))
    if given.sentences == 20_000:
        name = "text_in_seconds.json" if given.embed is None else "text_in_seconds_embedded.json"
        path = Path(__file__).parent / "results" / name
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
