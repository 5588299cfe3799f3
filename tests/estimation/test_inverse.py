"""From exact confusions back to the exact matrix; Bayes' rule against counting; what has no answer."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from simulated import F64, exact

from noiselayer.estimation import inverse_noise_matrix, noise_matrix_from_inverse
from noiselayer.noise import matrices as nm
from noiselayer.noise.simplex import project


@given(st.integers(2, 8), st.floats(0.4, 1.0), st.floats(0, 0.9), st.integers(0, 2**32 - 1))
def test_exact_confusions_give_exact_matrices(K: int, accuracy: float, rate: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    C = 0.2 * nm.random(K, 1 - accuracy, generator=generator, dtype=F64) + 0.8 * nm.symmetric(
        K, 0.1, dtype=F64
    )
    Q = nm.random(K, rate, concentration=0.5, generator=generator, dtype=F64)
    prior = (torch.rand(K, generator=generator, dtype=F64) + 0.1).softmax(0)
    noisy, frequencies = exact(C, Q, prior)
    R = inverse_noise_matrix(C, noisy)
    torch.testing.assert_close(R.sum(0), torch.ones(K, dtype=F64))
    estimate, class_prior = noise_matrix_from_inverse(R.clamp_min(0), frequencies)
    torch.testing.assert_close(estimate, Q, rtol=0, atol=1e-8)
    torch.testing.assert_close(class_prior, prior, rtol=0, atol=1e-8)


def test_a_transposed_confusion_would_not_do() -> None:
    C = nm.random(4, 0.3, generator=torch.Generator().manual_seed(1), dtype=F64)
    Q = nm.pair_flip(4, 0.3, dtype=F64)
    noisy, frequencies = exact(C, Q, torch.full((4,), 0.25, dtype=F64))
    with pytest.raises(ValueError, match="transpose it"):
        inverse_noise_matrix(C.T, noisy)
    wrong = project(inverse_noise_matrix(C.T / C.sum(1), noisy))
    assert (noise_matrix_from_inverse(wrong, frequencies)[0] - Q).abs().max() > 0.05


def test_bayes_rule_is_counting() -> None:
    """Q and R are the two normalisations of one table of (noisy, true) pairs."""
    table = torch.tensor([[5.0, 1.0, 0.0], [2.0, 7.0, 1.0], [0.0, 3.0, 11.0]], dtype=F64)
    R = table.T / table.sum(dim=1)
    Q, prior = noise_matrix_from_inverse(R, table.sum(dim=1) / table.sum())
    torch.testing.assert_close(Q, table / table.sum(dim=0))
    torch.testing.assert_close(prior, table.sum(dim=0) / table.sum())


def test_a_class_behind_no_label_has_no_division_by_zero() -> None:
    R = torch.tensor([[0.6, 0.3, 0.2], [0.4, 0.7, 0.8], [0.0, 0.0, 0.0]], dtype=F64)
    frequencies = torch.tensor([0.5, 0.3, 0.2], dtype=F64)
    Q, prior = noise_matrix_from_inverse(R, frequencies)
    torch.testing.assert_close(Q[:, 2], frequencies)
    torch.testing.assert_close(Q.sum(0), torch.ones(3, dtype=F64))
    assert 0 < prior[2] < 1e-5


def test_batches_are_solved_one_by_one() -> None:
    C = torch.stack([nm.random(3, r, dtype=F64) for r in (0.1, 0.3)])
    noisy = torch.stack([nm.random(3, r, dtype=F64) for r in (0.5, 0.2)])
    both = inverse_noise_matrix(C, noisy)
    for k in range(2):
        torch.testing.assert_close(both[k], inverse_noise_matrix(C[k], noisy[k]))


def test_type_is_kept() -> None:
    C = torch.tensor([[0.8, 0.3], [0.2, 0.7]])
    assert inverse_noise_matrix(C, C).dtype == torch.float32
    assert inverse_noise_matrix(C.half(), C.half()).dtype == torch.float32


def test_singular_names_the_classes() -> None:
    C = torch.tensor([[0.6, 0.2, 0.2], [0.2, 0.5, 0.5], [0.2, 0.3, 0.3]], dtype=F64)
    with pytest.raises(ValueError, match=r"singular .* alike on samples of classes 1 and 2\. Merge them"):
        inverse_noise_matrix(C, torch.eye(3, dtype=F64))


GOOD = torch.tensor([[0.8, 0.3], [0.2, 0.7]])


@pytest.mark.parametrize(
    ("clean", "noisy", "error", "words"),
    [
        (GOOD * 100, GOOD, ValueError, r"clean_confusion columns .* column 0 sums to 100\. Divide counts"),
        (GOOD, GOOD.T, ValueError, r"noisy_confusion columns must sum to 1 \(column = given label\)"),
        (
            GOOD.long(),
            GOOD,
            TypeError,
            "clean_confusion must be a floating-point tensor of shares; got torch.int64",
        ),
        (GOOD[:1], GOOD, ValueError, r"clean_confusion must have shape \(K, K\).* \(1, 2\)"),
        (GOOD, torch.eye(3), ValueError, r"same model and classes; got shapes \(2, 2\) and \(3, 3\)"),
        (GOOD / 0 * 0, GOOD, ValueError, "must be finite; column 0 is not"),
        (
            torch.tensor([[1.2, 0.0], [-0.2, 1.0]]),
            GOOD,
            ValueError,
            "none below 0; the smallest entry is -0.2",
        ),
    ],
)
def test_errors(clean: torch.Tensor, noisy: torch.Tensor, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        inverse_noise_matrix(clean, noisy)


def test_bayes_errors() -> None:
    R, frequencies = torch.eye(2), torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match=r"noiselayer\.noise\.project first"):
        noise_matrix_from_inverse(R - 0.1, frequencies)
    with pytest.raises(
        ValueError, match=r"\(K, K\) and noisy_label_frequencies \(K,\); got \(2, 2\) and \(3,\)"
    ):
        noise_matrix_from_inverse(R, torch.ones(3))
    with pytest.raises(ValueError, match="none negative, not all 0"):
        noise_matrix_from_inverse(R, torch.zeros(2))
