"""Features that are not standardised: a learned matrix that proves little is taken halfway."""

import pytest
import torch

from noiselayer import corrupt_labels
from noiselayer.features import FeatureHead, fit_head
from noiselayer.features.calibration import fit_scale_and_shifts
from noiselayer.noise import identity, symmetric

UNEVEN = torch.tensor(
    [[0.5, 0.05, 0.4, 0.1], [0.4, 0.5, 0.05, 0.1], [0.1, 0.0, 0.5, 0.3], [0.0, 0.45, 0.05, 0.5]]
)


def fits(
    seed: int,
    Q: torch.Tensor,
    shares: tuple[float, ...] | None = None,
    n: int = 1000,
    length: int = 12,
    apart: float = 0.6,
) -> tuple[FeatureHead, float, float]:
    """The head learned from n bags of words, and how often it and plain regression are wrong."""
    generator = torch.Generator().manual_seed(seed)
    of_class = (apart * torch.randn(4, 400, generator=torch.Generator().manual_seed(7))).softmax(dim=1)
    if shares is None:
        truth = torch.randint(4, (n + 2000,), generator=generator)
    else:
        truth = torch.multinomial(torch.tensor(shares), n + 2000, replacement=True, generator=generator)
    words = torch.multinomial(of_class[truth], length, replacement=True, generator=generator)
    X = torch.zeros(n + 2000, 400).scatter_(1, words, 1.0)
    X /= X.norm(dim=1, keepdim=True)
    labels = corrupt_labels(truth[:n], Q, generator=generator)
    heads = [fit_head(X[:n], labels, 4, method=method, standardize=False) for method in ("learned", "normal")]
    learned, plain = (
        float((head.logits(X[n:]).argmax(dim=1) != truth[n:]).double().mean()) for head in heads
    )
    return heads[0], learned, plain


@pytest.mark.parametrize(("Q", "least"), [(UNEVEN, 0.02), (symmetric(4, 0.5), 0.04)])
def test_a_matrix_that_proves_little_helps_halfway(Q: torch.Tensor, least: float) -> None:
    head, learned, plain = fits(0, Q)
    assert head.gain < 2 * head.gain_error  # up to then two standard errors were asked
    assert head.taken == "noise matrix"
    assert plain - learned > least


def test_of_labels_that_are_seldom_repeated_no_proof_is_asked() -> None:
    head, learned, plain = fits(3, symmetric(4, 0.5), shares=(0.55, 0.2, 0.15, 0.1))
    assert head.gain < -head.gain_error  # up to then this spoke against the mean
    assert head.taken == "noise matrix"
    assert plain - learned > 0.02


def test_of_labels_that_are_often_repeated_it_is() -> None:
    head, *_ = fits(2, identity(4), (0.25,) * 4, n=200, length=8, apart=0.8)
    assert (
        head.found_matrix.diagonal().mean() < 0.8
    )  # right labels of few texts that overlap: Q is their doubt
    assert -head.gain_error < head.gain < head.gain_error  # up to then enough for the mean
    assert head.taken == "plain"


def test_made_up_samples_hold_the_shares_of_the_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(900) % 3
    z = torch.randn(900, 3, generator=generator).double()
    Q = torch.tensor(
        [[0.8, 0.3, 0.3], [0.1, 0.4, 0.3], [0.1, 0.3, 0.4]]
    ).double()  # too much of the first label

    def farthest(made_up: float) -> float:
        s, b = fit_scale_and_shifts(z, labels, Q, made_up=made_up)
        return float(((s * z + b).softmax(dim=1).mean(dim=0) - 1 / 3).abs().max())

    assert farthest(0.0) > 0.2
    assert farthest(1e5) < 0.01
