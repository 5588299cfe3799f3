"""How the small network and its rates were chosen for trainings of a quarter of an hour: by images held out.

    python experiments/small_network_choices.py --data DIR [--cells chosen ...] [--threads N]

DIR as in defaults.py. Clean CIFAR-10, mirrored and shifted, few epochs; every cell takes about as long (six minutes on
one thread of a CPU without AVX-512). What counts is the accuracy on the tenth of the training set that is held out; the
test set is not read.

    default-rates   widths 32, 64 and 128, peak rate 0.05, weight decay 0.001, a random stem
    higher-rates    peak rate 0.2, weight decay 0.002
    chosen          and a stem of cosine waves, as the library has it
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from cells import CLASS_NAMES, RESULTS, Arrays, load_cifar10
from torch import nn

from noiselayer.data import from_arrays
from noiselayer.models import MODELS, SmallNet
from noiselayer.runs import whole_file
from noiselayer.training import Hardware, Optimization, default_options, fit_classifier, predict_logits

WIDTHS, EPOCHS = (32, 64, 128), 4
DEFAULT, HIGHER = Optimization(), Optimization(learning_rate=0.2, weight_decay=2e-3)
CELLS: dict[str, tuple[str, Optimization]] = {
    "default-rates": ("small-random-stem", DEFAULT),
    "higher-rates": ("small-random-stem", HIGHER),
    "chosen": ("small", HIGHER),
}
"""Name -> network, rates."""


def random_stem(*arguments: Any, **options: Any) -> nn.Module:
    """The small network with a stem that starts like the layers behind it."""
    network = SmallNet(*arguments, **options)
    nn.init.kaiming_normal_(network[0].weight, nonlinearity="relu")
    return network


MODELS["small-random-stem"] = random_stem


def run(cell: str, arrays: Arrays) -> dict[str, Any]:
    """One training, and its accuracy on the images held out."""
    model, rates = CELLS[cell]
    data = from_arrays(arrays["x_train"], arrays["y_train"], class_names=CLASS_NAMES)
    options = default_options(
        "image",
        method="normal",
        model=model,
        model_options={"widths": WIDTHS},
        optimization=rates,
        max_epochs=EPOCHS,
        augmentation="flip-shift",
    )
    began = time.process_time()
    trained = fit_classifier(data, options, hardware=Hardware(accelerator="cpu"))
    held_out = torch.as_tensor(trained.splits["validation"])
    labels = torch.from_numpy(arrays["y_train"])[held_out]
    right = predict_logits(trained.network, data.inputs)[held_out].argmax(dim=1) == labels
    return {
        "cell": cell,
        "widths": WIDTHS,
        "learning_rate": rates.learning_rate,
        "weight_decay": rates.weight_decay,
        "stem": "random" if model == "small-random-stem" else "cosine waves",
        "epochs": EPOCHS,
        "validation_accuracy": round(100 * right.double().mean().item(), 2),
        "validation_samples": len(right),
        "seconds": round(time.process_time() - began, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def main() -> None:
    """Run the cells that have no result yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given = os.environ.get("NOISELAYER_DATA")
    parser.add_argument("--data", type=Path, default=given, required=given is None)
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS), metavar="CELL")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    arrays = load_cifar10(Path(options.data))
    folder = RESULTS / "small_network_choices"
    folder.mkdir(parents=True, exist_ok=True)
    for cell in options.cells:
        path = folder / f"{cell}.json"
        if path.exists():
            continue
        row = run(cell, arrays)
        with whole_file(path) as beside:
            beside.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
        print(f"{cell}: {row['validation_accuracy']} % of the images held out, {row['seconds']:.0f} s")


if __name__ == "__main__":
    main()
