"""Rows of arrays in files: the same as through the map, and no pages kept."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from noiselayer.arrays.stored_rows import StoredRows
from noiselayer.errors import InputError


@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f8", "?", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("mapped", [True, False])
def test_rows_are_those_of_the_array(tmp_path: Path, dtype: str, order: str, mapped: bool) -> None:
    x = np.asarray(np.random.default_rng(0).integers(0, 2, size=(40, 3, 5)).astype(dtype), order=order)
    np.save(tmp_path / "x.npy", x)
    rows = StoredRows(np.load(tmp_path / "x.npy", mmap_mode="r") if mapped else x)
    for indices in ([3, 4, 5, 17, 0, 0, 39], [], [38], list(range(40)), list(range(40))[::-1]):
        chosen = np.array(indices, dtype=np.int64)
        np.testing.assert_array_equal(rows.at(chosen), x[chosen])
    for start, stop in ((0, 40), (7, 9), (38, 50), (40, 41)):
        np.testing.assert_array_equal(rows.between(start, stop), x[start:stop])
    with pytest.raises(IndexError):
        rows.at(np.array([3, 40]))


def test_a_copy_of_a_row_may_be_written_to(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 2)))
    rows = StoredRows(np.load(tmp_path / "x.npy", mmap_mode="r"))
    rows.at(np.array([1]))[:] = 7
    assert not rows.at(np.array([1])).any()


def test_what_is_written_to_an_array_later_is_seen(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 2)))
    for mode in ("r+", "c"):  # changes of the second never reach the file
        x = np.load(tmp_path / "x.npy", mmap_mode=mode)
        rows = StoredRows(x)
        x[2] = 5
        assert rows.at(np.array([2])).tolist() == [[5.0, 5.0]]


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_file_that_is_replaced_or_removed_is_still_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((4, 2)))
    np.save(tmp_path / "other.npy", np.zeros((4, 2)))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    before = StoredRows(x)
    (tmp_path / "other.npy").replace(tmp_path / "x.npy")
    assert before.at(np.array([3])).all()
    assert StoredRows(x).at(np.array([3])).all()
    (tmp_path / "x.npy").unlink()
    assert before.at(np.array([3])).all()
    assert StoredRows(x).at(np.array([3])).all()


@pytest.mark.skipif(sys.platform == "win32", reason="needs reading at a place")
def test_a_file_that_was_made_shorter_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((400, 20)))
    rows = StoredRows(np.load(tmp_path / "x.npy", mmap_mode="r"))
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(1_000)
    with pytest.raises(InputError, match="made shorter while it was read"):
        rows.at(np.array([0, 399]))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_page_of_the_file_stays(tmp_path: Path) -> None:
    def megabytes() -> float:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("RssFile")).split()[1]) / 1024

    np.save(tmp_path / "x.npy", np.zeros((8_000, 10_000), dtype=np.uint8))  # 80 MB
    rows = StoredRows(np.load(tmp_path / "x.npy", mmap_mode="r"))
    before = megabytes()
    rows.at(np.random.default_rng(0).integers(8_000, size=500))
    assert megabytes() - before < 4
