"""What is known of several annotators, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from noiselayer.arrays.tensors import as_tensor, in_kind

if TYPE_CHECKING:
    import pandas as pd


class Confusion(NamedTuple):
    """One way in which an annotator errs: of ``true``'s samples it calls so many ``given``."""

    true: int
    given: int
    probability: float
    low: float
    high: float
    share: float
    """Of all the annotator's labels."""


@dataclass(frozen=True, eq=False)
class AnnotatorEstimate:
    r"""A noise matrix per annotator, with errors.

    Attributes:
        noise_matrices: Shape (S, K, K), ``[s, j, i] = p(annotator s says j | true = i)``, columns sum to 1.
        common_matrix: Shape (K, K), what an annotator does of which nothing is known.
        class_prior: p(true = i), shape (K,), sums to 1.
        strength: Shape (K,), how alike the annotators are: as many labels as the common ground stands for in
            every column. Large: one matrix would do for all.
        num_labels: Shape (S,), how many labels each annotator gave.
        standard_error: Shape (S, K, K), of every entry.
        interval: Lower and upper ends, each of shape (S, K, K).
        accuracy: Shape (S,), the share of right labels that each annotator gives of all classes, in the classes'
            shares: :math:`\sum_i p(i)\, Q_{s i i}`.
        accuracy_interval: Lower and upper ends, each of shape (S,).
        confidence: The share of true values that the intervals are meant to cover.
        annotator_names: The S names, or None.
        class_names: The K names, or None.
        warnings: What is to be known before the figures are used, in whole sentences.
    """

    noise_matrices: Tensor
    common_matrix: Tensor
    class_prior: Tensor
    strength: Tensor
    num_labels: Tensor
    standard_error: Tensor
    interval: tuple[Tensor, Tensor]
    accuracy: Tensor
    accuracy_interval: tuple[Tensor, Tensor]
    confidence: float = 0.95
    annotator_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def num_annotators(self) -> int:
        """S."""
        return len(self.noise_matrices)

    @property
    def num_classes(self) -> int:
        """K."""
        return self.noise_matrices.shape[1]

    def annotator_name(self, annotator: int) -> str:
        """What to call an annotator."""
        return self.annotator_names[annotator] if self.annotator_names else str(annotator)

    def class_name(self, number: int) -> str:
        """What to call a class."""
        return self.class_names[number] if self.class_names else str(number)

    def confusions(self, annotator: int, top: int = 3) -> list[Confusion]:
        """The most frequent mistakes of an annotator, most frequent first.

        Args:
            annotator: Its number.
            top: At most so many.

        Raises:
            IndexError: If there is no such annotator.
        """
        if not 0 <= annotator < self.num_annotators:
            raise IndexError(f"annotator must lie in 0..{self.num_annotators - 1}; got {annotator}.")
        joint = as_tensor(self.noise_matrices[annotator] * self.class_prior).clone().fill_diagonal_(0)
        low, high = (end[annotator] for end in self.interval)
        found = []
        for flat in joint.flatten().argsort(descending=True)[:top].tolist():
            j, i = divmod(flat, self.num_classes)
            q = float(self.noise_matrices[annotator, j, i])
            if joint[j, i] > 0:
                found.append(Confusion(i, j, q, float(low[j, i]), float(high[j, i]), float(joint[j, i])))
        return found

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, a row per annotator, the worst first."""
        import pandas as pd

        rows = []
        for s in as_tensor(self.accuracy).argsort(stable=True).tolist():
            worst = self.confusions(s, 1)
            rows.append(
                {
                    "annotator": self.annotator_name(s),
                    "labels": int(self.num_labels[s]),
                    "accuracy": float(self.accuracy[s]),
                    "accuracy_low": float(self.accuracy_interval[0][s]),
                    "accuracy_high": float(self.accuracy_interval[1][s]),
                    "most_often_takes": self.class_name(worst[0].true) if worst else "",
                    "for": self.class_name(worst[0].given) if worst else "",
                    "how_often": worst[0].probability if worst else 0.0,
                }
            )
        frame: pd.DataFrame = pd.DataFrame(rows)
        return frame

    def summary(self, most: int = 10) -> str:
        """The annotators in words, the worst first.

        Args:
            most: Of so many annotators at most.
        """
        lines = []
        for s in as_tensor(self.accuracy).argsort(stable=True)[:most].tolist():
            low, high = (float(end[s]) for end in self.accuracy_interval)
            text = (
                f"{self.annotator_name(s)}: {float(self.accuracy[s]):.1%} right ({low:.1%} to {high:.1%}), "
                f"{int(self.num_labels[s]):,} labels"
            )
            for c in self.confusions(s, 1):
                text += (
                    f"; calls {c.probability:.1%} of {self.class_name(c.true)} {self.class_name(c.given)} "
                    f"({c.low:.1%} to {c.high:.1%})"
                )
            lines.append(text + ".")
        if self.num_annotators > most:
            lines.append(f"And {self.num_annotators - most} better ones.")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class CombinedLabels:
    """Several annotators' labels as one.

    Attributes:
        labels: Shape (N,), the most probable true class; -1 for a sample that nobody has labelled and no
            model has seen.
        posterior: Shape (N, K), float32, the probability of every true class.
        label_errors: In the shape of the labels that came in, float32, the probability that each is wrong; NaN
            where an annotator gave none.
        wrong_by_annotator: Shape (S,), how many labels of each annotator are expected to be wrong.
        annotators: What was found of the annotators; None where their matrices were given.
        temperature: What the logarithms of the model's probabilities were divided by; None without a model.
        warnings: What is to be known before the labels are used.
    """

    labels: Tensor
    posterior: Tensor
    label_errors: Tensor
    wrong_by_annotator: Tensor
    annotators: AnnotatorEstimate | None
    temperature: float | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def confidence(self) -> Tensor:
        """Shape (N,), the probability that each of ``labels`` is right."""
        return in_kind(as_tensor(self.posterior).amax(dim=1), self.posterior)

    @property
    def expected_wrong(self) -> float:
        """How many of ``labels`` are expected to be wrong all the same; samples without one do not count."""
        sure = as_tensor(self.confidence).double()
        return float((1 - sure)[as_tensor(self.labels) >= 0].sum())
