"""Valid calls of every public function and class, and values that no argument takes."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import noiselayer

GENERATOR = np.random.default_rng(0)
TRUE = np.arange(60) % 3
LABELS = np.where(GENERATOR.random(60) < 0.2, (TRUE + 1) % 3, TRUE)
PROBS = np.eye(3)[TRUE] * 0.7 + 0.1
MATRIX = np.array([[0.8, 0.0, 0.1], [0.2, 0.9, 0.1], [0.0, 0.1, 0.8]])
INPUTS = (GENERATOR.normal(size=(60, 4)) + 3 * np.eye(4)[TRUE]).astype(np.float32)
LOGITS = torch.from_numpy(np.log(PROBS)).float()
TENSOR, GIVEN = torch.from_numpy(MATRIX).float(), torch.from_numpy(LABELS)
VOTES = np.stack([np.where(GENERATOR.random(60) < 0.2, (TRUE + 1) % 3, TRUE) for _ in range(4)], axis=1)


@dataclass
class CallCase:
    """A call with one argument changed.

    Attributes:
        function: What is called.
        arguments: By name.
        names: Of which a message must name one.
        about: What was changed.
        must_work: It is the same data in another form.
        must_fail: There is no answer.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    names: tuple[str, ...]
    about: str
    must_work: bool
    must_fail: bool


def _layer(num_classes: Any, noise_matrix: Any, logits: Any, noisy_labels: Any) -> Any:
    return noiselayer.NoiseLayer(num_classes, noise_matrix).loss(logits, noisy_labels)


def _sparse(labels: Any, values: Any, rest: Any) -> Any:
    return noiselayer.SparseNoiseMatrix(labels, values, rest)


def _fitted(make: Callable[..., Any]) -> Callable[..., Any]:
    def fit(X: Any, y: Any, X_new: Any, **parameters: Any) -> Any:
        return make(**parameters).fit(X, y).predict_proba(X_new)

    return fit


def _network(X: Any, y: Any, **parameters: Any) -> Any:
    chosen = {"model": "linear", "max_iter": 1, "method": "normal", "accelerator": "cpu"} | parameters
    return noiselayer.NoisyLabelClassifier(**chosen).fit(X, y)


