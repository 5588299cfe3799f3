"""Classes that a network never or seldom predicts, though the noise matrix and the labels say that they are there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from noiselayer.data.labeled import LabeledData
from noiselayer.joint.linear_fit import evenly_spaced
from noiselayer.losses.log_space import noisy_nll
from noiselayer.noise.floor import noise_floor
from noiselayer.training.logits import predict_logits

_MOST_SAMPLES = 5000
_SELDOM = 0.6  # times the share that there should be
_COMMON = 0.5  # times 1 / K: the likeliest class of any sample may rightly never be a rarer one
_FEWEST = 10  # samples that should be of the class, among those that are looked at
_FEW = 1 / 3  # of all classes: where more are missing the network has learned too little to judge by,
_KNOWS = 0.5  # as where it says less than so much of what can be known of the labels, in nats


def swallowed_classes(
    network: nn.Module, data: LabeledData, noise_matrix: Tensor
) -> dict[int, tuple[float, float]]:
    """Classes that are predicted far too seldom: the share of the samples predicted, and that which should be of each.

    Args:
        network: Inputs to logits of the true class.
        data: Samples with noisy labels; at most 5,000 are looked at.
        noise_matrix: Shape (K, K), columns = true classes.

    >>> from noiselayer.data.labeled import from_arrays
    >>> data = from_arrays(torch.eye(4).repeat(25, 1), torch.arange(100) % 4)
    >>> blind = nn.Linear(4, 4)
    >>> _ = blind.load_state_dict({"weight": torch.diag(torch.tensor([5.0, 5, 5, -1])), "bias": torch.zeros(4)})
    >>> swallowed_classes(blind, data, torch.eye(4))
    {3: (0.0, 0.25)}
    """
    assert data.labels is not None
    K = len(noise_matrix)
    counts = torch.bincount(data.labels.cpu().long(), minlength=K)
    shares = implied_shares(counts, noise_matrix)
    rows = evenly_spaced(len(data), _MOST_SAMPLES)
    logits, labels = predict_logits(network, data.subset(rows).inputs).cpu(), data.labels[rows].cpu().long()
    predicted = torch.bincount(logits.argmax(dim=1), minlength=K) / len(rows)
    seldom = (predicted < _SELDOM * shares) & (shares >= max(_COMMON / K, _FEWEST / len(rows)))
    found = {
        i: (float(predicted[i]), round(float(shares[i]), 4)) for i in seldom.nonzero().flatten().tolist()
    }
    guessed = float(torch.special.entr(counts / counts.sum()).sum())  # of labels by their frequencies
    loss = float(noisy_nll(logits, labels, noise_matrix.detach().cpu()).mean())
    knows = guessed - loss > _KNOWS * (guessed - noise_floor(noise_matrix, shares))
    return found if knows and len(found) <= _FEW * K else {}


def implied_shares(label_counts: Tensor, noise_matrix: Tensor, *, iterations: int = 500) -> Tensor:
    r"""The likeliest shares of the true classes behind counts of noisy labels, shape (K,), double.

    .. math:: \pi = \arg\max \sum_j n_j \log \sum_i Q_{ji}\, \pi_i

    by expectation-maximisation: unlike an inverse it gives no share below 0.

    >>> Q = torch.tensor([[0.8, 0.4], [0.2, 0.6]])
    >>> implied_shares(torch.tensor([600, 400]), Q)
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    Q = noise_matrix.detach().cpu().double()
    given = label_counts.double() / label_counts.sum()
    shares = torch.full((len(Q),), 1 / len(Q), dtype=torch.float64)
    for _ in range(iterations):
        shares = shares * (Q.T @ (given / (Q @ shares).clamp_min(1e-300)))
        shares = shares / shares.sum()
    return shares
