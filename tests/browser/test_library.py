"""The library in headless Chromium: a folder added and seen to its end, documents and names opened, a file dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import opened, serving
from tests.ui import station

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return station.write(tmp_path_factory.mktemp("served") / "station")


@pytest.fixture(scope="module")
def address(folder: Path, browser: Browser) -> Iterator[str]:
    with serving("tests.browser.served", folder) as at:
        yield at


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    """A tab that shows the library."""
    context = browser.new_context()
    page = opened(context.new_page(), address)
    page.locator("#view-library-button").click()
    page.locator("#library-list li").first.wait_for(timeout=30_000)
    yield page
    context.close()


def test_a_folder_is_added_and_its_progress_seen_to_its_end(page: Page, folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "notes.md").write_text("# Notes\n\nWhat `sweep()` leaves.\n")
    page.locator("#library-what textarea").fill(str(folder / "more"))
    page.locator("#library-go").click()
    page.locator("#library-job", has_text=re.compile("1 new in .* are indexed")).wait_for(timeout=60_000)
    page.locator("#library-list a", has_text="more/notes.md").click()
    page.locator("#library-detail td", has_text="leaves").wait_for(timeout=30_000)


def test_what_is_not_allowed_is_said(page: Page) -> None:
    page.locator("#library-what textarea").fill("/etc")
    page.locator("#library-go").click()
    page.locator("#library-job .bad", has_text="outside of what this page may index").wait_for(timeout=30_000)


def test_a_name_is_drawn_and_a_click_in_its_picture_leads_on(page: Page) -> None:
    page.locator("#library-list a", has_text="src/store.py").click()
    page.locator("#library-detail details.chunk summary").first.click()
    page.locator("#library-detail details.chunk a", has_text=re.compile("^HERON_RETENTION$")).first.click()
    page.locator("#library-detail svg .middle text", has_text="HERON_RETENTION").wait_for(timeout=30_000)
    assert page.locator("#library-detail svg a.node.prose").count() >= 1
    page.locator("#library-detail svg a.node.prose").first.click()
    page.locator("#library-detail tr.cited").first.wait_for(timeout=30_000)
    assert "guide.md" in page.locator("#library-detail h3").inner_text()


def test_a_file_is_dropped_and_removed_again(page: Page, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("# Plan\n\nThe heron lands at noon.\n")
    page.locator("#library-drop input[type=file]").set_input_files(tmp_path / "plan.md")
    page.locator("#library-job", has_text="1 new in").wait_for(timeout=60_000)
    page.locator("#library-list a", has_text="uploads/plan.md").click()
    page.locator("#library-detail td", has_text="lands at noon").wait_for(timeout=30_000)
    page.locator("#library-detail a", has_text="remove").first.click()
    page.locator("#library-remove").click()
    page.locator("#library-detail", has_text="1 document and 1 passage forgotten").wait_for(timeout=30_000)
    page.locator("#library-list a", has_text="uploads/plan.md").wait_for(state="detached", timeout=30_000)


def test_a_collection_is_made_filters_the_list_and_is_asked_in(page: Page) -> None:
    page.locator("#library-collections").get_by_text("Collections, to ask").click()
    page.locator("#collection-name textarea").fill("code")
    page.locator("#collection-globs textarea").fill("src/*")
    page.locator("#collection-save").click()
    page.locator("#collection-said", has_text="2 documents in it").wait_for(timeout=30_000)
    page.locator("#library-within input").click()
    page.get_by_role("option", name="code").click()
    page.locator("#library-list", has_text="1 to 2 of 2").wait_for(timeout=30_000)
    page.locator("#view-chat-button").click()
    page.locator("#ask-in input").click()
    page.get_by_role("option", name="code").click()
    page.locator("#question textarea").fill("Readings older than how many days are deleted every night?")
    page.locator("#ask").click()
    page.locator("#history .turn .answer").wait_for(timeout=60_000)
    cited = page.locator("#sources details.source summary").all_inner_texts()
    assert [each for each in cited if "guide.md" in each] == [], "what lies outside is not cited"
