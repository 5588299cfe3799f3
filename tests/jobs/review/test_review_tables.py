"""A review is applied to a table of every format: the decided labels change, nothing else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from noiselayer.data.frames import TABLE_SUFFIXES, read_frame, write_frame
from noiselayer.errors import InputError
from noiselayer.jobs.apply_review import apply_review
from noiselayer.storage.review.decisions import Decision

LABELS = {
    "words": (["cat", "dog", "dog", "cat"], "cat", "dog"),
    "numbers": ([1, 0, 10, 1], "1", "10"),
    "numbers with gaps": ([1.0, 0.0, 10.0, None], "1", "10"),
}


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
@pytest.mark.parametrize("what", LABELS)
def test_tables_of_every_format(tmp_path: Path, what: str, suffix: str) -> None:
    labels, given, new = LABELS[what]
    frame = pd.DataFrame({"x": [5, 2, 3, 7], "label": labels, "note": ["ä", "b,c", 'd"', "e"]})
    path = tmp_path / f"data{suffix}"
    write_frame(frame, path, suffix)
    before = path.read_bytes()
    done = apply_review(path, [Decision(0, "0", given, "pick", new)])
    assert (done.out.name, done.changed) == (f"data.corrected{suffix}", 1)
    assert path.read_bytes() == before
    after = read_frame(done.out)
    frame.loc[0, "label"] = int(new) if new.isdigit() else new
    pd.testing.assert_frame_equal(after, frame, check_dtype=False)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_separators_and_encodings_stay(tmp_path: Path, encoding: str) -> None:
    text = "größe;label\r\n1,5;Bär\r\n2,5;Löwe\r\n"
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    done = apply_review(tmp_path / "a.csv", [Decision(1, "1", "Löwe", "pick", "Bär")])
    assert done.out.read_bytes().decode(encoding) == text.replace("Löwe", "Bär")


@pytest.mark.parametrize(
    ("dtype", "new"), [("int8", "200"), ("uint8", "-2"), ("float16", "70000"), ("int64", str(2**70))]
)
def test_a_class_that_does_not_fit_into_the_type_is_refused(tmp_path: Path, dtype: str, new: str) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(3), y=np.array([0, 1, 1], dtype=dtype))
    with pytest.raises(
        InputError, match=rf"class '{new}' does not fit into the type of array 'y' .*, {dtype}"
    ):
        apply_review(tmp_path / "a.npz", [Decision(0, "0", "0", "pick", new)])
    assert not (tmp_path / "a.corrected.npz").exists()
