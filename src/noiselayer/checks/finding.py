"""What a check has to say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something about the noise model that the data contradict, or that the method cannot bear.

    Attributes:
        name: "input_dependent_noise", "outside_images", "memorising", "ill_conditioned_confusion",
            "row_dominance" or "column_dominance".
        message: What was found, with figures, and what to do, in whole sentences.
        statistic: The figure that decided; ``message`` says what it is.
        p_value: Of a statistical test, adjusted for all tests of the same call; None for a plain property of
            a matrix.
        threshold: What ``statistic`` was compared with where there is no ``p_value``; else None.

    >>> print(Finding("row_dominance", "Row 2 has its largest entry off the diagonal.", -0.1, threshold=0.0))
    row_dominance: Row 2 has its largest entry off the diagonal.
    """

    name: str
    message: str
    statistic: float
    p_value: float | None = None
    threshold: float | None = None

    def __str__(self) -> str:
        """As a line of a report."""
        p = "" if self.p_value is None else f" (adjusted p = {max(self.p_value, 1e-300):.2g})"
        return f"{self.name}: {self.message}{p}"
