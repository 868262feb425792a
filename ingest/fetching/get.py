"""One GET: checked at every hop, bounded in bytes and in time, and never decoded further than the bound."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import httpcore
import httpx

from ingest.errors import FileFailed
from ingest.fetching import connect
from ingest.fetching.connect import Allowed, Late, Refused, Resolve

USER_AGENT = "hoplite"
"""What is sent, and what a robots.txt may name."""

MAX_BYTES = 20_000_000
"""Bytes of one answer, decompressed."""

SECONDS = 60.0
"""The whole of one fetch: connecting, redirects and reading. Looking a name up has the system's own limit."""

MAX_REDIRECTS = 5

_REDIRECTS = (301, 302, 303, 307, 308)
_ACCEPT = "text/html,application/xhtml+xml,text/markdown,text/plain,application/xml;q=0.9,*/*;q=0.5"
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,512}")


@dataclass(frozen=True, slots=True)
class Known:
    """What a server said of a page the last time, to ask whether it changed. "" where it said nothing."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Got:
    """An answer. `url` is where the redirects ended; `body` is None where the page is as it was known (304).

    `kind` is the content type, lower case, without parameters.
    """

    url: str
    status: int
    kind: str
    body: bytes | None
    known: Known


@dataclass(frozen=True, slots=True)
class Web:
    """How pages are reached. Tests reach loopback through `lookup` and `allowed`, and wait less."""

    lookup: Resolve = connect.resolve
    allowed: Allowed = connect.is_public
    seconds: float = SECONDS
    max_bytes: int = MAX_BYTES
    pause: float = 0.2


def get(url: str, web: Web, *, known: Known | None = None, permit: Callable[[str], None] | None = None) -> Got:
    """Return what the address answers.

    Args:
        known: Sent along, so that an unchanged page answers 304.
        permit: Called with the address of every hop; raises FileFailed for one that must not be asked.

    Raises:
        FileFailed: "refused", "unreachable", "too_slow", "too_large" or "status_404" and the like.
    """
    until = time.monotonic() + web.seconds
    try:
        at = _checked(url, None)
        for _ in range(MAX_REDIRECTS + 1):
            if permit is not None:
                permit(str(at))
            with connect.pool(until, lookup=web.lookup, allowed=web.allowed) as pool:
                found = _asked(pool, at, known, web.max_bytes)
            if isinstance(found, Got):
                return found
            at = _checked(found, at)
    except Refused as error:
        raise FileFailed("refused", f"{url} was not fetched: {error}.") from error
    except (Late, httpcore.TimeoutException) as error:
        raise FileFailed("too_slow", f"{url} did not answer in full within {web.seconds:.0f} s.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
        raise FileFailed(
            "unreachable",
            f"{url} cannot be reached ({str(error)[:200] or type(error).__name__}). Pages are fetched without a proxy; "
            "where there is no other way out, save the page and index the file.",
        ) from error
    raise FileFailed("refused", f"{url} was not fetched: it redirects more than {MAX_REDIRECTS} times.")


def _asked(pool: httpcore.ConnectionPool, at: httpx.URL, known: Known | None, most: int) -> Got | str:
    """Ask once. Returns the answer, or where it redirects to."""
    headers: dict[bytes | str, bytes | str] = {
        "Host": at.netloc.decode("ascii"),
        "User-Agent": USER_AGENT,
        "Accept": _ACCEPT,
        "Accept-Encoding": "gzip",
    }
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    if known is not None and known.modified:
        headers["If-Modified-Since"] = known.modified
    target = httpcore.URL(scheme=at.raw_scheme, host=at.raw_host, port=at.port, target=at.raw_path)
    with pool.stream("GET", target, headers=headers) as response:
        said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status in _REDIRECTS:
            if not said.get("location"):
                raise Refused("it redirects to nowhere")
            return said["location"]
        now = Known(_plain(said.get("etag", "")), _plain(said.get("last-modified", "")))
        kind = said.get("content-type", "").partition(";")[0].strip().lower()
        if response.status == 304 and known is not None:
            return Got(str(at), 304, kind, None, Known(now.etag or known.etag, now.modified or known.modified))
        if response.status != 200:
            raise FileFailed(f"status_{response.status}", f"{at} answered {response.status}.")
        encoding = said.get("content-encoding", "").strip().lower()
        body = b"".join(_bounded(_decoded(response.iter_stream(), encoding, most), most, str(at)))
        return Got(str(at), 200, kind, body, now)


def gunzipped(data: bytes, most: int, name: str) -> bytes:
    """Return a gzip file's content. Raises FileFailed for more than `most` bytes and for what is no gzip."""
    try:
        return b"".join(_bounded(_decoded([data], "gzip", most), most, name))
    except Refused as error:
        raise FileFailed("syntax", f"{name} is no sound gzip file.") from error


def _checked(location: str, before: httpx.URL | None) -> httpx.URL:
    """The next hop's address, refused where it must not be asked."""
    try:
        at = before.join(location) if before is not None else httpx.URL(location)
        scheme, host = at.scheme, at.raw_host
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise Refused(f"the address cannot be read ({error})") from None
    if scheme not in ("http", "https") or not host:
        raise Refused(f"it leads to {scheme or 'no scheme'}://, and only https and http are fetched")
    if before is not None and before.scheme == "https" and scheme == "http":
        raise Refused("it leads from https to http")
    if at.userinfo:
        raise Refused("it leads to an address with a user name or a password in it")
    return at.copy_with(fragment=None)


def _decoded(blocks: Iterable[bytes], encoding: str, most: int) -> Iterator[bytes]:
    """Undo one gzip, block by block of bounded size: a bomb is met before it has unfolded."""
    if encoding in ("", "identity"):
        yield from blocks
        return
    if encoding not in ("gzip", "x-gzip"):
        raise Refused(f"it is sent as {encoding[:40]!r}, though gzip was asked for")
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    step = min(most + 1, 1 << 20)
    try:
        for block in blocks:
            while block:
                yield unpacker.decompress(block, step)
                block = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise Refused(f"its gzip is damaged ({error})") from error
    if not unpacker.eof:
        raise Refused("its gzip is cut short")


def _bounded(blocks: Iterable[bytes], most: int, name: str) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        size += len(block)
        if size > most:
            raise FileFailed("too_large", f"{name} has more than {most:,} bytes; nothing of it was kept.")
        yield block


def _plain(header: str) -> str:
    """A header that is sent back to its server as it came, "" where it holds anything else than plain text."""
    return header if _PRINTABLE.fullmatch(header) else ""
