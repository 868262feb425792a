"""The real page in headless Chromium: a question asked, steps seen, a citation opened, nothing fetched elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.canary import Canary, watching
from tests.ui import station

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUESTION = "Readings older than how many days are deleted every night?"
QUIET = ["--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture
def canary() -> Iterator[Canary]:
    with watching() as server:
        yield server


@pytest.fixture
def address(tmp_path: Path, canary: Canary) -> Iterator[str]:
    """The page over a small workspace, its guide holding a picture on the canary."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    folder = station.write(tmp_path / "station", canary.server_port)
    # A process of its own, as in use: Gradio leaves loops and sockets to the end of its process.
    command = [sys.executable, "-m", "tests.browser.served", str(folder)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=-1, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()
        server.communicate(timeout=20)


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    """A tab at the page, in which nothing was asked yet."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        tab = browser.new_page()
        tab.goto(address)
        yield tab
        browser.close()


def ask(page: Page, question: str = QUESTION) -> None:
    page.locator("#about p").wait_for(timeout=60_000)  # before it, the page listens to no click yet
    page.locator("#question textarea").fill(question)
    page.locator("#ask").click()
    page.locator(".answer:not(.draft)").wait_for(timeout=60_000)


def test_a_question_is_asked_a_step_seen_and_a_citation_opened(page: Page) -> None:
    ask(page)
    assert page.locator(".step", has_text="search").count() == 1
    assert page.locator("details.source[open]").count() == 0
    page.locator("a.cite").first.click()
    opened = page.locator("details.source[open]")
    assert "guide.md" in opened.inner_text()
    assert "HERON_RETENTION" in opened.locator("tr.cited").first.inner_text()


def test_what_is_indexed_is_said_and_another_question_replaces_the_first(page: Page) -> None:
    ask(page)
    assert "3 documents" in page.locator("#about").inner_text()
    ask(page, "Zebras?")
    page.locator(".answer.abstained").wait_for(timeout=60_000)
    assert page.locator("details.source").count() == 0


def test_nothing_is_fetched_from_elsewhere(page: Page, address: str, canary: Canary) -> None:
    elsewhere: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(address) else elsewhere.append(request.url))
    page.reload()
    ask(page, "A picture that must never load")
    for source in page.locator("details.source summary").all():
        source.click()
    assert "pixel.png" in page.content()
    assert (elsewhere, canary.asked) == ([], 0)
