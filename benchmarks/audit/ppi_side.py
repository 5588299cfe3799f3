"""Prediction-powered intervals for the number of wrong labels; run by the Python of an environment with ppi-python.

PPI_PYTHON benchmarks/audit/ppi_side.py IN.npz OUT.npz
"""

import sys

import numpy as np
from ppi_py import ppi_mean_ci

with np.load(sys.argv[1]) as file:
    e, wrong, draws = file["e"], file["wrong"].astype(float), file["draws"]
    weights = file["weights"]
rest = np.ones(len(e), dtype=bool)
ends = []
for checked, w in zip(draws, weights, strict=True):
    rest[:] = True
    rest[checked] = False
    low, high = ppi_mean_ci(wrong[checked], e[checked], e[rest], alpha=0.05, w=w)
    ends.append((float(low[0]) * len(e), float(high[0]) * len(e)))
low, high = np.array(ends).T
np.savez(sys.argv[2], low=low, high=high)
