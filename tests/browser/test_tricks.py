"""A page full of injection and exfiltration tricks: nothing leaves the browser, and the trap that says so works.

Another view of the page is tried by a line in `PLACES`: its name, and what has to be done for it to show its texts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from tests.browser import hostile
from tests.browser.canary import Canary, watching
from tests.browser.conftest import CHROMIUM, QUIET
from tests.browser.tricks import ELSEWHERE, WORKS, mark, tricks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
# What may stand in the page where texts from elsewhere are shown, and nothing else.
ALLOWED = {"a", "b", "br", "code", "details", "div", "h1", "h2", "h3", "i", "li", "ol", "p", "pre", "q", "span",
           "strong", "summary", "table", "tbody", "td", "tr", "ul"}  # fmt: skip


def ask(page: Page) -> None:
    """Ask a question that is a trick itself, and open all that folds."""
    page.locator("body[data-ready]").wait_for(timeout=60_000)
    page.locator("#question textarea").fill(f'What? <img src="http://{ELSEWHERE}/q.png"> ![x](http://{ELSEWHERE}/q)')
    page.locator("#ask").click()
    page.locator("details.source").first.wait_for(timeout=60_000)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")


PLACES: dict[str, tuple[Callable[[Page], None], tuple[str, ...]]] = {
    "chat": (ask, ("#history .answer", "#history .steps", "#sources")),
}
"""For each view what has to be done, and the parts of it in which every trick has to be seen."""


class Watched:
    """A browser whose every request, websocket and looked-up name is kept."""

    def __init__(self, page: Page, log: Path) -> None:
        self.page = page
        self.elsewhere: list[str] = []
        self._log = log
        page.context.on("request", lambda request: self._keep(request.url))
        page.on("websocket", lambda socket: self._keep(socket.url))
        page.context.on("page", lambda opened: self._keep(opened.url))

    def _keep(self, url: str) -> None:
        if ELSEWHERE in url.partition("?")[0] or not url.startswith(("http://127.0.0.1:", "data:", "about:", "blob:")):
            self.elsewhere.append(url)

    def names_looked_up(self) -> set[str]:
        """The hosts that the browser, now closed, asked anybody for, also where nothing was fetched."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        logged = json.loads(text if text.rstrip().endswith("}") else text.rstrip().rstrip(",") + "]}")
        found = {str(event.get("params", {}).get("host", "")) for event in logged["events"]}
        return {host for host in found if ELSEWHERE in host}


@contextmanager
def browser(canary: Canary, log: Path) -> Iterator[Watched]:
    """Give a tab in a browser for which the canary's name leads to it."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    more = [f"--log-net-log={log}", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *more])
        yield Watched(chromium.new_page(), log)
        chromium.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    with watching() as server:
        yield server


@pytest.fixture
def address(tmp_path: Path, canary: Canary) -> Iterator[str]:
    """The page over the documents with the tricks."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    hostile.write(tmp_path / "documents", canary.server_port)
    command = [sys.executable, "-m", "tests.browser.hostile", str(tmp_path / "documents"), str(canary.server_port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()
        server.communicate(timeout=20)


@pytest.mark.parametrize("view", PLACES)
def test_nothing_leaves_the_browser(view: str, address: str, canary: Canary, tmp_path: Path) -> None:
    do, parts = PLACES[view]
    with browser(canary, tmp_path / "net.json") as watched:
        page = watched.page
        page.goto(address)
        do(page)
        for part in parts:
            said = page.locator(part).inner_text()
            assert [name for name in tricks(canary.server_port) if mark(name) not in said] == [], part
            tags = page.locator(f"{part} *").evaluate_all("all => [...new Set(all.map(each => each.localName))]")
            assert set(tags) - ALLOWED - {"button", "svg", "path"} == set(), part
            links = page.locator(f"{part} a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
            assert [link for link in links if not link.startswith("#")] == []
        page.mouse.move(300, 300)
        page.keyboard.press("Tab")
        page.wait_for_timeout(1500)
        assert ELSEWHERE in page.content()
    assert (watched.elsewhere, canary.paths, canary.connections) == ([], [], 0)
    assert watched.names_looked_up() == set()


def test_the_trap_works_where_the_same_text_is_shown_as_markdown(canary: Canary, tmp_path: Path) -> None:
    reader = MarkdownIt("commonmark", {"html": True})
    said = tricks(canary.server_port)
    with browser(canary, tmp_path / "net.json") as watched:
        for name, text in said.items():
            shown = tmp_path / f"{mark(name)}.html"
            shown.write_text(f"<!doctype html><meta charset=utf-8>{reader.render(text)}", encoding="utf-8")
            watched.page.goto(shown.as_uri())
            watched.page.wait_for_timeout(400)
    asked = {path.split("/")[1] for path in canary.paths}
    worked = {name for number, name in enumerate(said) if f"t{number}" in asked}
    assert worked == WORKS
    assert len(said) >= 20
    assert watched.elsewhere
    assert watched.names_looked_up() == {ELSEWHERE}
