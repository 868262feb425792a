"""The chat's handlers, with scripted agents."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest.errors import ModelUnavailable, WorkspaceBusy
from tests import loops
from tests.ui.scripted import Desk, Waits
from ui.desk import Workdesk

if TYPE_CHECKING:
    from ui.views.chat import ChatView

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported


class Browser:
    """One tab: what the page of a view was told to show, by the names of its parts."""

    def __init__(self, view: ChatView, session: str = "a") -> None:
        self.view = view
        self.session = session
        self.shows: dict[str, Any] = {}

    def does(self, change: Callable[..., None], *words: Any) -> Browser:
        self.shows |= loops.run(self.view.after(self.session, change, *words))
        return self

    def clicks(self, link: str) -> Browser:
        return self.does(self.view.do, f"123 {link}")

    def watches(self) -> Browser:
        """Follow the run until it is over or waits for the person."""

        async def watch() -> None:
            async for values in self.view.watch(self.session):
                self.shows |= values

        loops.run(asyncio.wait_for(watch(), 20))
        return self

    def asks(self, question: str, *how: Any) -> Browser:
        self.does(self.view.ask, question, *how).watches()
        self.view.tab(self.session).talk.join(
            0 if self.view.tab(self.session).talk.state.live else 10
        )  # until it is kept
        return self


def view(desk: Desk) -> ChatView:
    from ui.views.chat import ChatView

    return ChatView(desk)


def quick(**extra: Any) -> Callable[[], Waits]:
    return lambda: Waits(patient=False, **extra)


def wait_for(holds: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_conversation_stays_on_the_page_newest_last_and_its_box_is_emptied() -> None:
    tab = Browser(view(desk := Desk(quick()))).asks("first").asks("second", "report")
    assert tab.shows["history"].index("answer to first") < tab.shows["history"].index("answer to second")
    assert tab.shows["question"]["value"] == ""
    assert (tab.shows["live"], tab.shows["draft"]) == ("", "")
    assert desk.forms == ["auto", "report"]
    assert [tab.shows[name]["interactive"] for name in ("ask", "stop")] == [True, False]


def test_stop_ends_the_run_of_its_own_tab_alone() -> None:
    page = view(desk := Desk())
    mine, other = Browser(page, "a"), Browser(page, "b")
    for tab in (mine, other):
        tab.does(page.ask, f"q of {tab.session}")
    wait_for(lambda: len(desk.agents) == 2 and all(agent.begun.is_set() for agent in desk.agents))
    mine.does(page.stop).watches()
    assert "so far on q of a" in mine.shows["history"]
    assert "Stopped early (stop)" in mine.shows["history"]
    assert "working" in other.shows["live"] or "beginning" in other.shows["live"]
    other.does(page.stop).watches()


def test_ten_tabs_at_once_neither_mix_nor_block_one_another_and_know_their_place() -> None:
    page = view(desk := Desk(lambda: Waits(model="local")))
    tabs = [Browser(page, f"tab {n}") for n in range(10)]
    for n, tab in enumerate(tabs):
        tab.does(page.ask, f"question {n}")
        wait_for(lambda n=n: len(desk.agents) == n + 1)
        wait_for(lambda tab=tab, n=n: (live := page.tab(tab.session).talk.state.live) and live.ahead == n)
    said = tabs[3].does(page.find, "").shows["live"]
    assert "3 questions are before yours; the model answers one at a time" in said
    assert "1 question is before yours" in tabs[1].does(page.find, "").shows["live"]
    for agent in desk.agents:
        wait_for(agent.begun.is_set)
        agent.go.set()
    for n, tab in enumerate(tabs):
        tab.watches()
        assert f"answer to question {n}<" in tab.shows["history"]
        assert tab.shows["history"].count('class="turn"') == 1


def test_an_unclear_question_gives_its_choices_and_a_typed_reply_is_taken() -> None:
    page = view(desk := Desk(quick(choices=("a<b>.py:f", "b.py:f"))))
    tab = Browser(page).asks("Who calls f?")
    assert "Which one?" in tab.shows["live"]
    assert "a&lt;b&gt;.py&#58;f" in tab.shows["live"]
    tab.clicks("choose/1").watches()
    assert desk.agents[-1].asked[0][0] == "Who calls f? (b.py:f)"
    tab.asks("Who calls f?").does(page.ask, "the first").watches()
    assert desk.agents[-1].asked[0][0] == "Who calls f? (the first)"
    tab.asks("Who calls f?").clicks("skip").watches()
    assert desk.agents[-1].asked[0][0] == "Who calls f?"


def test_the_plan_waits_for_its_start_and_the_edited_one_is_asked() -> None:
    page = view(desk := Desk(quick()))
    tab = Browser(page).asks("What is the value of HERON_RETENTION, which sweep() reads?", "auto", True)
    assert tab.shows["start"]["value"] == "Start"
    assert "HERON" in tab.shows["plan"]["value"]
    tab.does(page.plan, "Where is HERON_RETENTION read?\n\n").watches()
    plan = desk.agents[0].asked[0][1]
    assert plan is not None
    assert [part.text for part in plan.parts] == ["Where is HERON_RETENTION read?"]
    assert tab.shows["plan"]["value"] == "Where is HERON_RETENTION read?"
    tab.does(page.plan, "What is the value of EGRET_LIMIT?").watches()
    assert "EGRET" in str(desk.agents[1].asked[0][1])
    assert tab.shows["history"].count('class="turn"') == 1


def test_an_edited_question_takes_the_place_of_the_last_and_regenerating_asks_it_anew() -> None:
    page = view(desk := Desk(quick()))
    tab = Browser(page).asks("first").asks("secnd").clicks("edit")
    assert tab.shows["question"]["value"] == "secnd"
    tab.does(page.ask, "second").watches().clicks("again").watches()
    assert tab.shows["history"].count('class="turn"') == 2
    assert "secnd" not in tab.shows["history"]
    assert [agent.asked[0] for agent in desk.agents[2:]] == [("second", None, True)] * 2


def test_conversations_are_kept_found_resumed_renamed_exported_and_deleted(tmp_path: Path) -> None:
    page = view(Desk(quick(), tmp_path))
    Browser(page, "a").asks("Where do herons nest?")
    address = Browser(page, "a").clicks("find").shows["here"]
    page.leave("a")
    again = Browser(view(Desk(quick(), tmp_path)), "b").clicks(address)  # another process, another tab
    assert "answer to Where do herons nest?" in again.shows["history"]
    assert again.shows["title"]["value"] == "Where do herons nest?"
    again.does(again.view.rename, "Herons")
    again.asks("And where do they eat?").does(again.view.find, "eat")
    assert "Herons" in again.shows["list"]
    assert "No conversation holds" in again.does(again.view.find, "zebra").shows["list"]
    file = again.view.export(address.removeprefix("session/"))
    assert b"# Where do herons nest?" in bytes(file.body)
    assert "where-do-herons-nest.md" in file.headers["content-disposition"]
    again.clicks("delete")
    assert "answer to" not in again.shows["history"]
    assert again.view.export(address.removeprefix("session/")).status_code == 404
    assert "is not kept any more" in again.clicks(address).shows["notice"]


def test_a_run_goes_on_when_its_tab_is_closed_and_a_new_one_finds_it(tmp_path: Path) -> None:
    page = view(desk := Desk(folder=tmp_path))
    address = Browser(page, "a").does(page.ask, "q").shows["here"]
    wait_for(lambda: desk.agents and desk.agents[0].begun.is_set())
    page.leave("a")
    tab = Browser(page, "b").clicks(address)
    assert "working" in tab.shows["live"]
    desk.agents[0].go.set()
    assert "answer to q" in tab.watches().shows["history"]


def test_when_the_page_closes_runs_are_stopped_and_what_they_came_to_is_kept(tmp_path: Path) -> None:
    page = view(desk := Desk(folder=tmp_path))
    address = Browser(page, "a").does(page.ask, "q").shows["here"]
    wait_for(lambda: desk.agents and desk.agents[0].begun.is_set())
    page.leave("a")
    page.close()
    assert "so far on q" in Browser(view(Desk(folder=tmp_path)), "b").clicks(address).shows["history"]


def test_a_rating_asks_why_and_the_reason_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[tuple[float, str]] = []
    monkeypatch.setattr("ui.talk.score", lambda trace, name, value, comment="": noted.append((value, comment)))
    page = view(Desk(quick()))
    tab = Browser(page).asks("q").clicks("rate/0/down")
    assert tab.shows["why"]["visible"]
    tab.does(page.explain, " wrong file ")
    assert not tab.shows["why"]["visible"]
    assert noted == [(0.0, ""), (0.0, "wrong file")]


@pytest.mark.parametrize(
    "link",
    ["", "rate/9/up", "rate/x/up", "source/²/1", "choose/0", "suggest/5/5", "example/99", "again", "edit", "x/y"],
)
def test_a_link_that_leads_nowhere_does_nothing(link: str) -> None:
    tab = Browser(view(desk := Desk(quick()))).clicks(link)
    assert desk.agents == []
    assert tab.shows["notice"] == ""


def test_an_example_and_a_suggestion_are_asked_by_their_place_never_by_their_text() -> None:
    tab = Browser(view(desk := Desk(quick())))
    assert "What does sweep() do?" in tab.view.fresh()[0]
    tab.clicks("example/0").watches()
    assert desk.agents[0].asked[0][0] == "What does sweep() do?"


def test_what_the_user_can_fix_is_said_on_the_page() -> None:
    class Without(Desk):
        def agent(self, form: str = "auto", collection: str = "") -> Waits:
            raise ModelUnavailable("run `hoplite models pull`")

        def about(self) -> str:
            raise ModelUnavailable("fetch <them>")

    tab = Browser(view(Without())).asks("q")
    assert "hoplite models pull" in tab.shows["live"].replace("&#96;", "`")
    assert tab.view.about() == "<p><b>fetch &lt;them&gt;</b></p>"


def test_an_empty_question_asks_nobody() -> None:
    page = view(desk := Desk())
    tab = Browser(page).does(page.ask, "  ")
    assert "Type a question" in tab.shows["notice"]
    assert desk.agents == []


def test_a_desk_without_a_workspace_says_what_to_do_and_finds_one_made_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval.indexing import index
    from ui.views.chat import ChatView

    monkeypatch.chdir(folder)
    with Workdesk(None, {"model": "none"}) as desk:
        page = ChatView(desk)
        assert "hoplite index" in page.about()
        assert 'href="#open/library/"' in page.fresh()[0]
        index([folder])
        assert "3 documents" in page.about()
        assert "HERON&#95;RETENTION" in page.fresh()[0]
        tab = Browser(page).asks("Readings older than how many days are deleted every night?")
        assert 'href="#source-0-1"' in tab.shows["history"]
        assert "class=cited" in tab.shows["sources"]
        page.close()


HOLD = """
import sys; from pathlib import Path
from retrieval.workspace import Lock, find
with Lock(find(Path(sys.argv[1]))): print("held", flush=True); sys.stdin.read()
"""


def test_a_desk_over_a_workspace_in_use_says_by_whom(indexed: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(indexed)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, cwd=Path(__file__).parents[2]) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WorkspaceBusy, match=f"process {holder.pid}"), Workdesk(indexed / ".hoplite", {}):
            pass
        holder.communicate()
