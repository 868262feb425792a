"""The page's API: `/ask` and `/search`, for programs, as `hoplite ask --json` and `hoplite search --json` answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

from agent.types import Answered
from ingest.errors import HopliteError
from ui.commands.search import found
from ui.line import turn_in

if TYPE_CHECKING:
    import gradio as gr

    from agent.conversation import Asked
    from agent.types import Form
    from retrieval.types import SearchResult
    from ui.line import Lines

Chosen = Literal["auto", "short", "paragraph", "report", "table"]
LONGEST = 2_000
"""Characters of a question or a query."""
MOST = 100
"""Hits of a search."""
# In one queue, and before the model in the line of the chat and the batches.
_QUEUE: dict[str, Any] = {"api_visibility": "public", "concurrency_limit": 2, "concurrency_id": "ask"}


class Desk(Protocol):
    """What the API needs of a workspace."""

    @property
    def lines(self) -> Lines:
        """The lines before the models, which the page's own questions wait in too."""
        ...

    def agent(self, form: Form | Literal["auto"] = "auto") -> Asked:
        """Return an agent for one question, its answer in that form."""
        ...

    def search(self, query: str, k: int) -> SearchResult:
        """Return the passages for a query."""
        ...


class Endpoints:
    """Each call is by itself: no call sees another's question, and none is a follow-up."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def build(self) -> None:
        """Make the endpoints, inside the page's Blocks."""
        import gradio as gr

        def ask(question: str, form: Chosen = "auto") -> dict[str, Any]:
            return self.ask(question, form)

        def search(query: str, k: int = 8) -> dict[str, Any]:
            return self.search(query, k)

        gr.api(ask, api_name="ask", api_description=_ASK, **_QUEUE)
        gr.api(search, api_name="search", api_description=_SEARCH, **_QUEUE)

    def ask(self, question: object, form: object) -> dict[str, Any]:
        """Return the answer as `ask --json` prints it. Raises gr.Error, with the line that says what to do."""
        text = _text("question", question)
        if form not in get_args(Chosen):
            raise _wrong(f"form is one of {', '.join(get_args(Chosen))}.")
        try:
            agent = self._desk.agent(cast(Chosen, form))
            with turn_in(self._desk.lines.before(agent.chat.name if agent.chat else None)):
                for event in agent.stream(text):
                    if isinstance(event, Answered):
                        return event.answer.as_json()
        except HopliteError as error:
            raise _wrong(str(error)) from error
        raise AssertionError("a run ends with an answer")

    def search(self, query: object, k: object) -> dict[str, Any]:
        """Return the passages as `search --json` prints them. Raises gr.Error, with the line that says what to do."""
        text = _text("query", query)
        if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MOST:
            raise _wrong(f"k is a number from 1 to {MOST}.")
        try:
            return found(self._desk.search(text, k))
        except HopliteError as error:
            raise _wrong(str(error)) from error


_ASK = (
    "Answer a question from what is indexed, with every citation checked: what `hoplite ask --json` prints. "
    "`form` is the answer's: auto, short, paragraph, report or table."
)
_SEARCH = (
    "Find the passages for a query, without a language model: what `hoplite search --json` prints. `k` is how many."
)


def _text(name: str, value: object) -> str:
    """What a program said, checked: Gradio hands on any JSON."""
    if not isinstance(value, str) or not value.strip():
        raise _wrong(f"{name} is a text that is not empty.")
    if len(value) > LONGEST:
        raise _wrong(f"{name} has {len(value):,} characters; it may have {LONGEST:,}.")
    return value.strip()


def _wrong(line: str) -> gr.Error:
    import gradio as gr

    return gr.Error(line, print_exception=False)
