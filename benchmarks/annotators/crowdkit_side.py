"""Majority vote and Dawid-Skene of crowd-kit, in its own environment: ``crowdkit_side.py IN.npz OUT.npz``.

IN holds ``samples``, ``annotators`` and ``labels``, one label each, and ``sizes``: N, S, K.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene, MajorityVote


def main() -> None:
    """Labels and, of Dawid-Skene, a matrix per annotator."""
    given = np.load(sys.argv[1])
    N, S, K = (int(n) for n in given["sizes"])
    table = pd.DataFrame({"task": given["samples"], "worker": given["annotators"], "label": given["labels"]})
    majority = MajorityVote().fit_predict(table).reindex(range(N), fill_value=-1)
    model = DawidSkene(n_iter=100)
    labels = model.fit_predict(table).reindex(range(N), fill_value=-1)
    matrices = np.full((S, K, K), 1 / K)
    for annotator, errors in model.errors_.groupby(level="worker"):
        # Rows are labels given, columns true labels.
        one = errors.droplevel("worker").reindex(index=range(K), columns=range(K)).fillna(0.0).to_numpy()
        total = one.sum(axis=0)
        matrices[annotator] = np.where(total > 0, one / np.where(total > 0, total, 1), 1 / K)
    np.savez(sys.argv[2], majority=majority.to_numpy(), labels=labels.to_numpy(), matrices=matrices)


if __name__ == "__main__":
    main()
