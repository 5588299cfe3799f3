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
    ],
)
def test_it_is_no_label_where_it_can_be_none(
    tmp_path: Path, said: list[Any], human: list[Any] | None, named: dict[str, Any], classes: tuple[str, ...]
) -> None:
    table = pd.DataFrame({"x": np.arange(30.0), "said": said * 10})
    options: dict[str, Any] = {"label_column": "said", **named}
    if human is not None:
        table["human"] = pd.array([*(human * 4), *[None] * 18], dtype="Int64")
        options["checked_column"] = "human"
    table.to_csv(tmp_path / "data.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read_data(tmp_path / "data.csv", **options)
    assert data.class_names == classes
    noticed = [str(w.message) for w in caught if "-1 is taken for no label" in str(w.message)]
    assert bool(noticed) == ("-1" not in classes)
