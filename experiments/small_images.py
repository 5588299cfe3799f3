"""Small folders of photographs with people's labels: how the default network is best trained there.

    python experiments/small_images.py --data DIR [--sizes 500 1500] [--seeds 3]

DIR is that of defaults.py. Images of CIFAR-10 with the labels of CIFAR-10N "worse", method "normal", 20
epochs. Ways are compared by the error on 3,000 other images with such noisy labels; 5,000 test labels are read for the
record and choose nothing.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from cells import RESULTS as FOLDER
from cells import Arrays, add_data, load_arrays, new_parser, write_json
from sklearn.linear_model import LogisticRegression

from noiselayer.data import from_arrays
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options

RESULTS = FOLDER / "small_images.json"
WAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "SGD 0.05, batch 128": (128, {}),
    "SGD 0.005, batch 64": (64, {"learning_rate": 0.005}),
    "AdamW 0.001, batch 64": (64, {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.05}),
}
LOGISTIC = "logistic regression on pixels"
HELD_OUT, TESTED = 3000, 5000
NAMES = [str(k) for k in range(10)]


def run(way: str, size: int, seed: int, arrays: Arrays) -> dict[str, Any]:
    """One row."""
    x, noisy = arrays["x_train"], arrays["cifar10n_worse"]
    order = np.random.default_rng(1000 + seed).permutation(len(noisy))
    train, held_out = order[:size], order[-HELD_OUT:]
    tests = {
        "held_out_error": (x[held_out], noisy[held_out]),
        "test_error": (arrays["x_test"][:TESTED], arrays["y_test"][:TESTED]),
    }
    began = time.process_time()
    if way == LOGISTIC:
        guess = logistic(x[train], noisy[train])
    else:
        batch_size, rates = WAYS[way]
        options = default_options("image", method="normal", seed=seed, batch_size=batch_size)
        options = replace(options, optimization=replace(options.optimization, **rates))
        network = fit_classifier(from_arrays(x[train], noisy[train], class_names=NAMES), options).network

        def guess(images: Any) -> Any:
            return predict_logits(network, from_arrays(images).inputs).argmax(dim=1).cpu().numpy()

    errors = {
        name: round(100 * float((guess(images) != labels).mean()), 2)
        for name, (images, labels) in tests.items()
    }
    return {
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
    rows = sorted(rows, key=lambda row: (row["size"], [*WAYS, LOGISTIC].index(row["way"])))
    lines = [
        [
            f"{size:,}",
            way,
            spread([row["held_out_error"] for row in of_way]),
            spread([row["test_error"] for row in of_way if row["test_error"] is not None]),
            str(len(of_way)),
        ]
        for (size, way), of_way in grouped(rows, lambda row: (row["size"], row["way"])).items()
    ]
    return markdown(
        ["images", "trained by", "error on noisy labels held out, %", "test error, %", "seeds"], lines
    )


def main() -> None:
    """Run the rows that are not there yet; write them and their table."""
    parser = new_parser(__doc__)
    add_data(parser)
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1500])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arrays = load_arrays(arguments.data)
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    done = {(row["way"], row["size"], row["seed"]) for row in rows}
    for size in arguments.sizes:
        for seed in range(arguments.seeds):
            for way in (*WAYS, LOGISTIC):
                if (way, size, seed) not in done:
                    rows.append(run(way, size, seed, arrays))
                    print(rows[-1], flush=True)
                    write_json(RESULTS, rows)
                    RESULTS.with_suffix(".md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
