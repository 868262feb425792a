"""`hoplite mcp` as a process of its own, with the protocol's official client at its standard input and output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from agent.tracing import trace, traces
from retrieval.indexing import index
from retrieval.workspace import Lock, find
from tests.ui import station
from tests.ui.test_ask_process import QUESTION, descendants, seconds_of
from ui import mcp_server, mcp_tools

ROOT = Path(__file__).parents[2]
SECRET = "the-heron-flies-at-midnight"
HIDDEN = "zero\u200bwidth \u202ebidi and \U000e0041\U000e0042 tags"
LINES = 450


class Session:
    """A client that is connected, for tests that are no coroutines."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self.portal = portal
        self.client = client

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool."""
        return self.portal.call(partial(self.client.call_tool, tool, arguments))

    def given(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what a tool gives, as an object; the client has compared it with the tool's schema."""
        result = self.call(tool, **arguments)
        assert not result.is_error, text_of(result)
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    def failed(self, tool: str, **arguments: Any) -> str:
        """Return what a tool says that cannot do it."""
        result = self.call(tool, **arguments)
        assert result.is_error, text_of(result)
        return text_of(result)

    def resource(self, path: str) -> str:
        """Return a document as a resource."""
        (contents,) = self.portal.call(self.client.read_resource, mcp_server.DOCUMENT + path).contents
        return contents.text  # type: ignore[union-attr]  # documents are text


def text_of(result: CallToolResult) -> str:
    return "\n".join(getattr(block, "text", "") for block in result.content)


def command(workspace: Path, *words: str, module: str = "tests.ui.hashed") -> list[str]:
    return ["-m", module, "mcp", "--workspace", str(workspace), *words]


@contextmanager
def session(words: Sequence[str], home: Path) -> Iterator[Session]:
    """A server that is started as an editor starts it, and a client that speaks with it."""
    server = StdioServerParameters(command=sys.executable, args=list(words), cwd=ROOT, env={"HOME": str(home)})
    with open(home / "log", "w", encoding="utf-8") as log, start_blocking_portal() as portal:
        client = Client(stdio_client(server, errlog=log))
        with portal.wrap_async_context_manager(client) as connected:
            yield Session(portal, connected)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    """An indexed station, with a long page and one with hidden characters; beside it a file that is not indexed."""
    folder = station.write(tmp_path_factory.mktemp("docs") / "station")
    (folder / "long.md").write_text("# Long\n\n" + "\n".join(f"Line {n} {'word ' * 40}" for n in range(3, LINES + 1)))
    (folder / "hidden.md").write_text(f"# Hidden\n\nThe marsh {HIDDEN}.\n")
    (folder.parent / "secret.txt").write_text(SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        station.without_weights(patch)
        index([folder])
    return folder


@pytest.fixture(scope="module")
def editor(documents: Path, home: Path) -> Iterator[Session]:
    with session(command(documents / ".hoplite", "--model", "none"), home) as connected:
        yield connected


# What is offered -------------------------------------------------------------------------------------------------


def test_every_tool_only_reads_and_says_what_it_takes_and_gives(editor: Session) -> None:
    listed = {tool.name: tool for tool in editor.portal.call(editor.client.list_tools).tools}
    assert set(listed) == {"search", "read", "symbols", "ask"}
    for tool in listed.values():
        assert tool.annotations
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema
        assert "notice" in tool.output_schema["properties"]
    assert [name for name, tool in listed.items() if tool.annotations and tool.annotations.open_world_hint] == ["ask"]


def test_a_search_gives_passages_and_what_led_to_them(editor: Session) -> None:
    found = editor.given("search", query="how long are readings kept `HERON_RETENTION`", k=3)
    assert 1 <= len(found["passages"]) <= 3
    settings = next(p for p in found["passages"] if p["path"] == "src/settings.py")
    assert "HERON_RETENTION = 45" in settings["text"]
    assert settings["via"]
    assert settings["cut"] == 0


def test_a_search_stays_where_it_is_told_to(editor: Session) -> None:
    code = editor.given("search", query="readings", kind="code")["passages"]
    assert {p["path"] for p in code} <= {"src/settings.py", "src/store.py"}
    inside = editor.given("search", query="readings", path="guide*")["passages"]
    assert {p["path"] for p in inside} == {"guide.md"}


def test_text_of_documents_stands_between_marks_after_a_notice(editor: Session) -> None:
    said = text_of(editor.call("search", query="retention of readings"))
    opening = next(row for row in said.splitlines() if row.startswith("<sources "))
    inside = said.partition(opening)[2].partition(opening.replace("<", "</"))[0]
    assert "HERON_RETENTION" in inside
    assert mcp_tools.NOTICE in said.partition(opening)[0]


def test_a_name_is_given_with_its_definition_its_callers_and_its_documentation(editor: Session) -> None:
    known = editor.given("symbols", name="HERON_RETENTION")
    assert known["state"] == "found"
    assert known["definitions"][0]["path"] == "src/settings.py"
    assert [p["path"] for p in known["documentation"]["shown"]] == ["guide.md"]
    assert {p["path"] for p in known["definitions"][0]["importers"]["shown"]} == {"src/store.py"}
    assert editor.given("symbols", name="HERON_RETENTION", skip=50)["documentation"] == {"total": 1, "shown": []}


def test_an_unknown_name_is_told_with_what_to_do(editor: Session) -> None:
    assert editor.given("symbols", name="zorilla_of_nowhere")["state"] == "unknown"
    assert "`search` finds" in text_of(editor.call("symbols", name="zorilla_of_nowhere"))


def test_a_question_is_answered_with_checked_citations_and_its_steps_are_told(editor: Session) -> None:
    steps: list[tuple[float, str | None]] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, message))

    question = "Readings older than how many days are deleted every night?"
    call = partial(editor.client.call_tool, "ask", {"question": question, "form": "short"}, progress_callback=heard)
    result = editor.portal.call(call)
    answered = result.structured_content
    assert answered
    assert not answered["abstained"]
    assert any(c["path"] == "guide.md" and c["verified"] for c in answered["citations"])
    assert "✓ verified" in text_of(result)
    assert [number for number, _ in steps] == [*map(float, range(1, len(steps) + 1))]
    assert any("search" in (message or "") and "passages" in (message or "") for _, message in steps)


