"""Table 3: many classes, a clean set and one whose labels come from the web: gamma, learned and estimated Q.

The paper has ImageNet (1.3 million clean images, 1.4 million from image search, 1,000 classes), Krizhevsky's network
and the top-5 error. At the reduced scale there are 200 classes of 32 x 32 pixels, that network in its version for
them, and labels that a weak model gave (:mod:`noiselayer.paper.many_classes` says how). The paper's own scale is

    noiselayer reproduce table3 --scale paper --data DIR

with DIR/imagenet/train, DIR/imagenet/val and DIR/web-search, each a folder of class folders.
"""

from __future__ import annotations

from collections.abc import Sequence

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.experiment import TRY_OUT, Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.many_classes import many_classes
from noiselayer.paper.markdown import FIGURES, figures, markdown, matching
from noiselayer.paper.trial import CLEAN_TOO, count_matrix, outcome, train

# Method, noisy images too, gamma, and the paper's top-5 validation error.
ROWS: tuple[tuple[str, bool, float, str], ...] = (
    ("normal", False, 1.0, "18.2"),
    ("normal", True, 1.0, "18.1"),
    ("normal", True, 0.1, "16.7"),
    ("learned", True, 0.1, "16.5"),
    ("estimated", True, 0.2, "16.6"),
)
NAMES = {"normal": "conv. net", "learned": "bottom-up (learned)", "estimated": "bottom-up (estimated)"}
BUDGETS: dict[Scale, Budget] = {
    "small": TRY_OUT,
    "reduced": Budget(
        epochs=12, warm_up_epochs=6, model="alexnet32", model_options={"width": 0.25, "hidden": 512}
    ),
    "paper": Budget(epochs=90, warm_up_epochs=20, model="torchvision:alexnet"),
}
TOP = 5


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """The rows of the table."""
    dataset = {"small": "digits", "reduced": "outside32", "paper": "imagenet"}[scale]
    return [
        Cell({"dataset": dataset, "noisy": "web" if noisy else "none", "weight": weight}, method, seed)
        for seed in seeds
        for method, noisy, weight, _ in ROWS
    ]


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """Clean images alone, or with those from the web."""
    s, method, seed = cell.settings, cell.method, cell.seed
    sets = many_classes(data, s["dataset"], seed=seed, budget=budget)
    if s["noisy"] == "none":
        trained = train(sets.clean, method="normal", budget=budget, seed=seed)
        return outcome(trained, sets.test, None, dataset=sets.name, top=TOP)
    trained = train(
        sets.noisy,
        method=method,
        budget=budget,
        seed=seed,
        clean=sets.clean,
        noisy_weight=s["weight"],
        overlapping="drop",  # some images stand in the collection twice
        **(CLEAN_TOO if method == "estimated" else {}),
    )
    if sets.noisy_truth is None:
        return outcome(trained, sets.test, None, dataset=sets.name, top=TOP)
    given = sets.noisy.given.numpy()
    Q = count_matrix(given, sets.noisy_truth, sets.noisy.num_classes)
    wrong = round(100 * float((given != sets.noisy_truth).mean()), 2)
    return {**outcome(trained, sets.test, Q, dataset=sets.name, top=TOP), "wrong_labels": wrong}


def table(rows: Sequence[Row]) -> str:
    """The paper's rows, its figure beside ours."""
    lines = []
    for method, noisy, weight, paper in ROWS:
        extra, shown = ("noisy images", f"{weight:g}") if noisy else ("–", "–")
        chosen = matching(rows, method, noisy="web" if noisy else "none", weight=weight)
        lines.append([NAMES[method], extra, shown, paper, *figures(chosen, matrix_digits=2)])
    header = ["model", "extra data", "γ", "paper, top-5 %", "top-5 test error, %", *FIGURES[1:]]
    return markdown(header, lines)


EXPERIMENT = Experiment(
    name="table3",
    title="Many classes: clean images and images from the web",
    paper="Top-5 validation error 18.2 % on clean ImageNet alone, 18.1 % with 1.4 million images from the web, 16.7 % "
    "at γ = 0.1, 16.5 % with a learned and 16.6 % with an estimated Q.",
    cells=cells,
    budgets=BUDGETS,
    run=run,
    table=table,
)
