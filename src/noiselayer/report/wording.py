"""Numbers and names as a page shows them: short, and harmless whatever they hold."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "Confusion",
    "clip",
    "clip_prose",
    "in_prose",
    "percent",
    "probability_in_words",
    "strongest_confusions",
]

_LONGEST = 60
_WHITE = re.compile(r"\s+")
# Formatting characters that turn or hide the text around them; joiners stay, scripts need them.
_KEPT = "\u200c\u200d"


def clip(text: str, longest: int = _LONGEST, kept: str = _KEPT) -> str:
    r"""A name as it can be shown: of bounded length, on one line, without characters that act on others.

    Args:
        text: Anything.
        longest: Characters that may be left, the ellipsis among them.
        kept: Formatting characters that may stay.

    >>> clip("x" * 10_000, 8)
    'xxxxxxx…'
    >>> clip("cat\n\u202egod")
    'cat \ufffdgod'
    >>> clip("")
    '(empty)'
    """
    # What can never be shown need not be looked at: names may be as long as a book.
    shown = _WHITE.sub(" ", text[: 4 * longest]).strip()
    shown = "".join(
        "\ufffd"
        if c in "\ufffe\uffff" or (unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in kept)
        else c
        for c in shown
    )
    if not shown:
        return "(empty)"
    return shown if len(shown) <= longest and len(text) <= 4 * longest else shown[: longest - 1] + "…"


def in_prose(name: str) -> str:
    r"""A clipped name for a sentence, isolated so that it cannot turn the words around it.

    >>> in_prose("cat")
    '\u2068cat\u2069'
    """
    return f"\u2068{clip(name, 40)}\u2069"


def clip_prose(text: str, longest: int = 1200) -> str:
    r"""Whole sentences, clipped; names in them stay isolated.

    Args:
        text: Sentences whose names have been through :func:`in_prose`.
        longest: Characters that may be left.

    >>> clip_prose("of true \u2068cat\u2069\n\u202e")
    'of true \u2068cat\u2069 \ufffd'
    """
    return clip(text, longest, _KEPT + "\u2068\u2069")


def percent(share: float, digits: int | None = None) -> str:
    """A share in percent, with a tenth below ten and none of what rounds to nothing.

    >>> percent(0.1234), percent(0.0456), percent(0.0), percent(0.0001), percent(0.5, 1)
    ('12 %', '4.6 %', '0 %', '< 0.1 %', '50.0 %')
    """
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if digits is None:
        digits = 0 if share == 0 or share >= 0.0995 else 1
    return f"{100 * share:.{digits}f} %"


def probability_in_words(probability: float) -> str:
    """To a tenth of a percent, and never a certainty that nobody has.

    >>> probability_in_words(0.98765), probability_in_words(0.99999), probability_in_words(0.0001)
    ('98.8 %', '> 99.9 %', '< 0.1 %')
    """
    if probability > 0.999:
        return "> 99.9 %"
    if probability < 0.001:
        return "< 0.1 %"
    return f"{100 * probability:.1f} %"


@dataclass(frozen=True)
class Confusion:
    """A true class and a wrong label that its samples carry.

    Attributes:
        true: The class, 0..K-1.
        label: The label, another one.
        share: Of the samples of ``true`` that carry ``label``.
        error: Standard error of ``share``, None if unknown.
    """

    true: int
    label: int
    share: float
    error: float | None

    @property
    def share_in_words(self) -> str:
        """The share in percent, without the sign where it is a bound."""
        return percent(self.share)

    @property
    def error_in_words(self) -> str | None:
        """The standard error in percentage points.

        >>> Confusion(0, 1, 0.12, 0.021).error_in_words, Confusion(0, 1, 0.12, 0.0004).error_in_words
        ('2', '< 0.1')
        """
        if self.error is None or not math.isfinite(self.error):
            return None
        points = 100 * self.error
        if points < 0.05:
            return "< 0.1"
        return f"{points:.0f}" if self.share >= 0.0995 and points >= 0.95 else f"{points:.1f}"


def strongest_confusions(
    noise_matrix: npt.NDArray[np.float64],
    standard_error: npt.NDArray[np.float64] | None = None,
    limit: int = 10,
) -> list[Confusion]:
    """The largest entries off the diagonal, largest first; none below a thousandth.

    Args:
        noise_matrix: Shape (K, K), row = noisy label, column = true class.
        standard_error: Of its entries, shape (K, K).
        limit: At most so many.

    >>> strongest_confusions(np.array([[0.9, 0.3], [0.1, 0.7]]), limit=1)
    [Confusion(true=1, label=0, share=0.3, error=None)]
    """
    off = np.where(np.eye(len(noise_matrix), dtype=bool), 0.0, noise_matrix)
    # Sorting a million entries for ten of them would take its time.
    candidates = np.argpartition(-off, min(limit, off.size) - 1, axis=None)[:limit]
    ordered = candidates[np.lexsort((candidates, -off.ravel()[candidates]))]
    found = []
    for place in ordered.tolist():
        label, true = divmod(place, len(off))
        if off[label, true] < 0.001:
            break
        error = None if standard_error is None else float(standard_error[label, true])
        found.append(Confusion(true, label, float(off[label, true]), error))
    return found