def test_what_the_sources_do_not_say_is_said_not_to_be(editor: Session) -> None:
    assert editor.given("ask", question="Who painted the ceiling of the Zorilla chapel?")["abstained"]


def test_a_question_leaves_the_same_trace_as_one_in_a_terminal(editor: Session, documents: Path) -> None:
    question = "Which constant says how long readings are kept?"
    editor.given("ask", question=question)
    file, deadline = documents / ".hoplite" / "traces.sqlite", time.monotonic() + 5
    while not (mine := [each for each in traces(file) if each.question == question and each.complete]):
        assert time.monotonic() < deadline, "no trace"
        time.sleep(0.05)
    roots = [record.span.name for record in trace(file, mine[0].id) if record.depth == 0]
    assert roots == ["invoke_agent hoplite"]


# Documents -------------------------------------------------------------------------------------------------------


def test_documents_are_listed_a_page_at_a_time(editor: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = editor.portal.call(editor.client.list_resources)
    assert [r.name for r in listed.resources] == ["guide.md", "hidden.md", "long.md", "src/settings.py", "src/store.py"]
    assert listed.next_cursor is None
    after = editor.portal.call(partial(editor.client.list_resources, cursor="long.md"))
    assert [r.uri for r in after.resources] == [
        "hoplite://document/src/settings.py",
        "hoplite://document/src/store.py",
    ]
    (template,) = editor.portal.call(editor.client.list_resource_templates).resource_templates
    assert template.uri_template == "hoplite://document/{+path}"


def test_a_document_is_given_between_marks(editor: Session) -> None:
    for path in ("src/settings.py", "src%2Fsettings.py"):
        given = editor.resource(path)
        assert "HERON_RETENTION = 45" in given
        assert "\n<sources " in given


def test_a_long_document_is_cut_and_the_rest_can_be_read(editor: Session) -> None:
    given = editor.resource("long.md")
    assert len(given) < mcp_server.DOCUMENT_CHARACTERS + 500
    following = int(given.rpartition("start_line=")[2].split()[0])
    assert f"Line {following - 1} " in given
    assert f"Line {following} " not in given
    assert f"Line {following} " in editor.given("read", path="long.md", start_line=following)["text"]


def test_reading_on_gives_every_line_once(editor: Session) -> None:
    at: int | None = 1
    texts: list[str] = []
    while at is not None:
        part = editor.given("read", path="long.md", start_line=at, end_line=LINES)
        assert len(part["text"]) <= mcp_tools.TEXT_CHARACTERS
        assert part["start_line"] == at
        texts.append(part["text"])
        at = part["next_line"]
    assert "\n".join(texts).splitlines()[2:] == [f"Line {n} {'word ' * 40}" for n in range(3, LINES + 1)]
    assert len(texts) > 2


def test_all_passages_of_a_search_stay_within_its_characters(editor: Session) -> None:
    found = editor.given("search", query="Line word", path="long.md", k=20)["passages"]
    assert sum(len(p["text"]) for p in found) <= mcp_tools.TEXT_CHARACTERS
    assert all(len(p["text"]) <= mcp_tools.PASSAGE_CHARACTERS for p in found)
    cut = next(p for p in found if p["cut"])
    assert f"{cut['cut']:,} characters more: read lines {cut['start_line']} to {cut['end_line']}" in text_of(
        editor.call("search", query="Line word", path="long.md", k=20)
    )


def test_hidden_characters_are_written_out(editor: Session) -> None:
    given = [
        editor.given("search", query="the marsh")["passages"][0]["text"],
        text_of(editor.call("search", query="the marsh")),
        editor.given("read", path="hidden.md")["text"],
        editor.resource("hidden.md"),
        str(editor.given("ask", question="What does the marsh have?")),
    ]
    assert all("<U+200B>" in text for text in given[:4])
    assert not {char for text in given for char in text} & {"\u200b", "\u202e", "\U000e0041", "\U000e0042"}


@pytest.mark.parametrize("path", ["../secret.txt", "guide.md/../../secret.txt", "{parent}/secret.txt", "/etc/passwd"])
def test_no_path_leads_out_of_the_index(editor: Session, documents: Path, path: str) -> None:
    path = path.format(parent=documents.parent)
    said = editor.failed("read", path=path)
    assert said.startswith("There is no indexed file")
    assert SECRET not in said
    for uri in (path, path.replace("/", "%2F").replace(".", "%2e")):
        with pytest.raises(MCPError, match="There is no indexed document"):
            editor.resource(uri)


# What goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search", {}, "query: Field required"),
        ("search", {"query": "  "}, "query: "),
        ("search", {"query": "x", "k": 5000}, "k: Input should be less than or equal to 20"),
        ("search", {"query": "x" * 5000}, "query: String should have at most 2000 characters"),
        ("search", {"query": "x", "kind": "poem"}, "kind: Input should be 'code' or 'prose'"),
        ("search", {"query": "x", "write": True}, "write: Extra inputs are not permitted"),
        ("read", {"path": "guide.md", "start_line": "one"}, "start_line: Input should be a valid integer"),
        ("read", {"path": "guide.md", "start_line": 900}, "guide.md has lines 1 to "),
        ("read", {"path": "settings.py"}, "Did you mean src/settings.py?"),
        ("ask", {"question": "x" * 5000}, "question: String should have at most 4000 characters"),
        ("ask", {"question": "Why?", "form": "novel"}, "form: Input should be 'short'"),
    ],
)
def test_wrong_arguments_are_told_with_what_would_be_right(
    editor: Session, tool: str, arguments: dict[str, Any], said: str
) -> None:
    assert said in editor.failed(tool, **arguments)


