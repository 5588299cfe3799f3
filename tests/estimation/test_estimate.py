"""The whole estimate: exactness, the accuracy it must reach, what it says of itself, and what it refuses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from simulated import F64, counts, exact, measured, problem

from noiselayer import noise as nm
from noiselayer.estimation import estimate_noise_matrix, evidence, relative_l1_error
from noiselayer.noise import check

METHODS = ("inverse", "sparse", "auto")


@given(st.integers(2, 10), st.floats(0, 0.9), st.sampled_from(METHODS), st.integers(0, 2**32 - 1))
def test_exact_confusions_give_back_the_noise_matrix(K: int, rate: float, method: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    C = 0.3 * nm.random(K, 0.5, generator=generator, dtype=F64) + 0.7 * torch.eye(K, dtype=F64)
    Q = nm.random(K, rate, concentration=0.3, generator=generator, dtype=F64)
    prior = torch.rand(K, generator=generator, dtype=F64).softmax(0)
    noisy, frequencies = exact(C, Q, prior)
    estimate = estimate_noise_matrix(
        C, noisy, frequencies, method=method, sparsity=0.0 if method == "sparse" else None
    )
    torch.testing.assert_close(estimate.noise_matrix, Q, rtol=0, atol=1e-6)
    torch.testing.assert_close(estimate.class_prior, prior, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        estimate.noise_matrix * estimate.class_prior, (estimate.inverse_noise_matrix * frequencies).T
    )
    assert estimate.outside_simplex is not None
    assert estimate.outside_simplex < 1e-6
    assert estimate.standard_error is None
    assert estimate.warnings == ()
    assert estimate.num_classes == K


def mean_error(noise_matrix: torch.Tensor, method: str, repetitions: int) -> float:
    errors = []
    for seed in range(repetitions):
        drawn = problem(
            10,
            accuracy=0.7,
            noise_matrix=noise_matrix,
            num_clean=1000,
            num_noisy=50_000,
            generator=torch.Generator().manual_seed(seed),
        )
        estimate = estimate_noise_matrix(
            *measured(drawn.clean, drawn.noisy), method=method, **counts(drawn.clean, drawn.noisy)
        )
        errors.append(relative_l1_error(estimate.noise_matrix, noise_matrix))
    return sum(errors) / repetitions


def test_auto_is_as_accurate_as_promised() -> None:
    """A classifier of 70 %, 1,000 clean and 50,000 noisy samples, ten classes."""
    pair, dense = nm.pair_flip(10, 0.45), nm.symmetric(10, 0.5)
    assert mean_error(pair, "auto", 6) < 0.055
    assert mean_error(dense, "auto", 6) < 0.14
    assert mean_error(pair, "inverse", 10) > 0.055  # so that the sparsity is what does it


@pytest.mark.parametrize("method", METHODS)
def test_results_are_what_they_say(method: str, generator: torch.Generator) -> None:
    Q = nm.pair_flip(5, 0.3)
    drawn = problem(5, accuracy=0.6, noise_matrix=Q, num_clean=200, num_noisy=2000, generator=generator)
    estimate = estimate_noise_matrix(
        *measured(drawn.clean, drawn.noisy), method=method, **counts(drawn.clean, drawn.noisy)
    )
    check(estimate.noise_matrix)
    check(estimate.inverse_noise_matrix)
    assert estimate.noise_matrix.dtype == torch.float32
    assert estimate.method == ("inverse" if method == "inverse" else "sparse")
    assert (estimate.sparsity is None) == (method == "inverse")
    assert estimate.interval is not None
    assert estimate.standard_error is not None
    low, high = estimate.interval
    assert (low <= estimate.noise_matrix).all()
    assert (estimate.noise_matrix <= high).all()
    assert (estimate.standard_error > 0).all()
    C = drawn.clean.confusion()
    assert estimate.condition_number == pytest.approx(float(torch.linalg.cond(C)), rel=1e-3)
    raw = torch.linalg.solve(C, drawn.noisy.confusion())
    moved = (nm.project(raw) - raw).abs().sum(0).max()
    assert estimate.outside_simplex == pytest.approx(float(moved), rel=1e-3)
    assert estimate.outside_simplex > 0.01  # it was projected, and says so


def test_intervals_hold_an_entry_that_the_penalty_removed() -> None:
    """The raw estimate may be sure of an entry that the sparse one has set to 0."""
    removed = 0
    for seed in range(6):
        drawn = problem(
            6,
            accuracy=0.7,
            noise_matrix=nm.symmetric(6, 0.3),
            num_clean=2000,
            num_noisy=20_000,
            generator=torch.Generator().manual_seed(seed),
        )
        arguments, numbers = measured(drawn.clean, drawn.noisy), counts(drawn.clean, drawn.noisy)
        sparse = estimate_noise_matrix(*arguments, method="sparse", sparsity=0.05, **numbers)
        raw = estimate_noise_matrix(*arguments, method="inverse", **numbers)
        assert sparse.interval is not None
        assert raw.interval is not None
        removed += int(((sparse.noise_matrix == 0) & (raw.interval[0] > 0)).sum())
        assert (sparse.interval[0] <= sparse.noise_matrix).all()
        assert (sparse.noise_matrix <= sparse.interval[1]).all()
    assert removed > 0


def test_bootstrap_draws_may_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    many = torch.full((3,), 200)
    arguments = (nm.symmetric(3, 0.2), nm.symmetric(3, 0.4), torch.full((3,), 1 / 3))
    numbers = {"clean_counts": many, "noisy_counts": many, "num_bootstrap": 400}
    together = estimate_noise_matrix(*arguments, method="inverse", **numbers).standard_error
    monkeypatch.setattr(evidence, "_CHUNK", 9)
    singly = estimate_noise_matrix(*arguments, method="inverse", **numbers).standard_error
    assert together is not None
    torch.testing.assert_close(singly, together, rtol=0.2, atol=0)


def test_bootstrap_errors_are_those_of_the_whole_procedure(generator: torch.Generator) -> None:
    """Against repeated experiments: a sparse estimate scatters less than a raw one; the bootstrap sees it."""
    Q = nm.pair_flip(4, 0.4)
    estimates, stated, closed = [], [], []
    for _ in range(40):
        drawn = problem(4, accuracy=0.7, noise_matrix=Q, num_clean=400, num_noisy=8000, generator=generator)
        arguments = measured(drawn.clean, drawn.noisy)
        numbers = counts(drawn.clean, drawn.noisy)
        estimate = estimate_noise_matrix(
            *arguments, method="sparse", sparsity=0.03, num_bootstrap=50, generator=generator, **numbers
        )
        estimates.append(estimate.noise_matrix)
        stated.append(estimate.standard_error)
        closed.append(
            estimate_noise_matrix(*arguments, method="sparse", sparsity=0.03, **numbers).standard_error
        )
    scatter = torch.stack(estimates).std(0).mean()
    assert float(torch.stack(stated).mean() / scatter) == pytest.approx(1.0, abs=0.25)
    assert torch.stack(closed).mean() > 1.3 * scatter


def test_relabelling_the_classes_permutes_the_answer(generator: torch.Generator) -> None:
    Q = nm.random(5, 0.4, generator=generator)
    drawn = problem(5, accuracy=0.6, noise_matrix=Q, num_clean=300, num_noisy=3000, generator=generator)
    C, noisy, pi = measured(drawn.clean, drawn.noisy)
    n, m = drawn.clean.num_samples, drawn.noisy.num_samples
    p = torch.randperm(5)
    ours = estimate_noise_matrix(C, noisy, pi, method="inverse", clean_counts=n, noisy_counts=m)
    theirs = estimate_noise_matrix(
        C[p][:, p], noisy[p][:, p], pi[p], method="inverse", clean_counts=n[p], noisy_counts=m[p]
    )
    torch.testing.assert_close(theirs.noise_matrix, ours.noise_matrix[p][:, p])
    assert ours.standard_error is not None
    torch.testing.assert_close(theirs.standard_error, ours.standard_error[p][:, p])


def test_a_label_that_never_occurs() -> None:
    C = nm.symmetric(4, 0.2, dtype=F64)
    Q = torch.eye(4, dtype=F64)
    Q[:, 3] = torch.tensor([0.6, 0.4, 0.0, 0.0])
    prior = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64)
    noisy, frequencies = exact(C, Q, prior)
    assert noisy[:, 3].isnan().all()
    m = (1000 * frequencies).round()
    for method in METHODS:
        estimate = estimate_noise_matrix(
            C, noisy, frequencies, method=method, clean_counts=torch.full((4,), 1e6), noisy_counts=m
        )
        torch.testing.assert_close(estimate.noise_matrix, Q, rtol=0, atol=1e-6)
        torch.testing.assert_close(estimate.inverse_noise_matrix[:, 3], prior, rtol=0, atol=1e-6)
        assert (
            estimate.warnings[0] == "The noisy labels never say class 3: the row of noise_matrix is 0 there."
        )


def test_a_class_behind_no_label_is_named() -> None:
    C = nm.symmetric(4, 0.2, dtype=F64)
    prior = torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=F64)
    Q = nm.symmetric(4, 0.3, dtype=F64)
    noisy, frequencies = exact(C, Q, prior)
    estimate = estimate_noise_matrix(C, noisy, frequencies)
    torch.testing.assert_close(estimate.noise_matrix[:, :3], Q[:, :3], rtol=0, atol=1e-5)
    torch.testing.assert_close(estimate.noise_matrix[:, 3], frequencies, rtol=0, atol=1e-5)
    (warning,) = estimate.warnings
    assert warning.startswith("No noisy label has class 3 behind it")


def test_a_singular_confusion() -> None:
    C = torch.tensor([[0.6, 0.2, 0.2], [0.2, 0.5, 0.5], [0.2, 0.3, 0.3]], dtype=F64)
    pi = torch.full((3,), 1 / 3, dtype=F64)
    with pytest.raises(ValueError, match=r"clean_confusion is singular .* classes 1 and 2.*method='sparse'"):
        estimate_noise_matrix(C, C, pi, method="inverse")
    many = torch.full((3,), 100)
    estimate = estimate_noise_matrix(C, C, pi, clean_counts=many, noisy_counts=many)
    assert "clean_confusion is singular: noise_matrix is one of many that fit" in estimate.warnings[0]
    assert estimate.outside_simplex is None
    assert estimate.standard_error is not None
    assert estimate.standard_error.isinf().all()
    assert estimate.interval is not None
    assert estimate.interval[1].eq(1).all()


def test_devices_and_types(device: torch.device) -> None:
    C = nm.symmetric(3, 0.2).to(device)
    many = torch.full((3,), 100, device=device)
    estimate = estimate_noise_matrix(
        C, C, torch.full((3,), 1 / 3, device=device), clean_counts=many, noisy_counts=many, num_bootstrap=4
    )
    assert estimate.noise_matrix.device.type == device.type
    assert estimate.noise_matrix.dtype == torch.float32
    torch.testing.assert_close(estimate.noise_matrix.cpu(), torch.eye(3))


C = torch.tensor([[0.8, 0.3], [0.2, 0.7]])
HALF = torch.tensor([0.5, 0.5])
TEN = torch.tensor([10, 10])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"clean_confusion": C.T}, "clean_confusion columns must sum to 1.*transpose it"),
        ({"clean_confusion": C[None]}, r"clean_confusion must have shape \(K, K\); got \(1, 2, 2\)"),
        (
            {"noisy_confusion": torch.eye(3)},
            r"noisy_confusion must have the shape of .* \(2, 2\); got \(3, 3\)",
        ),
        ({"noisy_confusion": C * torch.nan}, "noisy_confusion must be finite; column 0"),
        ({"noisy_label_frequencies": TEN}, "must be 2 shares, one per class; got torch.int64"),
        ({"noisy_label_frequencies": HALF * 2}, "shares that sum to 1, none negative; they sum to 2"),
        ({"noisy_label_frequencies": torch.tensor([1.5, -0.5])}, "none negative"),
        ({"noisy_label_frequencies": torch.tensor([0.0, 1.0])}, "all noisy labels are of class 1"),
        ({"method": "ridge"}, "method must be 'inverse', 'sparse' or 'auto'; got 'ridge'"),
        ({"sparsity": 0.1}, "sparsity is the penalty's weight of method='sparse'; got it with method='auto'"),
        ({"method": "sparse", "sparsity": -1.0}, "at least 0; got -1"),
        ({"clean_counts": TEN}, "must be given together"),
        ({"num_bootstrap": 10}, "num_bootstrap needs clean_counts and noisy_counts"),
        ({"num_bootstrap": 1, "clean_counts": TEN, "noisy_counts": TEN}, "0 or at least 2; got 1"),
        ({"confidence": 95.0}, "between 0 and 1, as in 0.95; got 95"),
        ({"clean_counts": TEN * 0, "noisy_counts": TEN}, "clean_counts has no sample of classes 0, 1"),
        (
            {"clean_counts": TEN, "noisy_counts": torch.tensor([5, 0])},
            "noisy_counts has no sample of class 1",
        ),
        ({"clean_counts": TEN[:1], "noisy_counts": TEN}, r"clean_counts must have shape \(2,\).* got \(1,\)"),
        ({"clean_counts": -TEN, "noisy_counts": TEN}, "none negative; the smallest is -10"),
    ],
)
def test_errors(change: dict[str, torch.Tensor], words: str) -> None:
    arguments = {"clean_confusion": C, "noisy_confusion": C, "noisy_label_frequencies": HALF, **change}
    with pytest.raises(ValueError, match=words):
        estimate_noise_matrix(**arguments)
