r"""The head on frozen features: multinomial logistic regression through a noise matrix (Eq. 2), in seconds.

Climbing that likelihood directly is not convex, and a sample votes for its own posterior: along a path of ridges it may
lose classes on the way. So the posterior comes from a classifier that has not seen the sample. A plain path of ridges
comes first; its logits out of fold give the matrix, the scale that the ridge has taken, and with them the posterior;
and a second path is fitted to that. Everything is chosen by the likelihood of noisy labels held out, those of the
second path held out from the first as well. The plain classifier stays in the running, and is taken unless the noise
matrix gains more than one standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from noiselayer.arrays.folds import stratified_folds
from noiselayer.arrays.tensors import as_tensor
from noiselayer.estimation.from_confusions import estimate_from_predictions
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.features.cross_fitted import RIDGES, Folds, Step, best_step
from noiselayer.features.feature_head import FeatureHead, Taken
from noiselayer.features.matrix_choice import (
    Found,
    Smoothing,
    choose_matrix,
    cross_validated,
    find_matrix,
    standard_error,
    within_one_error,
)
from noiselayer.features.projection import Projection, project_features
from noiselayer.joint.matrix_fit import fit_scale
from noiselayer.losses.log_space import noisy_nll
from noiselayer.losses.top_down import uniform_conversion
from noiselayer.noise.matrices import check

HeadMethod = Literal["learned", "estimated", "known", "top-down", "normal"]
_ROUNDS = 4  # of posteriors and classifiers, at most
_MANY = 20_000  # samples, above which three folds say as much as five


def fit_head(
    features: Any,
    noisy_labels: Any,
    num_classes: int,
    *,
    method: HeadMethod = "learned",
    noise_matrix: Tensor | None = None,
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
        clean_features: Shape (M, D), trusted samples; they are trained on too.
        clean_labels: Shape (M,), their labels.
        outside_features: Shape (L, D), samples from no class, with uniform targets.
        noisy_weight: Gamma: weight of a noisy sample where a trusted one has 1.
        outside_weight: Of a sample from no class.
        alpha: How much of a label is believed, for "top-down".
        ridges: Candidates, falling; the path ends where labels held out are explained worse twice in a row.
        folds: 5, but 3 above 20,000 samples, if None.
        max_components: Of the principal components; a fifth of N if None.
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
    labels = as_tensor(noisy_labels, "noisy_labels").cpu().long()
    K = num_classes
    _check(features, labels, K, method, noise_matrix, clean_features, clean_labels)
    projection = project_features(
        features, max_components=max_components, standardize=standardize, dtype=dtype
    )
    count = folds or (3 if len(labels) > _MANY else 5)
    count = max(2, min(count, len(labels) // 2))
    generator = torch.Generator().manual_seed(seed)
    fold_of = stratified_folds(
        labels, count, lambda rows: rows[torch.randperm(len(rows), generator=generator)]
    )
    order = fold_of.argsort(stable=True)
    sizes = torch.bincount(fold_of, minlength=count).tolist()
    data = Folds(
        list(torch.split(projection.reordered(features, order, dtype), sizes)),
        list(torch.split(labels[order], sizes)),
        K,
        projection.variances,
        dtype,
    )
    clean = None
    if clean_features is not None:
        y = as_tensor(clean_labels, "clean_labels").cpu().long()
        clean = projection.apply(clean_features, dtype), y
    fit = _Fit(data, ridges, noisy_weight, clean)
    if outside_features is not None:
        Z = projection.apply(outside_features, dtype)
        data.beside.append((Z, torch.full((len(Z), K), outside_weight / K, dtype=dtype)))
    if method == "top-down":
        return fit.top_down(uniform_conversion(K, alpha).to(dtype)).head(projection, order)
    fit.plain()
    if method != "normal":
        fit.through_matrix(method, None if noise_matrix is None else as_tensor(noise_matrix).double())
    return fit.head(projection, order)


class _Fit:
    """One fit on its way: first plain, then through a matrix."""

    step: Step
    targets: list[Tensor]
    tried: tuple[tuple[float, float], ...]
    scale: float

    def __init__(
        self,
        data: Folds,
        ridges: Sequence[float],
        noisy_weight: float,
        clean: tuple[Tensor, Tensor] | None,
    ) -> None:
        self.data, self.ridges, self.noisy_weight, self.clean = data, ridges, noisy_weight, clean
        self.labels = torch.cat(data.labels)
        self.identity = torch.eye(data.num_classes, dtype=torch.float64)
        self.Q = self.found = self.identity
        self.taken: Taken = "plain"
        self.gain = self.gain_error = 0.0
        self.estimate: NoiseEstimate | None = None

    def plain(self) -> None:
        """The path of plain regression; of a given ridge, too, nothing else is known yet."""
        targets = self.data.of_labels()
        self._path([targets] * len(self.data))
        # Trusted samples join late, so that the matrix may be measured with them.
        self._with_clean()
        self.targets = [T * self.noisy_weight for T in targets]

    def top_down(self, S: Tensor) -> _Fit:
        """Regression on softened labels."""
        self._with_clean()
        self.targets = [S[:, y].T * self.noisy_weight for y in self.data.labels]
        self._path([self.targets] * len(self.data))
        self.taken = "top-down"
        return self

    def through_matrix(self, method: HeadMethod, Q: Tensor | None) -> None:
        """The second path, on posteriors, again while that helps; it is kept if labels held out say so."""
        data, plain = self.data, self.step
        if method == "estimated":
            Q = self._measured()
        smoothing: Smoothing | None = None
        rough = Q
        if rough is None:
            first = choose_matrix(plain.logits, data.labels)
            smoothing, rough = first.smoothing, first.found.noise_matrix
        loss = partial(self._losses_at_best_scale, Q=rough)
        inner = self._inner_logits()
        best: tuple[Tensor, Step, Found] | None = None
        ridges = self.ridges[max(0, self.ridges.index(plain.ridge) - 1) :]
        for _ in range(_ROUNDS):
            targets = [self._targets_of_others(held, row, Q, smoothing) for held, row in enumerate(inner)]
            step = best_step(data.path(targets, loss, ridges))
            losses, found = self._judged(step, Q, smoothing)
            if best is not None and float(losses.mean()) >= float(best[0].mean()):
                break
            best = losses, step, found
            if len(data) == 2:
                break
            inner = [
                [
                    data.logits(data.fit(targets[held], step.ridge, step.weights[held], without={held, k}), k)
                    if k != held
                    else torch.empty(0)
                    for k in range(len(data))
                ]
                for held in range(len(data))
            ]
        assert best is not None
        losses, step, found = best
        if Q is None:
            choice = choose_matrix(step.logits, data.labels)
            losses, found = choice.losses, choice.found
        self.found = found.noise_matrix
        before = self._scaled_losses(plain.logits, self.identity)
        difference = before - losses
        self.gain, self.gain_error = float(difference.mean()), standard_error(difference)
        if within_one_error(before, losses):
            return
        self.taken, self.Q, self.step, self.scale = "noise matrix", found.noise_matrix, step, found.scale
        self.targets = [
            self._posterior(z * found.scale, y, found.noise_matrix)
            for z, y in zip(step.logits, data.labels, strict=True)
        ]

    def _targets_of_others(
        self, held: int, logits: Sequence[Tensor], Q: Tensor | None, smoothing: Smoothing | None
    ) -> list[Tensor | None]:
        """Posteriors of all folds but one, from classifiers and a matrix that have not seen that one's labels."""
        labels = self.data.labels
        seen = [k for k in range(len(labels)) if k != held]
        z, y = torch.cat([logits[k] for k in seen]), torch.cat([labels[k] for k in seen])
        if smoothing is not None:
            fewer = smoothing._replace(counts=smoothing.counts * len(y) / len(self.labels))
            found = find_matrix(z, y, fewer)
        else:
            assert Q is not None
            found = Found(Q, fit_scale(z, y, Q))
        return [
            None if k == held else self._posterior(logits[k] * found.scale, labels[k], found.noise_matrix)
            for k in range(len(labels))
        ]

    def _judged(self, step: Step, Q: Tensor | None, smoothing: Smoothing | None) -> tuple[Tensor, Found]:
        """Losses of labels held out, and the matrix with its scale."""
        if smoothing is not None:
            choice = cross_validated(step.logits, self.data.labels, smoothing)
            return choice.losses, choice.found
        assert Q is not None
        return self._scaled_losses(step.logits, Q), Found(
            Q, fit_scale(torch.cat(step.logits), self.labels, Q)
        )

    def _losses_at_best_scale(self, logits: list[Tensor], Q: Tensor) -> Tensor:
        z = torch.cat(logits)
        return noisy_nll(z * fit_scale(z, self.labels, Q), self.labels, Q)

    def head(self, projection: Projection, order: Tensor) -> FeatureHead:
        """The last fit, to all folds."""
        W = self.data.fit(self.targets, self.step.ridge, self.step.weights[0], without=set())
        weight, bias = projection.weights_of_features(W * self.scale)
        logits = torch.cat(self.step.logits) * self.scale
        out_of_fold = torch.empty_like(logits)
        out_of_fold[order] = logits.log_softmax(dim=1)
        return FeatureHead(
            weight,
            bias,
            self.Q,
            self.taken,
            self.step.ridge,
            self.gain,
            self.gain_error,
            self.tried,
            out_of_fold,
            self.found,
            self.estimate,
        )

    def _path(self, targets: Sequence[Sequence[Tensor | None]]) -> None:
        steps = self.data.path(
            targets, lambda logits: noisy_nll(torch.cat(logits), self.labels, self.identity), self.ridges
        )
        self.tried = tuple((step.ridge, step.loss) for step in steps)
        self.step = best_step(steps)
        self.scale = fit_scale(torch.cat(self.step.logits), self.labels, self.identity)

    def _with_clean(self) -> None:
        if self.clean is not None:
            Z, y = self.clean
            one_hot = torch.nn.functional.one_hot(y, self.data.num_classes)
            self.data.beside.append((Z, one_hot.to(self.data.dtype)))

    def _inner_logits(self) -> list[list[Tensor]]:
        """For every fold left out, the logits of all others by classifiers that have seen neither."""
        data, plain = self.data, self.step
        rows = [[torch.empty(0)] * len(data) for _ in range(len(data))]
        targets = data.of_labels()
        for a in range(len(data)):
            for b in range(a + 1, len(data)):
                both = {a, b}
                if len(data) == 2:  # nothing would be left: the other fold's own classifier stands in
                    rows[a][b], rows[b][a] = plain.logits[b], plain.logits[a]
                    continue
                W = data.fit(targets, plain.ridge, plain.weights[a], without=both)
                rows[a][b], rows[b][a] = data.logits(W, b), data.logits(W, a)
        return rows

    def _posterior(self, logits: Tensor, labels: Tensor, Q: Tensor) -> Tensor:
        joint = Q.clamp_min(1e-12).log()[labels] + logits.log_softmax(dim=1)
        return (joint.softmax(dim=1) * self.noisy_weight).to(self.data.dtype)

    def _scaled_losses(self, logits: Sequence[Tensor], Q: Tensor) -> Tensor:
        """Of every label, the scale fitted to the other folds."""
        losses = []
        for k, z in enumerate(logits):
            others = [j for j in range(len(logits)) if j != k]
            seen = torch.cat([logits[j] for j in others])
            scale = fit_scale(seen, torch.cat([self.data.labels[j] for j in others]), Q)
            losses.append(noisy_nll(z * scale, self.data.labels[k], Q))
        return torch.cat(losses)

    def _measured(self) -> Tensor:
        assert self.clean is not None
        Z, y = self.clean
        probs = [
            torch.addmm(W[:, -1], Z.to(W.dtype), W[:, :-1].T).double().mul(self.scale).softmax(dim=1)
            for W in self.step.weights
        ]
        self.estimate = estimate_from_predictions(
            torch.stack(probs).mean(dim=0),
            y,
            (torch.cat(self.step.logits) * self.scale).softmax(dim=1),
            self.labels,
            num_bootstrap=0,
        )
        return torch.as_tensor(self.estimate.noise_matrix).double()


