"""What the linear head takes: features of any form and in any units, and what it says of all else."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from noiselayer.features import fit_head
from noiselayer.noise import pair_flip


def blobs(n: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(n) % 3
    return torch.randn(n, dim, generator=generator) + 2 * torch.eye(dim)[truth], truth


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "known"}, r"noise_matrix goes with method='known', and only with it"),
        ({"noise_matrix": pair_flip(3, 0.1)}, r"got method='learned' and a matrix"),
        (
            {"method": "refined"},
            r"method must be one of learned, estimated, known, top-down, normal; got 'refined'",
        ),
        ({"method": "estimated"}, r"needs clean_features and clean_labels"),
        ({"clean_features": torch.zeros(2, 4)}, r"must be given together"),
        ({"method": "known", "noise_matrix": torch.ones(3, 3)}, r"columns must sum to 1"),
        (
            {"method": "known", "noise_matrix": [[0, 0, 0], [1, 1, 0], [0, 0, 1]]},
            r"only zeros in row 0, so no class is ever labelled 0",
        ),
        ({"noisy_weight": -1}, r"noisy_weight must be a number from 0 up; got -1"),
        ({"noisy_weight": 0}, r"noisy_weight is 0 and there are no clean_features"),
        ({"folds": 1}, r"folds must be at least 2; got 1"),
        ({"max_components": 0}, r"max_components must be at least 1; got 0"),
        ({"ridges": ()}, r"ridges must hold at least one"),
        ({"dtype": torch.float16}, r"dtype must be torch.float32 or torch.float64; got torch.float16"),
        (
            {"clean_features": torch.zeros(2, 3), "clean_labels": [0, 1]},
            r"clean_features must have shape \(N, 4\), a row per sample; got \(2, 3\)",
        ),
        (
            {"clean_features": torch.zeros(2, 4), "clean_labels": [0]},
            r"clean_labels must have shape \(2,\), one per row of clean_features; got \(1,\)",
        ),
        (
            {"outside_features": torch.full((2, 4), torch.nan)},
            r"outside_features must be finite numbers; row 0 has one that is not",
        ),
    ],
)
def test_errors_say_what_to_do(arguments, message) -> None:
    f, truth = blobs(30, dim=4)
    with pytest.raises(ValueError, match=message):
        fit_head(f, truth, 3, **arguments)


def test_labels_are_checked() -> None:
    f, truth = blobs(30, dim=4)
    with pytest.raises(ValueError, match=r"noisy_labels must have shape \(30,\)"):
        fit_head(f, truth[:5], 3)
    with pytest.raises(IndexError, match=r"noisy_labels must lie in 0..1; got 0 to 2"):
        fit_head(f, truth, 2)
    with pytest.raises(IndexError, match=r"clean_labels must lie in 0..2; got 0 to 3"):
        fit_head(f, truth, 3, clean_features=f[:2], clean_labels=[0, 3])


def test_features_of_any_form() -> None:
    f, truth = blobs(60, dim=4)
    expected = fit_head(f, truth, 3, method="normal").logits(f)
    array = f.numpy()
    table = pd.DataFrame(array, index=-np.arange(60.0))
    forms = [f.tolist(), array.astype(">f4"), array.astype(object), table, f.clone().requires_grad_()]
    for form in [*forms, array[::-1].copy()[::-1], np.asfortranarray(array)]:
        head = fit_head(form, truth, 3, method="normal")
        torch.testing.assert_close(head.logits(form), expected, rtol=1e-2, atol=1e-3)
    for form, message in (
        (csr_matrix(f.numpy()), "features must be a dense array; got csr_matrix. Use features.toarray"),
        (f.to_sparse(), "features must be a dense tensor; got torch.sparse_coo. Use features.to_dense"),
        (f.to(torch.complex64), "features must be an array of real numbers; got torch.complex64"),
        (f.numpy().astype(str), "features must be an array of numbers; got ndarray with str in it"),
    ):
        with pytest.raises(TypeError, match=message):
            fit_head(form, truth, 3)


@pytest.mark.parametrize(("scale", "shift"), [(1e-200, 0.0), (1e-19, 0.0), (1e200, 0.0), (1.0, 1.7e9)])
@pytest.mark.parametrize("dim", [4, 90])
def test_units_do_not_matter(scale: float, shift: float, dim: int) -> None:
    f, truth = blobs(60, dim=dim)
    f = f.double()
    other = scale * f + shift  # seconds since 1970, charges of electrons
    for dtype in (torch.float32, torch.float64):
        expected = fit_head(f, truth, 3, method="normal", dtype=dtype).logits(f)
        head = fit_head(other, truth, 3, method="normal", dtype=dtype)
        torch.testing.assert_close(head.logits(other), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_samples_of_a_class_may_be_alike(scale: float) -> None:
    y = torch.arange(60) % 3
    X = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))[y] * scale
    head = fit_head(X, y, 3, seed=0)
    assert bool((head.logits(X).argmax(dim=1) == y).all())
