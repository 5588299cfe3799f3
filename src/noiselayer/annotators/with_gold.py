r"""A linear classifier from labels of which a few were checked: never worse than the checked ones alone, beyond chance.

What a label says of a sample's class can be said in more than one way, and which of them is true is not known
beforehand. So there are several classifiers, all linear in the features x:

- "gold": of the checked labels alone;
- "plain": of all labels as they are, and the checked ones;
- "matrices": of the posterior through the noise matrices of the labellers, measured with the checked labels and
  expectation-maximisation (Eq. 2's posterior, semi-supervised Dawid and Skene),
  :math:`p(y \mid x, \tilde y) \propto p(y \mid x) \prod_s Q_{s \tilde y_s y}`;
- "taught": of :math:`p(y \mid x, \tilde y, c)`, a logistic regression of the checked labels on the features, the
  labels with the certainty c that was stated, and the logits of a classifier of the labels.

Where several labellers have labelled the same samples, their matrices and a classifier learn from each other first: a
regression, or classes as clusters of the features (:mod:`noiselayer.annotators.clusters`), as checked labels have it.

Each is fitted again with a fifth of the checked labels left out, which give its logits a factor and its biases (a ridge
makes the frequent classes too likely: :mod:`noiselayer.features.calibration`) and judge it. The best is taken if it is
better than "gold" by more than one paired standard error; if not, "gold" is. "plain", which believes every label, must
be better than all others by as much.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from noiselayer.annotators.clusters import cluster_weights
from noiselayer.annotators.combine_labels import combine_labels
from noiselayer.annotators.em import maximise
from noiselayer.annotators.estimates import AnnotatorEstimate
from noiselayer.annotators.gold_head import Candidate, GoldHead
from noiselayer.annotators.gold_inputs import certainties, check_votes
from noiselayer.annotators.model_evidence import Evidence
from noiselayer.annotators.votes import votes_of
from noiselayer.arrays.class_labels import class_numbers
from noiselayer.arrays.folds import stratified_folds
from noiselayer.features.calibration import fit_scale_and_shifts
from noiselayer.features.cross_fitted import RIDGES
from noiselayer.features.matrix_choice import standard_error
from noiselayer.features.projection import Projection, as_rows, project_features
from noiselayer.features.soft_targets import fit_soft_targets
from noiselayer.joint.linear_fit import linear_logits
from noiselayer.joint.matrix_fit import fit_scale

_FOLDS = 5
_COMPONENTS = 256  # at most, of the features
_RIDGES = (0.3, 0.03, 3e-3, 3e-4)  # of soft labels
_DEALT = 3  # folds of the soft labels
_STEPS = 20  # of L-BFGS from one ridge to the next
_LOUD = 10.0  # what labels are multiplied by, so that the ridge, which is for the features, leaves them alone
_ROUNDS = 6  # through matrices and classifier, where several labellers have labelled the same samples
_RISES = 2  # in a row, and a path of ridges ends


def fit_with_gold(
    features: Any,
    labels: Any,
    gold: Any,
    num_classes: int,
    *,
    stated_confidence: Any = None,
    standardize: bool = True,
    seed: int = 0,
) -> GoldHead:
    """Fit a classifier of the true class to labels of one or several labellers, some of them checked.

    Args:
        features: Shape (N, D).
        labels: Shape (N,), or (N, S) of several labellers: integers 0..K-1, -1 where there is none.
        gold: Shape (N,), the true classes of the samples that were checked, -1 of all others. If none was, the
            labels of several labellers are combined, and nothing is chosen.
        num_classes: K.
        stated_confidence: Shape of labels, how certain the labeller says it is, 0 to 1.
        standardize: Whether every feature is brought to variance 1 first.
        seed: Of the folds.

    Raises:
        ValueError: If shapes or values do not fit, or 1 to 9 labels were checked.

    >>> generator = torch.Generator().manual_seed(0)
    >>> truth = torch.randint(2, (1000,), generator=generator)
    >>> features = torch.randn(1000, 4, generator=generator) + 2 * torch.eye(4)[truth]
    >>> labels = torch.where(torch.rand(1000, generator=generator) < 0.4, 0, truth)  # 1 is often called 0
    >>> gold = torch.where(torch.arange(1000) < 40, truth, -1)
    >>> head = fit_with_gold(features, labels, gold, 2)
    >>> bool((head.logits(features).argmax(dim=1) == truth).float().mean() > 0.85)
    True
    """
    features = as_rows(features, "features")
    votes, checked = (
        class_numbers(x, name, missing=True).cpu() for x, name in ((labels, "labels"), (gold, "gold"))
    )
    K, N = num_classes, len(features)
    votes = votes[:, None] if votes.ndim == 1 else votes
    check_votes(votes, checked, N, K)
    certainty = certainties(stated_confidence, votes)
    projection = project_features(
        features, max_components=_COMPONENTS, standardize=standardize, dtype=torch.float64
    )
    Z = projection.apply(features, torch.float32)
    fit = _Fit(Z, projection, votes, checked, certainty, K, seed)
    taken, candidates = fit.chosen() if len(fit.rows) else fit.unjudged()
    one = next(c for c in candidates if c.name == taken)
    return GoldHead(
        one.weight,
        one.bias,
        taken,
        candidates if len(fit.rows) else (),
        fit.targets,
        fit.held.log_softmax(dim=1),
        fit.annotators(),
    )


class _Fit:
    """Classifiers of the true class from components Z, with any part of the checked labels."""

    def __init__(
        self,
        Z: Tensor,
        projection: Projection,
        votes: Tensor,
        gold: Tensor,
        certainty: Tensor,
        K: int,
        seed: int,
    ) -> None:
        self.Z, self.votes, self.gold, self.K = Z, votes, gold, K
        self.projection, self.variances = projection, projection.variances
        self.generator = torch.Generator().manual_seed(seed)
        self.rows = (gold >= 0).nonzero().flatten()
        self.truth = gold[self.rows]
        one_hot = torch.nn.functional.one_hot(votes.clamp_min(0), K).double() * (votes >= 0)[:, :, None]
        count = one_hot.sum(dim=1)
        self.voted = count.sum(dim=1) > 0
        self.shares = count / count.sum(dim=1, keepdim=True).clamp_min(1)
        self.folds = self._dealt(torch.where(self.voted, count.argmax(dim=1), K), _DEALT)
        self.ridges: dict[str, float] = {}
        self.scales: dict[str, float] = {}
        self.all_votes = votes_of(votes, num_classes=K, num_samples=len(Z))
        self.evidence: Tensor | None = None  # probabilities that the labellers' matrices were found with
        self.known = torch.full_like(gold, -1)
        self.plain_held = torch.zeros(len(Z), K, dtype=torch.float64)
        if bool(self.voted.any()):
            self.ridges["plain"], self.plain_held = self._path(self.shares, self.voted)
        self.clustered = False  # classes are clusters of the features
        self.weak = self._together() if bool((count.sum(dim=1) > 1).any()) else self.plain_held
        loud = (one_hot * certainty[:, :, None]).sum(dim=1) - count / 2  # 0 where a half is all that is known
        extra = (
            [self.shares, loud / count.sum(dim=1, keepdim=True).clamp_min(1)]
            if bool((certainty < 1).any())
            else [self.shares]
        )
        logits = self.weak.log_softmax(dim=1)
        logits = logits - logits.mean(dim=1, keepdim=True)
        self.E = torch.cat([Z.double(), _LOUD * logits / logits.std().clamp_min(1e-6)], dim=1)
        self.V = torch.cat([self.E, *[_LOUD * (part - part.mean(dim=0)) for part in extra]], dim=1)
        self.targets = self.shares
        self.held = self.weak
        self.known = gold
        self.by: dict[str, Callable[[], Tensor]] = {
            "gold": self.of_gold,
            "plain": self.plain,
            "matrices": self.matrices,
            "taught": self.taught,
        }

    def chosen(self) -> tuple[str, tuple[Candidate, ...]]:
        """The candidates, and the one that checked labels held out prefer; scale and biases of all are theirs, too."""
        names = list(self.by) if bool(self.voted.any()) else ["gold"]
        everything = {}
        for name in names:  # on all checked labels first: the ridges are found here
            everything[name] = self.by[name](), self.targets, self.held
        evidence = self.evidence
        fold = self._dealt(self.truth)
        logits = {name: torch.zeros(len(self.rows), self.K, dtype=torch.float64) for name in names}
        for k in set(fold.tolist()):
            out = self.rows[fold == k]
            self.known = self.gold.index_fill(0, out, -1)
            for name in names:
                logits[name][fold == k] = linear_logits(self.Z[out], self.by[name]()).double()
        self.known = self.gold
        eye = torch.eye(self.K, dtype=torch.float64)
        fitted = {name: fit_scale_and_shifts(z, self.truth, eye) for name, z in logits.items()}
        logits = {name: z * fitted[name][0] + fitted[name][1] for name, z in logits.items()}
        losses = {
            name: torch.nn.functional.cross_entropy(z, self.truth, reduction="none")
            for name, z in logits.items()
        }
        candidates = []
        for name in names:
            gain = losses["gold"] - losses[name]
            right = float((logits[name].argmax(dim=1) == self.truth).double().mean())
            figures = right, float(losses[name].mean()), float(gain.mean()), standard_error(gain)
            scale, shifts = fitted[name]
            weight, bias = self.projection.weights_of_features(everything[name][0] * scale)
            candidates.append(Candidate(name, *figures, weight, bias + shifts))
        best = min((c for c in candidates if c.name != "plain"), key=lambda c: c.loss)
        if "plain" in losses:
            gain = losses[best.name] - losses["plain"]
            if float(gain.mean()) > standard_error(gain):
                best = next(c for c in candidates if c.name == "plain")
        taken = best.name if best.gain > best.gain_error else "gold"
        _, self.targets, held = everything[taken]
        scale, shifts = fitted[taken]
        self.held, self.evidence = (held * scale + shifts).index_copy(0, self.rows, logits[taken]), evidence
        return taken, tuple(candidates)

    def unjudged(self) -> tuple[str, tuple[Candidate, ...]]:
        """No label was checked: what the labellers and a classifier of their labels say together."""
        W = self._student("matrices", self._combined(self.weak.softmax(dim=1)))
        nothing = float("nan")
        linear = self.projection.weights_of_features(W)
        return "matrices", (Candidate("matrices", nothing, nothing, nothing, nothing, *linear),)

    def of_gold(self) -> Tensor:
        """W of the checked labels alone."""
        W = self._supervised("gold", self.Z).float()
        self.held = linear_logits(self.Z, W).double()
        self.targets = self.held.softmax(dim=1)
        return W

    def plain(self) -> Tensor:
        """W of all labels as they are, several of a sample as their shares."""
        return self._student("plain", self.shares, self.voted)

    def matrices(self) -> Tensor:
        """W of the posterior through the labellers' matrices; beside them stands what x says of the class."""
        if self.clustered:
            z = self.weak
        else:
            z = linear_logits(self.E, self._supervised("evidence", self.E)) * self.scales["evidence"]
        return self._student("matrices", self._combined(z.softmax(dim=1)))

    def taught(self) -> Tensor:
        """W of what a regression of the checked labels on features and labels says of all samples."""
        W = self._supervised("teacher", self.V)
        return self._student("taught", linear_logits(self.V, W).softmax(dim=1))

    def _dealt(self, labels: Tensor, folds: int = _FOLDS) -> Tensor:
        """A fold for every sample, every class dealt out evenly."""
        return stratified_folds(
            labels, folds, lambda rows: rows[torch.randperm(len(rows), generator=self.generator)]
        )

    def annotators(self) -> AnnotatorEstimate | None:
        """The labellers' matrices, with errors."""
        if self.evidence is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of annotators that are not independent: gold judges that
            return combine_labels(
                self.votes, probs=self.evidence, true_labels=self.gold, num_classes=self.K, calibrate=False
            ).annotators

    def _combined(self, probs: Tensor) -> Tensor:
        self.evidence = probs
        return maximise(self.all_votes, evidence=Evidence.of(probs), true_labels=self.known).posterior

    def _together(self) -> Tensor:
        """Logits, out of fold, of a classifier and the labellers' matrices that have learned from each other.

        Expectation-maximisation of both: what x and the labels say of the class together is what the classifier is
        fitted to next. It is out of fold in every round, or it would repeat the labels that it has learned. Classes
        are clusters of the features, unless checked labels, which neither has seen, are likelier by a regression, by
        more than one paired standard error.
        """
        by_clusters = self._rounds(self._by_clusters)
        if not len(self.rows):
            self.clustered = True
            return by_clusters
        by_regression, eye = self._rounds(self._by_regression), torch.eye(self.K, dtype=torch.float64)
        losses = []
        for z in (by_clusters[self.rows], by_regression[self.rows]):
            scale, shifts = fit_scale_and_shifts(z, self.truth, eye)
            losses.append(torch.nn.functional.cross_entropy(z * scale + shifts, self.truth, reduction="none"))
        gain = losses[0] - losses[1]
        self.clustered = float(gain.mean()) <= standard_error(gain)
        return by_clusters if self.clustered else by_regression

    def _rounds(self, classifier: Callable[[Tensor], Tensor]) -> Tensor:
        z = self.plain_held
        for _ in range(_ROUNDS):
            z = classifier(self._combined(z.softmax(dim=1)))
        return z

    def _by_regression(self, targets: Tensor) -> Tensor:
        return self._path(targets, torch.ones_like(self.voted))[1]

    def _by_clusters(self, targets: Tensor) -> Tensor:
        z = torch.zeros_like(targets)
        for k in range(_DEALT):
            seen, out = self.folds != k, self.folds == k
            z[out] = linear_logits(self.Z[out].double(), cluster_weights(self.Z[seen], targets[seen]))
        return z

    def _student(self, name: str, targets: Tensor, used: Tensor | None = None) -> Tensor:
        """W of soft labels, those that were checked in their place."""
        T = targets.clone()
        known = (self.known >= 0).nonzero().flatten()
        T[known] = torch.nn.functional.one_hot(self.known[known], self.K).double()
        used = torch.ones(len(T), dtype=torch.bool) if used is None else used.clone()
        used[known] = True
        if self.clustered and name != "plain":
            self.targets, self.held = T, self._by_clusters(T)
            return cluster_weights(self.Z, T).float()
        if name not in self.ridges:
            self.ridges[name], self.held = self._path(T, used)
        elif name == "plain":
            self.held = self.plain_held
        self.targets = T
        return fit_soft_targets(
            [(self.Z[used], T[used].float())], self.variances, self.ridges[name], iterations=2 * _STEPS
        )

    def _path(self, T: Tensor, used: Tensor) -> tuple[float, Tensor]:
        """The ridge by which targets held out are explained best, and all logits out of fold."""
        best: tuple[float, float, Tensor] | None = None
        seen = (self.folds != torch.arange(_DEALT)[:, None]) & used
        weights: Tensor | None = None
        for ridge in _RIDGES:
            weights = _without_each(self.Z, T.float(), seen, self.variances, ridge, weights, _STEPS)
            z = torch.zeros_like(T)
            for k, W in enumerate(weights):
                z[self.folds == k] = linear_logits(self.Z[self.folds == k], W).double()
            loss = -float((T[used] * z[used].log_softmax(dim=1)).sum())
            if best is not None and loss >= best[0]:
                break
            best = loss, ridge, z
        assert best is not None
        return best[1], best[2]

    def _supervised(self, name: str, F: Tensor) -> Tensor:
        """W of the checked labels; the ridge is found once, by checked labels held out."""
        rows = (self.known >= 0).nonzero().flatten()
        variances = self.variances if F is self.Z else F.var(dim=0)
        y, F = self.known[rows], F[rows].double()
        T = torch.nn.functional.one_hot(y, self.K).double()
        if name not in self.ridges:
            fold = self._dealt(y)
            dealt = torch.tensor(sorted(set(fold.tolist())))
            weights: Tensor | None = None
            best: tuple[float, float, Tensor] | None = None
            rises = 0
            for ridge in RIDGES:
                weights = _without_each(F, T, fold != dealt[:, None], variances, ridge, weights, 60)
                z = torch.zeros_like(T)
                for k, W in zip(dealt, weights, strict=True):
                    z[fold == k] = linear_logits(F[fold == k], W)
                loss = float(torch.nn.functional.cross_entropy(z, y))
                if best is None or loss < best[0]:
                    best, rises = (loss, ridge, z), 0
                elif (rises := rises + 1) >= _RISES:
                    break
            assert best is not None
            self.ridges[name] = best[1]
            self.scales[name] = fit_scale(best[2], y, torch.eye(self.K, dtype=torch.float64))
        return fit_soft_targets([(F, T)], variances, self.ridges[name])


def _without_each(
    F: Tensor,
    T: Tensor,
    seen: Tensor,
    variances: Tensor,
    ridge: float,
    start: Tensor | None,
    iterations: int,
) -> Tensor:
    """W of a classifier for every row of ``seen``, shape (B, N), all fitted at once."""
    part = F, T.T * seen[:, None]
    counts = seen.sum(dim=1)
    return fit_soft_targets([part], variances, ridge, counts=counts, start=start, iterations=iterations)
