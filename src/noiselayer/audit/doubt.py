"""Whose doubt it is, the sample's or the labels': what the data can tell, and the two ends of what they cannot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from noiselayer.audit.candidates import Candidates
from noiselayer.audit.fit_noise_model import part_of_confusion
from noiselayer.audit.neighbours import gain_by_neighbours
from noiselayer.audit.noise_model import NoiseModel
from noiselayer.checks.matrix_checks import without_dominance

# Set with the data of docs/evidence/audit.md in view, which are therefore no test of them.
_WEAK = 0.7  # a model that is right on no more samples, by the fit itself, tells nothing of who is in doubt
_CLOSE = (
    2 / 3
)  # of the labels that differ from the prediction, what the fit must call wrong for the ends to be near
# Of the disagreement of all, what there must be among the surest quarter for the labels to be noisy there too: with a
# model that is right on nine in ten or a fit that explains little of it, and where all rests on the trend.
_NOISY_SURE, _NOISY_SURE_BY_TREND = 0.13, 0.25
_STRONG, _GOOD = (
    0.9,
    0.85,
)  # a model that is right so often by the fit itself leaves little to the samples' doubt
_FAIR = 0.75  # the same where the probabilities show the noise: kappa is 1
_UNEXPLAINED = (
    1.4  # times what the fit explains of all: the disagreement of the surest quarter, which contradicts it
)
_UNEXPLAINED_BY_TREND = 1.1
_TREND, _NO_RISE = 3.0, -1.0  # standard errors
# Of a model that is right on nine in ten: noise by class that the fit almost explains needs some trend to be another.
_ALMOST, _SOME_TREND = 0.55, 1.64
_LEAST_GAIN = 0.02  # nats a label, over no noise at all: with less, the data do not tell
_LINE = 3  # classes: so few have their probabilities in a plane, where clusters that a model misses lie upon others
_LEAST_PROBABILITY = 1e-6
_SUREST = 0.1  # of the samples of every predicted class


@dataclass(frozen=True, eq=False)
class Doubt:
    """What there is to know of whose doubt it is.

    Attributes:
        sample_end: Shape (K,), shares of wrong labels by given label if the doubt is the sample's.
        label_end: Shape (K,), the same if it is the labels'.
        fitted_accuracy: How often the model is right by the class-conditional fit.
        lost: How many classes carry another label at least as often as their own by the fit; of a model that is right
            on nine in ten by it, only those beyond a standard error.
        settled: The model is right on 85 % by the fit (75 % where its probabilities show the noise, kappa 1), which
            explains most of the disagreement, so that the ends are near each other, and the labels better than no noise
            at all does.
        by_sample: The noise depends on the sample: it does not vanish among the surest, and is more than the fit
            explains, or falls as the confidence rises.
        differing: How many labels differ from the prediction.
        missed: Samples of like probabilities carry labels that the fit does not explain: the model misses something of
            the classes. It is looked for where the model is right on less than nine in ten by a fit that would settle
            it, or noise depends on the sample.
        learnable: The part of the disagreement that is more than that among the surest tenth of every predicted class,
            less a standard error: what is found there is noise by class, which no model learns.
    """

    sample_end: Tensor
    label_end: Tensor
    fitted_accuracy: float
    lost: int
    settled: bool
    by_sample: bool
    differing: int = 0
    learnable: float = 1.0
    missed: bool = False

    @property
    def accuracy(self) -> float:
        """The least that is plausible: no more than 70 % where some class has lost its dominance."""
        return min(self.fitted_accuracy, _WEAK) if self.lost else self.fitted_accuracy

    @property
    def open(self) -> bool:
        """Whether the verdict heeds both answers.

        Not if noise depends on the sample, or the model is right on nine in ten, or on 85 % where the data settle it.
        """
        return not (self.by_sample or self.accuracy >= (_GOOD if self.settled else _STRONG))

    @property
    def unlearned(self) -> bool:
        """Whether the model is right on 70 % at most by the fit, whatever its matrix."""
        return self.fitted_accuracy <= _WEAK

    @property
    def weak(self) -> bool:
        """Whether the model is right on 70 % at most, by the fit."""
        return self.accuracy <= _WEAK


def whose_doubt(samples: Candidates, model: NoiseModel, standard_error: Tensor | None = None) -> Doubt:
    r"""The two ends of what the labels allow, and which of them the data favour.

    *If the doubt is the sample's*, noise is the same for sure and unsure samples of a class. It then shows among the
    samples that the model is surest of: with T[j, i] the share of label j among the surest tenth of those predicted
    as i, T[j, i] of all of them are wrong with label j. The class-conditional fit is another such answer; the smaller
    number counts. A model that errs is sure of some of its mistakes: of one that is right on a share a of the samples
    by the fit, the part (a - 0.7) / 0.3 of the number is taken, none of it from 70 % down, unless the noise depends on
    the sample. Then all is taken, but none where samples of like probabilities carry labels that the fit does not
    explain: the model misses something of the classes. Where there are three classes or fewer, whose probabilities
    cannot show that, the part is taken all the same.

    *If the doubt is the labels'*, the model is right and every label that differs from its prediction is wrong.

    Class-conditional noise is as frequent among the surest samples as among the sure. The noise depends on the sample
    where the fit explains less than two thirds of the disagreement, the surest quarter disagrees too, and one of three
    things is so: the model is right on nine in ten by the fit itself, and the fit explains less than 0.55 of the
    disagreement or that falls by 1.64 standard errors; the surest quarter disagrees 1.4 times as often as the fit
    explains of all, which contradicts it; or disagreement falls by three standard errors of a trend over
    the surer half of every predicted class.

    Args:
        samples: Out-of-sample probabilities and labels.
        model: The class-conditional fit.
        standard_error: Shape (K, K), of its matrix.
    """
    if samples.verified is not None:
        samples = samples.take(~samples.verified)
    K, n = len(model.noise_matrix), len(samples)
    if not n:
        none = torch.zeros(K, dtype=torch.float64)
        return Doubt(none, none, 1.0, 0, True, False)
    confidence, column = samples.probs[:, : samples.num_candidates].max(dim=1)
    predicted, labels = samples.classes(column), samples.labels
    differs = (predicted != labels).double()
    sureness = _rank_within(predicted, confidence)
    samples = samples.to(model.noise_matrix.dtype)
    e = model.score(samples).error_probability.double()
    fitted = float(model.true_probs(samples)[:, : samples.num_candidates].amax(dim=1).mean())
    lost = without_dominance(model.noise_matrix, standard_error if fitted >= _STRONG else None)
    accuracy = min(fitted, _WEAK) if lost else fitted
    share, sure = float(differs.mean()), float(differs[sureness >= 0.75].mean())
    explained = float(e.mean())
    near = explained >= _CLOSE * share
    by_sample = (
        share > 0
        and accuracy > _WEAK
        and not near
        and _by_sample(share, sure, explained, accuracy, _falls(sureness, differs))
    )

    enough = _FAIR if model.learned_share == 1 else _GOOD
    settled = near and accuracy >= enough and _gain(samples, model) >= _LEAST_GAIN
    missed = (by_sample or (settled and accuracy < _STRONG)) and _misses(samples, model)
    by_class, anchored = _by_label(e, labels, K), _anchored(predicted, labels, sureness, K)
    sample_end = min(by_class, anchored, key=lambda ends: float(ends.sum()))
    label_end = _by_label(differs, labels, K)
    if by_sample and missed:
        sample_end = torch.zeros_like(sample_end)
    elif not by_sample or K <= _LINE:
        sample_end = sample_end * max(0.0, (accuracy - _WEAK) / (1 - _WEAK))
    carried = torch.bincount(labels, minlength=K).clamp_min(1)
    surest = differs[sureness >= 1 - _SUREST]
    among = float(surest.mean()) if len(surest) else 0.0
    among -= math.sqrt(among * (1 - among) / max(len(surest), 1))
    learnable = min(1.0, 1 - among / share) if share else 1.0
    ends = (sample_end / carried, label_end / carried)
    settled = settled and not missed
    return Doubt(*ends, fitted, lost, settled, by_sample, int(differs.sum()), max(0.0, learnable), missed)


def _by_sample(share: float, sure: float, explained: float, accuracy: float, trend: float) -> bool:
    """Whether the noise depends on the sample.

    By the shares of disagreement of all and of the surest quarter, what the fit explains of it, how often the model is
    right by the fit, and by how many standard errors disagreement falls.
    """
    if trend <= _NO_RISE or sure < _NOISY_SURE * share:
        return False
    if sure >= _UNEXPLAINED * explained:
        return True
    if accuracy >= _STRONG and (explained < _ALMOST * share or trend > _SOME_TREND):
        return True
    falls = trend > _TREND and sure >= _NOISY_SURE_BY_TREND * share
    return falls and (accuracy >= _GOOD or sure >= _UNEXPLAINED_BY_TREND * explained)


def _gain(samples: Candidates, model: NoiseModel) -> float:
    """How much better the fit explains the labels than no noise and another sharpness do, in nats a label."""
    none = torch.eye(len(model.noise_matrix), dtype=model.noise_matrix.dtype)
    _, sharpness = part_of_confusion(samples, none)
    right = NoiseModel(none, sharpness)
    return float((model.log_likelihood(samples) - right.log_likelihood(samples)).mean())


def _misses(samples: Candidates, model: NoiseModel) -> bool:
    """Whether neighbours in probabilities explain labels that the fit does not; not looked for in many classes."""
    if samples.index is not None:
        return False
    z = samples.probs.clamp_min(_LEAST_PROBABILITY).log()
    likelihood = model.log_likelihood(samples).exp()
    return gain_by_neighbours(samples.labels, likelihood, z - z.mean(dim=1, keepdim=True)) >= _LEAST_GAIN


def _by_label(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    return torch.zeros(num_classes, dtype=torch.float64).index_add_(0, labels, values)


def _rank_within(groups: Tensor, values: Tensor) -> Tensor:
    """The rank of every value within its group, from 0 to 1."""
    order = values.argsort(stable=True)
    order = order[groups[order].argsort(stable=True)]
    sizes = torch.bincount(groups)
    starts = sizes.cumsum(0) - sizes
    ranks = torch.empty(len(values), dtype=torch.float64)
    g = groups[order]
    ranks[order] = (torch.arange(len(values)).double() - starts[g] + 0.5) / sizes[g]
    return ranks


def _falls(sureness: Tensor, differs: Tensor) -> float:
    """Of the surer half: by how many standard errors disagreement falls as sureness rises (Cochran-Armitage)."""
    half = sureness >= 0.5
    x, d = sureness[half] - sureness[half].mean(), differs[half]
    mean = float(d.mean())
    return -float((x * d).sum()) / max(math.sqrt(mean * (1 - mean) * float(x.square().sum())), 1e-9)


def _anchored(predicted: Tensor, labels: Tensor, sureness: Tensor, num_classes: int) -> Tensor:
    """How many of each label are wrong if all samples of a predicted class are as noisy as its surest, shape (K,)."""
    sizes = torch.bincount(predicted, minlength=num_classes).double()
    surest = sureness >= 1 - _SUREST
    sure_sizes = torch.bincount(predicted[surest], minlength=num_classes).clamp_min(1)
    wrong = surest & (predicted != labels)
    each = (sizes / sure_sizes)[predicted[wrong]]
    return torch.zeros(num_classes, dtype=torch.float64).index_add_(0, labels[wrong], each)
