"""Table 2: clean CIFAR-10 images and loosely labelled extra ones, weighted, through Q, top-down; or random images.

The Tiny Images collection was withdrawn in 2020. The extra images are built from other small photographs as a search
engine would have found them; docs/datasets.md says how. Everything is smaller than in the paper: the clean set, the
extra set, and the network's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noiselayer.data import from_arrays
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.datasets import label_shares
from noiselayer.paper.deliberate import draw
from noiselayer.paper.experiment import TRY_OUT, Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.extras import loose_extra, random_extra
from noiselayer.paper.markdown import errors, markdown, matching
from noiselayer.paper.trial import CLEAN_TOO, count_matrix, outcome, train

# Method, extra images, gamma, and the paper's test error.
ROWS: tuple[tuple[str, str, float, str], ...] = (
    ("normal", "none", 1.0, "16.1"),
    ("normal", "loose", 1.0, "15.4"),
    ("normal", "loose", 0.2, "13.2"),
    ("learned", "loose", 0.2, "13.2"),
    ("estimated", "loose", 0.2, "–"),
    ("top-down", "loose", 0.4, "12.5"),
    ("normal", "random", 0.2, "13.8"),
)
NAMES = {"normal": "conv. net", "learned": "bottom-up, learned Q", "estimated": "bottom-up, estimated Q"}
GRIDS: dict[Scale, tuple[str, int, int]] = {
    "small": ("digits", 300, 600),
    "reduced": ("cifar10", 3_000, 9_000),
    "paper": ("cifar10", 50_000, 90_000),  # of the 150,000: there are not more that fit
}
BUDGETS: dict[Scale, Budget] = {
    "small": TRY_OUT,
    "reduced": Budget(epochs=12, warm_up_epochs=6, steps=800),
    "paper": Budget(epochs=120, warm_up_epochs=50, model="paper-wide"),
}


def settings_of(scale: Scale, extra: str, noisy_weight: float) -> dict[str, Any]:
    """The settings of a cell."""
    dataset, num_clean, num_extra = GRIDS[scale]
    return {
        "dataset": dataset,
        "clean": num_clean,
        "extra": extra,
        "extra-size": 0 if extra == "none" else num_extra,
        "weight": noisy_weight,
    }


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """The rows of the table."""
    return [
        Cell(settings_of(scale, extra, weight), method, seed)
        for seed in seeds
        for method, extra, weight, _ in ROWS
    ]


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Clean images alone, or with the extra set."""
    s, method, seed = cell.settings, cell.method, cell.seed
    images = data.images(s["dataset"])
    _, chosen, _ = draw(images, s["clean"], seed)
    clean, test = images.train.labeled(chosen), images.test.labeled()
    if s["extra"] == "none":
        trained = train(clean, method="normal", budget=budget, seed=seed)
        return outcome(trained, test, None, dataset=images.name)
    if s["extra"] == "random":
        outside = from_arrays(random_extra(data, images, size=s["extra-size"], seed=seed)).inputs
        trained = train(
            clean, method="normal", outside=outside, outside_weight=s["weight"], budget=budget, seed=seed
        )
        return outcome(trained, test, None, dataset=images.name)
    loose = loose_extra(data, images, size=s["extra-size"], seed=seed, apart_from=chosen)
    trained = train(
        loose.labeled(),
        method=method,
        clean=clean,
        noisy_weight=s["weight"],
        budget=budget,
        seed=seed,
        **(CLEAN_TOO if method == "estimated" else {}),
    )
    inside = loose.true_labels >= 0
    Q = count_matrix(loose.labels[inside], loose.true_labels[inside], images.train.num_classes)
    row = outcome(trained, test, Q, dataset=images.name)
    return {**row, "extra_set": label_shares(loose)}


def table(rows: Sequence[Row]) -> str:
    """The paper's rows, its figure beside ours."""
    lines = []
    for method, extra, weight, paper in ROWS:
        chosen = matching(rows, method, extra=extra, weight=weight)
        weight_or_none = "–" if extra == "none" else f"{weight:g}"
        lines.append(
            [NAMES.get(method, method), extra, weight_or_none, paper, errors(chosen), str(len(chosen))]
        )
    return markdown(["model", "extra data", "γ", "paper, %", "test error, %", "seeds"], lines) + _shares(rows)


def _shares(rows: Sequence[Row]) -> str:
    """What was wrong with the labels of the extra set, in words."""
    sets = [row["extra_set"] for row in rows if "extra_set" in row]
    if not sets:
        return ""
    mean = {name: 100 * sum(s[name] for s in sets) / len(sets) for name in sets[0]}
    return (
        f"\nOf the extra set's labels {mean['right']:.0f} % were right, {mean['class_conditional']:.0f} % named "
        f"another of the ten categories than the image shows, and {mean['open_set']:.0f} % were given to images of "
        "none of them.\n"
    )


EXPERIMENT = Experiment(
    name="table2",
    title="Clean CIFAR-10 and loosely labelled or random extra images",
    paper="Test error 16.1 % on 50k clean images alone; with 150k loosely labelled ones 15.4 % unweighted, 13.2 % at "
    "γ = 0.2, 13.2 % bottom-up, 12.5 % top-down; 13.8 % with random images and uniform labels.",
    cells=cells,
    budgets=BUDGETS,
    run=run,
    table=table,
)
