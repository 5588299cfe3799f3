"""Reports in a real browser: opened from a file, reviewed by keyboard, exported, and applied."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_contents import HOSTILE, hostile_content, many_classes
from typer.testing import CliRunner

from noiselayer.cli.app import app
from noiselayer.jobs.demo.digits import Demo
from noiselayer.jobs.demo.output import DemoFolder, save_demo
from noiselayer.report.content import ReportContent, Suspect
from noiselayer.report.page import save_report
from noiselayer.report.thumbnails import image_uri
from noiselayer.storage.review.decisions import read_decisions

Opened = Callable[..., Any]

# Every text that can be seen, with the colours it is read in; a background may shine through several layers.
CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || element.closest("svg, script, style, noscript, option, dialog, :disabled")) continue;
    if (!element.checkVisibility() || element.closest(".visually-hidden, .skip")) continue;
    let behind = [0, 0, 0, 0];
    for (let e = element; e && behind[3] < 1; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      const left = (1 - behind[3]) * a;
      behind = [behind[0] + left * r, behind[1] + left * g, behind[2] + left * b, behind[3] + left];
    }
    const text = luminance(parse(getComputedStyle(element).color).slice(0, 3));
    const paper = luminance(behind.slice(0, 3));
    const ratio = (Math.max(text, paper) + 0.05) / (Math.min(text, paper) + 0.05);
    found.push([element.className + " " + element.textContent.slice(0, 30), ratio]);
  }
  return found;
}"""


def visible_cards(page: Any) -> list[int]:
    """Samples of the cards that can be seen, page after page, in their order."""
    cards = page.locator(".card:not([hidden])")
    labels: list[str] = cards.evaluate_all("cards => cards.map(c => c.ariaLabel)")
    return [int(label.split()[1].rstrip(":")) for label in labels]


def exported(page: Any, button: str) -> tuple[str, str]:
    """The name and the content of the file that a button exports."""
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo_folder(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Suspect]]:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    return folder, save_demo(DemoFolder(folder), demo)


def test_ten_suspects_by_keyboard_and_then_corrected_labels(
    opened: Opened, demo_folder: tuple[Path, list[Suspect]], demo: Demo, tmp_path: Path
) -> None:
    folder, suspects = demo_folder
    path = folder / "suspects.html"
    watched = opened(path)
    page = watched.page
    assert visible_cards(page) == [s.sample for s in suspects]

    # Only one pair of classes, in the order of the data.
    given, suggested = suspects[0].given, suspects[0].suggested
    alike = [s.sample for s in suspects if (s.given, s.suggested) == (given, suggested)]
    page.select_option("#pair", f"{given}-{suggested}")
    assert visible_cards(page) == alike
    page.select_option("#sort", "sample")
    assert visible_cards(page) == sorted(alike)
    page.select_option("#pair", "")
    assert visible_cards(page) == sorted(s.sample for s in suspects)
    page.select_option("#sort", "sure")

    # Ten decisions without the mouse: three kinds of them, and two taken back.
    page.focus("#start")
    page.keyboard.press("Enter")
    keys = "aaraaparaara"
    for key in keys:
        page.keyboard.press(key)
        if key == "p":
            page.keyboard.type(str((suspects[5].suggested + 1) % 10))
            page.keyboard.press("Enter")
    assert page.inner_text("#progress") == "12 of 60 reviewed"
    page.keyboard.press("u")
    page.keyboard.press("u")
    assert page.inner_text("#progress") == "10 of 60 reviewed"

    # What was decided is still there when the page is opened anew.
    page.reload()
    assert page.inner_text("#progress") == "10 of 60 reviewed"
    page.select_option("#status", "done")
    assert visible_cards(page) == [s.sample for s in suspects[:10]]
    page.select_option("#status", "open")
    assert visible_cards(page) == [s.sample for s in suspects[10:]]

    expected = {}
    for suspect, key in zip(suspects[:10], keys, strict=False):
        new = {
            "a": suspect.suggested,
            "r": suspect.given,
            "p": (suspect.suggested + 1) % 10,
        }[key]
        kind = {"a": "accept", "r": "reject", "p": "pick"}[key]
        if key == "p" and new == suspect.given:
            kind = "reject"
        expected[suspect.sample] = (str(suspect.given), kind, str(new))
    name, text = exported(page, "#csv")
    assert name == "decisions.csv"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {int(r["sample"]): (r["given_label"], r["decision"], r["new_label"]) for r in rows} == expected
    name, other = exported(page, "#json")
    assert [[str(v) for v in row.values()] for row in json.loads(other)["decisions"]] == [
        list(r.values()) for r in rows
    ]

    (tmp_path / "decisions.csv").write_text(text, encoding="utf-8")
    files = [str(folder / "digits.npz"), str(tmp_path / "decisions.csv")]
    out = tmp_path / "corrected.npz"
    done = CliRunner().invoke(app, ["apply-review", *files, "--labels", "labels", "--out", str(out)])
    assert done.exit_code == 0, done.output
    corrected = demo.noisy_labels.numpy().copy()
    for place, (_, _, new) in expected.items():
        corrected[place] = int(new)
    with np.load(out) as arrays:
        np.testing.assert_array_equal(arrays["labels"], corrected)
    watched.check(path)


