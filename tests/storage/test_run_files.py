"""Files of a run: noise matrices with names, whole files, and folders that one run owns."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from noiselayer.errors import InputError
from noiselayer.files.whole_file import whole_file
from noiselayer.noise import random
from noiselayer.storage.matrix_file import read_noise_matrix, write_noise_matrix
from noiselayer.storage.run_folder import RunFolder

NAMES = ("cat", "dog, small", 'the "bird"')


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_matrix_comes_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    Q = random(3, 0.43, generator=torch.Generator().manual_seed(3), dtype=dtype)
    write_noise_matrix(tmp_path / "q.csv", Q, NAMES)
    assert torch.equal(read_noise_matrix(tmp_path / "q.csv", NAMES), Q.float())


def test_rows_are_noisy_labels_and_the_corner_says_so(tmp_path: Path, skewed: torch.Tensor) -> None:
    write_noise_matrix(tmp_path / "q.csv", skewed, ["a", "b", "c"])
    lines = [line.split(",") for line in (tmp_path / "q.csv").read_text().splitlines()]
    assert lines[0] == ["noisy \\ true", "a", "b", "c"]
    table = {row[0]: dict(zip(lines[0][1:], map(float, row[1:]), strict=True)) for row in lines[1:]}
    assert table["b"]["a"] == pytest.approx(0.3)  # true a, noisy b
    assert table["a"]["b"] == 0.0


@given(order=st.permutations([0, 1, 2]))
def test_classes_may_stand_in_any_order(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    Q = torch.tensor([[0.7, 0.0, 0.4], [0.3, 0.8, 0.0], [0.0, 0.2, 0.6]])
    path = tmp_path_factory.mktemp("q") / "q.csv"
    write_noise_matrix(path, Q, NAMES)
    found = read_noise_matrix(path, [NAMES[k] for k in order])
    for j in range(3):
        for i in range(3):
            assert found[j, i] == Q[order[j], order[i]]


def test_bare_numbers_are_taken_in_the_order_of_the_classes(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("0.9,0.2\n0.1,0.8\n")
    assert (
        read_noise_matrix(tmp_path / "q.csv", ["a", "b"]).tolist()
        == torch.tensor([[0.9, 0.2], [0.1, 0.8]]).tolist()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.9,0.1\n0.2,0.8\n", "columns must sum to 1; column 0 sums to 1.1. Its rows do"),
        (
            "true \\ noisy,a,b\na,0.9,0.1\nb,0.2,0.8\n",
            "a noise matrix has a column per true class. Transpose it",
        ),
        (
            "x,a,bb\na,0.9,0.1\nbb,0.1,0.9\n",
            "names 'bb', which is not one of the 2 classes a, b. Did you mean 'b'?",
        ),
        ("x,a\na,1\n", "the header of .* must name each of the 2 classes once; 'b' is missing"),
        ("x,a,b\na,0.9,much\nb,0.1,1\n", "must hold numbers; one cell is 'much'"),
        ("1,0,0\n0,1,0\n0,0,1\n", "is 3 x 3, but there are 2 classes"),
        ("1,0\n0\n", "must be of one length"),
        ("", "is empty"),
    ],
)
def test_a_matrix_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "q.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_noise_matrix(tmp_path / "q.csv", ["a", "b"])


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with whole_file(tmp_path / "a.txt") as beside:
            beside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a.txt", "old")]


def config(**changes: object) -> dict[str, object]:
    return {"format": 1, "options": {"max_epochs": 20, "seed": 0}, "class_names": ["a", "b"], **changes}


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"is in use \(it holds thesis.txt\).*another with out.*with resume"):
        RunFolder(tmp_path, resume=False)
    with pytest.raises(InputError, match=r"there is no run to resume.*no config.json"):
        RunFolder(tmp_path, resume=True)
    with pytest.raises(InputError, match="is a file"):
        RunFolder(tmp_path / "thesis.txt", resume=False)


def test_what_differs_is_named(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run", resume=False).begin(config())
    again = RunFolder(tmp_path / "run", resume=True)
    again.check_same(config(source="another path"))
    with pytest.raises(InputError, match=r"options.max_epochs was 20, now 30\. Start it as it was"):
        again.check_same(config(options={"max_epochs": 30, "seed": 0}))


def test_a_failed_run_removes_what_it_made_and_no_more(tmp_path: Path) -> None:
    new = RunFolder(tmp_path / "some" / "where" / "run", resume=False)
    new.begin(config())
    new.abandon()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    mine = RunFolder(tmp_path / "mine", resume=False)
    mine.begin(config())
    mine.abandon()
    assert list((tmp_path / "mine").iterdir()) == []


def test_checkpoints_are_never_removed_by_a_failure(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run", resume=False)
    folder.begin(config())
    (folder.stages / "main").mkdir(parents=True)
    (folder.stages / "main" / "last.ckpt").write_text("hours of work")
    folder.abandon()
    assert (folder.stages / "main" / "last.ckpt").exists()
    assert json.loads((folder.path / "config.json").read_text()) == config()
