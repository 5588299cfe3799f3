"""What the estimator is given, in the form that training takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from noiselayer.data.inputs import Kind
from noiselayer.errors import InputError, list_some
from noiselayer.training.options import TrainingOptions, default_options

__all__ = ["DTYPES", "REFUSED", "as_matrix", "codes_of", "options_of", "prediction_device", "seed_of"]

DTYPES: Sequence[Any] = (np.float32, np.uint8)
"""What networks are fed; anything else becomes the first."""


# What would change nothing is refused where it differs from its default.
REFUSED: dict[str, Any] = {
    **{
        "noise_learning_rate": None,
        "trace_penalty": 0.0,
        "noise_weight_decay": 0.0,
        "noise_trainable": False,
    },
    **{"noisy_weight": 1.0, "outside_weight": 1.0, "alpha": 0.5, "mixing": "joined", "measure_with": "auto"},
    "train_on_clean": True,
}


def as_matrix(noise_matrix: npt.ArrayLike | Tensor | None) -> Tensor | None:
    """A noise matrix in any form as a tensor.

    >>> as_matrix([[1, 0], [0, 1]]).dtype
    torch.float64
    """
    if noise_matrix is None:
        return None
    if isinstance(noise_matrix, Tensor):
        tensor = noise_matrix.detach().cpu()
        return tensor if tensor.is_floating_point() else tensor.double()
    try:
        array = np.array(noise_matrix)
        # Single precision stays, for its columns sum to 1 as well as single precision can.
        return torch.from_numpy(array if array.dtype == np.float32 else array.astype(np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"noise_matrix must be an array of numbers of shape (K, K), columns = true classes: {error}"
        ) from error


def codes_of(y_clean: npt.NDArray[Any], classes: npt.NDArray[Any]) -> Tensor:
    """Trusted labels as positions in ``classes``, shape (N,), int64.

    >>> codes_of(np.array(["dog", "cat"]), np.array(["bird", "cat", "dog"]))
    tensor([2, 1])
    """
    position = {label: code for code, label in enumerate(classes.tolist())}
    distinct, inverse = np.unique(y_clean, return_inverse=True)
    unknown = [label for label in distinct.tolist() if label not in position]
    if unknown:
        raise InputError(
            f"y_clean must hold labels that y has too, {list_some(map(repr, position))}; it has "
            f"{list_some(map(repr, unknown))} besides."
        )
    codes = np.array([position[label] for label in distinct.tolist()], dtype=np.int64)
    return torch.from_numpy(codes[inverse])


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """A number for everything random.

    >>> seed_of(7)
    7
    """
    generator = check_random_state(random_state)
    return int(random_state) if isinstance(random_state, Integral) else int(generator.randint(2**31 - 1))


def prediction_device(accelerator: str) -> str:
    """Where to predict: Lightning's choice for training, if this machine has it.

    >>> prediction_device("cpu")
    'cpu'
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "cuda"
    if accelerator in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def options_of(estimator: Any, kind: Kind) -> TrainingOptions:
    """The options of training that an estimator's parameters stand for.

    Args:
        estimator: Has every parameter of :class:`noiselayer.NoisyLabelClassifier` as an attribute.
        kind: Of the data.

    >>> from noiselayer import NoisyLabelClassifier
    >>> options_of(NoisyLabelClassifier("learned", max_epochs=7), "vector").max_epochs
    7
    """
    options = default_options(kind)
    model = estimator.model or options.model
    defaults = options.model_options if model == options.model else {}
    epochs, warm_up_epochs = options.max_epochs, options.warm_up_epochs
    if estimator.max_epochs is not None:
        # Searches over a range hand out NumPy's integers, which torch refuses.
        epochs = int(estimator.max_epochs)
        warm_up_epochs = max(1, round(warm_up_epochs * epochs / options.max_epochs))
    rates: dict[str, Any] = {
        "learning_rate": estimator.learning_rate,
        "weight_decay": estimator.weight_decay,
        "noise_learning_rate": estimator.noise_learning_rate,
        "trace_penalty": estimator.trace_penalty,
        "noise_weight_decay": estimator.noise_weight_decay,
    }
    given = {name: rate for name, rate in rates.items() if rate is not None}
    return replace(
        options,
        method=estimator.method,
        model=model,
        model_options={**defaults, **(estimator.model_options or {})},
        max_epochs=epochs,
        warm_up_epochs=warm_up_epochs,
        batch_size=options.batch_size if estimator.batch_size is None else int(estimator.batch_size),
        augmentation=estimator.augmentation,
        validation_fraction=estimator.validation_fraction,
        patience=estimator.patience,
        optimization=replace(options.optimization, **given),
        start=estimator.start,
        rule=estimator.rule,
        fresh_network=estimator.fresh_network,
        noise_trainable=estimator.noise_trainable,
        noisy_weight=estimator.noisy_weight,
        outside_weight=estimator.outside_weight,
        alpha=estimator.alpha,
        mixing=estimator.mixing,
        measure_with=estimator.measure_with,
        train_on_clean=estimator.train_on_clean,
        seed=seed_of(estimator.random_state),
    )
