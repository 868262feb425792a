"""The real page in headless Chromium: a small evaluation is run and opened down to a trace; a setting is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import opened, serving
from tests.ui import station

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WAIT = 60_000
QUESTIONS = (
    "Readings older than how many days are deleted every night?",
    "What does sweep() delete?",
    "Who <b>wrote</b> the guide?",
)


@pytest.fixture
def page(tmp_path: Path, browser: Browser) -> Iterator[Page]:
    """A tab at the page over a station with a question set in it."""
    folder = station.write(tmp_path / "station")
    lines = [
        {"id": f"q{n}", "question": text, "answers": ["45"], "type": f"t{n % 2}"} for n, text in enumerate(QUESTIONS)
    ]
    (folder / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with serving("tests.browser.served", folder) as address:
        tab = opened(browser.new_page(), address)
        yield tab
        tab.close()


def test_a_small_evaluation_is_run_and_a_rows_trace_opened(page: Page) -> None:
    page.locator("#view-evaluation-button").click()
    page.locator("#set input").click()
    page.locator("[role=option]", has_text="mine.jsonl").first.click()
    page.locator("#run-model textarea").fill("none")
    page.locator("#start-batch").click()
    page.locator("#batch a.opens").click(timeout=WAIT)
    page.locator("#run-numbers svg text", has_text="f1").first.wait_for(timeout=WAIT)
    assert "3 of 3" in page.locator("#run-numbers .facts").inner_text()
    rows = page.locator("#run-questions details.question")
    assert rows.count() == 3
    assert page.locator("#run-questions b", has_text="wrote").count() == 0
    with page.expect_download() as download:
        page.locator("#run-head a", has_text="Report as HTML").click()
    assert download.value.suggested_filename.endswith(".html")
    row = rows.filter(has=page.locator("summary .id:text-is('q0')"))
    row.locator("summary").first.click()
    row.locator("a.opens", has_text="Its trace").click()
    page.locator("#trace .waterfall").wait_for(timeout=WAIT)
    assert QUESTIONS[0] in page.locator("#trace h3").inner_text()


def test_a_setting_is_changed_and_says_where_it_comes_from(page: Page) -> None:
    page.locator("#view-settings-button").click()
    row = page.locator("#settings-table tr").filter(has=page.locator("td:text-is('max_steps')"))
    row.wait_for(timeout=WAIT)
    assert "default" in row.inner_text()
    page.locator("#set-max_steps input").fill("5")
    page.locator("#save").click()
    page.locator("#settings-said .good").wait_for(timeout=WAIT)
    assert "your own config.toml" in row.inner_text()
    page.locator("#test-sandbox").click()
    page.locator("#sandboxed", has_text="network blocked").wait_for(timeout=WAIT)
