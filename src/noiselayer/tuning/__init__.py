"""Choose weights and penalties on samples held out: alpha, gamma, and the penalties on Q (§3.3, §3.5, §3.6)."""

from noiselayer.tuning.objective import Objective, Score, choose_objective, score
from noiselayer.tuning.result import Chosen, TrialRecord, TuningResult
from noiselayer.tuning.run import tune
from noiselayer.tuning.search import SearchRange, apply_values, default_search, parse_search, with_grid

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
