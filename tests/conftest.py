"""Fixtures that every test may ask for. What needs a device or data that is not here is skipped by name."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# With --doctest-modules pytest would import every conftest.py as a module of that one name, and stumble.
collect_ignore_glob = ["*conftest.py"]

# The same examples at every run: a failure in somebody's pull request is about that pull request.
settings.register_profile("noiselayer", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("noiselayer")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=["cpu", "cuda", "mps"])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device in turn; those this machine lacks are skipped."""
    name = request.param
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    if name == "mps" and not torch.backends.mps.is_available():
        pytest.skip("needs MPS")
    return torch.device(name)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def skewed() -> torch.Tensor:
    """A noise matrix, float64, with exact zeros, whose transpose is none: rows sum to 1.1, 1.1 and 0.8."""
    return torch.tensor([[0.7, 0.0, 0.4], [0.3, 0.8, 0.0], [0.0, 0.2, 0.6]], dtype=torch.float64)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets that NOISELAYER_DATA names."""
    if "NOISELAYER_DATA" not in os.environ:
        pytest.skip("needs NOISELAYER_DATA, the folder of the real data sets")
    return Path(os.environ["NOISELAYER_DATA"])
