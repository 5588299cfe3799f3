"""The two passes of an audit over batches, whatever they come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor

from noiselayer.arrays.kinds import check_count, check_number
from noiselayer.audit.audit_result import AuditResult
from noiselayer.audit.calibrated_halfway import calibrated_halfway
from noiselayer.audit.candidates import FEW, Candidates, candidates_of
from noiselayer.audit.changed_labels import blended
from noiselayer.audit.checked_batches import Batches, checked_batches
from noiselayer.audit.column_order import column_order, totals
from noiselayer.audit.confidence_noise import fit_noise_by_confidence
from noiselayer.audit.doubt import Doubt, whose_doubt
from noiselayer.audit.fit_noise_model import LEARNED_SHARES, fit_noise_model, shrunk_confusion
from noiselayer.audit.intervals import FORM, Draws, Ends, WrongLabels, draw_models, wrong_labels
from noiselayer.audit.judge import is_even, judging_model
from noiselayer.audit.noise_model import NoiseModel
from noiselayer.audit.notes import what_to_doubt, what_to_know
from noiselayer.audit.subsample import VAST, first_pass
from noiselayer.audit.verdict import best_threshold
from noiselayer.checks import Finding, check_noise_model
from noiselayer.checks.matrix_checks import about_dominance
from noiselayer.estimation.confusion import confusion_by_prediction
from noiselayer.estimation.in_words import name_classes
from noiselayer.noise.matrices import check

_CHECKED = 2**21  # entries of probabilities that the noise model is checked on
# Of what may be the sample's doubt or the labels', this part is taken to be the sample's: Theorem 1 says the smallest
# trace, which is none of it, but models make some mistakes. Set with the data of docs/evidence/audit.md in view.
_SAMPLES_PART = 0.25
_LEARNED = (
    1.5  # of the mistakes that a model makes by the fit: those that it may have learned from the labels
)
_FORM_OF_MISTAKES = 0.5  # more of the expected number for each of a model's mistakes
_FORM_OF_ACCURACY = 0.09  # of the expected number, where two models' agreement says how often one is right


@dataclass(frozen=True, eq=False)
class Options:
    """How an audit is done; see :func:`noiselayer.audit.audit_labels`."""

    noise_matrix: Tensor | None = None
    standard_error: Tensor | None = None
    probs_predict: Literal["given", "true"] | None = None
    calibrate: bool = True
    threshold: float | None = None
    top: int | None = None
    check_model: bool = True
    class_names: tuple[str, ...] | None = None
    accuracy: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.probs_predict, str) or self.probs_predict not in ("given", "true"):
            raise ValueError(
                "probs_predict must say which label the probabilities are of: 'given' for a model trained on noisy "
                "labels as usual, which predicts the label that a sample would be given; 'true' for one that predicts "
                "the true class, as noiselayer's classifiers do, or models trained on trusted labels; got "
                f"{self.probs_predict!r}."
            )
        if self.threshold is not None:
            check_number(self.threshold, "threshold")
        if self.top is not None:
            check_count(self.top, "top")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is an error probability, from 0 to 1; got {self.threshold}.")
        if self.top is not None and self.top < 1:
            raise ValueError(f"top is how many rows to keep, at least 1; got {self.top}.")
        if self.noise_matrix is not None:
            check(self.noise_matrix)
            self._check_standard_error()
        elif self.standard_error is not None:
            raise ValueError("standard_error is of noise_matrix; give that too.")
        elif not self.calibrate:
            raise ValueError("calibrate=False needs noise_matrix: both are estimated together.")

    def _check_standard_error(self) -> None:
        error = self.standard_error
        if error is None:
            return
        if error.shape != self.noise_matrix.shape:  # type: ignore[union-attr]
            raise ValueError(
                f"standard_error must have the shape of noise_matrix; got {tuple(error.shape)} for one of "
                f"{tuple(self.noise_matrix.shape)}."  # type: ignore[union-attr]
            )
        wrong = ~error.isfinite().all(dim=0)
        if bool(wrong.any()):
            i = int(wrong.nonzero()[0])
            name = self.class_names[i] if self.class_names else str(i)
            raise ValueError(
                f"standard_error must be finite; column {i} ({name}) is not, as the estimate of that class's "
                "noise rests on no data, and an interval for its labels would mean nothing. Add trusted samples of "
                "the class, or leave standard_error out to take noise_matrix as exact."
            )
        if bool((error < 0).any()):
            raise ValueError(
                f"standard_error must not be negative; its smallest entry is {float(error.min()):.3g}."
            )


def audit_batches(
    make: Batches, options: Options, *, num_classes: int | None = None, num_samples: int | None = None
) -> AuditResult:
    """Audit batches in two passes: one to fit the noise model, one to judge every label.

    Args:
        make: Gives the batches, the same at both calls.
        options: How.
        num_classes: K; the number of columns if None.
        num_samples: N, if it is known.

    Raises:
        TypeError: If labels or probabilities are of the wrong type.
        ValueError: If they are unfit, or ``noise_matrix`` is.
        IndexError: If a label is out of range.
    """
    checked = checked_batches(make, num_classes)
    if options.noise_matrix is not None and num_classes is not None:
        check(options.noise_matrix, num_classes=num_classes)
    first = first_pass(checked, num_classes, num_samples)
    samples, counts, N = first.samples, first.counts, first.num_samples
    K, carried, agreeing = len(counts), totals(counts)[0], counts.diagonal().clone()
    if options.noise_matrix is not None:
        check(options.noise_matrix, num_classes=K)
    notes = what_to_know(counts, options.class_names, estimated=options.noise_matrix is None)
    in_order = column_order(counts) is None
    confusion = confusion_by_prediction(counts) if options.noise_matrix is None else None
    del first, counts  # of thousands of classes there is room for two matrices, not for three
    model, draws = _fit(samples, confusion, options)
    _check_possible(model.noise_matrix, carried, options.class_names)
    judging, ends, doubt = model, None, None
    doubts: tuple[str, ...] = ()
    if options.noise_matrix is None:
        doubt = whose_doubt(samples, model, draws.standard_error)
        judging = _judging(samples, confusion, model, doubt, options)
        ends = _ends(samples, carried, agreeing, judging, doubt, options)
        if in_order:
            doubts = what_to_doubt(model, judging, doubt, options.accuracy)
    reported = model if judging.by_confidence is None else judging
    findings = _findings(samples, reported, draws, options) if options.check_model else ()
    threshold, either = options.threshold, False
    if threshold is None:
        judged = samples if samples.verified is None else samples.take(~samples.verified)
        e = judging.score(judged).error_probability
        either = doubt is not None and doubt.open and judging.by_confidence is None
        differs = judging.differs(judged) if either else None
        threshold = best_threshold(e, num_labels=int(carried.sum()), differs=differs)

    single = replace(judging, noise_matrix=judging.noise_matrix.float())
    rows = _Rows(options.top)
    sums = torch.zeros(3, K, dtype=torch.float64)  # labels, expected errors, their variance
    for batch in checked_batches(make, K, thorough=False):
        found = candidates_of(batch.probs.float(), batch.labels, batch.verified)
        scores = single.score(found)
        e = scores.error_probability.double()
        one = torch.ones_like(e) if batch.verified is None else (~batch.verified).double()
        sums.index_add_(1, batch.labels, torch.stack([one, e, e * (1 - e)]))
        flagged = e > threshold
        if either:
            flagged &= single.differs(found)
        suggested = torch.where(flagged, scores.other, scores.suggested)
        rows.add(batch.start, batch.labels, scores.log_odds, suggested, flagged)
    if rows.seen != N:
        raise ValueError(
            f"the second pass over the batches gave {rows.seen} samples, the first one {N}. Give a function that "
            "makes the same batches at every call, not a generator that is used up."
        )
    wrong: WrongLabels = wrong_labels(sums[0], sums[1], sums[2], draws, ends)
    return AuditResult(
        **rows.finish(),
        threshold=threshold,
        num_samples=N,
        wrong=wrong,
        noise_matrix=reported.noise_matrix.float(),
        noise_matrix_estimated=options.noise_matrix is None,
        standard_error=None if draws.standard_error is None else draws.standard_error.float(),
        probs_predict=cast(Literal["given", "true"], options.probs_predict),
        temperature=1 / reported.sharpness if options.calibrate else None,
        learned_share=model.learned_share,
        model_accuracy=options.accuracy,
        findings=findings,
        warnings=(*doubts, *notes),
        class_names=options.class_names,
        _judging=single,
        _doubts=doubts,
    )


class _Rows:
    """The rows that are kept: all, or the top ones of what has come so far."""

    def __init__(self, top: int | None) -> None:
        self.top = top
        self.seen, self.flagged = 0, 0
        self._parts: list[tuple[Tensor, ...]] = []

    def add(self, start: int, *columns: Tensor) -> None:
        """Columns are labels, log odds, suggestions and verdicts of consecutive samples."""
        labels, log_odds, suggested, flagged = columns
        self.seen += len(labels)
        self.flagged += int(flagged.sum())
        part = (torch.arange(start, start + len(labels)), labels, log_odds, suggested, flagged)
        self._parts.append(part)
        if self.top is not None and sum(len(p[0]) for p in self._parts) > self.top:
            joined = self._joined()
            order = joined[2].argsort(descending=True, stable=True)[: self.top]
            self._parts = [tuple(column[order] for column in joined)]

    def finish(self) -> dict[str, Any]:
        """The columns of the result."""
        samples, labels, log_odds, suggested, flagged = self._joined()
        order = log_odds.argsort(descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        if self.top is not None:
            samples, labels, log_odds, suggested, flagged, rank = (
                column[order] for column in (samples, labels, log_odds, suggested, flagged, rank)
            )
        return {
            "samples": samples,
            "labels": labels,
            "error_probability": log_odds.sigmoid(),
            "suggested_label": suggested,
            "is_error": flagged,
            "rank": rank,
            "flagged": self.flagged,
        }

    def _joined(self) -> tuple[Tensor, ...]:
        return tuple(torch.cat(column) for column in zip(*self._parts, strict=True))


def _fit(samples: Candidates, confusion: Tensor | None, options: Options) -> tuple[NoiseModel, Draws]:
    Q = options.noise_matrix
    given = None if Q is None else Q.detach().double().cpu()
    if confusion is not None and len(confusion) > VAST:
        confusion = given = shrunk_confusion(samples, confusion)
    if options.calibrate:
        start = given if confusion is None else confusion
        assert start is not None
        model, _ = fit_noise_model(
            samples,
            start,
            noise_matrix=given,
            learned_shares=(0.0,) if options.probs_predict == "true" else LEARNED_SHARES,
        )
    else:
        assert given is not None
        model = NoiseModel(given, 1.0, 1.0 if options.probs_predict == "given" else 0.0)
    draws = draw_models(
        samples,
        model,
        calibrated=options.calibrate,
        estimated=given is None,
        standard_error=None
        if options.standard_error is None
        else options.standard_error.detach().double().cpu(),
    )
    return model, draws


def _judging(
    samples: Candidates, confusion: Tensor | None, model: NoiseModel, doubt: Doubt, options: Options
) -> NoiseModel:
    """The model that single labels are judged by: by class alone unless noise depends on the sample."""
    agreed = _agreed(options, doubt)
    if agreed is not None:
        return fit_noise_by_confidence(samples, model, agreed, falling=doubt.by_sample)
    if doubt.by_sample:
        accuracy = 1 - _SAMPLES_PART * (1 - doubt.accuracy)
        return fit_noise_by_confidence(samples, model, accuracy, falling=True)
    assert confusion is not None
    K, Q = len(confusion), model.noise_matrix
    judging = judging_model(
        samples,
        model,
        None if K > VAST else confusion,
        plausible=not doubt.lost and (doubt.settled or model.sharpness >= 1),
        most=float(doubt.differing) if doubt.lost else None,
    )
    if doubt.open and K <= FEW and is_even(judging.noise_matrix):
        halfway = calibrated_halfway(samples, judging)
        if halfway.calibration is not None:
            return halfway
    if doubt.settled or not 2 < K <= VAST or model.learned_share or doubt.lost:
        return judging
    return blended(samples, judging, Q)


def _agreed(options: Options, doubt: Doubt) -> float | None:
    """How often the models are right by a second look, unless the fit contradicts it: they make the same mistakes."""
    return None if doubt.unlearned else options.accuracy


def _ends(
    samples: Candidates,
    carried: Tensor,
    agreeing: Tensor,
    judging: NoiseModel,
    doubt: Doubt,
    options: Options,
) -> Ends:
    """In numbers of labels.

    To the labels' end belongs what agrees with a prediction that is itself wrong, by the judgement. A model may have
    learned mistakes of the labels, and the fit, which sees them agree, then has it right too often: of what agrees with
    a model that is right on a share a by the fit, 1.5 (1 - a) may be wrong, unless noise depends on the sample; less by
    the part of the disagreement that is as frequent among the surest, since noise by class alone is not learned.
    """
    labels, K = carried.double(), len(carried)
    if samples.verified is not None:
        samples = samples.take(~samples.verified)
    e = judging.score(samples).error_probability.double()
    too = torch.where(samples.predicted() == samples.labels, e, 0.0)
    fitted_to = torch.bincount(samples.labels, minlength=K).clamp_min(1)
    wrong = labels * torch.zeros(K, dtype=torch.float64).index_add_(0, samples.labels, too) / fitted_to
    agreed = _agreed(options, doubt)
    known = agreed is not None
    if not (known or doubt.settled or doubt.by_sample):
        wrong = torch.maximum(wrong, min(1.0, _LEARNED * (1 - doubt.accuracy) * doubt.learnable) * agreeing)
    return Ends(
        labels * doubt.sample_end,
        labels - agreeing + wrong,
        known or doubt.settled,
        FORM + _FORM_OF_MISTAKES * (1 - doubt.accuracy)
        if agreed is None
        else _FORM_OF_ACCURACY + _FORM_OF_MISTAKES * (1 - agreed),
        known or not doubt.lost,
    )


def _findings(samples: Candidates, model: NoiseModel, draws: Draws, options: Options) -> tuple[Finding, ...]:
    K = len(model.noise_matrix)
    if K > VAST:  # no class would have the samples that a test needs
        return tuple(about_dominance(model.noise_matrix))
    kept = torch.arange(min(len(samples), max(1, _CHECKED // K)))
    few = samples.take(kept)
    if few.verified is not None:
        few = few.take(~few.verified)
    if not len(few):
        return ()
    w = few.dense(model.true_probs(few.to(model.noise_matrix.dtype)), K)
    findings = check_noise_model(
        model.noise_matrix, standard_error=draws.standard_error, noisy_probs=w, noisy_labels=few.labels
    )
    names = options.class_names
    return tuple(
        found if names is None else replace(found, message=name_classes(found.message, names))
        for found in findings
    )


def _check_possible(Q: Tensor, carried: Tensor, names: tuple[str, ...] | None) -> None:
    impossible = ((Q.sum(dim=1) == 0) & (carried > 0)).nonzero().flatten().tolist()
    if impossible:
        label = names[impossible[0]] if names else impossible[0]
        raise ValueError(
            f"noise_matrix gives label {label} no probability under any true class, but samples carry it. "
            "Use a matrix whose row for that label is not zero."
        )
