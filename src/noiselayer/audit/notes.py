"""What is to be known before an audit's numbers are used, in words."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from noiselayer.audit.column_order import column_order, order_warning, totals
from noiselayer.audit.doubt import Doubt
from noiselayer.audit.noise_model import NoiseModel

_MEMORISED, _FEWEST_TO_DOUBT = 0.999, 50  # share of labels that the model repeats, and of how many


def what_to_doubt(
    model: NoiseModel, judging: NoiseModel, doubt: Doubt, agreed: float | None = None
) -> tuple[str, ...]:
    """What is to be known before the numbers are used, the gravest first; ``agreed`` is by a second look."""
    said: tuple[str, ...] = ()
    if doubt.lost:
        # Those labels tell a model's mistakes from wrong ones by being right more often than wrong in the same way.
        said += (
            f"in the noise matrix that was fitted, {doubt.lost:,} of {len(model.noise_matrix):,} classes carry another "
            "label at least as often as their own. Seldom is that so; as a rule the model confuses these classes "
            "itself, and its mistakes are counted as wrong labels. So how many are wrong cannot be known from these "
            "probabilities, and no number within the interval is better than another. Take a better model, measure "
            "the matrix with trusted labels, or look at some: --suggest-checks 100 draws them.",
        )
    if judging.by_confidence is not None and doubt.by_sample:
        said += (
            "labels are wrong less often where the model is sure: the noise depends on the sample. How many are wrong "
            "lies between the two ends of the interval; probabilities and labels alone cannot say where. A second "
            "model's probabilities or a few checked labels can.",
        )
    elif doubt.weak and not said:
        said += (
            f"the model is right on no more than {doubt.accuracy:.0%} of the samples by the fit itself: what it "
            "confuses cannot be told from what the labels confuse, and the interval allows for no wrong label at all.",
        )
    if doubt.missed:
        said += (
            "samples of like probabilities carry labels that neither the model nor noise by class explains: the model "
            "may miss something of the classes, and its own mistakes be counted as wrong labels. Features, where they "
            "were not given, another kind of model or some checked labels tell: --suggest-checks 100 draws them.",
        )
    if agreed is not None and doubt.unlearned:
        said += (
            f"the two models agree as if they were right on {agreed:.0%}, but by the fit they are right on no more "
            f"than {doubt.fitted_accuracy:.0%}: they make the same mistakes, and how often they agree was not used.",
        )
    return said


def what_to_know(counts: Tensor, names: Sequence[str] | None, *, estimated: bool) -> tuple[str, ...]:
    """What the counts of labels by prediction say: columns in another order, empty classes, few labels.

    Args:
        counts: Shape (K, K), samples by given label (row) and predicted class (column).
        names: Of the classes.
        estimated: Whether the noise matrix is.
    """
    K = len(counts)
    notes = []
    carried, predicted = totals(counts)
    for missing, what in (
        (carried == 0, "no sample carries the label"),
        (predicted == 0, "the model never predicts"),
    ):
        which = missing.nonzero().flatten().tolist()
        if which:
            shown = ", ".join(str(names[k] if names else k) for k in which[:8]) + (
                ", ..." if len(which) > 8 else ""
            )
            notes.append(f"{what} {shown}: nothing can be said of the noise there.")
    order = column_order(counts)
    if order is not None:
        notes.insert(0, order_warning(order, counts, names))
    N = int(carried.sum())
    agreement = float(counts.diagonal().sum()) / max(N, 1)
    if agreement > _MEMORISED and N >= _FEWEST_TO_DOUBT:
        notes.append(
            f"the model's likeliest class is the given label for {agreement:.4g} of all samples, as it is for a model "
            "that was trained on these labels. Then wrong ones are not found and the numbers are too small: take "
            "probabilities of a model that has not seen the labels, such as cross-fitted ones."
        )
    if estimated and N < 10 * K:
        notes.append(
            f"{N:,} labels of {K:,} classes are few to estimate a noise matrix from: it stays close to the model's "
            "confusions, shrunk by one common factor."
        )
    return tuple(notes)
