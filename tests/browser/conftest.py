"""Headless Chromium, and servers in processes of their own, as in use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def serving(module: str, *words: object) -> Iterator[str]:
    """Run a module that prints its page's address, and give that."""
    # A process of its own, as in use: Gradio leaves loops and sockets to the end of its process.
    command = [sys.executable, "-m", module, *map(str, words)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=-1, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            server.communicate(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def opened(page: Page, address: str) -> Page:
    """Go to the page and wait until it listens to clicks."""
    page.goto(address)
    page.locator("body[data-ready]").wait_for(timeout=60_000)
    return page
