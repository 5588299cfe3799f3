"""The audit and the annotators take arrays of every kind by position, and answer in NumPy unless a tensor came."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from noiselayer import audit_labels, combine_labels, estimate_annotator_matrices
from noiselayer.annotators import audit_annotators
from noiselayer.storage.audit_folder import LABEL_COLUMNS, SavedAudit, load_audit, save_audit

NAMES = ["cat", "dog", "bird"]
KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": lambda v: v.tolist(),
    "numpy": lambda v: v,
    "big-endian": lambda v: v.astype(v.dtype.newbyteorder(">")),
    "backwards": lambda v: v[::-1].copy()[::-1],
    "columns first": np.asfortranarray,
    "objects": lambda v: v.astype(object),
    "longdouble": lambda v: v.astype(np.longdouble) if v.dtype.kind == "f" else v,
    "pandas": lambda v: (pd.Series if v.ndim == 1 else pd.DataFrame)(v, index=np.arange(len(v))[::-1] * 3),
    "polars": lambda v: _polars(v),
    "torch": torch.from_numpy,
}


def _polars(values: np.ndarray) -> Any:
    polars = pytest.importorskip("polars")
    return polars.Series(values) if values.ndim == 1 else polars.DataFrame(values)


def sample(N: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(N) % 3
    scores = 3 * np.eye(3)[truth] + rng.normal(size=(N, 3))
    labels = np.where(rng.random(N) < 0.2, (truth + 1) % 3, truth)
    probs = np.exp(scores)
    return labels, probs / probs.sum(axis=1, keepdims=True)


LABELS, PROBS = sample(600)
Q = np.array([[0.8, 0.0, 0.2], [0.2, 0.8, 0.0], [0.0, 0.2, 0.8]])
WHO, CHECKED = np.arange(600) % 2, np.arange(600) % 7 == 0
TABLE = np.stack([LABELS, PROBS.argmax(1), np.where(CHECKED, -1, LABELS)], axis=1)


def _audit(y: Any, p: Any, q: Any, error: Any, right: Any) -> Any:
    return audit_labels(y, p, q, probs_predict="true", standard_error=error, verified=right)


CALLS: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...], str]] = {
    "audit_labels": (_audit, (LABELS, PROBS, Q, Q / 100, CHECKED), "error_probability"),
    "combine_labels": (lambda t, p: combine_labels(t, probs=p), (TABLE, PROBS), "posterior"),
    "combine_labels, a list": (
        lambda y, who, true: combine_labels(y, who, true_labels=true),
        (LABELS, WHO, np.where(CHECKED, LABELS, -1)),
        "label_errors",
    ),
    "combine_labels, known": (
        lambda t, q, prior: combine_labels(t, noise_matrices=q, class_prior=prior),
        (TABLE, np.stack([Q, Q, Q]), np.array([0.25, 0.25, 0.5])),
        "posterior",
    ),
    "estimate_annotator_matrices": (estimate_annotator_matrices, (TABLE,), "noise_matrices"),
    "audit_annotators": (
        lambda y, p, who, right: audit_annotators(y, p, who, probs_predict="true", verified=right),
        (LABELS, PROBS, WHO, CHECKED),
        "label_errors",
    ),
}


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (function, kind)
        for function in CALLS
        for kind in KINDS
        if function != "combine_labels, known"
        or kind not in ("pandas", "polars")  # no frame has a third dimension
    ],
)
def test_every_kind_says_the_same(function: str, kind: str) -> None:
    call, given, field = CALLS[function]
    expected = getattr(call(*(torch.from_numpy(values) for values in given)), field)
    found = call(*(KINDS[kind](values) for values in given))
    array = getattr(found, field)
    assert isinstance(array, torch.Tensor if kind == "torch" else np.ndarray)
    np.testing.assert_allclose(array, expected, atol=2e-5)


@pytest.mark.parametrize("size", [2_000, 110_000])
def test_a_filtered_frame_at_any_size(size: int) -> None:
    labels, probs = sample(size)
    index = np.arange(size) * 2 + 5
    expected = audit_labels(labels, probs, probs_predict="true", check_model=False)
    found = audit_labels(
        pd.Series(labels, index), pd.DataFrame(probs, index), probs_predict="true", check_model=False
    )
    np.testing.assert_array_equal(found.error_probability, expected.error_probability)
    assert found.summary() == expected.summary()
    assert found.posterior.shape == (size, 3)
    assert isinstance(found.posterior, np.ndarray)
    assert isinstance(found.corrected_labels(), np.ndarray)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda v: pd.Series(v).astype("category")])
def test_names_where_class_names_say_the_order(kind: Callable[[Any], Any]) -> None:
    expected = audit_labels(LABELS, PROBS, probs_predict="true")
    named = kind([NAMES[k] for k in LABELS])
    found = audit_labels(named, PROBS, probs_predict="true", class_names=NAMES)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.error_probability, expected.error_probability)


def test_gaps_in_tables_of_labels() -> None:
    expected = combine_labels(TABLE).posterior
    gaps = pd.DataFrame(TABLE).where(TABLE >= 0)  # floats with NaN
    named = pd.DataFrame(np.array([*NAMES, None], dtype=object)[TABLE])
    np.testing.assert_allclose(combine_labels(gaps).posterior, expected)
    np.testing.assert_allclose(combine_labels(named, class_names=NAMES).posterior, expected)


def test_a_missing_label_in_a_list_is_left_out_and_its_place_kept() -> None:
    rows, columns = np.indices(TABLE.shape).reshape(2, -1)
    wide, long = combine_labels(TABLE), combine_labels(TABLE.ravel(), columns, rows)
    np.testing.assert_allclose(long.posterior, wide.posterior)
    np.testing.assert_allclose(long.label_errors, wide.label_errors.ravel())
    assert np.isnan(long.label_errors).sum() == CHECKED.sum()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0], [0, 2]], r"labels must hold one class per sample; sample 0 has \[0\].*cleanlab.multilabel"),
        (
            [[0, 1], [1, 1]],
            r"labels must have shape \(2,\), one per row of probs; got \(2, 2\).*multi-label tool",
        ),
        (
            ["cat", "dog"],
            "or names with class_names= that say the order .* got 'cat' at 0 without class_names",
        ),
        ([0, None], "labels must be class indices .*; sample 1 has None. Leave samples without a label out"),
        ([0.0, float("nan")], "labels must be class indices .*; got torch.float32, NaN at 1. Leave samples"),
        ([0.5, 1.0], "labels must be class indices .*; got torch.float32"),
    ],
)
def test_what_labels_must_be(labels: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        audit_labels(labels, [[0.5, 0.5], [0.9, 0.1]], probs_predict="true")


def test_a_name_that_is_no_class() -> None:
    with pytest.raises(ValueError, match=r"labels must be of class_names, \['cat', 'dog'\]; got 'bird' at 1"):
        audit_labels(["cat", "bird"], [[0.5, 0.5]] * 2, probs_predict="true", class_names=["cat", "dog"])


def test_names_in_tables_and_findings(tmp_path: Path) -> None:
    found = audit_labels(LABELS, PROBS, probs_predict="true", class_names=NAMES)
    frame = found.to_frame()
    assert frame["given_label"].tolist() == [NAMES[k] for k in frame["given_class"]]
    assert frame["suggested_label"].tolist() == [NAMES[k] for k in frame["suggested_class"]]
    assert frame["given_class"].tolist() == LABELS[frame["sample"]].tolist()
    found.to_csv(tmp_path / "a.csv")
    assert pd.read_csv(tmp_path / "a.csv")["given_label"].tolist() == frame["given_label"].tolist()
    worse = np.array([[0.3, 0.0, 0.0], [0.7, 1.0, 0.0], [0.0, 0.0, 1.0]])
    messages = [
        f.message
        for f in audit_labels(LABELS, PROBS, worse, probs_predict="true", class_names=NAMES).findings
    ]
    assert any("Samples of class cat carry label dog" in message for message in messages)


def test_a_folder_of_the_format_before_is_read(tmp_path: Path) -> None:
    import json

    rows = [[7, "a.png", 0, 2, 0.75, True, 0]]
    every = {"expected": 1.5, "low": 0.5, "high": 3.0, "flagged": 1}
    audit = SavedAudit(
        tuple(NAMES),
        "given",
        10,
        0.5,
        {"all": every, "per_class": []},
        pd.DataFrame(rows, columns=list(LABEL_COLUMNS)[:7]),
        torch.from_numpy(Q),
    )
    save_audit(tmp_path, audit)
    pd.DataFrame(rows, columns=list(LABEL_COLUMNS)[:7]).to_parquet(tmp_path / "labels.parquet")
    about = json.loads((tmp_path / "audit.json").read_text())
    (tmp_path / "audit.json").write_text(json.dumps({**about, "format": 1}))
    [row] = load_audit(tmp_path).labels.to_dict("records")
    assert (row["given_label"], row["given_class"]) == ("cat", 0)
    assert (row["suggested_label"], row["suggested_class"]) == ("bird", 2)


def test_probabilities_of_the_models_own_training_data() -> None:
    memorised = np.full((600, 3), 0.015)
    memorised[np.arange(600), LABELS] = 0.97
    [warning] = audit_labels(LABELS, memorised, probs_predict="given").warnings
    assert "likeliest class is the given label for 1 of all samples" in warning
    assert "has not seen the labels" in warning
    assert not audit_labels(LABELS, PROBS, probs_predict="given").warnings
