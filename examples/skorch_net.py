"""skorch: the noise layer is the criterion, and skorch optimises a criterion's parameters by itself.

python examples/skorch_net.py
"""

from functools import partial

import torch
from digits import START, load, network, report
from skorch import NeuralNetClassifier

import noiselayer


class NoisyLabelCriterion(noiselayer.NoiseLayer):
    """The layer's loss where skorch expects a criterion of logits and labels."""

    def forward(self, logits, labels):
        """The loss of noisy labels."""
        return super().forward(logits, noisy_labels=labels)


torch.manual_seed(0)
x, noisy, x_test, y_test = load()
classifier = NeuralNetClassifier(
    network(),
    criterion=NoisyLabelCriterion,  # was: torch.nn.CrossEntropyLoss
    criterion__num_classes=10,
    criterion__noise_matrix=START,
    predict_nonlinearity=partial(
        torch.softmax, dim=-1
    ),  # by itself for NoisyLabelLoss: that is a CrossEntropyLoss
    optimizer=torch.optim.Adam,
    optimizer__weight_decay=0.0,  # of all parameters alike: decay would pull the matrix to uniform
    lr=0.01,
    max_epochs=15,
    batch_size=64,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)
classifier.fit(x, noisy)
assert abs(classifier.predict_proba(x_test).sum(axis=1) - 1).max() < 1e-5  # probabilities of the true classes
report(classifier.predict(x_test), y_test, classifier.criterion_.noise_matrix.detach())
