"""What cleanlab says of labels; run by the Python of its own virtual environment.

CLEANLAB_PYTHON benchmarks/audit/cleanlab_side.py IN.npz OUT.npz
"""

import sys

import numpy as np
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "predicted_neq_given")
SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")

with np.load(sys.argv[1]) as file:
    labels, probs = file["labels"], file["probs"].astype(np.float64)
probs /= probs.sum(axis=1, keepdims=True)
out = {f"score {m}": get_label_quality_scores(labels, probs, method=m) for m in SCORES}
out |= {f"filter {m}": find_label_issues(labels, probs, filter_by=m, n_jobs=1) for m in FILTERS}
out["count"] = num_label_issues(labels, probs)
np.savez(sys.argv[2], **out)
