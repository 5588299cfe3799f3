"""The noise matrix that trusted samples tell, by the classifiers of a path."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.estimation.from_confusions import estimate_from_predictions
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.features.cross_fitted import Step
from noiselayer.joint.linear_fit import linear_logits


def measured(clean: tuple[Tensor, Tensor], step: Step, scale: float, labels: Tensor) -> NoiseEstimate:
    """How often the folds' classifiers guess each label where the true class is known, and out of fold.

    Args:
        clean: Components of the trusted samples, shape (M, r), and their labels, (M,).
        step: Of the plain path.
        scale: The factor that its logits lack.
        labels: Noisy, shape (N,).

    >>> z, y = 4 * torch.eye(2).double().repeat(50, 1), torch.tensor([0, 1]).repeat(50)
    >>> W = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]]).repeat(2, 1, 1)
    >>> clean = torch.tensor([[9.0], [-9.0]]).repeat(20, 1), torch.tensor([0, 1]).repeat(20)
    >>> bool((measured(clean, Step(1.0, torch.zeros(100), z, W), 1.0, y).noise_matrix.diagonal() > 0.9).all())
    True
    """
    Z, y = clean
    probs = [linear_logits(Z.to(W.dtype), W).double().mul(scale).softmax(dim=1) for W in step.weights]
    guesses = (step.logits * scale).softmax(dim=1)
    return estimate_from_predictions(torch.stack(probs).mean(dim=0), y, guesses, labels, num_bootstrap=0)
