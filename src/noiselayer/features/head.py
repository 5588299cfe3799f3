r"""The head on frozen features: multinomial logistic regression through a noise matrix (Eq. 2), in seconds.

Climbing Eq. 2 is not convex, and a sample votes for its own posterior: along a path of ridges it may lose classes
on the way. So the posterior comes from a classifier that has not seen the sample. A plain path of ridges comes first;
its logits out of fold say how the matrix is smoothed. Discriminants, which wrong labels bend less
(:mod:`noiselayer.features.discriminant`), give the posterior, by a matrix for each group of confidence and, of many
samples, in two rounds. A second path is fitted to that. From there the likelihood is climbed, as long as that gains
more than two standard errors; where errors depend on the class alone it does, and one group's matrix counts. Up to
20,000 samples, where a matrix gains nothing so far, matrix and classifier may be found by turns
(:mod:`noiselayer.features.turns`), kept if they gain more than four. Everything is chosen by the likelihood of noisy
labels held out, those of the second path held out from the first as well. The plain classifier is taken unless the
noise matrix gains more than one standard error, two where it was learned and says that few labels are wrong; both with
the factor and the biases that suit labels held out (:mod:`noiselayer.features.calibration`), or the matrix would be
praised for mending what the ridge has done. Where it says that many are wrong, and of some classes more than of others,
the plain classifier is bent, which a thousand labels held out may not tell; then it is taken unless they speak against
it by a standard error. A learned one that gains no more than four must not be contradicted by the surest labels
(:mod:`noiselayer.joint.surest_labels`). Of features that are not standardised, as texts by their words, such a one is
taken halfway instead (:mod:`noiselayer.features.averaged`), if it says that many are wrong and gains a standard error,
or labels held out are seldom repeated. The last fit, to all, takes posteriors by the logits out of fold with these
biases, which people's noise bends. So of more than 20,000 samples the mean of the folds' classifiers stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from noiselayer.arrays.class_labels import class_numbers
from noiselayer.arrays.folds import stratified_folds
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.features.averaged import averaged, seldom_repeated
from noiselayer.features.calibration import calibrated_losses, fit_scale_and_shifts
from noiselayer.features.cross_fitted import MANY, RIDGES, Folds, Step, best_step
from noiselayer.features.discriminant import Discriminant
from noiselayer.features.feature_head import FeatureHead, Taken
from noiselayer.features.head_arguments import HeadMethod, check_arguments, check_settings, trusted
from noiselayer.features.matrix_choice import (
    MANY_WRONG,
    Found,
    MatrixChoice,
    Smoothing,
    choose_matrix,
    cross_validated,
    group_posteriors,
    losses_through,
    numbers_of_groups,
    says_many_wrong,
    standard_error,
)
from noiselayer.features.projection import Projection, as_rows, project_features
from noiselayer.features.trusted_matrix import measured
from noiselayer.features.turns import Way, by_turns
from noiselayer.joint.matrix_fit import even_errors, fit_scale
from noiselayer.joint.surest_labels import CONTRADICTED, contradicted
from noiselayer.losses.annotator_rows import mean_matrix
from noiselayer.losses.log_space import noisy_nll
from noiselayer.losses.top_down import uniform_conversion

_ROUNDS = 4  # of climbing and measuring the matrix anew, at most
_STEPS = 10  # of L-BFGS in each, where samples are many: enough to see whether it gains
BEYOND_CHANCE = 2.0  # standard errors that climbing must gain, and a matrix found with these labels
_CERTAIN = 4.0  # beyond which the surest labels are not asked: people's are right there more often
_MADE_UP = 1000.0  # samples that hold the shares of the classes, where labels prove little
_AGAIN = 1  # time that discriminants are fitted to their own posteriors, where samples are that many


def fit_head(
    features: Any,
    noisy_labels: Any,
    num_classes: int,
    *,
    method: HeadMethod = "learned",
    noise_matrix: Tensor | None = None,
    annotators: Any = None,
    clean_features: Any = None,
    clean_labels: Any = None,
    outside_features: Any = None,
    noisy_weight: float = 1.0,
    outside_weight: float = 1.0,
    alpha: float = 0.5,
    ridges: Sequence[float] = RIDGES,
    folds: int | None = None,
    max_components: int | None = None,
    standardize: bool = True,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> FeatureHead:
    """Fit a linear classifier of the true class to frozen features and noisy labels.

    Args:
        features: Shape (N, D): an array, a tensor or a memory map, which is read three times, from first to last row.
        noisy_labels: Shape (N,), integers 0..K-1.
        num_classes: K.
        method: "learned" (Q from the noisy labels alone), "estimated" (measured with the trusted samples), "known",
            "top-down" (labels are softened) or "normal" (plain regression).
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, for "known".
        annotators: Shape (N,), integers 0..S-1, who gave each label, where ``noise_matrix`` has shape (S, K, K).
        clean_features: Shape (M, D), trusted samples; they are trained on too.
        clean_labels: Shape (M,), their labels.
        outside_features: Shape (L, D), samples from no class, with uniform targets.
        noisy_weight: Gamma: weight of a noisy sample where a trusted one has 1.
        outside_weight: Of a sample from no class.
        alpha: How much of a label is believed, for "top-down".
        ridges: Candidates, falling; the path ends where labels held out are explained worse, for certain or twice in
            a row.
        folds: 5, but 3 above 20,000 samples, if None.
        max_components: Of the principal components, :func:`~noiselayer.features.project_features`.
        standardize: Whether every feature is brought to variance 1 first; not where a feature's variance says how
            much it matters, as in TF-IDF.
        dtype: float32 or float64.
        seed: Of the folds.

    Raises:
        ValueError: If shapes do not fit, an argument does not suit the method, or a matrix is none.

    >>> from noiselayer import corrupt_labels
    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.randint(3, (1500,), generator=generator)
    >>> features = torch.randn(1500, 8, generator=generator) + 3 * torch.eye(8)[truth]
    >>> Q = torch.tensor([[0.6, 0.0, 0.1], [0.4, 0.9, 0.0], [0.0, 0.1, 0.9]])
    >>> head = fit_head(features, corrupt_labels(truth, Q, generator=generator), 3)
    >>> head.taken, bool((head.noise_matrix - Q).abs().max() < 0.1)
    ('noise matrix', True)
    >>> bool((head.logits(features).argmax(dim=1) == truth).float().mean() > 0.9)
    True
    """
    ridges = check_settings(
        num_classes, noisy_weight, outside_weight, ridges, folds, max_components, dtype, seed
    )
    features = as_rows(features, "features")
    K, D = num_classes, features.shape[1]
    labels = class_numbers(noisy_labels, "noisy_labels").cpu()
    given, outside = trusted(clean_features, clean_labels, D), outside_features
    rows, Q = check_arguments(features, labels, K, method, noise_matrix, annotators, given, noisy_weight)
    projection = project_features(
        features, max_components=max_components, standardize=standardize, dtype=dtype
    )
    count = max(2, min(folds or (3 if len(labels) > MANY else 5), len(labels) // 2))
    rng = torch.Generator().manual_seed(int(seed))
    fold_of = stratified_folds(labels, count, lambda rows: rows[torch.randperm(len(rows), generator=rng)])
    order = fold_of.argsort(stable=True)
    sizes = torch.bincount(fold_of, minlength=count).tolist()
    components = projection.reordered(features, order, dtype)
    data = Folds(components, labels[order], sizes, K, projection.variances, dtype)
    clean = given and (projection.apply(given[0], dtype, "clean_features"), given[1])
    fit = _Fit(data, rows[order], ridges, noisy_weight, clean, standardize)
    if outside is not None:
        Z = projection.apply(as_rows(outside, "outside_features", D), dtype, "outside_features")
        data.beside.append((Z, torch.full((len(Z), K), outside_weight / K, dtype=dtype)))
    if method == "top-down":
        return fit.top_down(uniform_conversion(K, alpha).to(dtype)).head(projection, order)
    fit.plain()
    if method != "normal":
        fit.through_matrix(method, Q)
    return fit.head(projection, order)


class _Fit:
    """One fit on its way: first plain, then through a matrix."""

    step: Step
    targets: Tensor | None  # of the last fit; None where those of the folds stand for it
    tried: tuple[tuple[float, float], ...]
    scale: float

    def __init__(
        self,
        data: Folds,
        rows: Tensor,
        ridges: Sequence[float],
        noisy_weight: float,
        clean: tuple[Tensor, Tensor] | None,
        dense: bool,
    ) -> None:
        self.data, self.ridges, self.noisy_weight, self.clean = data, ridges, noisy_weight, clean
        self.dense = dense  # of texts by their words a matrix that proves little is taken halfway
        self.labels, self.fold_of = data.labels, data.fold_of
        self.rows = rows  # of Q, where those of annotators stand below each other
        self.identity = torch.eye(data.num_classes, dtype=torch.float64)
        self.Q = self.found = self.identity
        self.taken: Taken = "plain"
        self.gain = self.gain_error = 0.0
        self.estimate: NoiseEstimate | None = None
        self.climbing: float | None = None  # gamma, where the targets are rows of Q
        self.parts: list[Step] = []  # what the step is the mean of; plain first

    def plain(self) -> None:
        """The path of plain regression; of a given ridge, too, nothing else is known yet."""
        targets = self.data.of_labels()
        self._path(targets)
        # Trusted samples join late, so that the matrix may be measured with them.
        self._with_clean()
        self.targets = targets * self.noisy_weight

    def top_down(self, S: Tensor) -> _Fit:
        """Regression on softened labels."""
        self._with_clean()
        self.targets = S.T[self.labels] * self.noisy_weight
        self._path(self.targets)
        self.taken = "top-down"
        return self

    def through_matrix(self, method: HeadMethod, Q: Tensor | None) -> None:
        """The second path, on posteriors, and the likelihood climbed from there; kept if labels held out say so."""
        data, plain = self.data, self.step
        if method == "estimated":
            assert self.clean is not None
            self.estimate = measured(self.clean, plain, self.scale, self.labels)
            Q = torch.as_tensor(self.estimate.noise_matrix).double()
        discriminant = Discriminant(data)
        counts = [1] if Q is not None else numbers_of_groups(len(self.labels), data.num_classes)
        ways = [self._through(Q, groups, discriminant) for groups in counts]
        if Q is None and len(self.labels) <= MANY:
            gains = [plain.losses - way[1].losses for way in ways]
            if all(float(gain.mean()) <= BEYOND_CHANCE * standard_error(gain) for gain in gains):
                through = partial(self._through, groups=1, discriminant=discriminant)
                turned = by_turns(plain.logits, self.labels, self.fold_of, through)
                excess = plain.losses - turned[1].losses if turned else torch.zeros(1)
                if turned and float(excess.mean()) > _CERTAIN * standard_error(excess):
                    ways.append(turned)
        step, judged, climbed = min(ways, key=lambda way: float(way[1].losses.mean()))
        self.found = (found := judged.found).noise_matrix
        learned = method == "learned"
        others = [other.noise_matrix for other in judged.of_others]
        before, after = self._calibrated(plain, [self.identity] * len(data)), self._calibrated(step, others)
        self.gain, self.gain_error = float((before - after).mean()), standard_error(before - after)
        many_wrong = learned and says_many_wrong(self.found)
        certain = self.gain > (BEYOND_CHANCE if learned and not many_wrong else 1.0) * self.gain_error
        half = 1 / data.num_classes < float(self.found.diagonal().mean()) <= MANY_WRONG and not self.dense
        halfway = learned and half and self.gain <= _CERTAIN * self.gain_error
        if halfway:
            gained = before - self._calibrated(mean := averaged([plain, step]), others, _MADE_UP)
            self.gain, self.gain_error = float(gained.mean()), standard_error(gained)
            certain = self.gain > self.gain_error or seldom_repeated(plain.logits, self.labels)
        elif not certain and many_wrong:
            certain = self._uneven(step, others, after)
        if not certain:
            return
        doubtful = learned and not halfway and self.gain <= _CERTAIN * self.gain_error
        both = found.noise_matrix, found.surest  # noise may be rarer where samples are sure
        if doubtful and all(contradicted(M, plain.logits, self.labels) > CONTRADICTED for M in both):
            return
        self.taken, self.Q, self.step, self.scale = "noise matrix", found.noise_matrix, step, found.scale
        if len(self.labels) > MANY:
            self.targets = None
        elif climbed:
            rows = self._rows_of(found.noise_matrix)
            self.targets, self.climbing = found.noise_matrix[rows].to(data.dtype), self.noisy_weight
        else:
            scale, shifts = self._scale_and_shifts()
            logits, every = (step.logits * scale + shifts)[:, None], torch.ones(len(self.labels), 1).bool()
            self.targets = self._weighted(self._posteriors(logits, every, Q, judged.smoothing)[:, 0])
        if halfway:
            self.step, self.parts = mean, [plain, step]

    def _calibrated(self, step: Step, others: list[Tensor], made_up: float = 0.0) -> Tensor:
        """Losses of labels held out, each through the matrix that has not seen it."""
        rows, scale = self._rows_of(others[0]), self.scale
        return calibrated_losses(step.logits, rows, self.fold_of, others, scale=scale, made_up=made_up)

    def _uneven(self, step: Step, others: list[Tensor], losses: Tensor) -> bool:
        """Whether some classes err more than others, for certain, and labels held out do not speak against it."""
        even = [even_errors(float(Q.diagonal().mean()), len(Q)) for Q in others]
        excess = self._calibrated(step, even) - losses
        return self.gain > -self.gain_error and float(excess.mean()) > BEYOND_CHANCE * standard_error(excess)

    def _through(self, Q: Tensor | None, groups: int, discriminant: Discriminant) -> Way:
        """The second path and what is climbed from there, with the last losses and whether anything was climbed."""
        data, plain = self.data, self.step
        smoothing: Smoothing | None = None
        rough = Q
        if rough is None:
            first = choose_matrix(plain.logits, self.labels, self.fold_of, groups)
            smoothing, rough = first.smoothing, first.found.noise_matrix
        targets = self._targets_of_others(discriminant, Q, smoothing)
        ridges = self.ridges[max(0, self.ridges.index(plain.ridge) - 1) :]
        step = best_step(data.path(targets, partial(self._losses_at_best_scale, Q=rough), ridges))
        judged = self._judged(step.logits, Q, smoothing)
        climbed = False
        for _ in range(_ROUNDS):
            at = self._rows_of(judged.found.noise_matrix)
            rows = torch.stack([found.noise_matrix[at] for found in judged.of_others], dim=1)
            higher = self._climbed(step, rows.to(data.dtype))
            again = self._judged(higher.logits, Q, smoothing)
            excess = judged.losses - again.losses
            if float(excess.mean()) <= BEYOND_CHANCE * standard_error(excess):
                break  # what gains nothing for certain may have lost classes on the way
            step, judged, climbed = higher, again, True
        if climbed and smoothing is not None:  # errors depend on the class: what groups are for is not there
            judged = self._judged(step.logits, Q, smoothing._replace(groups=1))
        return step, judged, climbed

    def _climbed(self, step: Step, rows: Tensor) -> Step:
        """Eq. 2 climbed by every fold's classifier through the matrix of the others, from where a step has led."""
        folds = [(k,) for k in range(len(self.data))]
        most, gamma = _STEPS if len(self.labels) > MANY else None, self.noisy_weight
        W = self.data.fit(rows, step.ridge, step.weights, folds, noisy_weight=gamma, iterations=most)
        return Step(step.ridge, step.losses, self.data.held_out(W), W)

    def _judged(self, logits: Tensor, Q: Tensor | None, smoothing: Smoothing | None) -> MatrixChoice:
        """Losses of labels held out, and the matrix with its scale."""
        if Q is None:
            assert smoothing is not None
            return cross_validated(logits, self.labels, self.fold_of, [smoothing])[0]
        found = Found(Q, fit_scale(logits, self.rows, Q), Q)
        losses = losses_through(logits, self._rows_of(Q), self.fold_of, Q)
        return MatrixChoice(found, [found] * len(self.data), losses, Smoothing(0.0, 0.0))

    def _targets_of_others(
        self, discriminant: Discriminant, Q: Tensor | None, smoothing: Smoothing | None
    ) -> Tensor:
        """For every fold left out, posteriors from discriminants and matrices that have not seen its labels."""
        seen = self.fold_of[:, None] != torch.arange(len(self.data))
        posteriors = self._posteriors(discriminant.of_labels, seen, Q, smoothing)
        for _ in range(_AGAIN if len(self.labels) > MANY else 0):
            posteriors = self._posteriors(discriminant.logits(posteriors), seen, Q, smoothing)
        return self._weighted(posteriors)

    def _posteriors(
        self, logits: Tensor, seen: Tensor, Q: Tensor | None, smoothing: Smoothing | None
    ) -> Tensor:
        """Of the true class, shape (N, B, K), by logits and through matrices of what each of B has seen, (N, B)."""
        if Q is None:
            assert smoothing is not None
            return group_posteriors(logits, self.labels, seen, smoothing)
        scales = [fit_scale(logits[s, held], self.rows[s], Q) for held, s in enumerate(seen.T)]
        prior = (logits * torch.tensor(scales)[:, None]).log_softmax(dim=2)
        return (Q.clamp_min(1e-12).log()[self.rows][:, None] + prior).softmax(dim=2)

    def _losses_at_best_scale(self, logits: Tensor, Q: Tensor) -> Tensor:
        rows = self._rows_of(Q)
        return noisy_nll(logits * fit_scale(logits, rows, Q), rows, Q)

    def _rows_of(self, Q: Tensor) -> Tensor:
        """Which row of a matrix each label is: of a matrix of all, or of one below the other."""
        return self.labels if len(Q) == self.data.num_classes else self.rows

    def head(self, projection: Projection, order: Tensor) -> FeatureHead:
        """The last fit, to all folds, or the mean of theirs."""
        W = self.step.weights.mean(dim=0)
        if self.targets is not None:
            *plain, step = self.parts or [self.step]
            last = [self._last(other, self.data.of_labels() * self.noisy_weight) for other in plain]
            [W] = averaged([*last, self._last(step, self.targets, self.climbing)]).weights
        scale, shifts = self._scale_and_shifts()
        W = W.double() * scale
        W[:, -1] += shifts
        weight, bias = projection.weights_of_features(W.to(self.data.dtype))
        out_of_fold = torch.empty_like(self.step.logits)
        out_of_fold[order] = (self.step.logits * scale + shifts).log_softmax(dim=1)
        return FeatureHead(
            weight,
            bias,
            self._of_all(self.Q),
            self.taken,
            self.step.ridge,
            self.gain,
            self.gain_error,
            self.tried,
            out_of_fold,
            self._of_all(self.found),
            self.estimate,
        )

    def _last(self, step: Step, targets: Tensor, gamma: float | None = None) -> Step:
        """Fitted to all folds, from where a path has led."""
        W = self.data.fit(targets, step.ridge, step.weights[:1], [()], noisy_weight=gamma)
        return replace(step, weights=W)

    def _of_all(self, Q: Tensor) -> Tensor:
        """One matrix: of annotators' the mean, weighted by their labels."""
        K = self.data.num_classes
        return Q if len(Q) == K else mean_matrix(Q.view(-1, K, K), self.rows // K)

    def _path(self, targets: Tensor) -> None:
        steps = self.data.path(
            targets, lambda logits: noisy_nll(logits, self.labels, self.identity), self.ridges
        )
        self.tried = tuple((step.ridge, step.loss) for step in steps)
        self.step = best_step(steps)
        self.scale = fit_scale(self.step.logits, self.labels, self.identity)

    def _with_clean(self) -> None:
        if self.clean is not None:
            Z, y = self.clean
            one_hot = torch.nn.functional.one_hot(y, self.data.num_classes)
            self.data.beside.append((Z, one_hot.to(self.data.dtype)))

    def _weighted(self, posteriors: Tensor) -> Tensor:
        return (posteriors * self.noisy_weight).to(self.data.dtype)

    def _scale_and_shifts(self) -> tuple[float, Tensor]:
        """That suit the matrix taken."""
        rows, made_up = self._rows_of(self.Q), _MADE_UP if self.parts else 0.0
        return fit_scale_and_shifts(self.step.logits, rows, self.Q, scale=self.scale, made_up=made_up)
