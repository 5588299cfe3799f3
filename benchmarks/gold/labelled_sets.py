"""Sets that a language model labelled, with the truth; needs NumPy alone, as other tools' environments have it."""

import csv

import numpy as np

SETS = ("persuasion", "implicit_hate", "global_warming", "semeval_train")


def read(path):
    """Labels, truths and K; -1 is no answer."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    said = [row["llm_label"].strip().lower() for row in rows]
    true = [row["true_label"].strip().lower() for row in rows]
    classes = sorted({*said, *true} - {"-1", ""})
    number = {name: k for k, name in enumerate(classes)}
    return np.array([number.get(s, -1) for s in said]), np.array([number[t] for t in true]), len(classes)
