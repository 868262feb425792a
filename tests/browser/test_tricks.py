"""A page full of injection and exfiltration tricks: nothing leaves the browser, and the trap that says so works.

Another view of the page is tried by a line in `PLACES`: its name, and what has to be done for it to show its texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from tests.browser import hostile
from tests.browser.canary import Canary, watching
from tests.browser.conftest import CHROMIUM, QUIET, opened, serving
from tests.browser.hostile_records import OTHER, RUN, TRACE
from tests.browser.tricks import ELSEWHERE, WORKS, mark, tricks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
WAIT = 60_000
# What may stand in the page where texts from elsewhere are shown, and nothing else.
ALLOWED = {"a", "b", "br", "code", "details", "div", "h1", "h2", "h3", "i", "li", "ol", "p", "pre", "q", "span",
           "strong", "summary", "table", "tbody", "td", "tr", "ul", "button", "svg", "path"}  # fmt: skip
DRAWN = {"g", "h4", "rect", "text", "title"}
REPORTED = {"dd", "desc", "dl", "dt", "figcaption", "figure", "g", "input", "line", "rect", "text", "textarea", "th",
            "title"}  # fmt: skip

LOADING = re.compile(r"on.*|src.*|ping|poster|data|action|formaction|background|xlink:href|style")
"""Attributes that fetch or run something; a style counts where it has an address in it."""

ATTRIBUTES = """all => [...new Set(all.flatMap(each => [...each.attributes])
    .filter(each => each.name != "style" || each.value.includes("url")).map(each => each.name))]"""

_QUOTED = r"[\w.~%-]+"  # what `urllib.parse.quote` leaves, so that nothing can end the address
_OPENS = r"#open/{}/" + _QUOTED
_DOES = r"#do/[a-z]+(/\w+)*"
_RUNS = "|".join((_OPENS.format("evaluation"), _OPENS.format("traces"), r"/evaluation/[0-9a-f]{16}/report\.(html|md)"))


@dataclass(frozen=True, slots=True)
class Place:
    """How a view is brought to show its texts.

    Each step is what has to be done, and the parts of the page that are looked at then: all in all every trick has to
    be seen in each. `links` is what an address in the page may be, beside those that do something in the chat; `tags`
    is what may stand in the parts beside `ALLOWED`.
    """

    steps: Sequence[tuple[Callable[[Page], object], Sequence[str]]]
    links: str
    tags: Set[str] = frozenset()


def ask(page: Page) -> None:
    """Ask a question that is a trick itself."""
    page.locator("#question textarea").fill(f'What? <img src="http://{ELSEWHERE}/q.png"> ![x](http://{ELSEWHERE}/q)')
    page.locator("#ask").click()
    page.locator("details.source").first.wait_for(timeout=WAIT)


def waiting(part: str) -> Callable[[Page], None]:
    """Wait for a part of the page."""
    return lambda page: page.locator(part).first.wait_for(timeout=WAIT)


def click(link: str, part: str, text: str = "") -> Callable[[Page], None]:
    """Click a link or a button, and wait for a part of the page, where it says `text`."""

    def do(page: Page) -> None:
        page.locator(link).first.click(timeout=WAIT)
        page.locator(part, has_text=text).first.wait_for(timeout=WAIT)

    return do


def find(words: str, head: str) -> Callable[[Page], None]:
    """Open the first document of the library whose path begins with these words, below this heading."""

    link, at = f'#library-list li:first-child a:has-text("{words}")', "#library-detail .document:has(.source) h3"

    def do(page: Page) -> None:
        page.locator("#library-words textarea").fill(words)
        click(link, at, head)(page)

    return do


def folded(title: str) -> str:
    """Return where a folded part of the library's state is."""
    return f'#library-state details:has(> summary:has-text("{title}"))'


def named(text: str) -> str:
    """Return where a link of this text is, behind what it is in."""
    return f'a:text-is("{text}")'


