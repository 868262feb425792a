"""`hoplite chat`: through a pipe, in a terminal, and stopped with Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from agent.plan import Plan
from agent.tracing import traces
from agent.types import Answer, Answered, Event, Planned
from tests.ui import station
from ui.cli import cli
from ui.commands import chat

ROOT = Path(__file__).parents[2]
FIRST = "Readings older than how many days are deleted every night?"
Talk = Callable[..., Result]


@pytest.fixture
def talk(indexed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Talk:
    """Has a conversation of these lines over the station, in an empty folder."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    words = ["chat", "--model", "none", "--workspace", str(indexed / ".hoplite")]
    return lambda *lines: CliRunner().invoke(cli, words, input="".join(f"{line}\n" for line in lines))


def test_each_line_of_a_pipe_is_a_question_and_follow_ups_are_written_out(talk: Talk, indexed: Path) -> None:
    result = talk("Where is HERON_RETENTION set?", "", "Who reads it?")
    assert result.exit_code == 0
    assert "> Who reads it?" in result.stderr
    assert "asked as Who reads HERON_RETENTION?" in result.stderr
    assert "✓ verified" in result.stdout
    asked = [trace.question for trace in traces(indexed / ".hoplite" / "traces.sqlite")]
    assert asked[:2] == ["Who reads it?", "Where is HERON_RETENTION set?"]


def test_quit_leaves_what_follows_unread(talk: Talk) -> None:
    assert FIRST not in talk("/quit", FIRST).stderr


@pytest.mark.parametrize("command", ["/plan", "/sources", "/save"])
def test_before_the_first_answer_a_command_says_so(talk: Talk, command: str) -> None:
    result = talk(command)
    assert (result.stderr.count("Nothing was answered yet."), result.exit_code) == (1, 4)
    assert not list(Path().iterdir())


def test_an_unknown_command_says_what_there_is_and_a_path_is_a_question(talk: Talk) -> None:
    result = talk("/open 1", "/etc/hosts is read where?")
    assert "There is no /open. There are /help, /plan, /sources, /new, /save, /model, /quit." in result.stderr
    assert "> /etc/hosts is read where?" in result.stderr


def test_help_names_every_command(talk: Talk) -> None:
    shown = talk("/help").stdout
    assert all(f"{name} " in shown for name in ("/help", "/plan", "/sources", "/new", "/save", "/model", "/quit"))


def test_plan_and_sources_are_those_of_the_last_answer(talk: Talk) -> None:
    lines = talk(FIRST, "/plan", "/sources").stdout.splitlines()
    assert "look it up: readings older days deleted night" in lines
    assert len([line for line in lines if line.startswith("[1] guide.md:3  ✓ verified")]) == 2


def test_new_forgets_what_was_said(talk: Talk) -> None:
    result = talk(FIRST, "/new", "/sources", "Who reads it?")
    assert "asked as" not in result.stderr
    assert "Nothing was answered yet." in result.stderr


def test_save_never_overwrites_without_being_told(talk: Talk) -> None:
    name = Path("readings-older-than-how-many-days-are-deleted-every-night.md")
    assert f"Saved as {name}." in talk(FIRST, "/save").stdout
    saved = name.read_text()
    assert "[^1-1]: guide.md:3 “Readings older than" in saved
    name.write_text("mine")
    assert "/save! " in talk(FIRST, f"/save {name}").stderr
    assert name.read_text() == "mine"
    assert talk(FIRST, f"/save! {name}").exit_code == 0
    assert name.read_text() == saved
    assert "Name another file." in talk(FIRST, "/save nowhere/x.md").stderr


def test_the_model_is_shown_and_changed_and_the_conversation_goes_on(talk: Talk) -> None:
    result = talk("/model", "Where is HERON_RETENTION set?", "/model local:/none.gguf", "Who reads it?", "/model none")
    assert [line for line in result.stdout.splitlines() if line.startswith("The model is")] == [
        "The model is none.", "The model is local:/none.gguf.", "The model is none.",
    ]  # fmt: skip
    assert "/none.gguf" in result.stderr  # it is not there, and the conversation goes on
    assert result.exit_code == 4


