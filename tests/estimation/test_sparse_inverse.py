"""The sparse solver against scipy, the conditions of optimality, and the paper's own reading."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from simulated import F64, exact

from noiselayer.estimation import inverse_noise_matrix, sparse_inverse_noise_matrix
from noiselayer.estimation.sparse_inverse import largest_sparsity, solve_columns
from noiselayer.noise import matrices as nm
from noiselayer.noise.simplex import project

SEED = st.integers(0, 2**32 - 1)


def scattered(K: int, seed: int, accuracy: float = 0.6) -> tuple[torch.Tensor, torch.Tensor]:
    """A clean confusion and a noisy one that no R explains exactly."""
    generator = torch.Generator().manual_seed(seed)
    C = nm.random(K, 1 - accuracy, generator=generator, dtype=F64)
    Q = nm.random(K, 0.4, concentration=0.3, generator=generator, dtype=F64)
    noisy, _ = exact(C, Q, torch.full((K,), 1 / K, dtype=F64))
    off = 0.05 * torch.rand(K, K, generator=generator, dtype=F64)
    return C, (noisy + off) / (noisy + off).sum(0)


def test_scipy_finds_the_same() -> None:
    K, sparsity = 4, 0.02
    C, noisy = scattered(K, 0)
    R = sparse_inverse_noise_matrix(C, noisy, sparsity, refit=False)
    for j in range(K):
        off = np.ones(K) - np.eye(K)[j]

        def objective(r: np.ndarray, j: int = j, off: np.ndarray = off) -> float:
            return float(0.5 * ((C.numpy() @ r - noisy[:, j].numpy()) ** 2).sum() + sparsity * off @ r)

        found = minimize(
            objective,
            np.full(K, 1 / K),
            method="SLSQP",
            bounds=[(0, 1)] * K,
            constraints={"type": "eq", "fun": lambda r: r.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        np.testing.assert_allclose(R[:, j].numpy(), found.x, atol=2e-5)


@given(st.integers(2, 12), st.floats(0, 0.3), st.floats(0.2, 0.95), SEED)
def test_optimality(K: int, sparsity: float, accuracy: float, seed: int) -> None:
    """On the simplex the gradient is equal where R > 0 and no smaller elsewhere."""
    C, noisy = scattered(K, seed, accuracy)
    R = solve_columns(C, noisy, sparsity)
    torch.testing.assert_close(R.sum(0), torch.ones(K, dtype=F64))
    assert (R >= 0).all()
    gradient = C.T @ (C @ R - noisy) + sparsity * (1 - torch.eye(K, dtype=F64))
    gap = (R * gradient).sum(0) - gradient.amin(0)  # of Frank and Wolfe: bounds the distance to the optimum
    assert gap.max() < 1e-8


def test_weight_0_is_the_inverse_where_that_is_a_probability_matrix() -> None:
    C = nm.random(6, 0.4, dtype=F64)
    Q = nm.symmetric(6, 0.3, dtype=F64)
    noisy, _ = exact(C, Q, torch.full((6,), 1 / 6, dtype=F64))
    torch.testing.assert_close(
        sparse_inverse_noise_matrix(C, noisy, 0.0), inverse_noise_matrix(C, noisy), rtol=0, atol=1e-8
    )


def test_the_papers_penalty_would_do_nothing() -> None:
    """A constant added to the gradient of a column, which is what its L1 norm gives, changes no answer."""
    C, noisy = scattered(5, 3)
    shifted = torch.linalg.solve(C.T, C.T @ noisy - 0.05)  # C^T shifted = C^T noisy - lambda
    torch.testing.assert_close(
        solve_columns(C, shifted, 0.0), solve_columns(C, noisy, 0.0), rtol=0, atol=1e-8
    )


def test_more_weight_less_off_the_diagonal() -> None:
    C, noisy = scattered(6, 4)
    off = [
        float((1 - sparse_inverse_noise_matrix(C, noisy, s, refit=False).diagonal()).sum())
        for s in (0, 0.01, 0.05, 0.1, 0.5)
    ]
    assert off == sorted(off, reverse=True)
    assert off[0] > off[2]


def test_largest_weight_is_the_first_that_answers_no_noise() -> None:
    C, noisy = scattered(5, 5)
    largest = largest_sparsity(C, noisy)
    eye = torch.eye(5, dtype=F64)
    torch.testing.assert_close(solve_columns(C, noisy, 1.0001 * largest), eye, rtol=0, atol=1e-9)
    assert (solve_columns(C, noisy, 0.99 * largest) - eye).abs().max() > 1e-6
    some = torch.tensor([3, 1])
    assert largest_sparsity(C, noisy[:, some], columns=some) <= largest


def test_refit_fits_what_is_left_and_nothing_else() -> None:
    C, noisy = scattered(6, 6)
    kept = sparse_inverse_noise_matrix(C, noisy, 0.03, refit=False) > 0
    refitted = sparse_inverse_noise_matrix(C, noisy, 0.03)
    assert 0 < kept.sum() < 36
    assert (refitted[~kept] == 0).all()
    plain = sparse_inverse_noise_matrix(C, noisy, 0.03, refit=False)
    assert (C @ refitted - noisy).norm() < (C @ plain - noisy).norm()


def test_columns_and_batches_are_independent() -> None:
    C, noisy = scattered(5, 7)
    whole = solve_columns(C, noisy, 0.02)
    some = torch.tensor([4, 0])
    torch.testing.assert_close(
        solve_columns(C, noisy[:, some], 0.02, columns=some), whole[:, some], atol=1e-8, rtol=0
    )
    other_C, other = scattered(5, 8)
    both = solve_columns(torch.stack([C, other_C]), torch.stack([noisy, other]), 0.02)
    torch.testing.assert_close(both[0], whole, atol=1e-8, rtol=0)


def test_relabelling_the_classes_permutes_the_answer() -> None:
    C, noisy = scattered(6, 9)
    p = torch.randperm(6)
    R = sparse_inverse_noise_matrix(C, noisy, 0.02)
    permuted = sparse_inverse_noise_matrix(C[p][:, p], noisy[p][:, p], 0.02)
    torch.testing.assert_close(permuted, R[p][:, p], atol=1e-7, rtol=0)


def test_steadier_than_the_projected_inverse_where_the_model_is_poor() -> None:
    C, noisy = scattered(8, 10, accuracy=0.2)
    fit = (C @ sparse_inverse_noise_matrix(C, noisy, 0.0) - noisy).norm()
    assert fit < 0.8 * (C @ project(inverse_noise_matrix(C, noisy)) - noisy).norm()


def test_a_singular_confusion_has_an_answer() -> None:
    C = torch.tensor([[0.6, 0.2, 0.2], [0.2, 0.5, 0.5], [0.2, 0.3, 0.3]], dtype=F64)
    R = sparse_inverse_noise_matrix(C, C, 0.0)
    torch.testing.assert_close(C @ R, C, atol=1e-8, rtol=0)


def test_errors() -> None:
    with pytest.raises(ValueError, match="weight of a penalty, finite and at least 0; got -0.1"):
        sparse_inverse_noise_matrix(torch.eye(2), torch.eye(2), -0.1)
    with pytest.raises(ValueError, match="same model and classes"):
        sparse_inverse_noise_matrix(torch.eye(2), torch.eye(3), 0.1)


@pytest.mark.slow
def test_a_thousand_classes_take_seconds() -> None:
    """Of one core's time, so that a busy machine does not fail it; six of them where this was written."""
    generator = torch.Generator().manual_seed(0)
    C = nm.random(1000, 0.3, generator=generator, dtype=F64)
    noisy = C @ nm.random(1000, 0.4, concentration=0.3, generator=generator, dtype=F64).T
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    begin = time.process_time()
    R = sparse_inverse_noise_matrix(C, noisy / noisy.sum(0), 0.02)
    seconds = time.process_time() - begin
    torch.set_num_threads(threads)
    assert seconds < 30
    assert (R == 0).any()
