"""Annotators' labels with gaps, which pandas writes as floats, are the same classes in every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from noiselayer.data.frames import TABLE_SUFFIXES, write_frame
from noiselayer.data.vote_tables import read_votes
from noiselayer.errors import InputError


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_whole_numbers_with_gaps(tmp_path: Path, suffix: str) -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 120)
    frame = pd.DataFrame({"ann": truth, "bob": (truth + 1) % 3, "cem": truth}).astype(float)
    gaps = generator.random(frame.shape) < 0.2
    frame = frame.mask(gaps)
    frame["cem"] = truth  # one column without gaps: whole numbers, written without ".0"
    frame["checked"] = pd.Series(truth).where(pd.Series(range(120)) < 30)
    path = tmp_path / f"said{suffix}"
    write_frame(frame, path, suffix)
    votes = read_votes(path, label_columns=["ann", "bob", "cem"], true_column="checked")
    assert votes.class_names == ("0", "1", "2")
    assert votes.true_labels.tolist() == [*truth[:30].tolist(), *[-1] * 90]
    expected = [
        int(value)
        for row, missing in zip(frame[["ann", "bob", "cem"]].to_numpy(), gaps, strict=True)
        for column, value in enumerate(row)
        if column == 2 or not missing[column]
    ]
    assert votes.labels.tolist() == expected


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_ratings_are_no_classes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"said{suffix}"
    write_frame(pd.DataFrame({"ann": [0.5, None, 2.5], "bob": [1.0, 2.0, 3.0]}), path, suffix)
    with pytest.raises(InputError, match=r"column 'ann' must be .* is 0\.5, a fraction"):
        read_votes(path, label_columns=["ann", "bob"])