def test_a_model_elsewhere_is_told_to_get_the_conversation(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert "the conversation's last questions and answers go to api.openai.com" in talk("/model openai/gpt-4o").stderr


def test_no_escape_sequence_reaches_the_terminal(talk: Talk, indexed: Path, hoplite: Callable[..., Result]) -> None:
    (indexed / "re\x1b]0;x\x07d.md").write_text("# Wading\n\nThe wading birds \x1b[31mcount\x1b[0m the boats.\n")
    hoplite("index", indexed)
    result = talk(
        "What counts the \x1b[2Jboats?", "Why \x9b31m?", "/\x1b[2J", "/model none\x1b[2J", "/sources", "/plan"
    )
    for text in (result.stdout, result.stderr):
        assert "\x1b" not in click.unstyle(text)
        assert "\x9b" not in text
        assert "\x07" not in text


def test_a_line_that_is_no_text_is_a_question_all_the_same(indexed: Path) -> None:
    words = ["chat", "--model", "none", "--workspace", str(indexed / ".hoplite")]
    assert CliRunner().invoke(cli, words, input=b"What \xff\xfe deletes readings?\n").exit_code == 0


def test_the_same_question_is_answered_from_the_cache_unless_told_not_to(talk: Talk) -> None:
    result = talk(FIRST, FIRST, "/plan")
    assert result.stdout.count("From the cache, asked 20") == 1
    assert "there was no plan" in result.stdout


class Stopped:
    """An agent that is interrupted while it answers, and answers with what it has when it is told to stop."""

    chat = None

    def __init__(self, interrupts: int = 1) -> None:
        self.stopped = threading.Event()
        self._interrupts = interrupts

    def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
        yield Planned("look it up")
        for _ in range(self._interrupts):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        assert self.stopped.wait(5)
        yield Answered(Answer(question, "Heron, so far", False, stopped="stop"))

    def stop(self) -> None:
        self.stopped.set()


def test_ctrl_c_stops_the_run_and_keeps_its_answer(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "agent_for", lambda library, chosen, **_: Stopped())
    before = signal.getsignal(signal.SIGINT)
    result = talk("Who?", "/save x.md")
    assert "Heron, so far" in result.stdout
    assert "Stopped early (stop)" in result.stdout
    assert "Heron, so far" in Path("x.md").read_text()
    assert (result.exit_code, signal.getsignal(signal.SIGINT)) == (0, before)


def test_a_second_ctrl_c_gives_the_run_up(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "agent_for", lambda library, chosen, **_: Stopped(interrupts=2))
    result = talk("Who?", "/help")
    assert (result.exit_code, result.stdout) == (130, "")


# In a terminal ------------------------------------------------------------------------------------------------------


class Terminal:
    """`hoplite chat` in a terminal of its own."""

    def __init__(self, workspace: Path) -> None:
        self._ours, theirs = pty.openpty()
        words = ["-m", "tests.ui.hashed", "chat", "--model", "none", "--workspace", str(workspace)]
        environ = os.environ | {"TERM": "xterm", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, preexec_fn=_controlling,
        )  # fmt: skip
        os.close(theirs)
        self.shown, self._seen = "", 0

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, text: str, seconds: float = 40) -> None:
        """Read until this was shown after what was waited for before."""
        deadline = time.monotonic() + seconds
        while text not in self.shown[self._seen :]:
            assert time.monotonic() < deadline, f"{text!r} was not shown: {self.shown[self._seen :]!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self.shown += os.read(self._ours, 65536).decode("utf-8", "replace")
        self._seen = self.shown.index(text, self._seen) + len(text)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)


def _controlling() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    folder = station.write(tmp_path / "station")
    subprocess.run(
        [sys.executable, "-m", "tests.ui.hashed", "index", str(folder)], cwd=ROOT, check=True, capture_output=True
    )
    opened = Terminal(folder / ".hoplite")
    yield opened
    opened.close()


def test_in_a_terminal_lines_are_edited_recalled_and_planned_and_ctrl_d_leaves(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal.until("> ")
    terminal.type("Where is HERON_RETENTION sex\x7ft?\r")  # one letter taken back
    terminal.until("no model call")
    terminal.until("> ")
    terminal.type("\x1b[A\r")  # the line before
    terminal.until("From the cache")
    terminal.until("> ")
    terminal.type("/plan on\r")
    terminal.until("Each question waits")
    terminal.until("> ")
    terminal.type("Who reads it?\r")
    terminal.until("Enter goes on")
    terminal.type("\r")
    terminal.until("no model call")
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.process.wait(10) == 0
    assert "Where is HERON_RETENTION set?" in terminal.shown
    history = tmp_path / "station" / ".hoplite" / "chat.history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert "Who reads it?" in history.read_text()


def test_at_the_prompt_ctrl_c_twice_leaves(terminal: Terminal) -> None:
    terminal.until("> ")
    terminal.type("half a li")
    terminal.until("half a li")
    time.sleep(0.3)  # it waits for a key by now: see below
    terminal.type("\x03")
    terminal.until("Ctrl-C again leaves.")
    terminal.until("> ")
    terminal.type("\x03")
    with suppress(subprocess.TimeoutExpired):
        terminal.process.wait(5)
    if terminal.process.poll() is None:
        # One that comes after the prompt and before Python waits for a key is noticed with the next key only.
        terminal.type("\x03")
    assert terminal.process.wait(10) == 0
