"""The page behind its password, in headless Chromium: the form works under its own policy, and so does the page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import CHROMIUM, QUIET
from tests.browser.test_page import ask
from tests.ui import station

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The page with a password, over a small workspace."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    folder = station.write(tmp_path / "station")
    command = [sys.executable, "-m", "tests.browser.served", str(folder)]
    environ = os.environ | {"HOPLITE_PASSWORD": PASSWORD}
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=-1, text=True, env=environ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()
        server.communicate(timeout=20)


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    """A tab that went to the page and was shown the form."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        tab = browser.new_page()
        tab.goto(address)
        yield tab
        browser.close()


def log_in(page: Page, password: str) -> None:
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_who_knows_the_password_gets_in_asks_and_leaves(page: Page, address: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    assert page.url == f"{address}login"
    log_in(page, "wrong")
    assert page.get_by_role("alert").inner_text() == "That is not the password."
    log_in(page, PASSWORD)
    page.wait_for_url(address)
    page.locator("body[data-ready]").wait_for(timeout=60_000)
    ask(page)
    assert page.locator("a.cite").count() > 0
    assert page.evaluate("document.cookie") == ""
    assert [line for line in said if "Content Security Policy" in line] == []
    page.locator("#theme a", has_text="Log out").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{address}login")
    page.goto(address)
    assert page.url == f"{address}login"


def test_after_five_wrong_ones_the_form_says_how_long_to_wait(page: Page) -> None:
    for _ in range(6):
        log_in(page, "wrong")
    assert "Try again in" in page.get_by_role("alert").inner_text()
