"""A noise matrix in words: which classes are taken for which, how often, and how sure that is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from noiselayer.arrays.tensors import as_tensor
from noiselayer.estimation.noise_estimate import NoiseEstimate


@dataclass(frozen=True)
class Confusion:
    """A true class and a wrong label that its samples carry: one entry off the diagonal."""

    true: int
    label: int
    share: float
    error: float | None = None  # of ``share``; infinite where the data say nothing
    interval: tuple[float, float] | None = None

    @property
    def error_in_words(self) -> str | None:
        """The standard error in percentage points; None if there is none to give.

        >>> Confusion(0, 1, 0.12, 0.021).error_in_words, Confusion(0, 1, 0.12, 0.0004).error_in_words
        ('2', '< 0.1')
        """
        if self.error is None or not math.isfinite(self.error):
            return None
        points = 100 * self.error
        if points < 0.05:
            return "< 0.1"
        return f"{points:.0f}" if self.share >= 0.0995 and points >= 0.95 else f"{points:.1f}"

    def in_words(self, class_names: Sequence[str]) -> str:
        """A sentence without its full stop.

        >>> Confusion(0, 1, 0.123, 0.0213).in_words(["cat", "dog"])
        '12 % of true cat carry the label dog, ±2'
        >>> Confusion(0, 1, 0.0123, 0.0021).in_words(["cat", "dog"])
        '1.2 % of true cat carry the label dog, ±0.2'
        """
        error = self.error
        digits = 1 if self.share < 0.05 or (error is not None and error < 0.005) else 0
        spread = ""
        if error is not None:
            spread = (
                f", ±{100 * error:.{digits}f}" if math.isfinite(error) else ", which nothing in the data says"
            )
        true, label = class_names[self.true], class_names[self.label]
        return f"{100 * self.share:.{digits}f} % of true {true} carry the label {label}{spread}"


def strongest_confusions(
    noise_matrix: Any,
    standard_error: Any = None,
    interval: tuple[Any, Any] | None = None,
    *,
    limit: int = 10,
    least: float = 0.001,
    sure: bool = False,
) -> list[Confusion]:
    """The largest entries off the diagonal, largest first; if ``sure``, only shares above 1.96 standard errors."""
    off = as_tensor(noise_matrix).detach().cpu().double().numpy().copy()
    np.fill_diagonal(off, 0.0)
    if sure and standard_error is not None:
        off[off <= 1.96 * np.asarray(standard_error)] = 0.0
    # Sorting a million entries for ten of them would take its time.
    candidates = np.argpartition(-off, min(limit, off.size) - 1, axis=None)[:limit]
    ordered = candidates[np.lexsort((candidates, -off.ravel()[candidates]))]
    found = []
    for place in ordered.tolist():
        j, i = divmod(place, len(off))
        if off[j, i] < least:
            break
        error = None if standard_error is None else float(standard_error[j, i])
        ends = None if interval is None else (float(interval[0][j, i]), float(interval[1][j, i]))
        found.append(Confusion(i, j, float(off[j, i]), error, ends))
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

    message = re.sub(r"(\b(?:class(?:es)?|[Ll]abel) )(\d+(?:, \d+)*)", names, message)
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
