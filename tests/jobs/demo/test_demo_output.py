"""The folder of the demonstration, its files, and whose folder it may write into."""

import base64
import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import noiselayer.jobs.demo.digits
from noiselayer.cli.app import app
from noiselayer.errors import InputError
from noiselayer.jobs.demo.digits import Demo, find_suspects, label_errors
from noiselayer.jobs.demo.output import DemoFolder, content_from_demo, save_demo

FILES = {"digits.npz", "metrics.json", "noise_matrix.png", "suspects.csv", "suspects.html"}


def test_it_writes_the_files_it_names(hurried: Demo, tmp_path: Path) -> None:
    suspects = save_demo(DemoFolder(tmp_path / "out"), hurried)
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert list(metrics)[:3] == ["test_error", "noise_matrix_l1", "seconds"]
    assert metrics["test_error"] == hurried.test_error
    assert set(metrics["test_error"]) == {"normal", "learned", "known"}
    assert metrics["noise_matrix_l1"] == hurried.noise_matrix_l1()
    assert metrics["seconds"] == hurried.seconds > 0
    table = pd.read_csv(tmp_path / "out" / "suspects.csv")
    assert len(table) == 60
    assert table["given_label"].tolist() == [suspect.given for suspect in suspects]
    rows = [int(hurried.samples[suspect.sample]) for suspect in suspects]
    assert table["sample"].tolist() == rows
    np.testing.assert_array_equal(table["true_label"], load_digits().target[rows])
    assert metrics["suspects"]["really_wrong"] == int((table["given_label"] != table["true_label"]).sum())
    with Image.open(tmp_path / "out" / "noise_matrix.png") as image:
        width, height = image.size
    assert width > 1.5 * height > 600  # two panels


def test_the_page_says_what_was_found(hurried: Demo, tmp_path: Path) -> None:
    suspects = save_demo(DemoFolder(tmp_path), hurried)
    content = content_from_demo(hurried, tmp_path / "digits.npz")
    assert content.noise_matrix is not None
    np.testing.assert_allclose(content.noise_matrix, hurried.learned_matrix.numpy(), atol=1e-6)
    assert dict(content.figures)["called wrong"] == f"{label_errors(hurried)['flagged']:,}"
    assert sum(errors.labels for errors in content.errors) == len(hurried.noisy_labels)
    assert sum(errors.flagged or 0 for errors in content.errors) == label_errors(hurried)["flagged"]
    assert [len(stage.validation) for stage in content.stages] == [
        len(stage.curves) for stage in hurried.learned_stages
    ]
    right = sum(s.given != int(hurried.true_labels[s.sample]) for s in suspects)
    assert [dataclasses.replace(s, image=None, pixels=False) for s in content.suspects] == suspects
    assert f"{right} of these 60 are really wrong" in content.suspects_note
    for method, error in hurried.test_error.items():
        assert f"{error:.1f} %" in content.facts[-1], method


def test_the_images_are_the_suspects_images(hurried: Demo, tmp_path: Path) -> None:
    suspects = save_demo(DemoFolder(tmp_path), hurried)
    page = (tmp_path / "suspects.html").read_text(encoding="utf-8")
    sources = re.findall(r'<img class="sample pixels" src="data:image/png;base64,([^"]*)"', page)
    assert len(sources) == 60
    for source, suspect in zip(sources, suspects, strict=True):
        grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))
        ink = 16 * (1 - grey / 255)
        np.testing.assert_allclose(ink, hurried.images[suspect.sample], atol=0.05)


def test_the_data_beside_the_page_are_those_reviewed(hurried: Demo, tmp_path: Path) -> None:
    save_demo(DemoFolder(tmp_path), hurried)
    with np.load(tmp_path / "digits.npz") as arrays:
        assert arrays["images"].dtype == np.uint8
        np.testing.assert_allclose(
            (255 - arrays["images"].astype(float)) / 255 * 16, hurried.images, atol=0.04
        )
        np.testing.assert_array_equal(arrays["labels"], hurried.noisy_labels)


@pytest.mark.parametrize("content", ["notes.txt", "metrics.json"])
def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / content).write_text('{"test_error": 0.1}')
    with pytest.raises(InputError, match=rf"in use \(it holds {content}\) and no earlier demo has made it"):
        DemoFolder(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [content]


def test_a_demos_own_folder_is_replaced_and_other_files_stay(hurried: Demo, tmp_path: Path) -> None:
    save_demo(DemoFolder(tmp_path), hurried)
    (tmp_path / "notes.txt").write_text("mine")
    save_demo(DemoFolder(tmp_path), dataclasses.replace(hurried, seconds=1.5))
    assert json.loads((tmp_path / "metrics.json").read_text())["seconds"] == 1.5
    assert {file.name for file in tmp_path.iterdir()} == FILES | {"notes.txt"}


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; name another with out"):
        DemoFolder(tmp_path / "file")
    with pytest.raises(InputError, match="cannot make the output folder"):
        DemoFolder(tmp_path / "file" / "below")


def test_the_command_says_what_it_found(
    hurried: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noiselayer.jobs.demo.digits, "run_demo", lambda seed, on_step: hurried)
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    for method, error in hurried.test_error.items():
        assert re.search(rf"{method} .*{error:.1f} %", done.stdout)
    wrong = sum(s.given != int(hurried.true_labels[s.sample]) for s in find_suspects(hurried))
    assert f"Of the 60 labels it is surest are wrong, {wrong} are wrong." in done.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES


def test_the_command_refuses_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        noiselayer.jobs.demo.digits, "run_demo", lambda seed, on_step: pytest.fail("it trained")
    )
    (tmp_path / "thesis.tex").write_text("")
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "holds thesis.tex" in done.stderr.replace("\n", " ")


def test_a_failure_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(seed: int, on_step: object) -> Demo:
        raise KeyboardInterrupt

    monkeypatch.setattr(noiselayer.jobs.demo.digits, "run_demo", stopped)
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert done.exit_code == 130
    assert not (tmp_path / "out").exists()
