"""What the estimator is given, in the form that training takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from enum import Enum
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from noiselayer.arrays.class_labels import check_one_kind, is_missing, value_of_member
from noiselayer.arrays.kinds import check_count, check_unmasked
from noiselayer.data.inputs import Kind
from noiselayer.errors import InputError, list_some, nearest
from noiselayer.training.frozen_head import OF_NETWORKS
from noiselayer.training.options import Optimization, TrainingOptions, default_options

DTYPES: Sequence[Any] = (np.float32, np.uint8)
"""What networks are fed; anything else becomes the first."""


BESIDE_TRAINING: dict[str, Any] = {
    **{"embed": None, "layout": "auto", "overlapping": "error", "precision": "32-true"}
}
"""What an estimator's ``options`` may say beside the options of training, with the defaults."""

RENAMED = {"max_epochs", "optimization", "patience", "seed"}
"""What training calls otherwise than scikit-learn does: max_iter, n_iter_no_change, random_state."""

# What would change nothing is refused where it differs from its default.
REFUSED: dict[str, Any] = {
    **{
        "noise_learning_rate": None,
        "trace_penalty": 0.0,
        "noise_weight_decay": None,
        "volume_penalty": 0.0,
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
            f"noise_matrix must be an array of numbers of shape (K, K), columns = true classes; got "
            f"{type(noise_matrix).__name__}."
        ) from error


def plain_labels(y: Any, name: str = "y") -> Any:
    """Labels as they are, whole numbers and truth values of columns that may have gaps as NumPy's.

    Raises:
        InputError: If a sample has no label.

    >>> import pandas as pd
    >>> plain_labels(pd.Series([2, 7], dtype="Int64"))
    array([2, 7])
    >>> plain_labels(["cat", None, "dog"])
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: Input y contains NaN: 1 of 3 samples have no label (rows 1, counting from 0). Leave
    them out of X and y.
    """
    check_unmasked(y, name)
    array = np.asarray(y, dtype=object if isinstance(y, list | tuple) else None)
    if array.ndim != 1:
        return y
    known = array.dtype.kind not in "fO"
    gaps = [] if known else [row for row, value in enumerate(array.tolist()) if is_missing(value)]
    if gaps:
        raise InputError(
            f"Input {name} contains NaN: {len(gaps):,} of {len(array):,} samples have no label (rows "
            f"{list_some(gaps)}, counting from 0). Leave them out of {name.replace('y', 'X')} and {name}."
        )
    texts = [isinstance(value, str) for value in ([] if known else array.tolist())]
    if any(texts) and not all(texts):
        text, other = texts.index(True), texts.index(False)
        raise InputError(
            f"{name} must hold labels of one kind; got the text {str(array[text])!r} in row {text} and "
            f"{array[other]} in row {other}, which is none. Use str({name}[n]) for all."
        )
    if not known and any(isinstance(value, Enum) for value in array.tolist()):
        return np.array([value_of_member(value, name) for value in array.tolist()])
    kind: Any = getattr(y, "dtype", None)
    whole = (
        hasattr(kind, "numpy_dtype") and kind.kind in "iub"
    )  # pandas' own: scikit-learn makes floats of them
    return y.to_numpy(dtype=kind.numpy_dtype) if whole else y


def codes_of(y_clean: npt.NDArray[Any], classes: npt.NDArray[Any]) -> Tensor:
    """Trusted labels as positions in ``classes``, shape (N,), int64.

    >>> codes_of(np.array(["dog", "cat"]), np.array(["bird", "cat", "dog"]))
    tensor([2, 1])
    """
    position = {label: code for code, label in enumerate(classes.tolist())}
    distinct, inverse = np.unique(y_clean, return_inverse=True)
    unknown = [label for label in distinct.tolist() if label not in position]
    check_one_kind(y=position, y_clean=unknown)
    if unknown:
        raise InputError(
            f"y_clean must hold labels that y has too, {list_some(map(repr, position))}; it has "
            f"{list_some(map(repr, unknown))} besides. Leave these samples out, or take NoisyLabelFeaturesClassifier("
            "method='gold'), which learns a class from trusted labels alone."
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


def for_networks(estimator: Any) -> list[str]:
    """What somebody has chosen that means nothing to the head on features.

    >>> from noiselayer import NoisyLabelClassifier
    >>> for_networks(NoisyLabelClassifier(max_iter=7, alpha=0.2, options={"start": "identity"}))
    ['max_iter', 'start']
    """
    usual = type(estimator)().get_params()
    chosen = [name for name in OF_NETWORKS if usual.get(name) != getattr(estimator, name, None)]
    return [*chosen, *(name for name in estimator.options or {} if name in OF_NETWORKS)]


def options_of(estimator: Any, kind: Kind, num_samples: int) -> TrainingOptions:
    """The options of training that the parameters of a :class:`noiselayer.NoisyLabelClassifier` stand for.

    >>> from noiselayer import NoisyLabelClassifier
    >>> options = options_of(NoisyLabelClassifier("learned", max_iter=7, options={"folds": 3}), "vector", 100)
    >>> options.max_epochs, options.folds
    (7, 3)
    """
    chosen = {name for name in ("model", "learning_rate") if getattr(estimator, name) is not None}
    options = default_options(kind, num_samples=num_samples, given={*chosen, *(estimator.options or {})})
    known = {name: getattr(estimator, name) for name in ("batch_size", "learning_rate", "weight_decay")}
    for name, given in (("max_iter", estimator.max_iter), ("n_iter_no_change", estimator.n_iter_no_change)):
        if given is not None:
            check_count(given, name, 1)
    if estimator.max_iter is not None:
        known["max_epochs"] = estimator.max_iter
        known["warm_up_epochs"] = max(
            1, round(options.warm_up_epochs * estimator.max_iter / options.max_epochs)
        )
    # Searches over a range hand out NumPy's integers, which torch refuses.
    known = {n: int(v) if isinstance(v, Integral) else v for n, v in known.items() if v is not None}
    known |= {
        name: getattr(estimator, name) for name in ("method", "validation_fraction", "noisy_weight", "alpha")
    }
    known |= {"patience": estimator.n_iter_no_change, "seed": seed_of(estimator.random_state)}
    further = {n: v for n, v in (estimator.options or {}).items() if n not in BESIDE_TRAINING}
    rates = {field.name for field in fields(Optimization)}
    names = ({field.name for field in fields(TrainingOptions)} | rates) - RENAMED
    for name in further:
        if hasattr(estimator, name):
            raise InputError(
                f"options holds {name!r}, which is a parameter of the estimator itself; give it there."
            )
        if name not in names:
            raise InputError(f"options has no {name!r}.{nearest(name, names | set(BESIDE_TRAINING))}")
    known |= further
    model = estimator.model or options.model
    defaults = options.model_options if model == options.model else {}
    known["model"], known["model_options"] = model, {**defaults, **known.get("model_options", {})}
    optimization = replace(options.optimization, **{n: v for n, v in known.items() if n in rates})
    return replace(options, optimization=optimization, **{n: v for n, v in known.items() if n not in rates})
