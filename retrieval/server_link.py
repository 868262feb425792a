"""The way to a Qdrant server: a checked address, a key that goes nowhere else, and tries that are bounded in time."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from ingest.errors import UserError
from ingest.hosts import is_loopback

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

MAX_BYTES = 256_000_000
"""Bytes of one answer: a page of 1,000 chunks or vectors takes a few millions."""

OLDEST, NEWEST = (1, 16), 1
"""The first version of the server that keeps a collection's metadata, and the last major version known here."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds.

    `connect` and `answer` bound one try; `whole` bounds a request with all its tries and the pauses between them, the
    longest of which begin at `pause` and double.
    """

    connect: float = 5.0
    answer: float = 10.0
    whole: float = 20.0
    pause: float = 0.25


SEARCHING = Patience()
"""Somebody waits for the answer."""

WRITING = Patience(connect=10.0, answer=60.0, whole=180.0, pause=1.0)
"""A long run is worth waiting for a server that restarts, or takes a breath."""


def checked(url: str) -> str:
    """Return a server's address as it is written everywhere: `http://host:6333`. Raises UserError for other text."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise UserError(f"{url} is no address of a Qdrant server. Write it like http://localhost:6333.")
    if "@" in parts.netloc:
        # Not shown: it is about a password.
        raise UserError(
            "The address of the Qdrant server holds a login. Leave it out; the API key comes from "
            "HOPLITE_QDRANT_API_KEY."
        )
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port or 6333}{parts.path.rstrip('/')}"


def connect(url: str, api_key: str | None = None, patience: Patience = SEARCHING) -> QdrantClient:
    """Return a client for a server, which is not asked anything yet.

    It follows no redirect and uses no proxy. Raises UserError where the key would go unencrypted to another machine.
    """
    url = checked(url)
    host = urlsplit(url).hostname or ""
    if api_key and url.startswith("http:") and not is_loopback(host):
        raise UserError(f"{url} would carry the API key unencrypted. Use https, or leave the key out.")
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise UserError("The API key holds characters that no header can carry. Copy it again, as one line.")
    from qdrant_client import QdrantClient

    return QdrantClient(
        url=url,
        # As a header: given as a key, the client warns of loopback too.
        headers={"api-key": api_key} if api_key else None,
        timeout=math.ceil(patience.answer),
        check_compatibility=False,  # it would warn, from a thread; `require_version` says it in a line
        transport=Transport(url, patience),
        follow_redirects=False,
    )


def require_version(client: QdrantClient, url: str) -> str:
    """Return the server's version. Raises UserError where it is none that is known here, or nothing that answers."""
    with said(url, "the question for its version"):
        version = client.info().version
    try:
        major, minor = map(int, version.split(".")[:2])
    except ValueError:
        major, minor = 0, 0
    if (major, minor) < OLDEST or major > NEWEST:
        raise UserError(
            f"The server at {url} is Qdrant {version[:40]}; Hoplite works with {OLDEST[0]}.{OLDEST[1]} and newer of "
            f"{NEWEST}.x. Update the server, or name another one with `--store`."
        )
    return version


@contextmanager
def said(url: str, what: str) -> Iterator[None]:
    """Say what an error of the client means for the user; `what` is what was asked."""
    from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

    try:
        yield
    except UnexpectedResponse as error:
        raise UserError(f"The Qdrant server at {url} refused {what}: {_refusal(error)}") from error
    except ResponseHandlingException as error:
        if isinstance(error.source, UserError):  # the transport's, which knows best
            raise error.source from error
        raise UserError(_stranger(url, what)) from error
    except (ApiException, json.JSONDecodeError, UnicodeDecodeError, AssertionError) as error:
        # A body that is no JSON leaves the client as such an error, and one without a result as a failed assertion.
        raise UserError(_stranger(url, what)) from error


