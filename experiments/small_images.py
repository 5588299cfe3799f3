"""Small folders of photographs: how the default network is best trained there, and whether a network at all.

    python experiments/small_images.py --data DIR [--sets cifar10n tiny fashion50 fashion70] [--sizes 500 1500 5000]
        [--ways WAY ...] [--seeds 2]

DIR is that of defaults.py; for the second set it holds the files of noiselayer.paper.datasets.outside32 too. Images of
CIFAR-10 with the labels of CIFAR-10N "worse" (40 % wrong), and of the first 20 classes of Tiny ImageNet, at 32 x 32,
where 30 % of the labels are drawn wrong, each class in a way of its own. Method "normal", 20 epochs; the head on patch
features with the learned matrix too. Ways are compared by the error on 3,000 other images with such noisy labels; true
labels (5,000 of the test set, or of the second set the 2,000 images that are left) are read for the record and choose
nothing. Fashion-MNIST, with labels that are drawn wrong evenly, was run when all had been chosen.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import RESULTS as FOLDER
from cells import Arrays, add_data, load_arrays, new_parser, write_json
from sklearn.linear_model import LogisticRegression

from noiselayer import NoisyLabelFeaturesClassifier, corrupt_labels, noise
from noiselayer.data import from_arrays
from noiselayer.paper.datasets import load_fashion_mnist, load_outside32
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options

RESULTS = FOLDER / "small_images.json"
WAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "SGD 0.05, batch 128": (128, {}),
    "AdamW 0.001, batch 64": (64, {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.05}),
}
LOGISTIC = "logistic regression on pixels"
PATCHES = {"patches, head": "normal", "patches, head, learned matrix": "learned"}
HELD_OUT, TESTED, CLASSES = 3000, 5000, 20


def cifar10n(folder: Path, seed: int) -> tuple[Arrays, Arrays]:
    """Images with noisy labels in the order of a seed, and tests with true ones."""
    arrays = load_arrays(folder)
    order = np.random.default_rng(1000 + seed).permutation(len(arrays["x_train"]))
    noisy = {"x": arrays["x_train"][order], "y": arrays["cifar10n_worse"][order]}
    return noisy, {"x": arrays["x_test"][:TESTED], "y": arrays["y_test"][:TESTED]}


def tiny(folder: Path, seed: int) -> tuple[Arrays, Arrays]:
    """The same of the second set."""
    photographs = load_outside32(folder)
    chosen = np.flatnonzero(photographs.labels < CLASSES)
    order = np.random.default_rng(1000 + seed).permutation(chosen)
    x, true = photographs.images[order], photographs.labels[order].astype(np.int64)
    generator = torch.Generator().manual_seed(seed)
    Q = noise.random(CLASSES, 0.3, generator=generator)
    y = corrupt_labels(torch.from_numpy(true), Q, generator=generator).numpy()
    rest = slice(5000, len(x) - HELD_OUT)
    return {"x": np.concatenate([x[:5000], x[-HELD_OUT:]]), "y": np.concatenate([y[:5000], y[-HELD_OUT:]])}, {
        "x": x[rest],
        "y": true[rest],
    }


def fashion(rate: float, folder: Path, seed: int) -> tuple[Arrays, Arrays]:
    """The same of Fashion-MNIST with symmetric noise of a rate; it chooses nothing."""
    parts = load_fashion_mnist(folder)
    order = np.random.default_rng(1000 + seed).permutation(len(parts["train"].labels))
    true, generator = parts["train"].labels[order].astype(np.int64), torch.Generator().manual_seed(seed)
    y = corrupt_labels(torch.from_numpy(true), noise.symmetric(10, rate), generator=generator).numpy()
    test = {"x": parts["test"].images[:TESTED], "y": parts["test"].labels[:TESTED]}
    return {"x": parts["train"].images[order], "y": y}, test


SETS = {
    "cifar10n": cifar10n,
    "tiny": tiny,
    "fashion50": partial(fashion, 0.5),
    "fashion70": partial(fashion, 0.7),
}
NAMES = {
    "cifar10n": "CIFAR-10N worse",
    "tiny": "20 classes of Tiny ImageNet",
    "fashion50": "Fashion-MNIST, 50 % symmetric",
    "fashion70": "Fashion-MNIST, 70 % symmetric",
}


def run(name: str, way: str, size: int, seed: int, folder: Path) -> dict[str, Any]:
    """One row."""
    noisy, true = SETS[name](folder, seed)
    x, y, names = noisy["x"][:size], noisy["y"][:size], [str(k) for k in range(int(noisy["y"].max()) + 1)]
    tests = {
        "held_out_error": (noisy["x"][-HELD_OUT:], noisy["y"][-HELD_OUT:]),
        "test_error": (true["x"], true["y"]),
    }
    began = time.process_time()
    if way == LOGISTIC:
        guess = logistic(x, y)
    elif way in PATCHES:
        guess = (
            NoisyLabelFeaturesClassifier(PATCHES[way], embed="patches", random_state=seed).fit(x, y).predict
        )
    else:
        batch_size, rates = WAYS[way]
        options = default_options("image", method="normal", seed=seed, batch_size=batch_size)
        options = replace(options, optimization=replace(options.optimization, **rates))
        network = fit_classifier(from_arrays(x, y, class_names=names), options).network

        def guess(images: Any) -> Any:
            return predict_logits(network, from_arrays(images).inputs).argmax(dim=1).cpu().numpy()

    errors = {
        name: round(100 * float((guess(images) != labels).mean()), 2)
        for name, (images, labels) in tests.items()
    }
    return {
        "set": name,
        "way": way,
        "size": size,
        "seed": seed,
        **errors,
        "held_out": HELD_OUT,
        "seconds": round(time.process_time() - began),
    }


def logistic(images: Any, labels: Any) -> Any:
    """Multinomial, C = 0.01, pixels from 0 to 1."""

    def flat(pixels: Any) -> Any:
        return pixels.reshape(len(pixels), -1) / 255.0

    model = LogisticRegression(C=0.01, max_iter=100).fit(flat(images), labels)
    return lambda pixels: model.predict(flat(pixels))


def table(rows: list[dict[str, Any]]) -> str:
    """A line per size and way."""
    rows = sorted(
        rows, key=lambda row: (row["set"], row["size"], [*WAYS, LOGISTIC, *PATCHES].index(row["way"]))
    )
    lines = [
        [
            NAMES[name],
            f"{size:,}",
            way,
            spread([row["held_out_error"] for row in of_way]),
            spread([row["test_error"] for row in of_way if row["test_error"] is not None]),
            str(len(of_way)),
        ]
        for (name, size, way), of_way in grouped(
            rows, lambda row: (row["set"], row["size"], row["way"])
        ).items()
    ]
    return markdown(
        ["set", "images", "trained by", "error on noisy labels held out, %", "test error, %", "seeds"], lines
    )


def main() -> None:
    """Run the rows that are not there yet; write them and their table."""
    parser = new_parser(__doc__)
    add_data(parser)
    parser.add_argument("--sets", nargs="+", default=["cifar10n", "tiny"], choices=SETS)
    parser.add_argument("--ways", nargs="+", default=[LOGISTIC, *PATCHES, *WAYS])
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1500, 5000])
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    done = {(row["set"], row["way"], row["size"], row["seed"]) for row in rows}
    cells = product(range(arguments.seeds), arguments.sizes, arguments.sets, arguments.ways)
    for seed, size, name, way in cells:
        if (name, way, size, seed) not in done:
            rows.append(run(name, way, size, seed, arguments.data))
            print(rows[-1], flush=True)
            write_json(RESULTS, rows)
            RESULTS.with_suffix(".md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
