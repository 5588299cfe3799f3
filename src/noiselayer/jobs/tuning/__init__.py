"""Choose weights and penalties on samples held out: alpha, gamma, and the penalties on Q (§3.3, §3.5, §3.6)."""

from noiselayer.jobs.tuning.criterion import Objective, Score, choose_objective, score
from noiselayer.jobs.tuning.search import SearchRange, apply_values, default_search, parse_search, with_grid
from noiselayer.jobs.tuning.tune import tune
from noiselayer.jobs.tuning.tuning_result import Chosen, TrialRecord, TuningResult

__all__ = [
    "Chosen",
    "Objective",
    "Score",
    "SearchRange",
    "TrialRecord",
    "TuningResult",
    "apply_values",
    "choose_objective",
    "default_search",
    "parse_search",
    "score",
    "tune",
    "with_grid",
]
