"""The error of a noise matrix."""

import pytest
import torch

from noiselayer.estimation import relative_l1_error
from noiselayer.noise import matrices as nm


def test_known_answers() -> None:
    assert relative_l1_error(nm.symmetric(4, 0.3), nm.symmetric(4, 0.3)) == 0
    assert relative_l1_error(nm.pair_flip(4, 1.0), nm.identity(4)) == 2
    assert relative_l1_error(nm.symmetric(10, 0.5), nm.identity(10)) == pytest.approx(1.0)


def test_it_is_the_mean_column_distance() -> None:
    a, b = nm.random(5, 0.4), nm.random(5, 0.2)
    columns = [sum(abs(float(a[j, i] - b[j, i])) for j in range(5)) for i in range(5)]
    assert relative_l1_error(a, b) == pytest.approx(sum(columns) / 5, rel=1e-6)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"shape \(K, K\); got \(2, 2\) and \(3, 3\)"):
        relative_l1_error(torch.eye(2), torch.eye(3))