def _any_classifier(**parameters: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return noiselayer.NoisyLabelMetaClassifier(LogisticRegression(), **parameters)


def _boosted(**parameters: Any) -> Any:
    from lightgbm import LGBMClassifier

    trees = LGBMClassifier(n_estimators=3, min_child_samples=2, verbose=-1, n_jobs=1)
    return noiselayer.NoisyLabelBoostingClassifier(trees, **parameters)


def _objective(noise_matrix: Any, y_true: Any, scores: Any) -> Any:
    return noiselayer.noisy_label_objective(noise_matrix)(y_true, scores)


def _metric(noise_matrix: Any, y_true: Any, scores: Any) -> Any:
    return noiselayer.noisy_label_metric(noise_matrix)(y_true, scores)


def _result(labels: Any, probs: Any, top: Any) -> Any:
    found = noiselayer.audit_labels(labels, probs, probs_predict="true", top=top)
    return found.to_frame(), found.summary()


def _noise(num_classes: Any, rate: Any, transition_matrix: Any) -> Any:
    noise = noiselayer.noise
    made = (
        noise.symmetric(num_classes, rate),
        noise.pair_flip(num_classes, rate),
        noise.random(num_classes, rate),
    )
    return made, noise.check(noise.from_transition_matrix(transition_matrix))


def _regularization(matrix: Any) -> Any:
    of = noiselayer.regularization
    return of.trace_penalty(matrix), of.weight_decay_penalty(matrix), of.log_volume(matrix)


_FITTING = {"X": INPUTS, "y": LABELS, "X_new": INPUTS, "noise_matrix": MATRIX}
_FORM = {
    "labels": VOTES,
    "true_labels": np.where(np.arange(60) % 3, -1, TRUE),
    "class_names": ["a", "b", "c"],
}
_LONG = {"labels": VOTES.ravel(), "annotators": np.tile(np.arange(4), 60), "samples": np.arange(240) // 4}

CALLS: dict[str, list[tuple[Callable[..., Any], dict[str, Any]]]] = {
    "AuditResult": [(_result, {"labels": LABELS, "probs": PROBS, "top": 5})],
    "NoiseLayer": [
        (_layer, {"num_classes": 3, "noise_matrix": TENSOR, "logits": LOGITS, "noisy_labels": GIVEN})
    ],
    "NoisyLabelBoostingClassifier": [(_fitted(_boosted), {**_FITTING, "cv": 2, "rounds": 1})],
    "NoisyLabelClassifier": [
        (_network, {"X": INPUTS, "y": LABELS, "max_iter": 1, "alpha": 0.5, "method": "normal"})
    ],
    "NoisyLabelFeaturesClassifier": [
        (_fitted(noiselayer.NoisyLabelFeaturesClassifier), {**_FITTING, "alpha": 0.5})
    ]
    if hasattr(noiselayer, "NoisyLabelFeaturesClassifier")
    else [],
    "NoisyLabelLoss": [
        (
            lambda noise_matrix, weight, logits, noisy_labels: noiselayer.NoisyLabelLoss(
                noise_matrix, weight=weight
            )(logits, noisy_labels),
            {"noise_matrix": TENSOR, "weight": torch.ones(3), "logits": LOGITS, "noisy_labels": GIVEN},
        )
    ],
    "NoisyLabelMetaClassifier": [(_fitted(_any_classifier), {**_FITTING, "max_iter": 2, "cv": 2})],
    "SparseNoiseMatrix": [
        (
            _sparse,
            {
                "labels": torch.tensor([[0, 1], [1, 2], [2, 0]]),
                "values": torch.tensor([[0.9, 0.1]] * 3),
                "rest": torch.zeros(3),
            },
        )
    ],
    "TopDownLoss": [
        (
            lambda conversion_matrix, logits, noisy_labels: noiselayer.TopDownLoss(conversion_matrix)(
                logits, noisy_labels
            ),
            {"conversion_matrix": torch.eye(3) * 0.7 + 0.1, "logits": LOGITS, "noisy_labels": GIVEN},
        )
    ],
    "accuracy_from_noisy_labels": [
        (
            noiselayer.accuracy_from_noisy_labels,
            {
                "predictions": TRUE,
                "noisy_labels": LABELS,
                "noise_matrix": MATRIX,
                "confidence": 0.9,
                "num_bootstrap": 20,
            },
        )
    ],
    "audit_labels": [
        (
            lambda **given: noiselayer.audit_labels(**{"probs_predict": "true"} | given),
            {
                "labels": LABELS,
                "probs": PROBS,
                "noise_matrix": MATRIX,
                "class_names": ["a", "b", "c"],
                "top": 7,
            }
            | {"threshold": 0.5, "verified": np.arange(60) % 4 == 0, "standard_error": MATRIX * 0.1},
        ),
        (
            lambda **given: noiselayer.audit_labels(**{"probs_predict": "given"} | given),
            {"labels": LABELS, "probs": PROBS, "second_probs": PROBS[:, ::1], "probs_predict": "given"},
        ),
    ],
    "check_noise_model": [
        (
            noiselayer.check_noise_model,
            {
                "noise_matrix": MATRIX,
                "noisy_probs": PROBS,
                "noisy_labels": LABELS,
                "standard_error": MATRIX * 0.1,
            }
            | {"noisy_groups": np.arange(60) // 30, "class_prior": np.full(3, 1 / 3), "level": 0.05}
            | {"training_loss": 1.0, "num_training": 60},
        ),
        (
            noiselayer.check_noise_model,
            {"noise_matrix": MATRIX, "clean_probs": PROBS, "clean_labels": TRUE, "clean_noisy_labels": LABELS}
            | {"clean_groups": np.arange(60) // 30, "clean_confusion": np.eye(3) * 0.7 + 0.1},
        ),
    ],
    "combine_labels": [
        (noiselayer.combine_labels, {**_FORM, "probs": PROBS, "num_classes": 3, "confidence": 0.9}),
        (noiselayer.combine_labels, {**_LONG, "num_annotators": 4, "annotator_names": list("wxyz")}),
        (
            noiselayer.combine_labels,
            {"labels": VOTES, "noise_matrices": [MATRIX] * 4, "class_prior": [0.3, 0.3, 0.4]},
        ),
    ],
    "confusion_matrix": [
        (
            noiselayer.noise and getattr(noiselayer, "confusion_matrix", None),
            {"given_labels": LABELS, "probs": PROBS},
        ),
        (
            getattr(noiselayer, "confusion_matrix", None),
            {"given_labels": LABELS, "predicted_labels": TRUE, "num_classes": 3},
        ),
    ],
    "corrupt_labels": [(noiselayer.corrupt_labels, {"labels": TRUE, "noise_matrix": MATRIX})],
    "estimate_annotator_matrices": [
        (noiselayer.estimate_annotator_matrices, _FORM),
        (noiselayer.estimate_annotator_matrices, _LONG),
    ],
    "estimate_from_pairs": [
        (
            noiselayer.estimate_from_pairs,
            {
                "true_labels": TRUE,
                "noisy_labels": LABELS,
                "num_classes": 3,
                "prior_strength": 1.0,
                "confidence": 0.9,
            },
        )
    ],
    "estimate_from_predictions": [
        (
            noiselayer.estimate_from_predictions,
            {"clean_probs": PROBS, "clean_labels": TRUE, "noisy_probs": PROBS, "noisy_labels": LABELS}
            | {"num_bootstrap": 4, "method": "sparse", "sparsity": 0.1, "confidence": 0.9},
        )
    ],
    "estimate_noise_matrix": [
        (
            noiselayer.estimate_noise_matrix,
            {
                "clean_confusion": np.eye(3) * 0.7 + 0.1,
                "noisy_confusion": MATRIX,
                "noisy_label_frequencies": [0.3, 0.3, 0.4],
            }
            | {
                "clean_counts": [20, 20, 20],
                "noisy_counts": [20, 20, 20],
                "num_bootstrap": 4,
                "method": "inverse",
            },
        )
    ],
    "estimate_source_matrices": [(noiselayer.estimate_source_matrices, _FORM)],
    "inverse_conversion": [(noiselayer.inverse_conversion, {"noise_matrix": TENSOR})],
    "label_error_probability": [
        (
            noiselayer.label_error_probability,
            {"logits": LOGITS, "noisy_labels": GIVEN, "noise_matrix": TENSOR},
        )
    ],
    "load": [(noiselayer.load, {"folder": "run"})],
    "load_run": [(noiselayer.load_run, {"folder": "run"})],
    "measure_labels": [
        (
            noiselayer.measure_labels,
            {"labels": LABELS, "gold": np.where(np.arange(60) % 2, TRUE, -1), "num_classes": 3, "level": 0.9}
            | {"stated_confidence": PROBS.max(axis=1), "weights": np.ones(60)},
        )
    ],
    "noise": [(_noise, {"num_classes": 3, "rate": 0.3, "transition_matrix": MATRIX.T})],
    "noise_floor": [(noiselayer.noise_floor, {"noise_matrix": MATRIX, "class_prior": np.full(3, 1 / 3)})],
    "noisy_label_loss": [
        (
            noiselayer.noisy_label_loss,
            {"logits": LOGITS, "noisy_labels": GIVEN, "noise_matrix": TENSOR, "weight": torch.ones(3)}
            | {"ignore_index": -100, "reduction": "mean"},
        )
    ],
    "noisy_label_metric": [(_metric, {"noise_matrix": MATRIX, "y_true": LABELS, "scores": LOGITS.numpy()})],
    "noisy_label_objective": [
        (_objective, {"noise_matrix": MATRIX, "y_true": LABELS, "scores": LOGITS.numpy()})
    ],
    "posterior": [(noiselayer.posterior, {"logits": LOGITS, "noisy_labels": GIVEN, "noise_matrix": TENSOR})],
    "regularization": [(_regularization, {"matrix": TENSOR})],
    "top_down_loss": [
        (
            noiselayer.top_down_loss,
            {
                "logits": LOGITS,
                "noisy_labels": GIVEN,
                "conversion_matrix": torch.eye(3) * 0.7 + 0.1,
                "reduction": "sum",
            },
        )
    ],
    "uniform_conversion": [(noiselayer.uniform_conversion, {"num_classes": 3, "alpha": 0.5})],
}

FORMS: dict[str, Callable[[Any], Any]] = {
    "a list": lambda array: array.tolist(),
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "negative strides": lambda array: array[::-1].copy()[::-1],
    "read-only": lambda array: _read_only(array),
    "Fortran's order": np.asfortranarray,
    "objects": lambda array: array.astype(object),
    "longdouble": lambda array: array if array.dtype.kind in "iub" else array.astype(np.longdouble),
    "pandas, filtered": lambda array: _pandas(array, np.arange(len(array)) * 2 + 5),
    "pandas": lambda array: _pandas(array, None),
    "a tensor": lambda array: torch.from_numpy(array.copy()),
}
"""The same data in another form."""

WRONG: dict[str, Callable[[Any], Any]] = {
    "None": lambda array: None,
    "text": lambda array: "zzz",
    "lists of different lengths": lambda array: [[0, 1], [2]],
    "names": lambda array: np.array(list("abc"))[np.arange(len(array)) % 3],
    "one row fewer": lambda array: array[1:],
    "no rows": lambda array: array[:0],
    "one row": lambda array: array[:1],
    "another axis": lambda array: array[..., None],
    "a number": lambda array: 3,
    "nan": lambda array: _entry(array, np.nan),
    "inf": lambda array: _entry(array, np.inf),
    "1e300": lambda array: _entry(array, 1e300),
    "-1": lambda array: _entry(array, -1),
    "-7": lambda array: _entry(array, -7),
    "99": lambda array: _entry(array, 99),
    "2**63": lambda array: _entry(array, 2.0**63),
    "half": lambda array: _entry(array, 0.5),
    "zeros": lambda array: array * 0,
    "complex": lambda array: array * 1j,
    "dates": lambda array: np.zeros(array.shape, dtype="M8[D]"),
    "None among them": lambda array: _among(array, None),
    "an object among them": lambda array: _among(array, object()),
    "a dict": lambda array: {"a": 1},
    "one column more": lambda array: np.concatenate([array, array[..., :1]], axis=-1),
    "transposed": lambda array: array.T if array.ndim > 1 else array[None],
    "half precision": lambda array: array.astype(np.float16),
    "fields": lambda array: np.zeros(array.shape, dtype=[("a", "i4"), ("b", "f8")]),
    "masked": lambda array: np.ma.masked_equal(array, array.flat[0]),
    "sparse": lambda array: _sparse_rows(array),
}

NO_NUMBER = {
    "nan",
    "inf",
    "complex",
    "dates",
    "an object among them",
    "a dict",
    "fields",
    "lists of different lengths",
}
"""What no array of labels, probabilities or a noise matrix may hold."""

ANYTHING: tuple[Any, ...] = (
    *(None, "", "zzz", -1, 0, 1.5, float("nan"), float("inf"), 10**30, True, [], [1], {}, object(), b"x", 1j),
    *(np.float64(0.3), np.array([1, 2]), "a\0b", "x" * 300, -1e300, ["a"], ["a", "a", "b"], [1, None, 2]),
)


def call_case(name: str, draw: np.random.Generator, folder: Path) -> CallCase:
    """A call of a public name with one argument changed."""
    function, base = CALLS[name][draw.integers(len(CALLS[name]))]
    arguments = {key: folder / value if key == "folder" else value for key, value in base.items()}
    key = str(draw.choice(list(arguments)))
    value = arguments[key]
    must_work = False
    if isinstance(value, np.ndarray | torch.Tensor):
        array = np.asarray(value)
        forms = {} if isinstance(value, torch.Tensor) else FORMS
        kind = str(draw.choice([*forms, *WRONG]))
        # scikit-learn takes no labels of type object that are numbers.
        must_work = kind in forms and (key, kind) != ("y", "objects")
        arguments[key] = (forms | WRONG)[kind](array)
        if isinstance(value, torch.Tensor) and draw.random() < 0.7:
            arguments[key] = _tensor(arguments[key])
    else:
        number = int(draw.integers(len(ANYTHING)))
        arguments[key], kind = ANYTHING[number], repr(ANYTHING[number])[:30]
    needed = isinstance(value, np.ndarray) and key not in (
        "weights",
        "stated_confidence",
        "annotators",
        "samples",
    )
    names = {*arguments, *_parameters(function), "labels", "noise_matrix", "estimator", "margins", "run"}
    must_fail = (
        needed and kind in NO_NUMBER and not (kind == "nan" and key in ("labels", "true_labels", "gold", "X"))
    )
    return CallCase(
        function, arguments, tuple(names), f"{key}: {kind}", must_work, must_fail and key not in _FREE
    )


_FREE = {"X", "X_new", "noisy_groups", "clean_groups", "y", "y_true", "scores", "verified"}
"""Inputs that trees take with gaps, names of groups, and labels of any type."""


def _parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in ("given", "parameters")]


def _tensor(value: Any) -> Any:
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return value


def _entry(array: Any, value: float) -> Any:
    changed = array.astype(np.float64)
    if changed.size:
        changed.flat[changed.size // 2] = value
    whole = array.dtype.kind in "iu" and float(value).is_integer() and abs(value) < 2**62
    return changed.astype(array.dtype) if whole else changed


def _among(array: Any, value: Any) -> Any:
    changed = array.astype(object)
    changed.flat[1] = value
    return changed


def _read_only(array: Any) -> Any:
    changed = array.copy()
    changed.flags.writeable = False
    return changed


def _pandas(array: Any, index: Any) -> Any:
    return pd.Series(array, index=index) if array.ndim == 1 else pd.DataFrame(array, index=index)


def _sparse_rows(array: Any) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(array.reshape(len(array), -1))