def test_the_mouse_does_what_the_keys_do(opened: Opened, demo_folder: tuple[Path, list[Suspect]]) -> None:
    watched = opened(demo_folder[0] / "suspects.html")
    page = watched.page
    card = page.locator(".card").first
    card.get_by_role("button", name="Change to").click()
    assert card.locator(".verdict").inner_text().startswith("Changed to")
    card.get_by_role("button", name="Keep").click()
    assert card.locator(".verdict").inner_text().startswith("Kept as")
    assert card.get_by_role("button", name="Keep").get_attribute("aria-pressed") == "true"
    page.click("#undo")
    assert card.locator(".verdict").inner_text().startswith("Changed to")
    page.locator(".card").nth(2).get_by_role("button", name="Other class…").click()
    page.click("#choices button >> nth=7")
    assert page.inner_text("#progress") == "2 of 60 reviewed"
    page.click("#clear")  # asks whether it may; the watcher says yes
    assert page.inner_text("#progress") == "0 of 60 reviewed"
    assert watched.problems == ["Forget all 2 decisions on this page?"]


def page_of_many(tmp_path: Path, number: int = 45) -> Path:
    """A report of so many suspects with small pictures, two classes among them with odd names."""
    picture = image_uri(np.arange(64, dtype=np.uint8).reshape(8, 8))
    names = ["cat", "dog", "\x1b[31mred", "\U0001f469\u200d\U0001f467 two"]
    suspects = [
        Suspect(k, f"photos/of_{k:03d}.png", k % 4, (k + 1) % 4, 0.9, image=picture, pixels=True)
        for k in range(number)
    ]
    path = tmp_path / "many.html"
    save_report(path, ReportContent("Many", [], names, suspects=suspects))
    return path


def test_labels_that_were_drawn_are_exported_with_their_chances(opened: Opened, tmp_path: Path) -> None:
    suspects = [
        Suspect(k, str(k), 0, 1, 0.9 - 0.1 * k, inclusion_probability=0.5 / (k + 1)) for k in range(3)
    ]
    path = tmp_path / "checks.html"
    save_report(path, ReportContent("Checks", [], ["cat", "dog"], suspects=suspects))
    watched = opened(path)
    watched.page.locator(".card").first.focus()
    for key in "kc":
        watched.page.keyboard.press(key)
    name, text = exported(watched.page, "#csv")
    (tmp_path / name).write_text(text, encoding="utf-8")
    decisions = read_decisions(tmp_path / name)
    assert [(one.sample, one.new_label, one.inclusion_probability) for one in decisions] == [
        (0, "cat", 0.5),
        (1, "dog", 0.25),
    ]
    (tmp_path / "d.json").write_text(exported(watched.page, "#json")[1], encoding="utf-8")
    assert read_decisions(tmp_path / "d.json") == decisions
    watched.check(path)


