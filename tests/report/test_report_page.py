"""The page as text: what is in it, that it is safe and small, and that its numbers are the matrix's."""

import base64
import hashlib
import io
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from report_contents import HOSTILE, hostile_content, many_classes

from noiselayer.estimation.in_words import strongest_confusions
from noiselayer.report.content import ReportContent, StageLosses, Suspect
from noiselayer.report.matrix_drawing import picture_matrix, pool
from noiselayer.report.page import render_report
from noiselayer.report.thumbnails import tensor_thumbnail
from noiselayer.report.wording import clip

CSS = (Path(__file__).parents[2] / "src/noiselayer/report/web/report.css").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Every tag with its attributes, and the text below each."""

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


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.mark.parametrize("content", [hostile_content(), many_classes(3)], ids=["hostile", "plain"])
def test_the_policy_lets_the_page_run_itself_alone(content: ReportContent) -> None:
    text = render_report(content)
    page = Page(text)
    state, script = page.texts["script"]
    (policy,) = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert set(policy.split("; ")) == {
        *("default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"),
        f"style-src '{digest(''.join(page.texts['style']))}'",
        f"script-src '{digest(script)}'",
    }
    # The policy stands before anything that it has to rule.
    assert [tag for tag, _ in page.tags][:4] == ["html", "head", "meta", "meta"]
    assert not any("style" in a or any(name.startswith("on") for name in a) for _, a in page.tags)
    assert {tag for tag, _ in page.tags} & {"link", "iframe", "form", "object", "embed", "base", "b"} == set()
    assert all((a.get("href") or "#").startswith("#") for _, a in page.tags)
    assert not re.search(
        r"https?:|url\(|@import|fetch\(|XMLHttp|eval\(|innerHTML", script + "".join(page.texts["style"])
    )
    assert json.loads(state)["classNames"] == list(content.class_names)
    assert render_report(content) == text


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=300))
def test_any_text_can_be_a_name(name: str) -> None:
    content = ReportContent(
        name, [name], [name, name + "!"], suspects=[Suspect(0, name, 0, 1, 0.5)], noise_matrix=np.eye(2)
    )
    text = render_report(content)
    text.encode("utf-8")  # also lone surrogates, which names of files may hold
    page = Page(text)
    assert [tag for tag, _ in page.tags if tag == "script"] == ["script", "script"]
    assert json.loads(page.texts["script"][0])["classNames"][0] == name
    shown = clip(name)
    assert 0 < len(shown) <= 60
    assert not re.search("[\u0000-\u001f\u202a-\u202e\u2066-\u2069]", shown)


def test_long_names_are_clipped_where_they_are_shown() -> None:
    page = Page(render_report(hostile_content()))
    shown = [text for tag, texts in page.texts.items() if tag not in ("script", "style") for text in texts]
    assert max(map(len, shown)) < 3000
    assert clip(HOSTILE[3], 20) == "x" * 19 + "…"


@pytest.mark.parametrize("K", [3, 40, 41, 1000])
def test_pages_stay_small(K: int) -> None:
    text = render_report(many_classes(K))
    assert len(text.encode()) < 5_000_000
    page = Page(text)
    assert text.count("<title>true ") == (K * K if K <= 40 else 0)
    assert sum(tag == "image" for tag, _ in page.tags) == (K > 40)


@given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 10))
def test_pooling_is_the_largest_of_every_square(K: int, width: int, seed: int) -> None:
    Q = np.random.default_rng(seed).dirichlet(np.ones(K), size=K).T
    pooled = pool(Q, width)
    side = -(-K // width)
    assert pooled.shape == (side, side)
    for j in range(side):
        for i in range(side):
            square = [
                (a, b)
                for a in range(j * width, min(K, (j + 1) * width))
                for b in range(i * width, min(K, (i + 1) * width))
            ]
            expected = min(Q[a, a] for a, _ in square) if i == j else max(Q[a, b] for a, b in square)
            assert pooled[j, i] == expected


def test_cells_and_pixels_stand_where_the_matrix_has_them() -> None:
    Q = many_classes(5).noise_matrix
    assert Q is not None
    picture = picture_matrix(Q, [f"c{k}" for k in range(5)])
    found = re.findall(
        r"<title>true \u2068c(\d)\u2069, label \u2068c(\d)\u2069: ([<\d. ]+) %", unescape(picture.svg)
    )
    assert len(found) == 25
    for true, label, percent in found:
        value = 100 * Q[int(label), int(true)]
        assert (value < 0.05) if "<" in percent else float(percent) == pytest.approx(value, abs=0.051)
    values = np.frombuffer(base64.b64decode(picture.values), "<u2").reshape(5, 5)
    np.testing.assert_allclose(values / 10_000, Q, atol=0.00006)
    Q = many_classes(60).noise_matrix
    assert Q is not None
    large = picture_matrix(Q, [f"c{k}" for k in range(60)])
    (image,) = re.findall(r'href="data:image/png;base64,([^"]*)"', large.svg)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(image))).convert("RGBA"))
    off = ~np.eye(60, dtype=bool)
    strength = pixels[..., 3] / 255
    np.testing.assert_allclose(strength[off] ** 2 * Q[off].max(), Q[off], atol=0.02)
    np.testing.assert_allclose(strength.diagonal() ** 2, Q.diagonal(), atol=0.02)


@given(st.integers(2, 9), st.integers(1, 90), st.integers(0, 9))
def test_confusions_are_the_largest_entries(K: int, limit: int, seed: int) -> None:
    Q = np.random.default_rng(seed).dirichlet(np.full(K, 0.3), size=K).T
    error = np.arange(K * K).reshape(K, K) / 1000
    expected = sorted((-Q[j, i], j, i) for j in range(K) for i in range(K) if i != j and Q[j, i] >= 0.001)[
        :limit
    ]
    found = strongest_confusions(Q, error, limit=limit)
    assert [(-c.share, c.label, c.true) for c in found] == expected
    assert all(c.error == error[c.label, c.true] for c in found)


def test_a_confusion_in_words() -> None:
    Q = np.array([[0.88, 0.0], [0.12, 1.0]])
    text = render_report(
        ReportContent("", [], ["cat", "dog"], noise_matrix=Q, standard_error=np.full((2, 2), 0.02))
    )
    words = re.sub(r"<[^>]+>", "", text)
    assert "12 % of true cat carry the label dog, ± 2" in words


def test_a_confusion_that_may_be_chance_is_not_listed() -> None:
    Q = np.array([[0.88, 0.3], [0.12, 0.7]])
    error = np.array([[0.2, 0.02], [0.21, 0.02]])
    text = render_report(ReportContent("", [], ["cat", "dog"], noise_matrix=Q, standard_error=error))
    listed = re.sub(r"<[^>]+>", "", re.search(r'<ol class="confusions">.*?</ol>', text, re.DOTALL)[0])
    assert "30 % of true dog carry the label cat" in listed
    assert "of true cat" not in listed
    error[0, 1] = np.inf
    text = render_report(ReportContent("", [], ["cat", "dog"], noise_matrix=Q, standard_error=error))
    assert "No confusion can be told from chance" in text


def test_two_pictures_on_one_page_share_no_name_and_hold_no_style() -> None:
    stages = [StageLosses("one", (3.0, 2.0), (2.0, 1.5), joined=1, best=1)]
    text = render_report(
        ReportContent("", [], ["a", "b"], noise_matrix=np.eye(2), stages=stages, noise_floor=0.5)
    )
    page = Page(text)
    names = [a["id"] for _, a in page.tags if "id" in a]
    assert len(names) == len(set(names))
    asked = {name for name in re.findall(r'(?:href="|url\()#([^")]+)', text) if not name.isalpha()}
    assert asked <= set(names)
    pictures = [a for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    assert [a["aria-labelledby"] for a in pictures] == [
        "matrix-title matrix-desc",
        "wide-title wide-desc",
        "narrow-title narrow-desc",
    ]
    assert "one: training loss from 3.000 to 2.000, validation loss from 2.000 to 1.500." in text
    # Colours by name alone, so that the page's dark mode reaches them.
    colours = {a.get(key) for _, a in page.tags for key in ("fill", "stroke")} - {None, "none"}
    assert colours > {"var(--diagonal)", "var(--off)"}
    assert {c for c in colours if not str(c).startswith("var(--")} == set()


def _luminance(color: np.ndarray) -> float:
    c = color / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("cell", ["diagonal", "off"])
def test_numbers_stand_out_from_cells_of_any_strength(mode: int, cell: str) -> None:
    def color(name: str) -> np.ndarray:
        return np.array(
            [int(v, 16) for v in re.findall("..", re.findall(rf"--{name}: #(\w{{6}})", CSS)[mode])]
        )

    for strength in np.linspace(0, 1, 21):
        behind = _luminance(strength * color(cell) + (1 - strength) * color("paper"))
        text = _luminance(color("ink"))
        assert (max(behind, text) + 0.05) / (min(behind, text) + 0.05) > 4.5


@pytest.mark.parametrize(
    ("sample", "pixel"),
    [
        (np.full((3, 4, 4), 200, np.uint8), (200, 200, 200)),
        (np.full((1, 4, 4), 0.5, np.float32), (128, 128, 128)),
        (np.full((1, 4, 4), 77.0, np.float32), (77, 77, 77)),
        (np.stack([np.full((2, 2), v, np.uint8) for v in (0, 0, 0, 0)]), (255, 255, 255)),
    ],
)
def test_thumbnails_show_the_pixels(sample: np.ndarray, pixel: tuple[int, ...]) -> None:
    import torch

    uri = tensor_thumbnail(torch.from_numpy(sample))
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        assert image.convert("RGB").getpixel((1, 1)) == pixel


def test_content_that_fits_no_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"noise_matrix must be 2 x 2 for 2 class names; got \(3, 3\)"):
        ReportContent("", [], ["a", "b"], noise_matrix=np.eye(3))
    with pytest.raises(ValueError, match=r"classes in 0\.\.1; sample 5 has given = 0, suggested = 2"):
        ReportContent("", [], ["a", "b"], suspects=[Suspect(5, "5", 0, 2, 0.5)])
