"""One frame, written in every format, has the same classes; what is no class is refused in every format."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from noiselayer.data import read_data
from noiselayer.data.frames import TABLE_SUFFIXES, read_frame, write_frame
from noiselayer.data.label_files import read_labels
from noiselayer.data.labels import encode_labels
from noiselayer.errors import InputError

GAPS = pd.Series([1.0, None, 0.0, 10.0, 1.0])
FRAMES = {
    "whole numbers with gaps": (GAPS, ("0", "1", "10")),
    "nullable whole numbers": (GAPS.astype("Int64"), ("0", "1", "10")),
    "whole numbers": (pd.Series([3, 3, 0, 10, 1]), ("0", "1", "3", "10")),
    "whole floats": (pd.Series([3.0, 3.0, 0.0, 10.0, 1.0]), ("0", "1", "3", "10")),
    "floats as text": (pd.Series(["3.0", "3", "0.0", "10", "1"]), ("0", "1", "3", "10")),
    "words": (pd.Series(["cat", None, "dog", "None", "cat"]), ("None", "cat", "dog")),
    "booleans": (pd.Series([True, False, True, True, False]), ("False", "True")),
    "categories": (pd.Series(["b", "a", None, "b", "a"], dtype="category"), ("a", "b")),
    "spaces around": (pd.Series(["sun ", "sun", " moon", "moon", "sun"]), ("moon", "sun")),
    "codes": (pd.Series(["007", "07", "7", "7", "7"]), ("007", "07", "7")),
}


def save(labels: pd.Series, path: Path, suffix: str) -> Path:  # type: ignore[type-arg]
    path = path.with_name(path.name + suffix)
    write_frame(pd.DataFrame({"x": [5, 2, 3, 7, 4], "label": labels}), path, suffix)
    return path


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
@pytest.mark.parametrize("what", FRAMES)
def test_every_format_has_the_same_classes(tmp_path: Path, what: str, suffix: str) -> None:
    column, names = FRAMES[what]
    path = save(column, tmp_path / "a", suffix)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* have no label")
        data = read_data(path)
    assert data.class_names == names
    assert data.labels is not None
    rows = [row for row, value in enumerate(column) if not pd.isna(value)]
    assert [int(name) for name in data.inputs.ids] == rows
    spelled = {"1.0": "1", "0.0": "0", "10.0": "10", "3.0": "3"}
    expected = [spelled.get(str(column[row]).strip(), str(column[row]).strip()) for row in rows]
    assert [names[label] for label in data.labels.tolist()] == expected
    # As a file of labels alone, which audit, estimate and corrupt read.
    labels, again = encode_labels(read_labels(f"{path}:label"), allow_missing=True)
    assert (again, labels[rows].tolist()) == (names, data.labels.tolist())


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.0, 0.1, 2.5, 3.9, 0.1], "is 0.1, a fraction. Round them if they are rounding errors; a measured"),
        ([0.5, -0.5, 1.5, 2.5, 3.5], "a fraction"),
        ([1e300, 1, 2, 3, 4], "too large for a class"),
        (["99999999999999999999", "1", "2", "3", "4"], "is 99999999999999999999, too large for a class"),
        (["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-04"], "are dates"),
    ],
)
def test_no_format_lets_a_measured_quantity_pass(
    tmp_path: Path, labels: list[object], message: str, suffix: str
) -> None:
    path = save(pd.Series(labels), tmp_path / "a", suffix)
    with pytest.raises(InputError, match=re.escape(message)):
        read_data(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("value", [["cat"], {"name": "cat"}])
def test_lists_are_no_classes(tmp_path: Path, value: object, suffix: str) -> None:
    path = save(pd.Series([value] * 5), tmp_path / "a", suffix)
    with pytest.raises(InputError, match=r"column 'label' must hold one label per row; row 0 .* is a "):
        read_data(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [["größe", "label"], ["1.5", "Bär"], ["2", "Löwe"], ["3", "Löwe"]]
    path = tmp_path / "a.csv"
    path.write_bytes("".join(separator.join(row) + "\r\n" for row in rows).encode(encoding))
    if encoding in ("utf-16-le", "cp1252"):
        said = (
            "UTF-16 without a mark"
            if encoding == "utf-16-le"
            else r"not in UTF-8 \(byte 0x.*cp1252.*iconv -f"
        )
        with pytest.raises(InputError, match=said):
            read_data(path)
        return
    data = read_data(path)
    assert data.class_names == ("Bär", "Löwe")
    assert data.inputs.encoder.feature_names == ("größe",)  # type: ignore[attr-defined]


def test_a_comma_may_be_the_decimal_mark(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("size;label\n1,5;1,0\n2,5;2,0\n")
    assert read_frame(tmp_path / "a.csv")["size"].tolist() == [1.5, 2.5]
    assert read_data(tmp_path / "a.csv").class_names == ("1", "2")
    (tmp_path / "b.csv").write_text("text,label\na;b;c,1\nd;e;f,0\n")  # semicolons in cells separate nothing
    assert read_frame(tmp_path / "b.csv").columns.tolist() == ["text", "label"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "x,label,label\n1,a,b\n", "names 'label' more than once"),
        ("a.csv", "x,,label\n1,2,b\n", "has no name for column 2"),
        ("a.csv", "x,label,\n1,b,\n", "has no name for column 3"),
        (
            "a.jsonl",
            '{"x": 1, "x": 2, "label": "a"}\n',
            "line 1 is no JSON object ('x' stands there more than once)",
        ),
        ("a.jsonl", '{"x": 1, "label": "a"}\n[1]\n', "line 2 must be a JSON object"),
        ("a.jsonl", '{"x": 1, "label"\n', "line 1 is no JSON object"),
        ("a.xlsx", "no workbook", "as a table: "),
        ("a.csv.gz", "not packed", "as a table: Not a gzipped file"),
    ],
)
def test_tables_of_other_formats_that_cannot_be_used(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=re.escape(message)):
        read_data(tmp_path / name)


def test_two_columns_of_one_name_are_refused_in_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1, "a", "b"], [2, "b", "a"]], columns=["x", "label", "label"])
    for suffix in (".csv", ".csv.gz", ".tsv", ".xlsx"):
        path = tmp_path / f"a{suffix}"
        write_frame(frame, path, suffix)
        with pytest.raises(
            InputError, match="names 'label' more than once; give every column a name of its own"
        ):
            read_data(path)


def test_an_empty_name_names_no_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,label\n1,a\n2,b\n")
    with pytest.raises(InputError, match="label_column is empty; name what holds the labels"):
        read_data(tmp_path / "a.csv", label_column="")


def test_excel_without_openpyxl_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_frame(pd.DataFrame({"x": [1]}), tmp_path / "a.xlsx", ".xlsx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"which needs openpyxl: pip install 'noiselayer\[excel\]'"):
        read_data(tmp_path / "a.xlsx")


def test_missing_labels_of_arrays_are_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(4), y=[1.0, np.nan, 0.0, 1.0])
    with pytest.warns(UserWarning, match="1 of 4 samples have no label"):
        data = read_data(tmp_path / "a.npz")
    assert data.labels is not None
    assert (data.labels.tolist(), data.class_names, list(data.inputs.ids)) == (
        [1, 0, 1],
        ("0", "1"),
        ["0", "2", "3"],
    )
    with pytest.warns(UserWarning, match="have no label"):
        named = read_data(tmp_path / "a.npz", class_names=["cat", "dog"])
    assert named.class_names == ("cat", "dog")