STATE = [folded(title) for title in ("changed since", "failed", "binary", "stored once")]
OPENED = ["#library-detail .source", "#library-detail .chunk summary", "#library-detail .chunk i ~ a"]
SPANS = ["#trace .scores", *(f"#trace .waterfall {each}" for each in (".name", "td", ".bad"))]
NOTE = [f"#note {each}" for each in ("ul", "ol", "ol code", "ol q", "details")]
NUMBERS = ["#run-numbers", "#run-numbers dl", "#run-numbers table"]
QUESTIONS = [f"#run-questions {each}" for each in ("summary", "dd", "blockquote", "pre", ".chips", ".bad")]
ANSWER = [f"#answer-read {each}" for each in ("details dd", "pre", "blockquote")]
AFTER = f"#run-questions {named('after →')}"
PLACES = {
    "chat": Place([(ask, ("#history .answer", "#history .steps", "#sources"))], r"#source-\d+-\d+"),
    "library": Place(
        [
            (waiting("#library-list li"), ["#library-list", "#library-state ul.traces"]),
            (waiting("#library-state details"), STATE),
            (find(hostile.EVERY, hostile.EVERY), OPENED),
            (
                click(f"#library-detail .chunk {named(hostile.NAME)}", "#library-detail svg .middle"),
                ["#library-detail"],
            ),
            (find("copied/", "copied / "), []),
            (click(f"#library-detail {named('remove')}", "#library-asked b", "copied/"), []),
            (click(f"#library-detail {named('copied')}", "#library-detail .document > ul"), ["#library-detail ul"]),
        ],
        _OPENS.format("library"),
        DRAWN,
    ),
    "traces": Place(
        [
            (waiting("#trace-list li"), ["#trace-list a", "#trace-list .bad", "#trace-list .note"]),
            (click(f'#trace-list a[href$="{TRACE}"]', "#trace .waterfall"), SPANS),
            (click(f"#trace-list {named('compare')}", "#trace .beside"), ["#trace .beside", "#trace .beside + table"]),
        ],
        r"#open/traces/[0-9a-f]{32}(%20[0-9a-f]{32})?",
    ),
    "memory": Place(
        [(waiting("#note-list li"), ["#note-list"]), (click("#note-list a", "#note h3"), NOTE)],
        r"#open/memory/\d+",
    ),
    "evaluation": Place(
        [
            (waiting("#run-list li"), ["#run-list a", "#run-list i", "#run-list .bad"]),
            (click(f"#run-list {named(RUN)}", "#run-questions details"), NUMBERS),
            (waiting("#run-questions"), QUESTIONS),
            (click(AFTER, "#run-questions", "21 to 40"), QUESTIONS),
            (click(AFTER, "#run-questions", "41 to 50"), QUESTIONS),
            (click(f"#run-list li:has({named(OTHER)}) {named('compare')}", "#against"), ["#run-numbers li"]),
            (click(f"#run-list {named(RUN)}", "#run-head a"), []),
            (click(f"#run-head {named('Read its answers')}", "#modes table"), ["#modes"]),
            (click("#draw", "#answer-read details"), ANSWER),
            (click("#verdict", "#answer-read dt", "judge"), ["#answer-read details ~ dl"]),
            (click("#suggest", "#reading label", "trick"), ["#reading label"]),
            (click("#set input", "[role=option]"), ["[role=listbox]"]),
            (click("#run-list a:has-text('damaged')", "#evaluation-said .bad"), []),
        ],
        _RUNS,
        REPORTED,
    ),
}
"""What is done in each view, and what is looked at in it."""


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


@pytest.fixture(scope="module")
def listening() -> Iterator[Canary]:
    with watching() as server:
        yield server


@pytest.fixture
def canary(listening: Canary) -> Canary:
    """The canary, with what it was asked before forgotten."""
    listening.paths.clear()
    listening.connections = 0
    return listening


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, listening: Canary) -> Iterator[str]:
    """The page over the workspace with the tricks."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    folder = tmp_path_factory.mktemp("hostile") / "documents"
    hostile.write(folder, listening.server_port)
    with serving("tests.browser.hostile", folder, listening.server_port) as at:
        yield at


@pytest.mark.parametrize("view", PLACES)
def test_nothing_leaves_the_browser(view: str, address: str, canary: Canary, tmp_path: Path) -> None:
    place, said = PLACES[view], dict[str, str]()
    with browser(canary, tmp_path / "net.json") as watched:
        page = opened(watched.page, address)
        page.locator(f"#view-{view}-button").click()
        for do, parts in place.steps:
            do(page)
            page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
            for part in parts:
                said[part] = "\n".join([said.get(part, ""), *page.locator(part).all_inner_texts()])
                tags = page.locator(f"{part} *").evaluate_all("all => [...new Set(all.map(each => each.localName))]")
                assert set(tags) - ALLOWED - place.tags == set(), part
                attributes = page.locator(f"{part} *").evaluate_all(ATTRIBUTES)
                assert [name for name in attributes if LOADING.fullmatch(name)] == [], part
            links = page.locator("a").evaluate_all("all => all.map(each => each.getAttribute('href') ?? '')")
            assert [link for link in links if not re.fullmatch(f"{place.links}|{_DOES}", link)] == []
            page.mouse.move(300, 300)
            page.keyboard.press("Tab")
        page.wait_for_timeout(1500)
        assert ELSEWHERE in page.content()
        for part, text in said.items():
            assert [name for name in tricks(canary.server_port) if mark(name) not in text] == [], part
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
