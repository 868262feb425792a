"""The chat's handlers, with a scripted agent."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.plan import Plan
from agent.types import Answer, Answered, Event, Planned
from ingest.errors import ModelUnavailable, WorkspaceBusy
from ui import chat
from ui.desk import Workdesk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported


class Waits:
    """An agent that plans, waits until it is stopped, and answers."""

    chat = None

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
        yield Planned(f"plan for {question}")
        assert self.stopped.wait(5)
        yield Answered(Answer(question, "so far", False, stopped="stop"))

    def stop(self) -> None:
        self.stopped.set()


class Desk:
    """A desk with one agent for each question, kept in `agents`."""

    def __init__(self) -> None:
        self.agents: list[Waits] = []

    @property
    def resolve(self) -> chat.Resolve:
        return lambda path: None

    def agent(self) -> Waits:
        self.agents.append(Waits())
        return self.agents[-1]

    def about(self) -> str:
        raise ModelUnavailable("fetch <them>")


def test_stop_ends_the_run_of_its_own_session_alone() -> None:
    from ui.views.chat import ChatView

    desk = Desk()
    page = ChatView(desk)
    mine, other = page.ask("mine", "a"), page.ask("other", "b")
    for run in (mine, other):
        assert "plan for" in [next(run), next(run)][1][0]
    page.stop("a")
    assert "Stopped early (stop)" in list(mine)[-1][1]
    assert [agent.stopped.is_set() for agent in desk.agents] == [True, False]
    other.close()


def test_a_follow_up_is_asked_written_out_in_its_own_session_until_its_page_is_left() -> None:
    from ui.views.chat import ChatView

    desk = Desk()
    page = ChatView(desk)

    def ask(question: str, session: str) -> str:
        run = page.ask(question, session)
        next(run), next(run)
        desk.agents[-1].stop()
        return list(run)[-1][0]

    ask("What does load_settings() do?", "a")
    assert "asked as</b> Who calls load&#95;settings?" in ask("Who calls it?", "a")
    assert "asked as" not in ask("Who calls it?", "b")
    page.leave("a")
    assert "asked as" not in ask("Who calls it?", "a")


def test_what_the_user_can_fix_is_said_on_the_page() -> None:
    from ui.views.chat import ChatView

    class Without(Desk):
        def agent(self) -> Waits:
            raise ModelUnavailable("run `hoplite models pull`")

    page = ChatView(Without())
    assert "hoplite models pull" in list(page.ask("q", "a"))[-1][1]
    assert page.about() == "<p><b>fetch &lt;them&gt;</b></p>"


def test_an_empty_question_asks_nobody() -> None:
    from ui.views.chat import ChatView

    desk = Desk()
    assert "Type a question" in list(ChatView(desk).ask("  ", "a"))[-1][1]
    assert desk.agents == []


def test_a_desk_without_a_workspace_says_what_to_do_and_finds_one_made_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval.indexing import index
    from ui.views.chat import ChatView

    monkeypatch.chdir(folder)
    with Workdesk(None, {"model": "none"}) as desk:
        assert "hoplite index" in ChatView(desk).about()
        index([folder])
        assert "3 documents" in ChatView(desk).about()


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
