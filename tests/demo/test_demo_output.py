"""The folder of the demonstration, its files, and whose folder it may write into."""

import base64
import dataclasses
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import noiselayer.demo
from noiselayer.cli.app import app
from noiselayer.demo import Demo, DemoFolder, Suspect, find_suspects, save_demo
from noiselayer.demo.page import suspects_page
from noiselayer.errors import InputError

FILES = {"metrics.json", "noise_matrix.png", "suspects.csv", "suspects.html"}


class Page(HTMLParser):
    """Every tag with its attributes, and the text of the style and of the body."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)


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
    assert table["given_label"].tolist() == [suspect.given_label for suspect in suspects]
    assert metrics["suspects"]["really_wrong"] == int((table["given_label"] != table["true_label"]).sum())
    with Image.open(tmp_path / "out" / "noise_matrix.png") as image:
        width, height = image.size
    assert width > 1.5 * height > 600  # two panels


def test_the_page_loads_nothing_and_runs_nothing(hurried: Demo, tmp_path: Path) -> None:
    save_demo(DemoFolder(tmp_path), hurried)
    text = (tmp_path / "suspects.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r'"data:[^"]*"', "", text))
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "form", "object", "a"} == set()
    (policy,) = [
        attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256("".join(page.texts["style"]).encode()).digest()).decode()
    assert policy is not None
    assert set(policy.split("; ")) == {
        *("default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"),
        f"style-src 'sha256-{digest}'",
    }
    assert not any("style" in attrs or any(name.startswith("on") for name in attrs) for _, attrs in page.tags)
    assert any(attrs.get("name") == "viewport" for _, attrs in page.tags)


def test_the_images_are_the_suspects_images(hurried: Demo, tmp_path: Path) -> None:
    suspects = save_demo(DemoFolder(tmp_path), hurried)
    page = Page((tmp_path / "suspects.html").read_text(encoding="utf-8"))
    sources = [attrs["src"] or "" for tag, attrs in page.tags if tag == "img"]
    assert len(sources) == 60
    for source, suspect in zip(sources, suspects, strict=True):
        grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
        ink = 16 * (1 - grey / 255)
        np.testing.assert_allclose(ink, hurried.images[suspect.place], atol=0.05)


def test_names_are_escaped() -> None:
    suspect = Suspect(0, 7, 0, 1, 0.97, 1)
    nasty = ['<script>alert("0")</script>', "a & 'b'"]
    text = suspects_page([suspect], torch.zeros(1, 8, 8), nasty, remark="<b>x</b>")
    page = Page(text)
    assert {"script", "b"} & {tag for tag, _ in page.tags} == set()
    assert "".join(page.texts["dd"]) == nasty[0] + nasty[1] + "97.0 %"


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
    with pytest.raises(InputError, match="is a file; name another with --out"):
        DemoFolder(tmp_path / "file")
    with pytest.raises(InputError, match="cannot make the output folder"):
        DemoFolder(tmp_path / "file" / "below")


def test_the_command_says_what_it_found(
    hurried: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noiselayer.demo, "run_demo", lambda seed, on_step: hurried)
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    for method, error in hurried.test_error.items():
        assert re.search(rf"{method} .*{error:.1f} %", done.stdout)
    wrong = sum(s.given_label != s.true_label for s in find_suspects(hurried))
    assert f"Of the 60 labels it is surest are wrong, {wrong} are wrong." in done.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES


def test_the_command_refuses_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noiselayer.demo, "run_demo", lambda seed, on_step: pytest.fail("it trained"))
    (tmp_path / "thesis.tex").write_text("")
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "holds thesis.tex" in done.stderr.replace("\n", " ")


def test_a_failure_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(seed: int, on_step: object) -> Demo:
        raise KeyboardInterrupt

    monkeypatch.setattr(noiselayer.demo, "run_demo", stopped)
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert done.exit_code == 130
    assert not (tmp_path / "out").exists()