def test_twenty_cards_a_page_and_every_kind_of_decision(opened: Opened, tmp_path: Path) -> None:
    path = page_of_many(tmp_path)
    watched = opened(path, viewport={"width": 360, "height": 800})
    page = watched.page
    shown = page.locator(".card:visible")
    assert shown.count() == 20
    assert page.evaluate("document.documentElement.scrollHeight") < 12_000
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.click("#after")
    page.click("#after")
    assert shown.count() == 5
    assert page.inner_text("#page") == "41 to 45 of 45"
    assert page.locator("#after").is_disabled()
    page.keyboard.press("Home")
    assert page.inner_text("#page") == "1 to 20 of 45"
    for key in "kcsnx":
        page.keyboard.press(key)
    assert page.inner_text("#progress") == "4 of 45 reviewed, 1 unsure"
    page.select_option("#status", "unsure")
    assert visible_cards(page) == [2]
    page.select_option("#status", "open")
    assert visible_cards(page) == [2, *range(5, 45)]
    rows = json.loads(exported(page, "#json")[1])["decisions"]
    assert [(row["decision"], row["new_label"]) for row in rows] == [
        ("reject", "cat"),
        ("accept", "\x1b[31mred"),
        ("unsure", ""),
        ("none", ""),
        ("exclude", ""),
    ]
    assert "\x1b" not in page.inner_text("#cards")
    page.locator(".card:visible").first.focus()
    page.keyboard.press("e")
    assert page.locator("#zoom img").is_visible()
    page.keyboard.press("Escape")
    page.locator(".card:visible img").first.click()
    page.click("#shut")
    assert not page.locator("#zoom").is_visible()
    watched.check(path)


def test_two_tabs_of_a_report_keep_each_others_decisions(opened: Opened, tmp_path: Path) -> None:
    path = page_of_many(tmp_path)
    one = opened(path).page
    other = one.context.new_page()
    other.goto(path.as_uri())
    one.locator(".card").nth(0).get_by_role("button", name="Keep cat").click()
    other.locator(".card").nth(1).get_by_role("button", name="Change to").click()
    assert other.inner_text("#progress") == "2 of 45 reviewed"
    assert "open in another tab" in other.inner_text("#tabs")
    one.reload()
    assert one.inner_text("#progress") == "2 of 45 reviewed"


def test_damaged_progress_is_forgotten_not_trusted(
    opened: Opened, demo_folder: tuple[Path, list[Suspect]]
) -> None:
    path = demo_folder[0] / "suspects.html"
    watched = opened(path)
    page = watched.page
    page.click(".card button >> nth=0")
    key = page.evaluate("Object.keys(localStorage)[0]")
    assert key.startswith("noiselayer-report:")
    accepted = '{"decision":"accept","label":'
    stored = f'{{"decisions":[[0,{accepted}99}}],[999,{accepted}1}}],[1,null]],"past":[]}}'
    for damaged in (stored, "{", "[]", "7"):
        page.evaluate("([key, text]) => localStorage.setItem(key, text)", [key, damaged])
        page.reload()
        assert page.inner_text("#progress") == "0 of 60 reviewed"
    watched.check(path)


def test_names_that_would_do_harm_are_shown_and_never_run(
    opened: Opened, hostile_page: Path, tmp_path: Path
) -> None:
    watched = opened(hostile_page, viewport={"width": 360, "height": 800})
    page = watched.page
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0
    assert HOSTILE[0] in page.inner_text(".errors >> nth=0")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    shown = page.locator("dd, th, li, text, option").all_text_contents()
    assert max(len(text) for text in shown if "xxxx" in text) < 2500
    for key in ("a", "r"):
        page.click("#start")
        page.keyboard.press(key)
    page.keyboard.press("p")
    page.keyboard.type("xxxx")
    page.keyboard.press("Enter")
    rows = json.loads(exported(page, "#json")[1])["decisions"]
    assert [row["id"] for row in rows] == [HOSTILE[2], HOSTILE[3], HOSTILE[4]]
    assert [row["new_label"] for row in rows] == [HOSTILE[1], HOSTILE[1], HOSTILE[3]]
    text = exported(page, "#csv")[1]
    assert [row["new_label"] for row in csv.DictReader(io.StringIO(text))] == [
        row["new_label"] for row in rows
    ]
    watched.check(hostile_page)


