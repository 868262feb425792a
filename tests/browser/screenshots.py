"""Pictures of each view for the docs: `python -m tests.browser.screenshots docs/screenshots`.

The page is served over the shipped sample, indexed with hashed words and asked without a model, so that the pictures
need no weights and show the same each time. A small evaluation has been run in it before.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from tests.browser.conftest import CHROMIUM, QUIET, opened, serving
from tests.ui import station
from ui.cli import cli

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SAMPLE = Path(__file__).parents[2] / "ui" / "sample"
ASKED = ("For how many days are heron readings kept?", "What does sweep() do with old readings?")
QUESTIONS = (
    {"id": "kept", "question": ASKED[0], "answers": ["400"], "supporting": ["station/settings.py"], "type": "two-hop"},
    {"id": "swept", "question": ASKED[1], "answers": ["fold"], "supporting": ["station/sweep.py"], "type": "one-hop"},
    {"id": "unheard", "question": "Who painted the buoys green?", "unanswerable": True, "type": "unanswerable"},
)
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 375, "height": 812}


def prepare(folder: Path) -> None:
    """Make the folder, its index, and a run of a small evaluation in its workspace."""
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    asked = folder.parent / "questions.jsonl"
    asked.write_text("".join(json.dumps(each) + "\n" for each in QUESTIONS))
    with pytest.MonkeyPatch.context() as patch:
        station.without_weights(patch)
        patch.chdir(folder)
        for words in (["index", "."], ["eval", "run", str(asked), "--model", "none"]):
            done = CliRunner().invoke(cli, words)
            assert done.exit_code == 0, done.output


def taken(browser: Browser, address: str, into: Path) -> None:
    """Ask, look round, and take the pictures."""
    page = opened(browser.new_page(viewport=WIDE, color_scheme="light"), address)
    picture(page, into / "chat-empty.png")
    for number, question in enumerate(ASKED):
        page.locator("#question textarea").fill(question)
        page.locator("#ask").click()
        page.locator("#history .turn .answer").nth(number).wait_for(timeout=60_000)
        page.wait_for_timeout(500)
    page.locator("#history .answer a.cite").locator("visible=true").last.click()
    picture(page, into / "chat.png")
    views: dict[str, Callable[[Page], object]] = {
        "library": name_graph,
        "traces": lambda it: first(it, "traces"),
        "evaluation": lambda it: first(it, "evaluation"),
        "memory": lambda it: first(it, "memory"),
        "settings": lambda it: None,
    }
    for name, look in views.items():
        page.locator(f"#view-{name}-button").click()
        page.wait_for_timeout(2_000)
        look(page)
        page.wait_for_timeout(2_000)
        picture(page, into / f"{name}.png")
    for name, width in (("chat-dark", WIDE), ("chat-narrow", NARROW)):
        other = opened(browser.new_page(viewport=width, color_scheme="dark"), page.url)
        other.locator(".answer").first.wait_for(timeout=60_000)
        picture(other, into / f"{name}.png")
        other.close()


def name_graph(page: Page) -> None:
    """Open a document, and the picture of a name that it defines."""
    page.locator("#view-library a.opens", has_text="station/settings.py").first.click()
    named = page.locator('a.opens[href^="#open/library/name"][href*="HERON_RETENTION"]').first
    named.wait_for(state="attached", timeout=20_000)
    named.evaluate("link => link.click()")  # also where the passage that names it is folded


def first(page: Page, view: str) -> None:
    """Open the first thing that the view lists; a view that lists nothing is shown as it is."""
    links = page.locator(f'#view-{view} a.opens[href^="#open/{view}/"]')
    if links.count():
        links.locator("visible=true").first.click(timeout=10_000)


def picture(page: Page, file: Path) -> None:
    """Take what a person sees, once it stands still."""
    page.wait_for_timeout(800)
    page.screenshot(path=file, animations="disabled")
    click.echo(file)


def main(into: Path) -> None:
    """Take all of them."""
    from playwright.sync_api import sync_playwright

    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "station"
        prepare(folder)
        with serving("tests.browser.served", folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            taken(browser, address, into)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
