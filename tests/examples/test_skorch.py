"""NoisyLabelLoss where a library looks for a cross-entropy: skorch's probabilities are probabilities."""

import numpy as np
import pytest
import torch

from noiselayer import NoisyLabelLoss
from noiselayer.noise import pair_flip

skorch = pytest.importorskip("skorch", reason="needs skorch")


def test_predict_proba_is_softmax_of_the_logits_as_with_cross_entropy() -> None:
    X = torch.randn(40, 3)
    y = torch.arange(40) % 3
    probs = {}
    for criterion, options in (
        (torch.nn.CrossEntropyLoss, {}),
        (NoisyLabelLoss, {"criterion__noise_matrix": pair_flip(3, 0.2)}),
    ):
        net = skorch.NeuralNetClassifier(
            torch.nn.Linear(3, 3), criterion=criterion, max_epochs=1, train_split=None, verbose=0, **options
        ).fit(X, y)
        probs[criterion] = net.predict_proba(X)
        logits = net.module_(X).detach()
        np.testing.assert_allclose(probs[criterion], logits.softmax(dim=1).numpy(), atol=1e-6)
