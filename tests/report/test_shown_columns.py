"""What a review shows of a row: the columns asked for, the sample's name first."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from noiselayer.data.reading import Reading
from noiselayer.errors import InputError
from noiselayer.report.samples import look_at


@pytest.fixture
def table(tmp_path: Path) -> Path:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    frame = pd.DataFrame({"ticket": ["T1", "T2"], "text": ["one", "two"], "pay": [1.5, 2.0], "y": ["n", "p"]})
    frame["file"] = "a.png"
    frame["day"] = ["2025-03-01 00:00:00", "2025-03-02 00:00:00"]  # as a spreadsheet's dates are read
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("how", "cells"),
    [
        ({"feature_columns": ("pay",)}, (("pay", "2"),)),
        ({"feature_columns": ("pay",), "id_column": "ticket"}, (("ticket", "T2"), ("pay", "2"))),
        ({"text_column": "text", "id_column": "ticket"}, (("ticket", "T2"), ("text", "two"))),
        (
            {"text_column": "text", "show_columns": ("t*", "pay")},
            (("ticket", "T2"), ("text", "two"), ("pay", "2")),
        ),
        ({"text_column": "text", "show_columns": ("pay",)}, (("text", "two"), ("pay", "2"))),
        ({"image_column": "file", "show_columns": ("pay",)}, (("pay", "2"),)),
        ({"checked_column": "text", "show_columns": ("day",)}, (("day", "2025-03-02"),)),
        (
            {"checked_column": "text"},
            (("ticket", "T2"), ("pay", "2"), ("file", "a.png"), ("day", "2025-03-02")),
        ),
    ],
)
def test_the_columns_asked_for(table: Path, how: dict[str, object], cells: object) -> None:
    reading = Reading(str(table), label_column="y", **how)  # type: ignore[arg-type]
    ids = ["a.png" if "image_column" in how else "1"]
    [look], notes = look_at(reading, [1], ids)
    assert notes == []
    assert look.cells == cells
    assert (look.image is not None) == ("image_column" in how)
    assert Reading.from_dict(reading.to_dict()) == reading


def test_a_column_that_is_not_there_is_named(table: Path) -> None:
    with pytest.raises(InputError, match="no column 'txt'.* Did you mean 'text'"):
        Reading(str(table), label_column="y", feature_columns=("pay",), show_columns=("txt",)).read()


def test_an_image_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    for name in ("a", "c"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_text("no image")
    looks, [note] = look_at(Reading(str(tmp_path)), [0, 1, 2], ["a.png", "b.png", "c.png"])
    assert [look.image is not None for look in looks] == [True, False, True]
    assert note.name == "Some samples cannot be shown"
    assert "1 of 3" in note.message
    assert "b.png" in note.message
    _, [note] = look_at(Reading(str(tmp_path)), [1], ["b.png"])
    assert note.name == "Data not at hand"  # a page that shows them is not written over
