"""Small sets on which a value can be chosen: the more the noisy one weighs, the worse."""

from collections.abc import Callable

import numpy as np
import pytest

from noiselayer.data import LabeledData, from_arrays
from noiselayer.training.options import Optimization, TrainingOptions, default_options


def blobs(samples: int, wrong: float, seed: int) -> LabeledData:
    """Points around 3 centres; a share of them carries the label of the next class."""
    generator = np.random.default_rng(seed)
    true = np.arange(samples) % 3
    x = np.array([[2.0, 0.0], [0.0, 2.0], [-1.5, -1.5]])[true] + generator.normal(size=(samples, 2))
    labels = np.where(generator.random(samples) < wrong, (true + 1) % 3, true)
    return from_arrays(x.astype(np.float32), labels, class_names=["cat", "dog", "bird"])


@pytest.fixture(scope="session")
def short() -> Callable[..., TrainingOptions]:
    """Options that take a fraction of a second, and hold half of the samples out."""

    def options(method: str, **changes: object) -> TrainingOptions:
        usual: dict[str, object] = {"model": "linear", "model_options": {}, "max_epochs": 4, "batch_size": 32}
        usual |= {"warm_up_epochs": 2, "validation_fraction": 0.5, "optimization": Optimization("adamw", 0.1)}
        return default_options("vector", **{"method": method, **usual, **changes})

    return options


@pytest.fixture(scope="session")
def misleading() -> LabeledData:
    """Every label is wrong, so the best weight is 0."""
    return blobs(120, 1.0, seed=0)


@pytest.fixture(scope="session")
def noisy() -> LabeledData:
    return blobs(120, 0.3, seed=1)


@pytest.fixture(scope="session")
def trusted() -> LabeledData:
    return blobs(60, 0.0, seed=2)
