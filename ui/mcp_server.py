"""The MCP server: an editor's own assistant searches, reads and asks the workspace. It speaks over standard input and
output, and writes nothing but Hoplite's own traces, notes and kept answers.

Importing this takes a second (the protocol's package); only `hoplite mcp` does.
"""

from __future__ import annotations

import bisect
import logging
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from types import FrameType
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, unquote

import anyio
import anyio.from_thread
import anyio.to_thread
import click
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from agent.guard import visible
from agent.loop import Agent
from agent.types import Answer, Answered, AnswerToken, Event, Searched
from ingest.errors import HopliteError, ToolError
from retrieval.library import Library
from ui import mcp_tools as tools
from ui import render
from ui.borrowed import Borrowed
from ui.cli import INTERRUPTED
from ui.commands.ask import agent_for

DOCUMENT = "hoplite://document/"
"""What a document's address begins with; its path follows, percent-encoded."""

LISTED = 100
"""Documents on one page of the list of resources."""

DOCUMENT_CHARACTERS = 50_000
"""Characters of a document that are given as a resource."""

AT_ONCE = 4  # calls that look something up; questions are answered one at a time
_MESSAGE = 1_000  # characters of an error
_STEP = 200  # characters of a progress message

INSTRUCTIONS = (
    "Hoplite knows the documents and code that were indexed with `hoplite index`. `search` finds passages by words, by "
    "meaning and by the names that lead from one text to the next; `read` gives lines of a file; `symbols` says where "
    "a name is defined, who calls it and where it is documented; `ask` answers a whole question with checked "
    f"citations, which takes seconds to minutes. {tools.NOTICE}"
)

BUG = "This is a bug in Hoplite. Its log, which your editor keeps, says more."

_log = logging.getLogger("hoplite.mcp")

