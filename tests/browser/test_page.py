"""The real page in headless Chromium: a question asked, steps seen, a citation opened, nothing fetched elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.canary import Canary, watching
from tests.browser.conftest import opened, serving
from tests.ui import station

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
QUESTION = "Readings older than how many days are deleted every night?"


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with watching() as server:
        yield server


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, canary: Canary, browser: Browser) -> Iterator[str]:
    """The page over a small workspace, its guide holding a picture on the canary."""
    folder = station.write(tmp_path_factory.mktemp("served") / "station", canary.server_port)
    with serving("tests.browser.served", folder) as at:
        yield at


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    """A tab at the page, in which nothing was asked yet."""
    context = browser.new_context()
    yield opened(context.new_page(), address)
    context.close()


def ask(page: Page, question: str = QUESTION, number: int = 0) -> None:
    page.wait_for_timeout(300)  # what is typed in the instant in which Gradio empties the box is lost
    page.locator("#question textarea").fill(question)
    page.locator("#ask").click()
    page.locator("#history .turn .answer").nth(number).wait_for(timeout=60_000)


def test_a_question_is_asked_a_step_seen_and_a_citation_opened(page: Page) -> None:
    ask(page)
    page.locator(".all-steps > summary").click()
    assert page.locator(".step", has_text="search").count() == 1
    assert page.locator("details.source[open]").count() == 0
    page.locator("a.cite").first.click()
    opened = page.locator("details.source[open]")
    assert "guide.md" in opened.inner_text()
    assert "HERON_RETENTION" in opened.locator("tr.cited").first.inner_text()


def test_what_is_indexed_is_said_and_another_question_follows_the_first(page: Page) -> None:
    ask(page)
    assert "3 documents" in page.locator("#about").inner_text()
    ask(page, "Zebras?", 1)
    page.locator("#history .answer.abstained").wait_for(timeout=60_000)
    assert page.locator("#history .turn").count() == 2
    assert page.locator("details.source").count() == 0


def test_nothing_is_fetched_from_elsewhere(page: Page, address: str, canary: Canary) -> None:
    elsewhere: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(address) else elsewhere.append(request.url))
    page.reload()
    page.locator("body[data-ready]").wait_for(timeout=60_000)
    ask(page, "A picture that must never load")
    for source in page.locator("details.source summary").all():
        source.click()
    assert "pixel.png" in page.content()
    assert (elsewhere, canary.asked) == ([], 0)


def test_every_view_fits_a_narrow_screen_and_a_link_finds_a_tab_that_does_not(address: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 800})
    page = opened(context.new_page(), address)
    ask(page)
    link = page.locator('a.opens[href^="#open/traces/"]').first
    wide = {}
    for view in ("library", "traces", "evaluation", "memory", "settings"):
        page.evaluate(f"tabOf('{view}').click()")
        page.locator(f"#view-{view}").wait_for(state="visible", timeout=20_000)
        page.wait_for_timeout(500)
        wide[view] = page.evaluate("document.documentElement.scrollWidth")
    assert {view: width for view, width in wide.items() if width > 375} == {}
    page.evaluate("tabOf('chat').click()")
    page.set_viewport_size({"width": 300, "height": 800})
    page.locator("#view-traces-button").wait_for(state="detached", timeout=20_000)
    link.click()
    page.locator("#trace .waterfall").wait_for(timeout=20_000)
    context.close()
