"""What cleanlab says of labels; run by the Python of its own virtual environment.

CLEANLAB_PYTHON benchmarks/audit/cleanlab_side.py FOLDER FILTER ...

For every IN.npz of the folder, in order, OUT_IN.npz is left beside it.
"""

import sys
from pathlib import Path

import numpy as np
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")

for given in sorted(Path(sys.argv[1]).glob("*.npz")):
    with np.load(given) as file:
        labels, probs = file["labels"], file["probs"].astype(np.float64)
    probs /= probs.sum(axis=1, keepdims=True)
    out = {f"score {m}": get_label_quality_scores(labels, probs, method=m) for m in SCORES}
    out |= {f"filter {m}": find_label_issues(labels, probs, filter_by=m, n_jobs=1) for m in sys.argv[2:]}
    out["count"] = num_label_issues(labels, probs)
    np.savez(given.with_name(f"OUT_{given.name}"), **out)
