"""The small network on CIFAR-10N's "worse" labels: which rate, and what helps beside the matrix, by labels held out.

    python experiments/small_network_labels.py --data DIR [--cells elr ...]

DIR as in defaults.py. Half the default filters, mirrored and shifted images, five epochs in one cycle, the matrix that
patches find, one thread; each cell takes three minutes of a CPU with AVX-512 BF16. What counts is how many of the
*given* labels of the 5,000 images held out are predicted, and their likelihood through the matrix: true labels and the
test set are not read.

    rate-0.2    the loss through the matrix (Eq. 2), at the rate that serves true labels
    rate-0.07   at a third of it
    posterior   rate-0.2; after two fifths of the steps seven tenths of the loss are the cross-entropy with what the
                matrix, the given label and a running mean of the network's predictions say of the true class
    elr         rate-0.07 and early-learning regularisation (Liu et al. 2020, arXiv:2007.00151): log(1 - <p, t>) is
                added, t a running mean of the predictions
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from cells import RESULTS, add_data, load_arrays, new_parser, write_json
from torch import Tensor

from noiselayer.data import from_arrays
from noiselayer.models import build_model
from noiselayer.paper.datasets import CIFAR10_CLASSES
from noiselayer.training.augmentation import augment
from noiselayer.training.patch_matrix import matrix_of_patches
from noiselayer.training.precision import best_precision

EPOCHS, BATCH, WIDTHS = 5, 128, [32, 64, 128]
CELLS = {"rate-0.2": 0.2, "rate-0.07": 0.07, "posterior": 0.2, "elr": 0.07}
"""Name -> peak rate."""
KEPT = 0.7  # of a running mean of predictions, at each sight of an image


def loss_of(cell: str, log_p: Tensor, given: Tensor, Q: Tensor, means: Tensor, done: float) -> Tensor:
    """The loss of a batch; ``means``, (B, K), are the running means with this sight in them."""
    through_Q = -(log_p.exp() @ Q.T).clamp_min(1e-12).log()
    eq2 = through_Q.gather(1, given[:, None]).mean()
    if cell == "elr":
        return eq2 + (1 - (log_p.exp().clamp(1e-4, 1 - 1e-4) * means).sum(dim=1)).log().mean()
    if cell == "posterior" and done > 0.4:
        posterior = means * Q[given]
        posterior = posterior / posterior.sum(dim=1, keepdim=True)
        return 0.3 * eq2 - 0.7 * (posterior * log_p).sum(dim=1).mean()
    return eq2


def train(cell: str, images: Tensor, given: Tensor, Q: Tensor) -> torch.nn.Module:
    """A fresh small network, by SGD in one cycle."""
    torch.manual_seed(0)
    mean, std = images.float().mean(dim=(0, 2, 3)).tolist(), images.float().std(dim=(0, 2, 3)).tolist()
    options: dict[str, Any] = {"widths": WIDTHS, "mirrored": True}
    network = build_model(
        "small", num_classes=len(Q), input_shape=(3, 32, 32), mean=mean, std=std, **options
    ).to(memory_format=torch.channels_last)
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": 2e-3}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=CELLS[cell], momentum=0.9, nesterov=True)
    steps = EPOCHS * (len(images) // BATCH)
    cycle = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: (
            0.1 + 3.6 * s / steps
            if s < steps / 4
            else 0.5 * (1 + math.cos(math.pi * (s / steps - 0.25) / 0.75))
        ),
    )
    means = torch.full((len(images), len(Q)), 1 / len(Q))
    rows = torch.cat([torch.randperm(len(images))[: steps // EPOCHS * BATCH] for _ in range(EPOCHS)])
    for step, chosen in enumerate(rows.split(BATCH)):
        log_p = logits_of(network, augment(images[chosen], "flip-shift")).log_softmax(dim=1)
        means[chosen] = KEPT * means[chosen] + (1 - KEPT) * log_p.detach().exp()
        loss = loss_of(cell, log_p, given[chosen], Q, means[chosen], step / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
    return network.eval()


def logits_of(network: torch.nn.Module, images: Tensor) -> Tensor:
    """In the precision that the machine is quick in."""
    with torch.autocast("cpu", torch.bfloat16, enabled=best_precision("cpu") == "bf16-mixed"):
        logits: Tensor = network(images)
    return logits.float()


def run(cell: str, images: Tensor, given: Tensor, held_out: Tensor, Q: Tensor) -> dict[str, Any]:
    """One training, and what it says of the labels held out."""
    began = time.process_time()
    network = train(cell, images[~held_out], given[~held_out], Q)
    with torch.no_grad():
        logits = torch.cat([logits_of(network, x) for x in images[held_out].split(500)])
    likely = (logits.softmax(dim=1) @ Q.T).gather(1, given[held_out][:, None])
    return {
        "cell": cell,
        "learning_rate": CELLS[cell],
        "epochs": EPOCHS,
        "given_labels_right": round(100 * (logits.argmax(1) == given[held_out]).double().mean().item(), 2),
        "loss_through_matrix": round(-likely.log().mean().item(), 4),
        "samples": int(held_out.sum()),
        "seconds": round(time.process_time() - began, 1),
        "torch": torch.__version__,
    }


def main() -> None:
    """Run the cells that have no result yet."""
    parser = new_parser(__doc__)
    add_data(parser)
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS), metavar="CELL")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = RESULTS / "small_network_labels"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [cell for cell in options.cells if not (folder / f"{cell}.json").exists()]
    if not missing:
        return
    arrays = load_arrays(Path(options.data))
    data = from_arrays(arrays["x_train"], arrays["cifar10n_worse"], class_names=CIFAR10_CLASSES)
    held_out = torch.arange(len(data)) % 10 == 0
    parts = [data.subset(part.nonzero().flatten()) for part in (~held_out, held_out)]
    Q = matrix_of_patches(*parts, 0).noise_matrix
    images = data.inputs.__getitems__(range(len(data))).contiguous(memory_format=torch.channels_last)
    for cell in missing:
        row = run(cell, images, data.given, held_out, Q)
        write_json(folder / f"{cell}.json", row)
        print(f"{cell}: {row['given_labels_right']} % of the labels given, {row['seconds']:.0f} s")


if __name__ == "__main__":
    main()
