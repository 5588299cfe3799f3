"""A real browser, and pages to open in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from report_contents import hostile_content

from noiselayer.jobs.demo.digits import Demo, run_demo
from noiselayer.report.page import save_report

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# A browser under test speaks to nobody.
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; tests that need it are skipped where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("needs Chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield launched
        launched.close()


class Watched:
    """A page, and all that went wrong on it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: (self.problems.append(dialog.message), dialog.accept()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', e => console.error('refused', e.violatedDirective))"
        )

    def check(self, path: Path) -> None:
        """Nothing was complained of, and nothing but the file itself was asked for."""
        assert self.problems == []
        elsewhere = [url for url in self.requests if not url.startswith(("data:", "blob:"))]
        assert set(elsewhere) == {path.as_uri()}


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Watched]]:
    """Open a file as somebody does who has been sent it; ``options`` are of the browser's context."""
    contexts = []

    def open_page(path: Path, **options: Any) -> Watched:
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        context.set_default_timeout(60_000)  # a busy machine; nothing is waited for that does not come
        watched = Watched(context.new_page())
        watched.page.goto(path.as_uri())
        return watched

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def demo() -> Demo:
    """A demonstration in a hurry."""
    return run_demo(seed=3, max_epochs=2, warm_up_epochs=2, start="confusion")


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "report <b>&.html"
    save_report(path, hostile_content())
    return path
