"""Language models that others serve: how they are asked, where they are, and what they cost."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from agent.models import CONNECT_SECONDS, FREE, Piece, Price, Request, Stream, members
from agent.retries import Passing, seconds_asked
from ingest.errors import ModelUnavailable
from ingest.hosts import is_loopback

# Where a provider listens: the variable that its own clients and LiteLLM read, and the default.
_ADDRESSES = {
    "ollama": ("OLLAMA_API_BASE", "http://localhost:11434"),
    "openai": ("OPENAI_BASE_URL", "https://api.openai.com/v1"),
    "huggingface": ("HUGGINGFACE_API_BASE", "https://router.huggingface.co/v1"),
    "hosted_vllm": ("HOSTED_VLLM_API_BASE", ""),
    "lm_studio": ("LM_STUDIO_API_BASE", ""),
}
PRICES_OF = ("1.106.2", "2026-10-21")
"""The release of LiteLLM that is pinned, and the day that its price list is of."""

_PASSING = frozenset({408, 429})  # and all from 500 on


def _address(name: str) -> str:
    """Return the address that answers for `name`, empty where only LiteLLM knows it."""
    provider, *rest = name.split("/")
    variable, default = _ADDRESSES.get(provider, ("", ""))
    if provider == "huggingface" and len(rest) > 2:  # huggingface/PROVIDER/ORG/NAME: LiteLLM knows that one's route.
        default = ""
    return os.environ.get(variable, default) if variable else ""


def is_remote(name: str) -> bool:
    """Whether a call to the model leaves this machine; of several, to any of them. In doubt it does."""
    return any(_is_remote(member) for member in members(name))


def _is_remote(name: str) -> bool:
    if name in ("local", "none") or name.startswith("local:"):
        return False
    return not is_loopback(_host(name))


def where(name: str) -> str:
    """Return the host that answers for one remote model, or whose it is where only LiteLLM knows that."""
    return _host(name) or f"the provider of {name}"


def _host(name: str) -> str:
    return urlsplit(_address(name)).hostname or ""


def price_of(name: str) -> Price | None:
    """Return what the model's tokens cost by LiteLLM's own price list, None where that is not known.

    A model of this machine costs nothing. OpenAI's prices hold at OpenAI's address only, and a price of nothing
    elsewhere is one that the list does not know.
    """
    if not _is_remote(name):
        return FREE
    provider, slash, rest = name.partition("/")
    if provider == "openai" and _address(name) != _ADDRESSES["openai"][1]:
        return None
    listed = _litellm().model_cost
    entry = listed.get(name) or {}
    if not entry and slash and (other := listed.get(rest, {})).get("litellm_provider") == provider:
        entry = other
    read, written = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not read and not written:
        return None
    cached = entry.get("cache_read_input_token_cost")
    return Price(read or 0.0, (read or 0.0) if cached is None else cached, written or 0.0, _price_list())


def _price_list() -> str:
    """Which list prices are from, with its day where that is known."""
    release = version("litellm")
    return f"LiteLLM {release}" + (f" of {PRICES_OF[1]}" if release == PRICES_OF[0] else "")


def _litellm() -> Any:
    # Importing LiteLLM fetches a price list from the network unless told to use its own copy.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True  # Else it prints advertisements for itself on every error.
    litellm.telemetry = False
    # Its warnings are of prices and of the like; what concerns a user is an error that is raised.
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return litellm


def litellm_stream(name: str) -> Stream:
    """A provider over LiteLLM, which reads the key of the provider that `name` names from the environment."""

    def stream(request: Request) -> Generator[Piece, None, None]:
        litellm = _litellm()
        import httpx
        import openai

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
            said = False
            for chunk in answer:
                piece = _piece(chunk)
                said = said or piece != Piece()
                yield piece
        except openai.OpenAIError as error:  # The root of LiteLLM's errors, whichever the provider.
            raise _failed(name, error) from error
        if not said:  # A page for people, for example, is a stream without a single event.
            raise ModelUnavailable(_unavailable(name, "it sent neither text nor a count of tokens."))

    return stream


def _failed(name: str, error: Exception) -> ModelUnavailable:
    """What a provider's error means: whether it may pass, and when to come back. Raises TimeoutError for a silence."""
    import httpx

    causes = list(_causes(error))
    reason = " ".join(str(error).split())[:300]
    status = getattr(error, "status_code", None) or 0
    # LiteLLM gives an address where nobody listens as error 500 too; that does not pass within a call.
    absent = any(isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout) for cause in causes)
    if not absent and any(isinstance(cause, httpx.TimeoutException) for cause in causes):
        raise TimeoutError from error
    if absent or not (status in _PASSING or status >= 500):
        return ModelUnavailable(_unavailable(name, reason))
    headers = getattr(error, "litellm_response_headers", None) or {}
    return Passing(_unavailable(name, reason), seconds_asked(headers.get("retry-after")))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _unavailable(name: str, reason: str) -> str:
    return (
        f"The model {name} did not answer: {reason} Check its name, its key and that "
        f"{_address(name) or 'its provider'} is up, or use `--model local`."
    )


def _piece(chunk: Any) -> Piece:
    """Read one chunk of a stream in OpenAI's form."""
    text = (chunk.choices[0].delta.content or "") if chunk.choices else ""
    usage = getattr(chunk, "usage", None)
    if usage is None:
        return Piece(text)
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return Piece(text, usage.prompt_tokens or 0, cached, usage.completion_tokens or 0)
