"""The noise matrix itself: made, checked, projected, stored sparsely, applied to labels (§3.1, §4.1), and Bayes' rule.

Everywhere ``Q[j, i] = p(noisy label = j | true class = i)``: a column per true class, and every column sums to 1.
"""

from noiselayer.noise.corruption import corrupt_labels
from noiselayer.noise.floor import noise_floor
from noiselayer.noise.matrices import (
    check,
    class_map,
    from_transition_matrix,
    identity,
    pair_flip,
    random,
    symmetric,
)
from noiselayer.noise.posterior import label_error_probability, posterior
from noiselayer.noise.simplex import project
from noiselayer.noise.sparse_matrix import SparseNoiseMatrix

__all__ = [
    "SparseNoiseMatrix",
    "check",
    "class_map",
    "corrupt_labels",
    "from_transition_matrix",
    "identity",
    "label_error_probability",
    "noise_floor",
    "pair_flip",
    "posterior",
    "project",
    "random",
    "symmetric",
]
