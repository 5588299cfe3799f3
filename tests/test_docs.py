"""The documentation's code runs, its links lead somewhere, and the site's pages are all in its navigation."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# A block that needs data or a package that is not there says so in a comment before it.
BLOCK = re.compile(r"(<!-- not run: [^\n]+ -->\n)?^```python\n(.*?)^```$", re.M | re.S)


def runnable(page: Path) -> list[str]:
    return [code for reason, code in BLOCK.findall(page.read_text(encoding="utf-8")) if not reason]


# The front page trains a network on all digits, as the demonstration does; annotators' page trains five.
LONG = {"index.md": [pytest.mark.slow], "annotators.md": [pytest.mark.slow]}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, id=str(p.relative_to(DOCS)), marks=LONG.get(str(p.relative_to(DOCS)), []))
        for p in PAGES
        if runnable(p)
    ],
)
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    for number, code in enumerate(runnable(page), start=1):
        exec(compile(code, f"{page.name}, block {number}", "exec"), names)
    if page.name == "index.md":  # it shows a classifier that works
        assert names["error"] < 0.15


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "#")):
            continue
        path, _, _ = target.partition("#")
        assert (page.parent / path).exists(), f"{page.name} links to {target}"


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"[\w/-]+\.md", text[text.index("\nnav:") :])
    assert sorted(listed) == [str(page.relative_to(DOCS)) for page in PAGES]
