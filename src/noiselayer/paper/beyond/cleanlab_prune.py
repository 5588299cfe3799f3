"""cleanlab's filter on out-of-fold probabilities, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import StratifiedKFold

from noiselayer.data import LabeledData
from noiselayer.errors import InputError
from noiselayer.paper.experiment import Budget
from noiselayer.paper.trial import train
from noiselayer.training.logits import predict_logits

_SCRIPT = """
import sys
import numpy as np
from cleanlab.filter import find_label_issues
given = np.load(sys.argv[1])
np.save(sys.argv[2], find_label_issues(given["labels"], given["probs"], n_jobs=1))
"""


def label_issues(noisy: LabeledData, *, budget: Budget, seed: int) -> npt.NDArray[np.bool_]:
    """Which labels cleanlab's default filter calls wrong, shape (N,); networks and epochs as for a learned matrix."""
    assert budget.cleanlab is not None
    y = noisy.given.numpy()
    probs = np.zeros((len(y), noisy.num_classes), dtype=np.float32)
    of_fold = replace(budget, epochs=budget.warm_up_epochs)
    for fit, leave in StratifiedKFold(2, shuffle=True, random_state=seed).split(y, y):
        part = noisy.subset(torch.from_numpy(fit))
        trained = train(part, method="normal", budget=of_fold, seed=seed)
        logits = predict_logits(trained.network, noisy.subset(torch.from_numpy(leave)).inputs)
        probs[leave] = logits.double().softmax(dim=1).float().numpy()
    return cleanlab_issues(budget.cleanlab, y, probs)


def cleanlab_issues(
    interpreter: str, labels: npt.NDArray[Any], probs: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """What cleanlab's default filter says of out-of-fold probabilities, shape (N, K); its answer has shape (N,)."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npy"
        np.savez(given, labels=labels, probs=probs)
        words = [interpreter, "-c", _SCRIPT, str(given), str(found)]
        try:
            subprocess.run(words, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", "") or str(error)
            raise InputError(
                f"{interpreter} does not run cleanlab: {reason.strip().splitlines()[-1]}"
            ) from error
        issues: npt.NDArray[np.bool_] = np.load(found)
    return issues
