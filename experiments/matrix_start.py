"""A training loop of one's own, as in the README: where should the noise matrix start?

    python experiments/matrix_start.py

README's network and loop (32 hidden units, Adam, 30 epochs, everything learns from the first step) through a noise
layer that starts at ``symmetric(K, rate)``, on three sets that need no download: the three blobs of the README (300
points), four that overlap (400) and scikit-learn's digits (600). Labels of every class are those of the next class 40 %
of the time, or of any other 50 % of the time, or right. ``ordinary`` is the same loop with the identity, which stays.
Each cell is a set, a noise and a seed.
"""

from __future__ import annotations

import json
from itertools import product

import torch
from cells import RESULTS, new_parser, write_json
from sklearn.datasets import load_digits, make_blobs
from torch import Tensor, nn

import noiselayer
from noiselayer.noise import pair_flip, symmetric
from noiselayer.paper.markdown import grouped, markdown, spread

FOLDER = RESULTS / "matrix_start"
RATES = (None, 0.1, 0.3, 0.5, 0.7)
CENTERS = {"3 blobs": [[0, 3], [3, 0], [-3, -1]], "4 blobs": [[0, 2], [2, 0], [-2, -1], [0, -2]]}
SETS = (*CENTERS, "digits")
NOISES = ("next class, 40 %", "any class, 50 %", "none")


def load(name: str, seed: int) -> tuple[Tensor, Tensor, int]:
    """Samples in random order, true classes, and how many of the samples are to train on."""
    if name in CENTERS:
        train = 100 * len(CENTERS[name])
        x, y = make_blobs(train + 500, centers=CENTERS[name], random_state=seed)
    else:
        x, y = load_digits(return_X_y=True)
        order, train = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).numpy(), 600
        x, y = x[order] / 16, y[order]
    return torch.tensor(x).float(), torch.tensor(y), train


def run(name: str, noise: str, seed: int) -> list[dict[str, float | None]]:
    """Test error and the matrix's error for every start."""
    x, truth, train = load(name, seed)
    K = int(truth.max()) + 1
    Q = {NOISES[0]: pair_flip(K, 0.4), NOISES[1]: symmetric(K, 0.5), NOISES[2]: torch.eye(K)}[noise]
    labels = noiselayer.corrupt_labels(truth[:train], Q, generator=torch.Generator().manual_seed(seed))
    found: list[dict[str, float | None]] = []
    for rate in RATES:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(x.shape[1], 32), nn.ReLU(), nn.Linear(32, K))
        layer = noiselayer.NoiseLayer(K, torch.eye(K) if rate is None else symmetric(K, rate))
        layer = layer.freeze() if rate is None else layer
        groups = [{"params": model.parameters()}, layer.parameter_group()]
        optimizer = torch.optim.Adam(groups, lr=0.01)
        for _ in range(30):
            for rows in torch.randperm(train).split(50):
                loss = layer.loss(model(x[rows]), labels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        wrong = (model(x[train:]).argmax(dim=1) != truth[train:]).double().mean()
        off = (layer.noise_matrix.detach() - Q).abs().sum(dim=0).mean()
        found.append({"rate": rate, "test_error": 100 * float(wrong), "matrix_error": float(off)})
    return found


def table() -> str:
    """Test errors: a row per set and noise, a column per start."""
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    lines = []
    for (name, noise), cells in grouped(rows, lambda row: (row["set"], row["noise"])).items():
        by_start = zip(*(cell["starts"] for cell in cells), strict=True)
        lines.append([name, noise, *(spread([one["test_error"] for one in each], 1) for each in by_start)])
    starts = ["ordinary" if rate is None else f"start at {rate}" for rate in RATES]
    return markdown(["set", "wrong labels", *starts], lines)


if __name__ == "__main__":
    new_parser(__doc__).parse_args()
    torch.set_num_threads(1)
    for cell in product(SETS, NOISES, range(3)):
        place = FOLDER / f"{SETS.index(cell[0])}-{NOISES.index(cell[1])}-{cell[2]}.json"
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            found = {**dict(zip(("set", "noise", "seed"), cell, strict=True)), "starts": run(*cell)}
            write_json(place, {**found, "torch": torch.__version__})
    print(table())
