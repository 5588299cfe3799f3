"""How near is the noise matrix where ``learned`` starts with tens of thousands of images, before a network is trained?

    python experiments/start_of_patches.py --data FOLDER [--seeds 5] [--rates 0.5 0.7]

CIFAR-10, 30,000 images with the wrong labels of Table 1, drawn and split as there. "one" is by one dictionary of
patches, which is what images below 10,000 have, "two" by two, which is what training starts with; the matrix stays as
it is while the network trains. A cell is a rate and a seed; cells that have a result are left out.
"""

from __future__ import annotations

import json
import time
from itertools import product
from typing import Any

import torch
from cells import RESULTS, add_data, new_parser, write_json

import noiselayer
from noiselayer.estimation import relative_l1_error
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import corrupted
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.training.held_out import hold_out
from noiselayer.training.options import default_options
from noiselayer.training.patch_matrix import heads_of_patches, matrix_of_heads

FOLDER = RESULTS / "start_of_patches"
SIZE = 30_000


def run(images: Any, rate: float, seed: int) -> dict[str, Any]:
    """Errors of the matrix by the first dictionary and by both."""
    sample = corrupted(images, size=SIZE, rate=rate, seed=seed)
    options = default_options("image", method="learned", seed=seed)
    sets = hold_out(sample.noisy(), None, None, options)
    began = time.process_time()
    heads, labels = heads_of_patches(sets.noisy, sets.noisy_validation, seed)
    found = [
        matrix_of_heads(some, labels, len(sample.noise_matrix)).noise_matrix for some in (heads[:1], heads)
    ]
    errors = [relative_l1_error(Q, sample.noise_matrix) for Q in found]
    return {
        "rate": rate,
        "seed": seed,
        "one": round(errors[0], 4),
        "two": round(errors[1], 4),
        "cpu_seconds": round(time.process_time() - began, 1),
        "versions": {"noiselayer": noiselayer.__version__, "torch": torch.__version__},
    }


def table() -> str:
    """A row per share of wrong labels."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    lines = [
        [
            f"{100 * rate:.0f} %",
            *(spread([row[name] for row in cells], 3) for name in ("one", "two")),
            str(len(cells)),
        ]
        for rate, cells in grouped(rows, lambda row: row["rate"]).items()
    ]
    return markdown(["wrong labels", "one dictionary", "two", "seeds"], lines)


def main() -> None:
    """Run the cells that are missing, and print the table."""
    parser = new_parser(__doc__)
    add_data(parser)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.5, 0.7])
    given = parser.parse_args()
    torch.set_num_threads(1)
    images = DataFolder(given.data).images("cifar10")
    for rate, seed in product(given.rates, range(given.seeds)):
        path = FOLDER / f"{rate}_{seed}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, run(images, rate, seed))
            print(path.read_text(encoding="utf-8"), flush=True)
    print(table())


if __name__ == "__main__":
    main()
