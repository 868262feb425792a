"""Language models behind one call: `complete` a conversation, whoever answers it.

A name says who answers: `local` and `local:FILE.gguf` (on this machine, `agent.local_model`), `ollama/NAME`,
`openai/NAME`, or any name LiteLLM knows (`agent.remote_models`); several names with commas are asked in turn
(`agent.fallback`). Every call goes through `StreamedChat.complete`, which opens the span, keeps the time limit, tries
again and measures; providers only stream pieces. A key in the environment is used when the user names its provider,
never because it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict

from opentelemetry import trace

from agent.prompts import version
from agent.retries import Passing, wait_before
from agent.trace_content import input_messages, told
from ingest import spans
from ingest.errors import ModelUnavailable, UserError

if TYPE_CHECKING:
    from smolagents import Model

    from agent.outgoing import Outgoing

CALL_SECONDS = 180.0
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 600.0
"""After so long without a question the model on this machine gives its memory back."""

LONGEST_REPLY = 100_000
"""Characters. A model that ignores `max_tokens` is cut here."""

Say = Callable[[str], None]


class Message(TypedDict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a token: read, found in the provider's cache instead, written. `source` is the list they stand in."""

    input: float
    cached: float
    output: float
    source: str = field(default="", compare=False)

    def of(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """Return the dollars of a call; `cached_tokens` are some of the `input_tokens`."""
        return self.input * (input_tokens - cached_tokens) + self.cached * cached_tokens + self.output * output_tokens


FREE = Price(0.0, 0.0, 0.0, "this machine")
"""The price of what runs on this machine."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered. Tokens are the model's own; `cached_tokens` of the `input_tokens` were not read again.

    `first_token_seconds` is the wait until the first piece of text, equal to `seconds` where there was no text.
    `model` is the one that answered; `dollars` is None where its price or its tokens are not known.
    """

    text: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    seconds: float
    first_token_seconds: float
    model: str = ""
    dollars: float | None = None

    @property
    def token_seconds(self) -> float | None:
        """Seconds that each token after the first took, None of an answer with fewer than two."""
        more = self.output_tokens - 1
        return (self.seconds - self.first_token_seconds) / more if more > 0 else None


class ChatModel(Protocol):
    """A language model that answers a conversation."""

    @property
    def name(self) -> str:
        """The name the user chose it by."""
        ...

    @property
    def price(self) -> Price | None:
        """What its tokens cost at most, None where that is not known. Asking a remote model's takes seconds, once."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        on_token: Callable[[str], None] | None = None,
    ) -> Completion:
        """Return the next turn, cut before the first of `stop`. `on_token` gets each piece of text as it comes.

        What `on_token` raises ends the call and comes out of it: that is how a call is stopped from outside. Before
        another attempt it gets "", to be asked whether there shall be one.
        Raises ModelUnavailable where the model is missing, cannot be reached or is too slow, and UserError where it
        refuses the conversation, such as one longer than its window.
        """
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One call, as a provider gets it. It must be over, well or badly, at `deadline` on the `perf_counter` clock."""

    messages: tuple[Message, ...]
    max_tokens: int
    stop: tuple[str, ...]
    temperature: float
    deadline: float

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline, never below a hundredth: a time-out of 0 means something else to sockets."""
        return max(0.01, self.deadline - perf_counter())


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the answer, or at the end its tokens, or both."""

    text: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


Stream = Callable[[Request], Generator[Piece, None, None]]
"""A provider: yields an answer piece by piece; closing it ends the call. TimeoutError is for the deadline."""


@dataclass(frozen=True, slots=True)
class StreamedChat:
    """ChatModel over a provider's stream: the one place where a model is called."""

    name: str
    stream: Stream
    call_seconds: float = CALL_SECONDS
    pricing: Callable[[], Price | None] = lambda: None

    @property
    def price(self) -> Price | None:
        """What its tokens cost. See `ChatModel.price`."""
        return self.pricing()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        on_token: Callable[[str], None] | None = None,
    ) -> Completion:
        """Return the next turn. See `ChatModel.complete`."""
        prompts = " ".join(its for message in messages if (its := version(message["content"])))
        attributes: dict[str, str | int | float] = {
            spans.KIND: "LLM",
            spans.OPERATION: "chat",
            "hoplite.prompt": prompts,
            "gen_ai.provider.name": self.name.partition("/")[0].partition(":")[0],
            "gen_ai.request.model": self.name,
            "gen_ai.request.max_tokens": max_tokens,
            "gen_ai.request.temperature": temperature,
        }
        tracer = trace.get_tracer("hoplite.agent")
        with tracer.start_as_current_span(
            f"chat {self.name}", kind=trace.SpanKind.CLIENT, attributes=attributes
        ) as span:
            if span.is_recording():
                span.set_attribute("gen_ai.input.messages", input_messages(messages))
            started = perf_counter()
            request = Request(tuple(messages), max_tokens, tuple(stop), temperature, started + self.call_seconds)
            try:
                completion = self._try(request, _Reply(self.name, started, on_token or _ignored), span)
            except TimeoutError as error:
                raise ModelUnavailable(
                    f"The model {self.name} did not finish within {self.call_seconds:.0f} seconds. Ask something "
                    "smaller, or another model with `--model`; `--model none` answers without one."
                ) from error
            price = self.price if completion.input_tokens else None  # A provider that counts no tokens has no cost.
            if price is not None:
                dollars = price.of(completion.input_tokens, completion.cached_tokens, completion.output_tokens)
                completion = replace(completion, dollars=dollars)
                span.set_attributes({"llm.cost.total": dollars, "hoplite.price_list": price.source})
            if span.is_recording():
                span.set_attributes(told(completion, max_tokens))
            return completion

    def _try(self, request: Request, reply: _Reply, span: trace.Span) -> Completion:
        """Ask, and again while what failed may pass. Text that was shown cannot be taken back: after it, never."""
        attempt = 1
        while True:
            try:
                with closing(self.stream(request)) as pieces:
                    return reply.read(pieces, request)
            except Passing as error:
                attempt += 1
                wait = None if reply.text else wait_before(attempt, error.after, request.seconds_left)
                if wait is None:
                    raise
                span.add_event("retry", {"hoplite.attempt": attempt, "hoplite.wait": wait, "hoplite.error": str(error)})
                sleep(wait)
                reply.on_token("")