def test_there_are_no_other_tools(editor: Session) -> None:
    with pytest.raises(MCPError, match="There is no tool 'write': search, read, symbols, ask"):
        editor.call("write", path="guide.md", text="gone")


def test_a_server_that_was_started_first_finds_the_workspace_that_is_made_later(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    with session(command(tmp_path / "later"), home) as early:
        assert "Make one with `hoplite index PATH" in early.failed("search", query="readings")
        with pytest.raises(MCPError, match="There is no workspace"):
            early.portal.call(early.client.list_resources)
        index([folder], chosen=tmp_path / "later")
        assert early.given("search", query="readings")["passages"]


def test_an_index_run_gets_in_beside_an_idle_server(editor: Session, documents: Path, home: Path) -> None:
    assert editor.given("search", query="readings")["passages"]
    (documents / "new.md").write_text("# Bitterns\n\nThe bittern booms at dusk.\n")
    words = [sys.executable, "-m", "tests.ui.hashed", "index", str(documents)]
    ran = subprocess.run(words, cwd=ROOT, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert editor.given("search", query="bittern booms")["passages"][0]["path"] == "new.md"
    (documents / "new.md").unlink()


def test_a_call_waits_for_a_workspace_that_is_busy_for_a_moment_and_else_says_so(
    editor: Session, documents: Path
) -> None:
    held = take(documents)
    threading.Timer(0.7, held.release).start()
    assert editor.given("search", query="readings")["passages"]
    held = take(documents)
    try:
        said = editor.failed("search", query="readings")
    finally:
        held.release()
    assert f"is in use by process {os.getpid()}. Wait until it has finished" in said


def take(folder: Path) -> Lock:
    """Hold the workspace, once the server has let go of it."""
    return Lock(find(folder), wait=5)


def test_a_cancelled_question_stops_its_run_at_once(indexed: Path, home: Path) -> None:
    """The model's code is under way and will never end by itself."""
    words = command(indexed / ".hoplite", "--sandbox", "strong", module="tests.ui.stubborn")
    with session(words, home) as connected:
        before = descendants(os.getpid())
        asking = connected.portal.start_task_soon(
            partial(connected.client.call_tool, "ask", {"question": QUESTION}, progress_callback=_silent)
        )
        deadline = time.monotonic() + 40
        while not (running := {p for p in descendants(os.getpid()) if seconds_of(p) > 0.3} - before):
            assert not asking.done(), asking.result()
            assert time.monotonic() < deadline, "the step does not run"
            time.sleep(0.01)
        asking.cancel()
        cancelled = time.monotonic()
        while any(Path(f"/proc/{child}").exists() for child in running):
            assert time.monotonic() - cancelled < 0.3, "the step goes on"
            time.sleep(0.005)
        assert connected.given("symbols", name="sweep")["state"] == "found"  # the server goes on
    (run,) = [each for each in traces(indexed / ".hoplite" / "traces.sqlite") if each.question]
    assert run.complete
    assert run.stopped == "stop"


async def _silent(progress: float, total: float | None, message: str | None) -> None:
    await anyio.sleep(0)


def test_nothing_but_the_protocol_is_on_standard_output_and_ctrl_c_ends_it(documents: Path, home: Path) -> None:
    """Spoken by hand, in the protocol that editors speak since 2024."""
    server = subprocess.Popen(
        [sys.executable, *command(documents / ".hoplite", "--model", "none", "--sandbox", "off")],
        cwd=ROOT, env={**os.environ, "HOME": str(home)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdin
    assert server.stdout
    hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
    messages = (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "ask", "arguments": {"question": "What does sweep do?"}}},
    )
    try:
        server.stdin.write("this is no JSON\n")
        for message in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        server.stdin.flush()
        lines = []
        while not lines or json.loads(lines[-1]).get("id") != 2:
            lines.append(server.stdout.readline())
        assert json.loads(lines[-1])["result"]["structuredContent"]["citations"]
        server.send_signal(signal.SIGINT)
        rest, said = server.communicate(timeout=10)
    finally:
        server.kill()
    assert server.returncode == 130
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in [*lines, *rest.splitlines()])
    assert "searching without it" in said
