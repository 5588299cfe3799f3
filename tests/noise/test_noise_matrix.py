"""Constructors and the check of noise matrices: known answers, invariants, and the wording of every error."""

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from noiselayer import noise
from noiselayer.noise import matrices as nm
from noiselayer.noise import simplex

CLASSES = st.integers(2, 9)
RATE = st.floats(0, 1)
SEED = st.integers(0, 2**32 - 1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@st.composite
def constructed(draw: st.DrawFn) -> tuple[Tensor, float]:
    """Any constructor's matrix, float64, with the share of wrong labels that was asked for."""
    K, rate = draw(CLASSES), draw(RATE)
    f64 = torch.float64
    kind = draw(st.sampled_from(["symmetric", "pair_flip", "class_map", "random"]))
    if kind == "symmetric":
        return nm.symmetric(K, rate, dtype=f64), rate
    if kind == "pair_flip":
        return nm.pair_flip(K, rate, dtype=f64), rate
    if kind == "class_map":
        shift = draw(st.integers(1, K - 1))
        return nm.class_map(K, {i: (i + shift) % K for i in range(K)}, rate, dtype=f64), rate
    concentration = draw(st.floats(1e-6, 1e6))
    return nm.random(K, rate, concentration=concentration, generator=seeded(draw(SEED)), dtype=f64), rate


@given(constructed())
def test_columns_are_probabilities_and_the_diagonal_is_the_share_of_right_labels(
    case: tuple[Tensor, float],
) -> None:
    Q, rate = case
    assert nm.check(Q) is Q
    assert (Q >= 0).all()
    torch.testing.assert_close(Q.sum(dim=0), torch.ones(len(Q), dtype=Q.dtype), atol=1e-14, rtol=0)
    assert torch.equal(Q.diagonal(), torch.full((len(Q),), 1 - rate, dtype=Q.dtype))


@given(constructed())
def test_float32_and_half_pass_their_own_check(case: tuple[Tensor, float]) -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert nm.check(case[0].to(dtype)).dtype == dtype


@given(CLASSES, RATE)
def test_symmetric_shares_wrong_labels_equally(K: int, rate: float) -> None:
    Q = nm.symmetric(K, rate, dtype=torch.float64)
    for j, i in itertools.product(range(K), repeat=2):
        assert float(Q[j, i]) == pytest.approx(1 - rate if i == j else rate / (K - 1), abs=1e-15)


@given(st.data(), CLASSES, RATE)
def test_class_map_moves_column_to_row_and_relabelling_permutes_it(
    data: st.DataObject, K: int, rate: float
) -> None:
    targets = data.draw(st.lists(st.integers(0, K - 1), min_size=K, max_size=K))
    mapping = {source: target for source, target in enumerate(targets) if source != target}
    Q = nm.class_map(K, mapping, rate, dtype=torch.float64)
    for i in range(K):
        column = [0.0] * K
        column[i] = 1.0
        if i in mapping:
            column[i], column[mapping[i]] = 1 - rate, rate
        assert Q[:, i].tolist() == column
    renamed = data.draw(st.permutations(range(K)))
    Q_renamed = nm.class_map(
        K, {renamed[source]: renamed[target] for source, target in mapping.items()}, rate, dtype=torch.float64
    )
    assert torch.equal(Q_renamed[renamed][:, renamed], Q)


def test_pair_flip_sends_the_true_class_i_to_i_plus_1() -> None:
    Q = nm.pair_flip(4, 0.45)
    assert Q[1, 0] == Q[2, 1] == Q[3, 2] == Q[0, 3] == torch.tensor(0.45)
    assert Q.count_nonzero() == 8
    assert not torch.equal(Q, Q.T)


def test_identity_and_rate_zero_are_the_identity() -> None:
    for Q in (
        nm.identity(3),
        nm.symmetric(3, 0),
        nm.pair_flip(3, 0),
        nm.random(3, 0),
        nm.class_map(3, {}, 0.7),
    ):
        assert torch.equal(Q, torch.eye(3))


@pytest.mark.parametrize("make", [nm.symmetric, nm.pair_flip, nm.random])
def test_dtype_is_the_one_asked_for_or_torchs_default(make: Callable[..., Tensor]) -> None:
    assert make(3, 0.2).dtype == torch.float32
    assert make(3, 0.2, dtype=torch.float16).dtype == torch.float16
    torch.set_default_dtype(torch.float64)
    try:
        assert make(3, 0.2).dtype == torch.float64
        assert nm.identity(3).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@given(SEED)
def test_random_is_reproducible(seed: int) -> None:
    Q = nm.random(5, 0.5, generator=seeded(seed))
    assert torch.equal(Q, nm.random(5, 0.5, generator=seeded(seed)))
    assert not torch.equal(Q, nm.random(5, 0.5, generator=seeded(seed + 1)))
    assert not torch.allclose(Q, Q.T)


@pytest.mark.parametrize("concentration", [1e-9, 0.01, 0.3, 1.0, 20.0, 1e9])
def test_random_has_the_moments_of_a_dirichlet_distribution(concentration: float) -> None:
    K = 12
    shares = torch.stack(
        [
            nm.random(K, 0.8, concentration=concentration, generator=seeded(seed), dtype=torch.float64) / 0.8
            for seed in range(100)
        ]
    )
    shares = shares[:, ~torch.eye(K, dtype=torch.bool)]
    # Dirichlet with K - 1 parts of concentration a: E p = 1 / (K - 1), E sum p^2 = (a + 1) / ((K - 1) a + 1).
    assert float(shares.mean()) == pytest.approx(1 / (K - 1), rel=1e-9)
    squares = float(shares.square().mean()) * (K - 1)
    assert squares == pytest.approx((concentration + 1) / ((K - 1) * concentration + 1), rel=0.03)
    # No class is preferred: every entry of the matrix has the same expectation.
    standard_error = float(shares.std()) / 10
    assert (shares.mean(dim=0) - 1 / (K - 1)).abs().max() <= 4.5 * standard_error + 1e-12


def test_from_transition_matrix_is_the_checked_transpose(skewed: Tensor) -> None:
    assert torch.equal(nm.from_transition_matrix(skewed.T), skewed)
    with pytest.raises(
        ValueError, match=r"rows must sum to 1 \(row = true class\); row 2 sums to 0.8. If columns"
    ):
        nm.from_transition_matrix(skewed)
    trained = skewed.T.clone().requires_grad_()
    assert nm.from_transition_matrix(trained).requires_grad


def test_a_matrix_given_by_rows_is_refused_with_the_cure(skewed: Tensor) -> None:
    with pytest.raises(
        ValueError, match=r"columns must sum to 1; column 2 sums to 0.8. Its rows do: .*from_tr"
    ):
        nm.check(skewed.T)


def matrix(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)


@pytest.mark.parametrize(
    ("Q", "error", "message"),
    [
        (
            matrix([0.9, 0.2], [0.2, 0.8]),
            ValueError,
            r"column 0 sums to 1.1. If rows are .*; for counts, divide",
        ),
        (
            matrix([9.0, 1.0], [1.0, 8.0]),
            ValueError,
            r"column 0 sums to 10\..*divide every column by its sum",
        ),
        (matrix([1.1, 0.0], [-0.1, 1.0]), ValueError, r"entry \[1, 0\] is -0.1. Use noiselayer.*project"),
        (matrix([1.0, -1e-9], [0.0, 1.0]), ValueError, r"entry \[0, 1\] is -1e-09"),
        (matrix([1.0, float("nan")], [0.0, 1.0]), ValueError, r"must be finite; entry \[0, 1\] is nan"),
        (matrix([1.0, 0.0], [0.0, float("inf")]), ValueError, r"must be finite; entry \[1, 1\] is inf"),
        (torch.ones(2, 3), ValueError, r"shape \(K, K\) with K >= 2; got \(2, 3\)"),
        (torch.ones(1, 1), ValueError, r"K >= 2; got \(1, 1\)"),
        (torch.ones(3), ValueError, r"got \(3,\)"),
        (
            torch.eye(2, dtype=torch.int64),
            TypeError,
            r"floating-point tensor; got torch.int64. Use torch.as_tensor",
        ),
        ([[1, 0], [0, 1]], TypeError, "floating-point tensor; got torch.int64"),
    ],
)
def test_check_names_the_entry_and_the_cure(Q: Tensor, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^noise_matrix .*{message}"):
        nm.check(Q)


def test_check_knows_the_number_of_classes_and_the_argument() -> None:
    with pytest.raises(ValueError, match="^start is 2 x 2, but there are 3 classes"):
        nm.check(torch.eye(2), num_classes=3, name="start")


def test_check_allows_for_rounding_only() -> None:
    nm.check(matrix([0.3333, 0.5], [0.6667, 0.5]))
    nm.check(torch.full((1000, 1000), 1e-3, dtype=torch.float16))
    with pytest.raises(ValueError, match="column 0 sums to 0.999"):
        nm.check(matrix([0.333, 0.5], [0.666, 0.5]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nm.identity(1), "num_classes must be at least 2; got 1"),
        (lambda: nm.symmetric(1, 0.1), "num_classes must be at least 2; got 1"),
        (lambda: nm.symmetric(3, 1.5), "rate is the probability that a label is wrong, from 0 to 1; got 1.5"),
        (lambda: nm.pair_flip(3, -0.1), "from 0 to 1; got -0.1"),
        (lambda: nm.random(3, float("nan")), "from 0 to 1; got nan"),
        (
            lambda: nm.random(3, 0.1, concentration=0),
            "concentration must be greater than 0 and finite; got 0",
        ),
        (lambda: nm.random(3, 0.1, concentration=float("inf")), "greater than 0 and finite; got inf"),
        (lambda: nm.class_map(3, {0: 3}, 0.1), "mapping has 0 -> 3, but classes go from 0 to 2"),
        (lambda: nm.class_map(3, {-1: 0}, 0.1), "mapping has -1 -> 0, but classes go from 0 to 2"),
        (lambda: nm.class_map(3, {1: 1}, 0.1), "mapping sends class 1 to itself; leave it out"),
    ],
)
def test_constructors_say_what_is_out_of_range(call: Callable[[], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_project_is_offered_beside_the_constructors() -> None:
    assert noise.project is simplex.project
    assert set(noise.__all__) >= {
        "check",
        "project",
        "identity",
        "symmetric",
        "pair_flip",
        "class_map",
        "random",
    }


def test_check_on_every_device(device: torch.device) -> None:
    assert nm.check(nm.pair_flip(3, 0.2).to(device)).device.type == device.type
    with pytest.raises(ValueError, match="column 0 sums to 2"):
        nm.check((2 * torch.eye(3)).to(device))
