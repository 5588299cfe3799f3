"""The paper's experiments (§4), one file each. Start with :func:`reproduce`."""

from __future__ import annotations

from noiselayer.paper.experiment import SCALES, Budget, Cell, Experiment
from noiselayer.paper.grid import write_results
from noiselayer.paper.reproduce import EXPERIMENTS, load_experiment, reproduce

__all__ = [
    "EXPERIMENTS",
    "SCALES",
    "Budget",
    "Cell",
    "Experiment",
    "load_experiment",
    "reproduce",
    "write_results",
]
