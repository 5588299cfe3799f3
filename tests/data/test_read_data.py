from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from noiselayer.data import read_data
from noiselayer.errors import InputError, list_some, nearest


def test_a_missing_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").touch()
    with pytest.raises(InputError, match=r"no file or folder .*lables\.csv\. Did you mean 'labels\.csv'\?"):
        read_data(tmp_path / "lables.csv")
    with pytest.raises(InputError, match=r"no file or folder .*y\.npz\.$"):
        read_data(tmp_path / "nowhere" / "y.npz")


def test_an_unknown_form_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.mat").touch()
    with pytest.raises(
        InputError, match=r"a\.mat is of no known form; data is an \.npz or \.npy file, a folder of"
    ):
        read_data(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.npz", {"image_column": "file"}, "image_column is for a table; "),
        ("a.npz", {"feature_columns": ["a"]}, "feature_columns is for a table; "),
        ("a.npy", {"inputs_key": "x"}, "inputs_key is for an .npz file; "),
        ("a.csv", {"inputs_key": "x"}, "inputs_key is for an .npz file; "),
        ("a.csv", {"layout": "NHWC"}, "layout is for an .npz file or an .npy file; "),
        ("folder", {"labels": "y"}, "labels is for an .npz file or an .npy file or a table; "),
        ("folder", {"label_column": "y"}, "label_column is for an .npz file or an .npy file or a table; "),
    ],
)
def test_options_of_another_form_are_not_ignored(
    tmp_path: Path, name: str, options: dict[str, object], message: str
) -> None:
    path = tmp_path / name
    path.mkdir() if name == "folder" else path.touch()
    with pytest.raises(InputError, match=re.escape(message + str(path))):
        read_data(path, **options)  # type: ignore[arg-type]


def test_permissions_do_no_harm_where_there_is_nothing_to_permit(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(2), y=[0, 1])
    assert len(read_data(tmp_path / "a.npz", skip_unreadable=True, impute_missing=True)) == 2


def test_reading_arrays_needs_no_pandas(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.eye(2), y=[0, 1])
    program = (
        "import sys; from noiselayer.data import read_data; read_data(sys.argv[1]); "
        "assert not {'pandas', 'pyarrow', 'torchvision', 'lightning', 'pytorch_lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.npz")], check=True)


def test_nearest_names_ignore_case_and_keep_their_own() -> None:
    assert nearest("LABEL", ["age", "Labels"]) == " Did you mean 'Labels'?"
    assert nearest("xyz", ["age", "Labels"]) == ""
    assert nearest("xyz", []) == ""


def test_lists_are_cut() -> None:
    assert list_some(range(3), limit=3) == "0, 1, 2"
    assert list_some(range(2000), limit=2) == "0, 1 and 1,998 more"
    assert list_some([]) == ""
