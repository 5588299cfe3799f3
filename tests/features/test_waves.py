"""A table's columns and waves of them: the kernel they stand for, units, and classes that no line parts."""

import torch

from noiselayer.features.head import fit_head
from noiselayer.features.waves import with_waves


def test_waves_multiply_to_a_gaussian_kernel() -> None:
    columns = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    features = with_waves(columns).double()
    z, waves = features[:, :3], features[:, 3:]
    distances = torch.cdist(z, z).square()
    gamma = 1 / torch.pdist(z).square().median()
    error = waves @ waves.T / 128 - (-gamma * distances).exp()
    assert float(error.abs().mean()) < 3 * 128**-0.5 / 2
    assert float(error.diagonal().abs().max()) < 1e-5


def test_units_change_nothing_and_a_constant_column_is_nothing() -> None:
    columns = torch.randn(100, 3, generator=torch.Generator().manual_seed(0)).double()
    constant = torch.full((100, 1), 0.1, dtype=torch.float64)
    same = with_waves(torch.cat([columns * 1e12 + 3e12, constant], dim=1))
    torch.testing.assert_close(same[:, :3], with_waves(columns)[:, :3], rtol=0, atol=1e-5)
    assert not same[:, 3].any()
    assert with_waves(constant[:1]).isfinite().all()


def test_a_linear_classifier_parts_a_disc_from_the_ring_around_it() -> None:
    columns = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    outside = (columns.norm(dim=1) > 1.2).long()
    head = fit_head(with_waves(columns), outside, 2, method="normal")
    assert float((head.out_of_fold.argmax(dim=1) == outside).double().mean()) > 0.9