def _check(
    features: Any,
    labels: Tensor,
    num_classes: int,
    method: str,
    noise_matrix: Any,
    clean_features: Any,
    clean_labels: Any,
) -> None:
    if tuple(labels.shape) != (len(features),):
        raise ValueError(
            f"noisy_labels must have shape ({len(features)},), one per row of features; got {tuple(labels.shape)}."
        )
    if len(labels) < 4:
        raise ValueError(
            f"features must hold at least 4 samples, so that some can be left out; got {len(labels)}."
        )
    if int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        raise IndexError(
            f"noisy_labels must lie in 0..{num_classes - 1}; got {int(labels.min())} to {int(labels.max())}."
        )
    methods = HeadMethod.__args__  # type: ignore[attr-defined]
    if method not in methods:
        raise ValueError(f"method must be one of {', '.join(methods)}; got {method!r}.")
    if (noise_matrix is not None) != (method == "known"):
        raise ValueError(
            f"noise_matrix goes with method='known', and only with it; got method={method!r} and "
            f"{'a matrix' if noise_matrix is not None else 'none'}."
        )
    if noise_matrix is not None:
        check(as_tensor(noise_matrix), num_classes=num_classes)
    if (clean_features is None) != (clean_labels is None):
        raise ValueError("clean_features and clean_labels must be given together.")
    if method == "estimated" and clean_features is None:
        raise ValueError(
            "method='estimated' needs clean_features and clean_labels to measure the matrix with."
        )
