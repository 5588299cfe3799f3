"""What an audit has found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind
from noiselayer.audit.intervals import WrongLabels
from noiselayer.checks import Finding

if TYPE_CHECKING:
    import pandas as pd

    from noiselayer.audit.noise_model import NoiseModel


@dataclass(frozen=True, eq=False, repr=False)
class AuditResult:
    """Which labels are wrong, what they should be, and how many there are.

    Tensors, or NumPy arrays if no argument of :func:`noiselayer.audit_labels` was a tensor. Rows are all N samples
    in their order or, where only the top ones were asked for, those, by rank.

    Attributes:
        samples: Shape (M,), the positions of the rows' samples, from 0.
        labels: Shape (M,), the labels that they carry.
        error_probability: Shape (M,), float32, that the label is wrong; 0 where it is verified.
        suggested_label: Shape (M,), the most probable true class; of a label that is called wrong, the most
            probable other one.
        is_error: Shape (M,), bool, the verdict: ``error_probability > threshold``; where nothing tells whose the doubt
            is, only of labels that differ from the prediction (and from the calibrated one, if there is one), see
            :func:`noiselayer.audit.best_threshold`.
        rank: Shape (M,), from 0, the label most likely wrong.
        threshold: Of the verdict.
        num_samples: N.
        flagged: How many of all N labels are called wrong.
        wrong: How many are expected to be, by label and in all, with intervals.
        noise_matrix: The one used, shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns
            sum to 1.
        noise_matrix_estimated: Whether it was estimated here.
        standard_error: Of its entries, shape (K, K); None if it was given without.
        probs_predict: What the probabilities were taken to be of: the "given" label or the "true" class.
        temperature: What their logarithms were divided by; None if they were taken as they are.
        learned_share: How much of the noise matrix the probabilities showed already, from 0 to 1.
        model_accuracy: How often the mean of both models is right, by how often they agree; None without a second one.
        findings: What contradicts the noise model, see :func:`noiselayer.check_noise_model`.
        warnings: What is to be known before the figures are used.
        class_names: The K names, or None.
    """

    samples: Tensor
    labels: Tensor
    error_probability: Tensor
    suggested_label: Tensor
    is_error: Tensor
    rank: Tensor
    threshold: float
    num_samples: int
    flagged: int
    wrong: WrongLabels
    noise_matrix: Tensor
    noise_matrix_estimated: bool
    standard_error: Tensor | None
    probs_predict: Literal["given", "true"]
    temperature: float | None
    learned_share: float
    model_accuracy: float | None = None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    _posterior: Callable[[], Tensor] | None = None
    _judging: NoiseModel | None = None
    _doubts: tuple[str, ...] = ()  # those of the warnings that checked labels answer

    def __repr__(self) -> str:
        return f"AuditResult: {self.summary()}"

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def posterior(self) -> Tensor:
        """The probability of every true class once the label is known, shape (N, K), float32.

        Computed when it is asked for. Where there are more than 16, the least likely ones of a sample
        are given equal parts.

        Raises:
            ValueError: If the probabilities were streamed and are not there any more.
        """
        if self._posterior is None:
            raise ValueError("posterior needs the probabilities, and they were streamed; use audit_labels.")
        return self._posterior()

    def to_frame(self, ids: Sequence[Any] | None = None) -> pd.DataFrame:
        """A pandas table, a row per sample, the label most likely wrong first.

        Labels by name where there are ``class_names``; "given_class" and "suggested_class" are then their numbers.

        Args:
            ids: Names of all N samples, for a column "id"; their positions if None.

        Raises:
            ValueError: If there are not N of them.
        """
        import pandas as pd

        if ids is not None and len(ids) != self.num_samples:
            raise ValueError(f"ids must be one per sample, {self.num_samples}; got {len(ids)}.")
        order = np.asarray(self.rank).argsort()
        names = None if self.class_names is None else np.array(self.class_names, dtype=object)
        columns = ("samples", "labels", "suggested_label", "error_probability", "is_error", "rank")
        at, given, suggested, errors, verdicts, rank = (np.asarray(getattr(self, c))[order] for c in columns)
        frame: pd.DataFrame = pd.DataFrame(
            {
                "sample": at,
                "id": [str(k if ids is None else ids[k]) for k in at.tolist()],
                "given_label": given if names is None else names[given],
                "suggested_label": suggested if names is None else names[suggested],
                "error_probability": errors,
                "is_error": verdicts,
                "rank": rank,
                **({} if names is None else {"given_class": given, "suggested_class": suggested}),
            }
        )
        return frame

    def to_csv(self, path: str | Path, ids: Sequence[Any] | None = None) -> None:
        """Write :meth:`to_frame` as CSV."""
        self._write(path, lambda beside: self.to_frame(ids).to_csv(beside, index=False))

    def to_parquet(self, path: str | Path, ids: Sequence[Any] | None = None) -> None:
        """Write :meth:`to_frame` as Parquet."""
        self._write(path, lambda beside: self.to_frame(ids).to_parquet(beside, index=False))

    def corrected_labels(self, threshold: float = 0.5) -> Tensor:
        """The labels with those replaced that are likelier wrong than ``threshold``, shape (N,).

        Args:
            threshold: An error probability; 0.5 leaves a label alone unless it is more likely wrong than right.

        Raises:
            ValueError: If only some rows were kept, or ``threshold`` is no probability.
        """
        self._need_all("corrected_labels")
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is an error probability, from 0 to 1; got {threshold}.")
        wrong = as_tensor(self.error_probability) > threshold
        corrected = torch.where(wrong, as_tensor(self.suggested_label), as_tensor(self.labels))
        return in_kind(corrected, self.labels)

    def sample_weights(self) -> Tensor:
        """The probability that each label is right, shape (N,): a weight for training.

        Raises:
            ValueError: If only some rows were kept.
        """
        self._need_all("sample_weights")
        return 1 - self.error_probability

    def summary(self) -> str:
        """The result in words."""
        w, names = self.wrong, self.class_names
        labels = as_tensor(w.labels)
        N = float(labels.sum())
        between = f"{w.total_low:,.0f} to {w.total_high:,.0f}"
        lines = [
            (
                f"{w.total:,.0f} of {N:,.0f} labels are expected to be wrong ({w.total / max(N, 1):.1%}; 95 % "
                f"interval {between})"
                if w.known
                else f"How many of {N:,.0f} labels are wrong cannot be known from these probabilities: {between}"
            )
            + f"; {self.flagged:,} are called wrong, with an error probability above {self.threshold:.2f}."
        ]
        if not w.settled and w.sample_end is not None and w.label_end is not None:
            lines.append(
                f"Probabilities and labels cannot tell whose the doubt is: if it is the samples', about "
                f"{float(w.sample_end.sum()):,.0f} labels are wrong; if it is the labels', about "
                f"{float(w.label_end.sum()):,.0f}."
            )
        if not w.known:
            return "\n".join(lines)
        shares, low, high = (as_tensor(n) / labels.clamp_min(1) for n in (w.expected, w.low, w.high))
        worst = shares.argsort(descending=True)[:3].tolist()
        shown = ", ".join(
            f"{names[k] if names else k} {float(shares[k]):.1%} ({float(low[k]):.0%} to {float(high[k]):.0%})"
            for k in worst
        )
        lines.append(f"Largest shares of wrong labels: {shown}.")
        return "\n".join(lines)

    def _need_all(self, what: str) -> None:
        if len(self) != self.num_samples:
            raise ValueError(
                f"{what} needs a row for each of the {self.num_samples} samples, and {len(self)} were kept. Audit "
                "without top."
            )

    @staticmethod
    def _write(path: str | Path, write: Callable[[Path], Any]) -> None:
        """Whole or not at all."""
        path = Path(path)
        beside = path.with_name(f".{path.stem}.part{path.suffix}")
        try:
            write(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
