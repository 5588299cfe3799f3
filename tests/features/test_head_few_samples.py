"""What is taken where a few hundred labels held out say little."""

import pytest
import torch

from noiselayer import corrupt_labels
from noiselayer.features import FeatureHead, fit_head
from noiselayer.noise import identity

UNEVEN = torch.tensor(
    [[0.5, 0.05, 0.0, 0.1], [0.45, 0.5, 0.05, 0.1], [0.05, 0.0, 0.5, 0.3], [0.0, 0.45, 0.45, 0.5]]
)


def fits(samples: int, seed: int, Q: torch.Tensor, factor: float = 1.0) -> tuple[FeatureHead, float, float]:
    """The head learned from four blobs, and how often it and plain regression are right."""
    generator = torch.Generator().manual_seed(seed)
    centres = factor * 0.568 * torch.randn(4, 60, generator=torch.Generator().manual_seed(99))
    truth = torch.randint(4, (samples + 1000,), generator=generator)
    X = torch.randn(samples + 1000, 60, generator=generator) + centres[truth]
    labels = corrupt_labels(truth, Q, generator=torch.Generator().manual_seed(seed + 50))[:samples]
    heads = [fit_head(X[:samples], labels, 4, method=method) for method in ("learned", "normal")]
    learned, plain = (
        float((head.logits(X[samples:]).argmax(dim=1) == truth[samples:]).double().mean()) for head in heads
    )
    return heads[0], learned, plain


@pytest.mark.parametrize(("samples", "seed", "least"), [(400, 0, 1.0), (300, 2, -1.0)])
def test_an_uneven_matrix_of_many_wrong_labels_needs_less_proof(
    samples: int, seed: int, least: float
) -> None:
    head, learned, plain = fits(samples, seed, UNEVEN)
    assert least < head.gain / head.gain_error < min(least + 1, 2)  # not beyond chance
    assert head.taken == "noise matrix"
    assert learned > plain + 0.05


@pytest.mark.parametrize("factor", [0.2, 0.3])
def test_right_labels_of_classes_that_overlap_are_left_as_they_are(factor: float) -> None:
    head, learned, plain = fits(300, 4, identity(4), factor)
    assert plain < 0.7  # nearly half of its disagreements with the labels are its own
    assert head.taken == "plain"
    assert learned == plain
