"""A noise matrix in words: which classes are taken for which, how often, and how sure that is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from noiselayer.arrays.tensors import as_tensor
from noiselayer.estimation.noise_estimate import NoiseEstimate


@dataclass(frozen=True)
class Confusion:
    """One entry off the diagonal.

    Attributes:
        true: The true class.
        noisy: The label that its samples carry.
        share: p(noisy | true).
        standard_error: Of it; infinite where the data say nothing, None if it is not known.
        interval: Its ends, or None.

    >>> str(Confusion("cat", "dog", 0.123, 0.0213))
    '12 % of true cat carry the label dog, ±2'
    >>> str(Confusion("cat", "dog", 0.0123, 0.0021))
    '1.2 % of true cat carry the label dog, ±0.2'
    """

    true: str
    noisy: str
    share: float
    standard_error: float | None = None
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        error = self.standard_error
        digits = 1 if self.share < 0.05 or (error is not None and error < 0.005) else 0
        spread = ""
        if error is not None:
            spread = (
                f", ±{100 * error:.{digits}f}" if math.isfinite(error) else ", which nothing in the data says"
            )
        return f"{100 * self.share:.{digits}f} % of true {self.true} carry the label {self.noisy}{spread}"


def strongest_confusions(
    estimate: NoiseEstimate, class_names: Sequence[str], limit: int = 10
) -> list[Confusion]:
    """The largest entries off the diagonal, largest first; none that would be 0.0 %.

    Args:
        estimate: Its ``noise_matrix`` has columns = true classes.
        class_names: The K names.
        limit: At most so many.

    >>> import torch
    >>> from noiselayer.estimation import estimate_from_pairs
    >>> true, given = torch.tensor([0] * 50 + [1] * 50), torch.tensor([0] * 44 + [1] * 56)
    >>> [str(c) for c in strongest_confusions(estimate_from_pairs(true, given, 2), ["cat", "dog"])]
    ['13 % of true cat carry the label dog, ±5', '1.0 % of true dog carry the label cat, ±1.4']
    """
    Q = as_tensor(estimate.noise_matrix).double().cpu()
    K = len(class_names)
    found: list[Confusion] = []
    for index in Q.flatten().argsort(descending=True, stable=True).tolist():
        j, i = divmod(index, K)
        if len(found) == limit or Q[j, i] < 0.0005:
            break
        if i == j:
            continue
        error, ends = estimate.standard_error, estimate.interval
        found.append(
            Confusion(
                class_names[i],
                class_names[j],
                float(Q[j, i]),
                None if error is None else float(error[j, i]),
                None if ends is None else (float(ends[0][j, i]), float(ends[1][j, i])),
            )
        )
    return found


def name_classes(message: str, class_names: Sequence[str]) -> str:
    """A message of the estimation, which counts classes, with their names.

    >>> name_classes("clean_labels has no sample of classes 0, 2; add some.", ["cat", "dog", "bird"])
    'clean_labels has no sample of classes cat, bird; add some.'
    >>> name_classes("The raw p(true = 0 | noisy = 1) is -0.1, 3 standard errors below 0.", ["cat", "dog"])
    'The raw p(true = cat | noisy = dog) is -0.1, 3 standard errors below 0.'
    """

    def name(found: re.Match[str]) -> str:
        index = int(found[0])
        return class_names[index] if index < len(class_names) else found[0]

    def names(found: re.Match[str]) -> str:
        return found[1] + re.sub(r"\d+", name, found[2])

    message = re.sub(r"(\bclass(?:es)? )(\d+(?:, \d+)*)", names, message)
    return re.sub(r"(\b(?:true|noisy) = )(\d+)", names, message)


def about_estimate(estimate: NoiseEstimate, class_names: Sequence[str]) -> dict[str, Any]:
    """How an estimate was made and what its user should know, as plain types; infinity as None.

    >>> from noiselayer.estimation import estimate_from_pairs
    >>> import torch
    >>> labels = torch.tensor([0, 1])
    >>> about_estimate(estimate_from_pairs(labels, labels, 2), ["cat", "dog"])["method"]
    'pairs'
    """
    return {
        "method": estimate.method,
        "condition_number": finite(estimate.condition_number),
        "outside_simplex": finite(estimate.outside_simplex),
        "sparsity": estimate.sparsity,
        "confidence": estimate.confidence,
        "class_prior": dict(zip(class_names, estimate.class_prior.tolist(), strict=True)),
        "warnings": [name_classes(warning, class_names) for warning in estimate.warnings],
    }


def finite(value: float | None) -> float | None:
    """A number that JSON has, or None.

    >>> finite(0.5), finite(math.inf)
    (0.5, None)
    """
    return value if value is not None and math.isfinite(value) else None
