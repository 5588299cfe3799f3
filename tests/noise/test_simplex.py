"""The projection on the simplex, against sorting in exact fractions and against its definition."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from noiselayer.noise import project, symmetric

EVERYDAY = st.floats(-3, 3, width=32)
ANY_SIZE = st.floats(allow_nan=False, allow_infinity=False, width=32)
COLUMN = st.lists(EVERYDAY, min_size=1, max_size=8) | st.lists(ANY_SIZE, min_size=1, max_size=8)


@st.composite
def matrices(draw: st.DrawFn, dtype: torch.dtype = torch.float32) -> Tensor:
    K, M = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    entries = st.lists(EVERYDAY, min_size=K * M, max_size=K * M)
    return torch.tensor(draw(entries), dtype=torch.float32).reshape(K, M).to(dtype)


def by_sorting(column: list[float]) -> list[float]:
    """Duchi et al. (2008), figure 1, without rounding."""
    v = [Fraction(x) for x in column]
    theta, total = Fraction(0), Fraction(0)
    for count, largest in enumerate(sorted(v, reverse=True), start=1):
        total += largest
        if largest - (total - 1) / count > 0:
            theta = (total - 1) / count
    return [float(max(x - theta, Fraction(0))) for x in v]


@given(COLUMN)
def test_equals_the_sorting_algorithm_for_entries_of_any_size(column: list[float]) -> None:
    expected = torch.tensor(by_sorting(column), dtype=torch.float64)
    for dtype, tolerance in [(torch.float32, 1e-6), (torch.float64, 2e-15 * len(column))]:
        got = project(torch.tensor(column, dtype=dtype).unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(got.double(), expected, atol=tolerance, rtol=0)


@given(matrices(torch.float64))
def test_nearest_point_of_the_simplex(v: Tensor) -> None:
    p = project(v)
    K, M = v.shape
    # A point of a convex set is the nearest if and only if every vertex lies on its far side from v.
    towards_vertices = torch.eye(K, dtype=v.dtype).unsqueeze(2) - p
    assert ((v - p) * towards_vertices).sum(dim=1).max() <= 1e-12
    feasible = torch.rand(K, M, dtype=v.dtype) + 1e-3
    feasible /= feasible.sum(dim=0)
    assert ((v - p).norm(dim=0) <= (v - feasible).norm(dim=0) + 1e-12).all()


@given(matrices())
def test_columns_are_probabilities_and_stay_where_they_are(v: Tensor) -> None:
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        p = project(v.to(dtype))
        assert p.dtype == dtype
        assert (p >= 0).all()
        torch.testing.assert_close(
            p.double().sum(dim=0), torch.ones(v.shape[1]).double(), atol=torch.finfo(dtype).eps, rtol=0
        )
        assert torch.equal(project(p), p)  # bit by bit: a run that is resumed goes on as if never stopped


@given(matrices(torch.float64), st.randoms(use_true_random=False), st.floats(-100, 100))
def test_permuting_rows_permutes_and_a_constant_changes_nothing(v: Tensor, random: object, c: float) -> None:
    order = torch.tensor(random.sample(range(len(v)), len(v)))  # type: ignore[attr-defined]
    torch.testing.assert_close(project(v[order]), project(v)[order], atol=1e-14, rtol=0)
    torch.testing.assert_close(project(v + c), project(v), atol=1e-12, rtol=0)


def test_batches_and_columns_are_independent() -> None:
    batch = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    got = project(batch)
    for a in range(2):
        for b in range(3):
            for m in range(4):
                expected = torch.tensor(by_sorting(batch[a, b, :, m].tolist()), dtype=torch.float64)
                torch.testing.assert_close(got[a, b, :, m], expected, atol=1e-14, rtol=0)
    assert project(torch.empty(0, 3, 2)).shape == (0, 3, 2)
    assert project(torch.empty(3, 0)).shape == (3, 0)


@pytest.mark.parametrize("huge", [1e7, 1e30, 3.4e38])
def test_huge_entries_do_not_lose_the_column(huge: float) -> None:
    v = torch.tensor([[huge, -huge, huge], [-huge, -huge, huge], [0.0, -huge, 0.5]])
    expected = torch.tensor([[1.0, 1 / 3, 0.5], [0.0, 1 / 3, 0.5], [0.0, 1 / 3, 0.0]])
    torch.testing.assert_close(project(v), expected)


@pytest.mark.parametrize("K", [30, 300])
def test_long_columns_take_as_many_steps_as_they_need(K: int) -> None:
    spread = torch.randn(K, dtype=torch.float64).exp()  # a few entries far above many
    ladder = 1 - torch.logspace(0, -6, K, dtype=torch.float64)
    columns = torch.stack([spread, spread.log(), 0.01 * spread, ladder, -ladder], dim=1)
    expected = torch.tensor([by_sorting(column.tolist()) for column in columns.T], dtype=torch.float64).T
    torch.testing.assert_close(project(columns), expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize("K", [128, 200])
def test_long_columns_in_batches_and_of_huge_entries(K: int) -> None:
    batch = torch.randn(2, K, 3, dtype=torch.float64)
    batch[1, 7] = 1e300
    batch[0, :, 1] = -1e300
    batch[0, -1, 2] = 50
    got = project(batch)
    for matrix, projected in zip(batch, got, strict=True):
        expected = torch.tensor([by_sorting(column.tolist()) for column in matrix.T], dtype=torch.float64).T
        torch.testing.assert_close(projected, expected, atol=1e-13, rtol=0)
    in_other_order = batch.mT.contiguous().mT
    torch.testing.assert_close(project(in_other_order), got, atol=1e-14, rtol=0)


def by_sorting_all(v: Tensor) -> Tensor:
    """The same as :func:`by_sorting`, for a whole matrix, in float64."""
    u = v.double().sort(dim=0, descending=True).values
    ranks = torch.arange(1, len(v) + 1, dtype=torch.float64).unsqueeze(1)
    thetas = (u.cumsum(dim=0) - 1) / ranks
    support = (u > thetas).sum(dim=0, keepdim=True)
    return (v.double() - thetas.gather(0, support - 1)).clamp_min(0)


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("a step from the identity", lambda K: torch.eye(K) - 0.02 * torch.rand(K, K)),
        ("a step from symmetric noise", lambda K: symmetric(K, 0.3) - 1e-3 * torch.rand(K, K)),
        ("a step from dense noise", lambda K: torch.rand(K, K) * 2 / K + 2e-4 * torch.randn(K, K)),
        ("a wide column", lambda K: torch.randn(K, K)),
        ("half of the entries cut", lambda K: torch.rand(K, K) * 4 / K),
        ("some columns there already", lambda K: torch.cat([torch.eye(K)[:, :9], torch.randn(K, K - 9)], 1)),
    ],
)
def test_a_thousand_classes_equal_the_sorting_algorithm(name: str, matrix: Callable[[int], Tensor]) -> None:
    v = matrix(1000)
    for dtype, tolerance in ((torch.float32, 3e-7), (torch.float64, 1e-13)):
        torch.testing.assert_close(project(v.to(dtype)).double(), by_sorting_all(v), atol=tolerance, rtol=0)


def test_large_matrices_sum_to_one() -> None:
    p = project(torch.randn(3000, 3))
    torch.testing.assert_close(p.sum(dim=0), torch.ones(3))
    assert torch.equal(project(p), p)


def test_weight_decay_then_projection_moves_towards_uniform() -> None:
    # Dividing by the sum instead would give q back: weight decay would do nothing.
    q = torch.tensor([[0.6], [0.3], [0.1]])
    torch.testing.assert_close(project(0.9 * q), q - 0.1 * (q - 1 / 3))


def test_input_is_left_alone_and_no_gradient_flows() -> None:
    v = torch.tensor([[2.0, 1.0], [1.0, 0.0]], requires_grad=True)
    before = v.detach().clone()
    p = project(v)
    p.add_(1)
    assert torch.equal(v, before)
    assert not p.requires_grad


def test_devices(device: torch.device) -> None:
    v = torch.randn(5, 4)
    on_device = project(v.to(device))
    assert on_device.device.type == device.type
    torch.testing.assert_close(on_device.cpu(), project(v))


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (torch.tensor([[0.5], [float("nan")]]), ValueError, "must be finite to be projected"),
        (torch.tensor([[0.5], [float("inf")]]), ValueError, "must be finite to be projected"),
        (torch.zeros(3), ValueError, r"shape \(\.\.\., K, M\).*got \(3,\)"),
        (torch.zeros(0, 3), ValueError, r"K >= 1.*got \(0, 3\)"),
        (torch.tensor([[1, 2]]), TypeError, r"floating-point tensor; got torch.int64. Use torch.as_tensor"),
        ([[1.0]], TypeError, "floating-point tensor; got list"),
    ],
)
def test_errors_say_what_to_do(matrix: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        project(matrix)
