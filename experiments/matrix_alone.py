"""How near a noise matrix comes to the true one by patches, by networks, and by their mean: Table 1's training sets.

    python experiments/matrix_alone.py --data DIR [--seeds N] [--rates RATE ...]

CIFAR-10, 30,000 images. No network is trained here: patches need none, and the networks' matrix is that of the row
"learned" of Table 1, where that has been run. Test images are not read. Resumable, a file per cell.
"""

from __future__ import annotations

import json
import time
from typing import Any

import torch
from cells import RESULTS as FOLDER
from cells import add_data, new_parser, write_json

import noiselayer
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import corrupted
from noiselayer.paper.markdown import grouped, markdown, spread
from noiselayer.training.patch_matrix import matrix_of_patches

RESULTS = FOLDER / "matrix_alone"
SIZE, HELD_OUT = 30_000, 3_000
WAYS = {"patches": "patches", "networks": "networks (Table 1)", "mean": "mean of both"}


def run(data: DataFolder, rate: float, seed: int) -> dict[str, Any]:
    """One cell."""
    sample = corrupted(data.images("cifar10"), size=SIZE, rate=rate, seed=seed)
    noisy, Q = sample.noisy(), sample.noise_matrix
    began, rows = time.process_time(), torch.arange(SIZE)
    found = matrix_of_patches(noisy.subset(rows[HELD_OUT:]), noisy.subset(rows[:HELD_OUT]), seed).noise_matrix
    seconds = time.process_time() - began
    matrices = {"patches": found}
    path = FOLDER / f"cells/table1/dataset-cifar10_size-{SIZE}_rate-{rate}_learned_seed-{seed}.json"
    if path.exists():
        networks = torch.tensor(json.loads(path.read_text(encoding="utf-8"))["noise_matrix"])
        matrices |= {"networks": networks, "mean": (found + networks) / 2}
    return {
        "rate": rate,
        "seed": seed,
        **{way: round(float((M - Q).abs().sum() / len(Q)), 4) for way, M in matrices.items()},
        "mean_diagonal": round(float(found.diagonal().mean()), 4),
        "cpu_seconds": round(seconds, 1),
        "versions": {"noiselayer": noiselayer.__version__, "torch": torch.__version__},
    }


def table() -> str:
    """A row per share of wrong labels, over seeds."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    lines = []
    for rate, of_rate in grouped(rows, lambda row: row["rate"]).items():
        columns = [[row[way] for row in of_rate if way in row] for way in WAYS]
        shown = [f"{spread(each, 3)} ({len(each)})" if each else "–" for each in columns]
        lines.append(
            [f"{100 * rate:.0f} %", *shown, f"{sum(r['cpu_seconds'] for r in of_rate) / len(of_rate):.0f}"]
        )
    return markdown(["wrong labels", *(f"{way} (seeds)" for way in WAYS.values()), "CPU s of patches"], lines)


def main() -> None:
    """Run the cells that have no result yet."""
    parser = new_parser(__doc__)
    add_data(parser)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.5, 0.7])
    given = parser.parse_args()
    data = DataFolder(given.data)
    for seed in range(given.seeds):
        for rate in given.rates:
            path = RESULTS / f"{rate}_{seed}.json"
            if not path.exists():
                row = run(data, rate, seed)
                RESULTS.mkdir(parents=True, exist_ok=True)
                write_json(path, row)
                print(path.stem, row, flush=True)


if __name__ == "__main__":
    main()
