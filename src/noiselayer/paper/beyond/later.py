"""Later methods on Table 1's noisy set, with the same network and about the same budget. Not in the paper.

- *forward correction with anchor points* (Patrini et al. 2017): a network is trained as usual; column i of Q is what it
  predicts for the sample it is surest of, among those below the 97th percentile of p(i | x). Then Q is fixed.
- *volume minimisation* (Li et al. 2021): Q, in their parametrisation, learns with the network from the first step; its
  log volume is penalised with weight 1e-4.
- *prune and retrain* (cleanlab): out-of-fold probabilities from networks trained as usual, cleanlab's default filter
  removes labels, a network is trained on the rest. cleanlab runs in an environment of its own: ``--cleanlab PYTHON``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.paper.beyond.cleanlab_prune import label_issues
from noiselayer.paper.beyond.volume import train_by_volume
from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.deliberate import corrupted
from noiselayer.paper.experiment import Budget, Cell, Experiment, Row, Scale
from noiselayer.paper.markdown import FIGURES, figures, grouped, markdown
from noiselayer.paper.table1 import BUDGETS, GRIDS, RATES, rate_and_method
from noiselayer.paper.trial import outcome, train
from noiselayer.training.logits import predict_logits
from noiselayer.training.trained import TrainedClassifier

METHODS = ("forward, anchor points", "volume minimisation", "prune and retrain")


def cells(scale: Scale, seeds: Sequence[int]) -> list[Cell]:
    """Every method at Table 1's noise levels; at the reduced scale the lower one only."""
    dataset, size = GRIDS[scale]
    rates = RATES[:1] if scale == "reduced" else RATES
    return [
        Cell({"dataset": dataset, "size": size, "rate": rate}, method, seed)
        for rate in rates
        for seed in seeds
        for method in METHODS
    ]


def anchor_matrix(probs: Tensor, *, quantile: float = 0.97) -> Tensor:
    """Column i is the prediction for the anchor of class i, shape (K, K); outliers are above ``quantile``."""
    columns = []
    for i in range(probs.shape[1]):
        of_class = probs[:, i]
        allowed = of_class.masked_fill(of_class > of_class.quantile(quantile), -1.0)
        columns.append(probs[allowed.argmax()])
    return torch.stack(columns, dim=1)


def run(cell: Cell, data: DataFolder, budget: Budget) -> Row:
    """The same images and labels as Table 1's cell of this seed."""
    s = cell.settings
    sample = corrupted(data.images(s["dataset"]), size=s["size"], rate=s["rate"], seed=cell.seed)
    noisy, test = sample.noisy(), sample.images.test.labeled()
    common: dict[str, Any] = {"budget": budget, "seed": cell.seed}

    def figures_of(trained: TrainedClassifier) -> Row:
        return outcome(trained, test, sample.noise_matrix, dataset=sample.images.name)

    if cell.method == "volume minimisation":
        return figures_of(train_by_volume(noisy, **common))
    if cell.method == "forward, anchor points":
        usual = train(noisy, method="normal", **common)
        anchors = anchor_matrix(predict_logits(usual.network, noisy.inputs).softmax(dim=1))
        return figures_of(train(noisy, method="true", noise_matrix=anchors, **common))
    if budget.cleanlab is None:
        raise InputError(
            "the method 'prune and retrain' needs an interpreter that has cleanlab: --cleanlab PYTHON."
        )
    kept = (~label_issues(noisy, **common)).nonzero()[0]
    row = figures_of(train(noisy.subset(torch.from_numpy(kept)), method="normal", **common))
    return {**row, "noise_matrix_error": None, "pruned": len(noisy) - len(kept)}


def table(rows: Sequence[Row]) -> str:
    """A row per noise level and method."""
    lines = [
        [f"{100 * rate:.0f} %", method, *figures(chosen)]
        for (rate, method), chosen in grouped(rows, rate_and_method).items()
    ]
    return markdown(["noise", "method", *FIGURES], lines)


EXPERIMENT = Experiment(
    name="later",
    title="Later methods on Table 1's data",
    paper="Not in the paper.",
    cells=cells,
    budgets=BUDGETS,
    run=run,
    table=table,
)
