"""Warnings: silent where the model of the noise holds, loud where it does not."""

import torch
from simulated import F64, counts, measured, problem

from noiselayer.estimation import estimate_noise_matrix
from noiselayer.noise import matrices as nm


def warnings_of(accuracy: float, num_clean: int, seed: int, num_classes: int = 6) -> tuple[str, ...]:
    drawn = problem(
        num_classes,
        accuracy=accuracy,
        noise_matrix=nm.pair_flip(num_classes, 0.4),
        num_clean=num_clean,
        num_noisy=5000,
        generator=torch.Generator().manual_seed(seed),
    )
    return estimate_noise_matrix(
        *measured(drawn.clean, drawn.noisy), method="inverse", **counts(drawn.clean, drawn.noisy)
    ).warnings


def test_no_false_alarms_to_speak_of() -> None:
    alarms = [warnings_of(0.75, 600, seed) for seed in range(100)]
    assert sum(bool(warnings) for warnings in alarms) <= 5


def test_an_ill_conditioned_confusion() -> None:
    C = nm.symmetric(4, 0.745, dtype=F64)  # 1/4 would be singular
    estimate = estimate_noise_matrix(C, C, torch.full((4,), 0.25, dtype=F64))
    (warning,) = estimate.warnings
    assert warning.startswith("clean_confusion is ill-conditioned (condition number 150)")
    assert warning.endswith("Measure with a model that tells the classes apart better, or merge classes.")


def test_too_few_samples_to_know_the_condition() -> None:
    warnings = warnings_of(0.4, 60, 0)
    assert warnings[0].startswith(
        "clean_confusion cannot be told from a singular matrix (smallest singular value"
    )


def test_a_class_whose_share_is_uncertain() -> None:
    found = [w for seed in range(10) for w in warnings_of(0.4, 60, seed) if "cannot be told from 0" in w]
    assert found
    assert "read their intervals" in found[0]


def test_a_clean_set_that_looks_different() -> None:
    """The model finds the clean samples easier than the noisy ones: C* too good, and R cannot explain C~."""
    easy, hard = nm.symmetric(3, 0.02, dtype=F64), nm.symmetric(3, 0.3, dtype=F64)
    many = torch.full((3,), 10_000)
    pi = torch.full((3,), 1 / 3, dtype=F64)
    estimate = estimate_noise_matrix(hard, easy, pi, clean_counts=many, noisy_counts=many)
    assert any("standard errors below 0, which sampling does not explain" in w for w in estimate.warnings)
    assert estimate.outside_simplex is not None
    assert estimate.outside_simplex > 0.1