def test_exported_names_of_any_kind_can_be_applied(
    opened: Opened, hostile_page: Path, tmp_path: Path
) -> None:
    suspects = hostile_content().suspects
    page = opened(hostile_page).page
    for _ in suspects[:-1]:
        page.click("#start")
        page.keyboard.press("a")
    # The table's own ids: rows; the page's ids here are nobody's.
    rows = list(csv.DictReader(io.StringIO(exported(page, "#csv")[1])))
    frame = pd.DataFrame(
        {"image": [s.id for s in suspects[:-1]], "label": [HOSTILE[s.given] for s in suspects[:-1]]}
    )
    frame.to_parquet(tmp_path / "data.parquet")
    pd.DataFrame(rows).to_csv(tmp_path / "decisions.csv", index=False)
    done = CliRunner().invoke(
        app,
        [
            "apply-review",
            str(tmp_path / "data.parquet"),
            str(tmp_path / "decisions.csv"),
            "--image-column",
            "image",
        ],
    )
    assert done.exit_code == 0, done.output
    corrected = pd.read_parquet(tmp_path / "data.corrected.parquet")
    assert corrected["label"].tolist() == [HOSTILE[s.suggested] for s in suspects[:-1]]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_fits_and_can_be_read(opened: Opened, demo_folder: tuple[Path, list[Suspect]], mode: str) -> None:
    page = opened(demo_folder[0] / "suspects.html", color_scheme=mode).page
    page.click(".card button >> nth=0")
    page.locator(".card").nth(1).get_by_role("button", name="Unsure").click()
    page.click("summary")
    for width in (360, 800, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        found = page.evaluate(CONTRASTS)
        assert len(found) > 300
        assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []


def test_without_scripts_everything_can_be_read(
    opened: Opened, demo_folder: tuple[Path, list[Suspect]]
) -> None:
    watched = opened(demo_folder[0] / "suspects.html", java_script_enabled=False)
    page = watched.page
    assert page.locator(".card:visible").count() == 60
    assert page.locator("svg.matrix:visible").count() == 1
    assert page.locator("#start:visible, .buttons:visible, #readout:visible").count() == 0
    assert "decisions cannot be taken" in page.inner_text("noscript")


def test_on_paper_there_is_nothing_to_press(opened: Opened, demo_folder: tuple[Path, list[Suspect]]) -> None:
    page = opened(demo_folder[0] / "suspects.html", color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("button:visible, select:visible, nav:visible").count() == 0
    assert page.locator(".card:visible").count() == 60
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize(("K", "bin"), [(200, 1), (1000, 4)])
def test_many_classes_can_be_pointed_at(opened: Opened, tmp_path: Path, K: int, bin: int) -> None:
    content = many_classes(K)
    assert content.noise_matrix is not None
    path = tmp_path / "many.html"
    save_report(path, content)
    assert path.stat().st_size < 5_000_000
    watched = opened(path)
    page = watched.page
    picture = page.locator("svg.matrix #cells")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    i, j = 30, 100  # of the picture: true class, label
    side = K // bin
    page.mouse.move(box["x"] + box["width"] * (i + 0.5) / side, box["y"] + box["height"] * (j + 0.5) / side)
    square = content.noise_matrix[j * bin : (j + 1) * bin, i * bin : (i + 1) * bin]
    text = page.inner_text("#readout").replace("\u2068", "").replace("\u2069", "")
    assert f"{100 * square.max():.1f} %" in text
    assert f"of true class {i * bin}" in text.lower()
    assert f"label class {j * bin}" in text
    watched.check(path)


def test_a_square_is_read_with_its_uncertainty(opened: Opened, hostile_page: Path) -> None:
    page = opened(hostile_page).page
    square = page.locator("#cells path").nth(1)  # label 0, true class 1
    square.scroll_into_view_if_needed()
    square.hover()
    assert page.inner_text("#readout").endswith(", ± 2.0.")
    square = page.locator("#cells path").nth(len(HOSTILE) * 1)  # label 1, true class 0
    square.hover()
    text = page.inner_text("#readout")
    assert "30.0 % carry the label" in text
    assert text.index("window.hacked = 1") < text.index("carry the label") < text.index("onerror")