class Transport(httpx.BaseTransport):
    """Sends requests again where that may help: every request of ours can be sent twice.

    A whole answer is read before it is handed on, so that one that is cut short is asked for again too.
    """

    def __init__(self, url: str, patience: Patience) -> None:
        self._url = url
        self._patience = patience
        # Certificates take 0.1 s to read; an address without TLS never leads to one with it.
        self._inner = httpx.HTTPTransport(verify=url.startswith("https:"))
        self._answered = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, read. Raises UserError where there is none in time, or one that leads elsewhere."""
        request.read()
        begun = time.monotonic()
        tries = Retrying(
            retry=retry_if_exception_type(_Passing),
            wait=self._pause,
            stop=stop_before_delay(0.75 * self._patience.whole),  # the rest is the last try's
            reraise=True,
        )
        try:
            return tries(self._once, request, begun + self._patience.whole)
        except _Passing as failure:
            raise UserError(
                f"The Qdrant server at {self._url} {failure} ({time.monotonic() - begun:.1f} s of tries). Check "
                "that it runs and has room, and try again: what is done already is kept."
            ) from failure

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _once(self, request: httpx.Request, until: float) -> httpx.Response:
        left = max(until - time.monotonic(), 0.001)
        wait = min(self._patience.answer, left)
        connecting = min(self._patience.connect, left)
        request.extensions["timeout"] = {"connect": connecting, "read": wait, "write": wait, "pool": wait}
        try:
            answer = self._inner.handle_request(request)
            try:
                body = _read(answer, time.monotonic() + wait)
            finally:
                answer.close()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            # One that never answered is not there, or written wrongly; one that did is restarting.
            if not self._answered:
                raise UserError(
                    f"No Qdrant server can be reached at {self._url} ({str(error)[:200] or 'no answer'}). Check that "
                    "it runs, and its address; no proxy is used."
                ) from error
            raise _Passing("cannot be reached any more") from error
        except httpx.TimeoutException as error:
            raise _Passing(f"did not answer within {wait:.3g} s") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Passing("broke off in the middle of an answer") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _Passing(f"answers {answer.status_code}: {_text(body)}", _seconds(answer.headers.get("retry-after")))
        if 300 <= answer.status_code < 400:
            raise UserError(
                f"{self._url} answers with a redirect ({answer.status_code}), which is not followed, so that no key "
                "goes elsewhere. Name the server's own address with `--store`."
            )
        self._answered = True
        kind = answer.headers.get("content-type", "")
        return httpx.Response(answer.status_code, headers={"content-type": kind}, content=body, request=request)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next try: random below a bound that doubles, so that many writers spread; or as the server
        asks, where that is longer."""
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.seconds if isinstance(failure, _Passing) else 0.0
        drawn: float = wait_random_exponential(multiplier=self._patience.pause, max=30.0)(state)
        return max(asked, drawn)


class _Passing(Exception):
    """What may be over with the next try. `seconds` is how long the server asks to wait."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


def _read(answer: httpx.Response, until: float) -> bytes:
    body = bytearray()
    for block in answer.iter_bytes():
        body += block
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the answer drips")
        if len(body) > MAX_BYTES:
            raise UserError(f"The Qdrant server sent more than {MAX_BYTES:,} bytes in one answer; it was cut off.")
    return bytes(body)


def _seconds(retry_after: str | None) -> float:
    """How long Retry-After asks to wait: a number of seconds, or a date."""
    if not retry_after:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _refusal(error: object) -> str:
    status, body = getattr(error, "status_code", None), getattr(error, "content", b"")
    steps = {
        401: "Give its API key in HOPLITE_QDRANT_API_KEY.",
        403: "The API key in HOPLITE_QDRANT_API_KEY may not do this: give one that may.",
        404: "Check its address (`--store`) and the collection's name (`--collection`).",
        413: "It takes smaller requests only: raise its `service.max_request_size_mb`.",
    }
    return f"{status}: {_text(body)}. {steps.get(status or 0, 'Check its address (`--store`) and its settings.')}"


def _text(body: bytes) -> str:
    return " ".join(body[:200].decode("utf-8", "replace").split()).rstrip(".") or "nothing more"


def _stranger(url: str, what: str) -> str:
    return (
        f"What {url} answered to {what} is no answer of a Qdrant server that Hoplite knows. "
        "Check the address (`--store`); Qdrant listens to HTTP on port 6333."
    )
