"""Language models behind one call: `complete` a conversation, whoever answers it.

A name says who answers: `local` and `local:FILE.gguf` (on this machine, `agent.local_model`), `ollama/NAME`,
`openai/NAME`, or any name LiteLLM knows. Every call goes through `StreamedChat.complete`, which opens the span, keeps
the time limit and measures; providers only stream pieces. A key in the environment is used when the user names its
provider, never because it is there.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict
from urllib.parse import urlsplit

from opentelemetry import trace

from ingest.errors import ModelUnavailable

if TYPE_CHECKING:
    from smolagents import Model

CALL_SECONDS = 180.0
CONNECT_SECONDS = 5.0
Say = Callable[[str], None]


class Message(TypedDict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered. Tokens are the model's own; `cached_tokens` of the `input_tokens` were not read again.

    `first_token_seconds` is the wait until the first piece of text, equal to `seconds` where there was no text.
    """

    text: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    seconds: float
    first_token_seconds: float


class ChatModel(Protocol):
    """A language model that answers a conversation."""

    @property
    def name(self) -> str:
        """The name the user chose it by."""
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

        What `on_token` raises ends the call and comes out of it: that is how a call is stopped from outside.
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
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": self.name,
            "gen_ai.request.max_tokens": max_tokens,
            "gen_ai.request.temperature": temperature,
        }
        tracer = trace.get_tracer("hoplite.agent")
        with tracer.start_as_current_span(
            f"chat {self.name}", kind=trace.SpanKind.CLIENT, attributes=attributes
        ) as span:
            started = perf_counter()
            request = Request(tuple(messages), max_tokens, tuple(stop), temperature, started + self.call_seconds)
            try:
                completion = self._fold(request, started, on_token)
            except TimeoutError as error:
                raise ModelUnavailable(
                    f"The model {self.name} did not finish within {self.call_seconds:.0f} seconds. Ask something "
                    "smaller, or another model with `--model`; `--model none` answers without one."
                ) from error
            span.set_attribute("gen_ai.usage.input_tokens", completion.input_tokens)
            span.set_attribute("gen_ai.usage.cache_read.input_tokens", completion.cached_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", completion.output_tokens)
            span.set_attribute("hoplite.first_token_seconds", completion.first_token_seconds)
            return completion

    def _fold(self, request: Request, started: float, on_token: Callable[[str], None] | None) -> Completion:
        """Take the pieces together, measuring. Raises TimeoutError at the deadline, also where pieces trickle in."""
        text, first, usage = "", None, Piece()
        with closing(self.stream(request)) as pieces:
            for piece in pieces:
                if perf_counter() > request.deadline:
                    raise TimeoutError
                if piece.input_tokens or piece.output_tokens:
                    usage = piece
                if piece.text:
                    first = first or perf_counter() - started
                    text += piece.text
                    if on_token is not None:
                        on_token(piece.text)
        seconds = perf_counter() - started
        return Completion(
            text=_cut(text, request.stop),
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            seconds=seconds,
            first_token_seconds=first or seconds,
        )


def _cut(text: str, stop: Sequence[str]) -> str:
    """Cut before the first stop sequence: not every provider knows them."""
    found = [text.index(end) for end in stop if end and end in text]
    return text[: min(found)] if found else text


def make_chat(name: str, *, say: Say | None = None) -> ChatModel:
    """Return the language model called `name`; nothing is loaded or reached before its first call.

    `say` gets a line when that first call will take a while. `none` is no language model: its caller answers without.
    """
    if name == "local" or name.startswith("local:"):
        from agent.local_model import local_stream

        return StreamedChat(name, local_stream(name.removeprefix("local").removeprefix(":"), say=say))
    if name == "none" or not name.strip():
        raise ValueError(f"{name!r} names no language model; answer without one")
    return StreamedChat(name, _litellm_stream(name))


# Where a provider listens: the variable that its own clients and LiteLLM read, and the default.
_ADDRESSES = {
    "ollama": ("OLLAMA_API_BASE", "http://localhost:11434"),
    "openai": ("OPENAI_BASE_URL", "https://api.openai.com/v1"),
    "hosted_vllm": ("HOSTED_VLLM_API_BASE", ""),
    "lm_studio": ("LM_STUDIO_API_BASE", ""),
}


def _address(name: str) -> str:
    """Return the address that answers for `name`, empty where only LiteLLM knows it."""
    variable, default = _ADDRESSES.get(name.partition("/")[0], ("", ""))
    return os.environ.get(variable, default) if variable else ""


def is_remote(name: str) -> bool:
    """Whether a call to the model leaves this machine. In doubt it does."""
    if name in ("local", "none") or name.startswith("local:"):
        return False
    host = urlsplit(_address(name)).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:  # A name, not an address.
        return host != "localhost"


def leaves_the_machine(name: str) -> str:
    """Return one line that says what leaves this machine when the model is asked, and where it goes."""
    if not is_remote(name):
        return f"Nothing leaves this machine: {name} runs on it."
    place = _address(name) or f"the provider of {name}"
    return (
        f"Leaving this machine: your question, the passages found for it, the agent's steps and recalled notes go to "
        f"{place} ({name})."
    )


def _litellm_stream(name: str) -> Stream:
    """A provider over LiteLLM, which reads the key of the provider that `name` names from the environment."""

    def stream(request: Request) -> Generator[Piece, None, None]:
        # Importing LiteLLM fetches a price list from the network unless told to use its own copy.
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import httpx
        import litellm
        import openai

        litellm.suppress_debug_info = True  # Else it prints advertisements for itself on every error.
        litellm.telemetry = False
        try:
            answer = litellm.completion(
                # Ollama's older interface flattens the conversation into one prompt.
                model=name.replace("ollama/", "ollama_chat/", 1) if name.startswith("ollama/") else name,
                messages=list(request.messages),
                max_tokens=request.max_tokens,
                stop=list(request.stop) or None,
                temperature=request.temperature,
                api_base=_address(name) or None,
                stream=True,
                stream_options={"include_usage": True},
                timeout=httpx.Timeout(request.seconds_left, connect=CONNECT_SECONDS),
                num_retries=0,
                max_retries=0,
                drop_params=True,
            )
            for chunk in answer:
                yield _piece(chunk)
        except openai.APITimeoutError as error:
            raise TimeoutError from error
        except openai.OpenAIError as error:  # The root of LiteLLM's errors, whichever the provider.
            reason = str(error).strip().splitlines()[0][:300]
            raise ModelUnavailable(
                f"The model {name} did not answer: {reason} Check its name, its key and that "
                f"{_address(name) or 'its provider'} is up, or use `--model local`."
            ) from error

    return stream


def _piece(chunk: Any) -> Piece:
    """Read one chunk of a stream in OpenAI's form."""
    text = (chunk.choices[0].delta.content or "") if chunk.choices else ""
    usage = getattr(chunk, "usage", None)
    if usage is None:
        return Piece(text)
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Piece(text, usage.prompt_tokens or 0, cached, usage.completion_tokens or 0)


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
