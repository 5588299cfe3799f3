"""How the small network and its rates were chosen for trainings of a quarter of an hour: by images held out.

    python experiments/small_network_choices.py --data DIR [--cells chosen ...] [--threads N]

DIR as in defaults.py. Clean CIFAR-10, mirrored and shifted, few epochs; every cell takes about as long (six minutes on
one thread of a CPU without AVX-512). What counts is the accuracy on the tenth of the training set that is held out; the
test set is not read.

    default-rates   widths 32, 64 and 128, peak rate 0.05, weight decay 0.001, a stem that starts at random
    higher-rates    peak rate 0.2, weight decay 0.002
    trained-waves   and a stem that starts as cosine waves
    chosen          and stays them, as in the library
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from cells import RESULTS, Arrays, add_data, load_arrays, new_parser, write_json
from torch import nn

from noiselayer.data import from_arrays
from noiselayer.models import MODELS, SmallNet
from noiselayer.paper.datasets import CIFAR10_CLASSES
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, Optimization, default_options

EPOCHS = 4
WIDTHS = [32, 64, 128]
HIGHER = Optimization(learning_rate=0.2, weight_decay=2e-3)
CELLS: dict[str, tuple[str, Optimization]] = {
    "default-rates": ("random", Optimization()),
    "higher-rates": ("random", HIGHER),
    "trained-waves": ("cosine waves", HIGHER),
    "chosen": ("cosine waves, fixed", HIGHER),
}
"""Name -> stem, rates."""


def trained_stem(*arguments: Any, start: str, **options: Any) -> nn.Module:
    """The small network with a stem that learns."""
    network = SmallNet(*arguments, **options)
    fixed = network[0].weight
    stem = nn.Conv2d(fixed.shape[1], fixed.shape[0], 4, stride=2, padding=1, bias=False)
    if start == "random":
        nn.init.kaiming_normal_(stem.weight, nonlinearity="relu")
    else:
        stem.weight.data.copy_(fixed)
    network[0] = stem
    return network


MODELS["small, random"] = partial(trained_stem, start="random")
MODELS["small, cosine waves"] = partial(trained_stem, start="cosine waves")
MODELS["small, cosine waves, fixed"] = SmallNet


def run(cell: str, arrays: Arrays) -> dict[str, Any]:
    """One training, and its accuracy on the images held out."""
    stem, rates = CELLS[cell]
    data = from_arrays(arrays["x_train"], arrays["y_train"], class_names=CIFAR10_CLASSES)
    options = default_options(
        "image",
        method="normal",
        model=f"small, {stem}",
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
        "stem": stem,
        "epochs": EPOCHS,
        "validation_accuracy": round(100 * right.double().mean().item(), 2),
        "validation_samples": len(right),
        "seconds": round(time.process_time() - began, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def main() -> None:
    """Run the cells that have no result yet."""
    parser = new_parser(__doc__)
    add_data(parser)
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS), metavar="CELL")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    arrays = load_arrays(Path(options.data))
    folder = RESULTS / "small_network_choices"
    folder.mkdir(parents=True, exist_ok=True)
    for cell in options.cells:
        path = folder / f"{cell}.json"
        if path.exists():
            continue
        row = run(cell, arrays)
        write_json(path, row)
        print(f"{cell}: {row['validation_accuracy']} % of the images held out, {row['seconds']:.0f} s")


if __name__ == "__main__":
    main()