A = TypeVar("A", bound=tools.Arguments)
R = TypeVar("R")
Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A tool that looks something up."""

    name: str
    title: str
    about: str
    takes: type[A]
    gives: type[tools.Result]
    run: Callable[[Library, A], tools.Result]


SEARCH = Tool(
    "search",
    "Search documents and code",
    "Find passages in the indexed documents and code: by words, by meaning, and by the names that lead on.",
    tools.SearchFor,
    tools.Passages,
    tools.search,
)
READ = Tool(
    "read",
    "Read lines of a document",
    "Read lines of an indexed document or source file, as the file is now.",
    tools.ReadLines,
    tools.Lines,
    tools.read,
)
SYMBOLS = Tool(
    "symbols",
    "Look a name up",
    "Show where a function, class, setting or heading is defined, who calls it, and where it is mentioned.",
    tools.LookUp,
    tools.Known,
    tools.symbols,
)
LOOKING_UP: dict[str, Tool[Any]] = {tool.name: tool for tool in (SEARCH, READ, SYMBOLS)}
ASK = "ask"
_ABOUT_ASK = (
    "Answer a question from the indexed documents and code, over several hops, with citations that were checked "
    "against the files; says so where the sources do not say it. Seconds to minutes."
)


class Handlers:
    """What the protocol's requests are answered with."""

    def __init__(self, borrowed: Borrowed, chosen: Mapping[str, Any]) -> None:
        """`chosen` are the agent's settings as the command line has them, None where nothing was said."""
        self._borrowed = borrowed
        self._chosen = chosen
        self._asking = anyio.Lock()
        self._threads = anyio.CapacityLimiter(AT_ONCE)

    async def list_tools(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """Return the tools, each of which only reads."""
        looking = [_described(t.name, t.title, t.about, t.takes, t.gives, abroad=False) for t in LOOKING_UP.values()]
        # The model that answers may be elsewhere: that is a setting, which the workspace can have too.
        ask = _described(ASK, "Ask a question", _ABOUT_ASK, tools.Ask, tools.Answered, abroad=True)
        return types.ListToolsResult(tools=[*looking, ask])

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Run a tool. What went wrong, and what to do next, is its result, which the model reads."""
        given = params.arguments or {}
        tool = LOOKING_UP.get(params.name)
        try:
            if tool is not None:
                arguments = tool.takes.model_validate(given)
                result = await self._in_thread(partial(self._look_up, tool, arguments))
            elif params.name == ASK:
                result = await self._ask(ctx, tools.Ask.model_validate(given))
            else:
                names = ", ".join([*LOOKING_UP, ASK])
                raise MCPError(types.INVALID_PARAMS, f"There is no tool {visible(params.name[:60])!r}: {names}.")
        except ValidationError as error:
            return _failed(_wrong(params.name, error))
        except HopliteError as error:
            return _failed(str(error))
        except MCPError:
            raise
        except Exception:
            _log.exception("the tool %s failed", params.name)
            return _failed(BUG)
        text = types.TextContent(type="text", text=result.told())
        return types.CallToolResult(content=[text], structured_content=result.model_dump(mode="json"))

    async def list_resources(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """Return a page of the documents, in the order of their paths; a cursor is the last path of the page before."""
        after = unquote(params.cursor) if params and params.cursor else ""
        with _told():
            paths = await self._in_thread(self._paths)
        first = bisect.bisect_right(paths, after) if after else 0
        page, rest = paths[first : first + LISTED], paths[first + LISTED :]
        listed = [
            types.Resource(uri=DOCUMENT + quote(path), name=visible(path), mime_type="text/plain") for path in page
        ]
        return types.ListResourcesResult(resources=listed, next_cursor=quote(page[-1]) if rest else None)

    async def list_templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """Return the address of a document."""
        template = types.ResourceTemplate(
            uri_template=f"{DOCUMENT}{{+path}}",
            name="document",
            title="An indexed document",
            description=f"The text of an indexed document, by its path as search gives it. {tools.NOTICE}",
            mime_type="text/plain",
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """Return the text of an indexed document; of a long one the beginning, and how to read on."""
        if not params.uri.startswith(DOCUMENT):
            raise MCPError(types.INVALID_PARAMS, f"A document's address is {DOCUMENT} and its path.")
        with _told():
            text = await self._in_thread(partial(self._document, unquote(params.uri.removeprefix(DOCUMENT))))
        contents = types.TextResourceContents(uri=params.uri, mime_type="text/plain", text=text)
        return types.ReadResourceResult(contents=[contents])

    async def _in_thread(self, work: Callable[[], R]) -> R:
        """Do what blocks elsewhere. Nobody waits for what was cancelled; it ends by itself."""
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    def _look_up(self, tool: Tool[A], arguments: A) -> tools.Result:
        with self._borrowed.library() as library:
            return tool.run(library, arguments)

    def _paths(self) -> list[str]:
        with self._borrowed.library() as library:
            return library.paths()

    def _document(self, path: str) -> str:
        with self._borrowed.library() as library:
            document = library.resolve(tools.known_path(library, path))
        if document is None:
            raise ToolError(
                f"There is no indexed document {path[:_STEP]}. The list of resources and `search` name them."
            )
        text, cut = tools.cut_to(visible(document.text), DOCUMENT_CHARACTERS)
        at = text.count("\n") + 1
        following = document.source_lines[at] if document.source_lines else at + 1
        more = f"{cut:,} characters are left out: `read` has them, from start_line={following} on." if cut else ""
        return tools.fenced("A document.", text, more)

    async def _ask(self, ctx: Context, asked: tools.Ask) -> tools.Answered:
        """Answer one question after the other. A request that is cancelled stops its run."""
        async with self._asking:
            run = Asking(self._borrowed, self._chosen, asked)

            def tell(number: float, message: str) -> None:
                anyio.from_thread.run(ctx.session.report_progress, number, None, message)

            try:
                return await anyio.to_thread.run_sync(run.answer, tell, abandon_on_cancel=True)
            except anyio.get_cancelled_exc_class():
                run.stop()
                raise


class Asking:
    """One question under way in a thread of its own; `stop` may be called from any other."""

    def __init__(self, borrowed: Borrowed, chosen: Mapping[str, Any], asked: tools.Ask) -> None:
        self._borrowed = borrowed
        self._chosen = {**chosen, **({"form": asked.form} if asked.form else {})}
        self._question = asked.question
        self._agent: Agent | None = None
        self._stopped = threading.Event()

    def answer(self, tell: Callable[[float, str], object]) -> tools.Answered:
        """Return the answer; tells of each step, by its number."""
        with self._borrowed.library() as library:
            self._agent = agent = agent_for(library, self._chosen)
            answer: Answer | None = None
            steps = 0
            with closing(cast("Generator[Event]", agent.stream(self._question))) as events:
                for event in events:
                    if self._stopped.is_set():  # asked for before the run had begun
                        agent.stop()
                    if isinstance(event, Answered):
                        answer = event.answer
                    elif (message := step(event)) and not self._stopped.is_set():
                        steps += 1
                        with suppress(CancelledError, anyio.RunFinishedError):  # nobody listens any more
                            tell(steps, message)
        assert answer is not None, "a run ends with an answer"
        return tools.Answered.of(answer)

    def stop(self) -> None:
        """End the run; nobody waits for its answer."""
        self._stopped.set()
        if self._agent is not None:
            self._agent.stop()


def step(event: Event) -> str:
    """Return a line for one event of a run, "" where it says nothing of its own."""
    if isinstance(event, AnswerToken) or not (shown := render.event(event)):
        return ""
    found = f", {render.counted(len(event.passages), 'passage')}" if isinstance(event, Searched) else ""
    return tools.line(click.unstyle(shown).split("\n", 1)[0] + found, _STEP)


def serve(borrowed: Borrowed, chosen: Mapping[str, Any]) -> None:
    """Answer what comes on standard input until it ends; Ctrl-C ends the process."""

    def leave(number: int, frame: FrameType | None) -> None:
        # A thread waits for standard input, which nothing can interrupt, and would keep the process alive.
        borrowed.close()
        os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, leave)
    try:
        anyio.run(_serve, borrowed, chosen)
    finally:
        signal.signal(signal.SIGINT, before)


async def _serve(borrowed: Borrowed, chosen: Mapping[str, Any]) -> None:
    handlers = Handlers(borrowed, chosen)
    server: Server[Any] = Server(
        "hoplite",
        version=version("hoplite"),
        title="Hoplite",
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
    )
    server.middleware.clear()  # its spans would be the roots of our traces, named after the protocol's messages
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def _described(
    name: str, title: str, about: str, takes: type[tools.Arguments], gives: type[tools.Result], *, abroad: bool
) -> types.Tool:
    """A tool as an editor is told of it."""
    hints = types.ToolAnnotations(
        title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=abroad
    )
    return types.Tool(
        name=name,
        title=title,
        description=about,
        input_schema=takes.model_json_schema(),
        output_schema=gives.model_json_schema(mode="serialization"),
        annotations=hints,
    )


def _failed(message: str) -> types.CallToolResult:
    """What went wrong, as a result of the tool."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=_said(message))], is_error=True)


def _said(message: str) -> str:
    return tools.line(message, _MESSAGE)


def _wrong(name: str, error: ValidationError) -> str:
    """Which arguments are not what the tool takes."""
    wrong = [f"{'.'.join(map(str, each['loc'])) or 'the arguments'}: {each['msg']}" for each in error.errors()]
    return f"{name} was called wrongly. {'; '.join(wrong)}. Its input schema says what it takes."


@contextmanager
def _told() -> Iterator[None]:
    """Inside, what goes wrong is an error of the protocol, with the next step: a resource has no other place for it."""
    try:
        yield
    except ToolError as error:
        raise MCPError(types.INVALID_PARAMS, _said(str(error))) from error
    except HopliteError as error:
        raise MCPError(types.INTERNAL_ERROR, _said(str(error))) from error
    except Exception as error:
        _log.exception("a resource failed")
        raise MCPError(types.INTERNAL_ERROR, BUG) from error
