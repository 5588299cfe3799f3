"""-1 among labels: no answer of a language model or a rule, or a class."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from noiselayer.data import read_data


@pytest.mark.parametrize(
    ("said", "human", "named", "classes"),
    [
        (["cat", "-1", "dog"], None, {}, ("cat", "dog")),
        (["cat", "-1", "dog"], None, {"class_names": ["-1", "cat", "dog"]}, ("-1", "cat", "dog")),
        ([0, -1, 1], [0, 1, 1], {}, ("0", "1")),
        ([0, -1, 1], [0, -1, 1], {"class_names": ["-1", "0", "1"]}, ("-1", "0", "1")),
        ([1, -1, 1], [1, 1, 1], {}, ("-1", "1")),  # two classes, as some write them
        (["+", "-", "+"], ["+", "-", "+"], {}, ("+", "-")),
    ],
)
def test_it_is_no_label_where_it_can_be_none(
    tmp_path: Path, said: list[Any], human: list[Any] | None, named: dict[str, Any], classes: tuple[str, ...]
) -> None:
    table = pd.DataFrame({"x": np.arange(30.0), "said": said * 10})
    options: dict[str, Any] = {"label_column": "said", **named}
    if human is not None:
        kind = "Int64" if isinstance(human[0], int) else "object"
        table["human"] = pd.array([*(human * 4), *[None] * 18], dtype=kind)
        options["checked_column"] = "human"
    table.to_csv(tmp_path / "data.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read_data(tmp_path / "data.csv", **options)
    assert data.class_names == classes
    noticed = [str(w.message) for w in caught if "-1 is taken for no label" in str(w.message)]
    assert bool(noticed) == ("-1" in map(str, said) and "-1" not in classes)


@pytest.mark.parametrize(
    ("class_names", "classes", "labels", "checked"),
    [
        (
            None,
            ("no", "yes"),
            [1, 0, 1, 1, 0],
            [1, -1, -1, 1, -1],
        ),  # the fourth has no label but the checked one
        (
            ["Yes", "no", "unknown", "yes", "?"],
            ("Yes", "no", "unknown", "yes", "?"),
            [3, 1, 0, 2, 4, 1],
            [3, -1, -1, 3, 4, -1],
        ),
    ],
    ids=["found", "named"],
)
def test_words_and_spellings_are_those_of_checked_labels(
    tmp_path: Path,
    class_names: list[str] | None,
    classes: tuple[str, ...],
    labels: list[int],
    checked: list[int],
) -> None:
    table = pd.DataFrame({"x": np.arange(6.0)})
    table["said"] = ["yes", "no", "Yes", "unknown", "?", "no"]
    table["human"] = ["yes", "", "", "yes", "?", ""]
    table.to_csv(tmp_path / "data.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read_data(
            tmp_path / "data.csv", label_column="said", checked_column="human", class_names=class_names
        )
    assert data.class_names == classes
    assert data.given.tolist() == labels
    assert data.checked is not None
    assert data.checked.tolist() == checked
    said = " ".join(str(w.message) for w in caught)
    assert ("'?', 'unknown' are taken for no label" in said) == (class_names is None)
    assert ("'Yes' is taken for 'yes', as checked labels are written" in said) == (class_names is None)