def _ignored(piece: str) -> None:
    """What happens to pieces that nobody wants."""


class _Reply:
    """An answer as it comes together."""

    def __init__(self, name: str, started: float, on_token: Callable[[str], None]) -> None:
        self.text = ""
        self.on_token = on_token
        self._name = name
        self._started = started
        self._first: float | None = None
        self._usage = Piece()

    def read(self, pieces: Generator[Piece, None, None], request: Request) -> Completion:
        """Take the pieces together, measuring. Raises TimeoutError at the deadline, also where pieces trickle in."""
        for piece in pieces:
            if perf_counter() > request.deadline:
                raise TimeoutError
            if piece.input_tokens or piece.output_tokens:
                self._usage = piece
            if piece.text:
                self._first = self._first or perf_counter() - self._started
                text = piece.text[: LONGEST_REPLY - len(self.text)]
                self.text += text
                self.on_token(text)
            if len(self.text) >= LONGEST_REPLY:
                break
        seconds = perf_counter() - self._started
        return Completion(
            text=_cut(self.text, request.stop),
            input_tokens=self._usage.input_tokens,
            cached_tokens=self._usage.cached_tokens,
            output_tokens=self._usage.output_tokens,
            seconds=seconds,
            first_token_seconds=self._first or seconds,
            model=self._name,
        )


def _cut(text: str, stop: Sequence[str]) -> str:
    """Cut before the first stop sequence: not every provider knows them."""
    found = [text.index(end) for end in stop if end and end in text]
    return text[: min(found)] if found else text


def members(name: str) -> tuple[str, ...]:
    """Return the models that a name with commas names, in the order in which they are asked."""
    return tuple(member for part in name.split(",") if (member := part.strip()))


def make_chat(
    name: str, *, say: Say | None = None, idle_seconds: float = IDLE_SECONDS, outgoing: Outgoing | None = None
) -> ChatModel:
    """Return the language model called `name`; nothing is loaded or reached before its first call.

    Of several names with commas each is asked where the one before is unavailable. `say` gets a line when a first call
    will take a while; a model on this machine leaves memory after `idle_seconds`. What goes to a model that is not on
    it goes through `outgoing`, which masks and notes it; without that, as it is. `none` is no language model: its
    caller answers without, and it is not one of several.
    """
    named = members(name)
    if not named or name.strip() == "none":
        raise ValueError(f"{name!r} names no language model; answer without one")
    if "none" in named:
        raise UserError(f"{name!r} has none among its models. Leave it out, or give `none` alone.")
    # Together they have the time of one call, so that a silent one leaves time for the next.
    chats = [_one(member, CALL_SECONDS / len(named), say, idle_seconds, outgoing) for member in named]
    if len(chats) == 1:
        return chats[0]
    from agent.fallback import Fallback

    return Fallback(chats)


def _one(
    name: str, call_seconds: float, say: Say | None, idle_seconds: float, outgoing: Outgoing | None
) -> StreamedChat:
    if name == "local" or name.startswith("local:"):
        from agent.local_model import local_stream

        which = name.removeprefix("local").removeprefix(":")
        stream = local_stream(which, say=say, idle_seconds=idle_seconds)
        return StreamedChat(name, stream, call_seconds, lambda: FREE)
    from agent.remote_models import is_remote, litellm_stream, price_of, where

    stream = litellm_stream(name)
    if outgoing is not None and is_remote(name):
        stream = outgoing.through(stream, where(name))
    return StreamedChat(name, stream, call_seconds, lambda: price_of(name))


def as_smolagents(chat: ChatModel, *, max_tokens: int = 512, temperature: float = 0.0) -> Model:
    """Return a smolagents `Model` whose every call is `chat.complete`."""
    from smolagents import ChatMessage, MessageRole, Model
    from smolagents.models import get_clean_message_list, tool_role_conversions
    from smolagents.monitoring import TokenUsage

    class ChatAsModel(Model):  # type: ignore[misc]  # smolagents ships no types.
        def generate(self, messages: list[Any], stop_sequences: list[str] | None = None, **options: Any) -> ChatMessage:
            """Answer; of the `options` only `max_tokens` and `temperature` mean something to `chat`."""
            turns = get_clean_message_list(
                messages, role_conversions=tool_role_conversions, flatten_messages_as_text=True
            )
            completion = chat.complete(
                [Message(role=str(getattr(t["role"], "value", t["role"])), content=t["content"]) for t in turns],  # type: ignore[typeddict-item]
                max_tokens=options.get("max_tokens", max_tokens),
                stop=stop_sequences or (),
                temperature=options.get("temperature", temperature),
            )
            return ChatMessage(
                role=MessageRole.ASSISTANT,
                content=completion.text,
                token_usage=TokenUsage(completion.input_tokens, completion.output_tokens),
            )

    return ChatAsModel(model_id=chat.name)
