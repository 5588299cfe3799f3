"""The basis of cosine waves, beside scipy's transform and a set of correlated patches."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from noiselayer.models import SmallNet
from noiselayer.models.small import CosineStem, cosine_filters


@pytest.mark.parametrize(("channels", "size"), [(1, 4), (3, 4), (2, 5)])
def test_filters_are_orthonormal(channels: int, size: int) -> None:
    filters = cosine_filters(channels, size).flatten(1)
    assert torch.allclose(filters @ filters.T, torch.eye(channels * size * size), atol=1e-5)


def test_projections_are_the_coefficients_of_scipys_transform() -> None:
    patch = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    ours = (cosine_filters(3, 4) * patch).sum(dim=(1, 2, 3)).numpy()
    theirs = dctn(patch.numpy(), norm="ortho").ravel()
    np.testing.assert_allclose(np.sort(ours), np.sort(theirs), atol=1e-5)
    assert ours[0] == pytest.approx(theirs[0], abs=1e-5)


def test_they_take_the_correlation_out_of_smooth_patches() -> None:
    """Neighbours correlate at 0.95 along rows and columns, as in photographs."""
    distance = (torch.arange(4)[:, None] - torch.arange(4)).abs()
    covariance = torch.kron(0.95**distance, 0.95**distance)
    filters = cosine_filters(1, 4).flatten(1)
    projected = filters @ covariance @ filters.T
    spread = projected.diagonal().sqrt()
    correlation = (projected / spread[:, None] / spread).fill_diagonal_(0).abs()
    assert correlation.max() < 0.2 < 0.9 < covariance.fill_diagonal_(0).max()
    assert torch.equal(spread.argsort(descending=True)[:3].sort().values, torch.arange(3))


@pytest.mark.parametrize(("channels", "waves"), [(3, 32), (1, 16)])
def test_the_small_network_begins_with_them_and_their_negatives(channels: int, waves: int) -> None:
    stem = SmallNet(10, (channels, 32, 32))[0]
    expected = cosine_filters(channels, 4)[:waves]
    assert torch.equal(stem.weight, torch.cat([expected, -expected]))
    assert not list(stem.parameters())


@pytest.mark.parametrize(("filters", "made"), [(1, 2), (2, 2), (7, 6), (200, 96)])
def test_stem_has_an_even_number_of_filters(filters: int, made: int) -> None:
    stem = CosineStem(3, filters)
    assert stem.out_channels == made
    assert stem(torch.zeros(2, 3, 9, 12)).shape == (2, made, 4, 6)


def test_nothing_and_less_are_refused() -> None:
    with pytest.raises(ValueError, match=r"channels and size must be at least 1; got 0 and 4\."):
        cosine_filters(0, 4)
