"""Asks who is not in yet for the password: a page of our own, a cookie for who knew it, and few guesses."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import ipaddress
import math
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from ui.access import Password

LIFETIME = 12 * 3600
"""Seconds for which a browser need not say the password again."""
EACH = 5
"""Wrong passwords that one address may say a minute."""
ALL = 20
"""Wrong passwords in ten minutes, from everywhere, after which each further one closes the door for longer."""
LONGEST_WAIT = 60
_MINUTE, _MEMORY = 60, 600
_SESSIONS = 1_000
_FORM_LIMIT = 4_096

Clock = Callable[[], float]


class Throttle:
    """How long somebody has to wait before the next guess. What is held is bounded, because guesses are."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._each: dict[str, deque[float]] = {}
        self._all: deque[float] = deque()
        self._closed_until = -math.inf

    def wait(self, address: str) -> int:
        """Return the seconds until this address may guess again, 0 for now."""
        now = self._clock()
        self._forget(now)
        own = self._each.get(_network(address), deque())
        until = max(own[-EACH] + _MINUTE if len(own) >= EACH else now, self._closed_until)
        return max(0, math.ceil(until - now))

    def wrong(self, address: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        self._each.setdefault(_network(address), deque(maxlen=EACH)).append(now)
        self._all.append(now)
        if beyond := max(0, len(self._all) - ALL):
            self._closed_until = now + min(LONGEST_WAIT, 2 ** min(beyond, 10))

    def _forget(self, now: float) -> None:
        while self._all and self._all[0] <= now - _MEMORY:
            self._all.popleft()
        self._each = {address: times for address, times in self._each.items() if times[-1] > now - _MINUTE}


class Sessions:
    """Who said the password: a random token each, of which only a hash is kept."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def begin(self) -> str:
        """Return a token for a browser, good for `LIFETIME`. The oldest of very many goes."""
        token = secrets.token_urlsafe(32)
        self._until[_hash(token)] = self._clock() + LIFETIME
        while len(self._until) > _SESSIONS:
            self._until.popitem(last=False)
        return token

    def hold(self, token: str | None) -> bool:
        """Whether the token is one of ours that has not ended."""
        return token is not None and self._until.get(_hash(token), -math.inf) > self._clock()

    def end(self, token: str | None) -> None:
        """Forget a token."""
        self._until.pop(_hash(token or ""), None)


class Login:
    """Lets in who has a cookie of ours, or says the password in a header; shows everybody else where to say it."""

    def __init__(self, password: Password, port: int, *, clock: Clock = time.monotonic) -> None:
        # Browsers do not tell ports apart: with one name for all, a second page on this host would end the first one's.
        self._cookie = f"hoplite-{port}"
        self._password = password
        self._throttle = Throttle(clock)
        self._sessions = Sessions(clock)

    async def answer(self, request: Request) -> Response | None:
        """Return what to say to a request that does not come in, None for one that does."""
        path, token = request.url.path, request.cookies.get(self._cookie)
        if path == "/login":
            return await self._log_in(request) if request.method == "POST" else _page(_FORM)
        if self._sessions.hold(token):
            if path != "/logout":
                return None
            return self._log_out(request) if request.method == "POST" else _page(_LEAVE)
        said = _credentials(request.headers.get("authorization", ""))
        if said is not None:
            refusal = self._checked(request, said)
            return refusal and PlainTextResponse(f"{refusal[1]}\n", refusal[0], refusal[2])
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/login", 303, {"cache-control": "no-store"})
        return PlainTextResponse(
            "Say the password: as a bearer token, as HTTP Basic with any name, or at /login.\n", 401, _ASKED
        )

    async def _log_in(self, request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _FORM_LIMIT:
                return _page(_FORM, 413, "That is too long for a password.")
        said = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).get("password", [""])[0]
        if refusal := self._checked(request, said):
            status, why, headers = refusal
            return _page(_FORM, status, why, headers)
        answer = RedirectResponse("/", 303, {"cache-control": "no-store"})
        answer.set_cookie(
            self._cookie, self._sessions.begin(), max_age=LIFETIME, path="/", httponly=True, samesite="strict",
            # A browser says in Origin how it reached the page; what stands before the page need not be believed.
            secure=request.headers.get("origin", "").startswith("https:"),
        )  # fmt: skip
        return answer

    def _log_out(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(self._cookie))
        answer = RedirectResponse("/login", 303, {"clear-site-data": '"cache"'})
        answer.delete_cookie(self._cookie, path="/", httponly=True, samesite="strict")
        return answer

    def _checked(self, request: Request, said: str) -> tuple[int, str, dict[str, str]] | None:
        """Check a password without a pause between looking at the throttle and counting, so that no guess slips by."""
        address = request.client.host if request.client else ""
        if wait := self._throttle.wait(address):
            return 429, f"Too many wrong passwords. Try again in {wait} seconds.", {"retry-after": str(wait)}
        if self._password.matches(said):
            return None
        self._throttle.wrong(address)
        return 401, "That is not the password.", _ASKED


_ASKED = {"www-authenticate": 'Bearer realm="Hoplite"'}  # not Basic, for which browsers open a box of their own

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 15vh auto 0; max-width: 20rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
input, button { font: inherit; width: 100%; box-sizing: border-box; padding: 0.5rem; margin: 0.3rem 0 0.8rem; }
button { cursor: pointer; }
[role=alert] { border-left: 3px solid #d33; padding-left: 0.6rem; }
"""
_FORM = """<form method="post" action="/login"><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button></form>"""
_LEAVE = """<form method="post" action="/logout"><p>Whoever opens this page in this browser will be asked for the
password again.</p><button>Log out</button></form><p><a href="/">Back</a></p>"""


def _page(form: str, status: int = 200, why: str = "", headers: dict[str, str] | None = None) -> Response:
    nonce = secrets.token_urlsafe(16)
    said = f'<p role="alert">{html.escape(why)}</p>' if why else ""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hoplite</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style nonce="{nonce}">{_STYLE}</style></head><body><main><h1>Hoplite</h1>{said}{form}</main></body></html>'
    )
    own = {
        "content-security-policy": f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        # With "no-referrer" a browser would send `Origin: null` with the form, which is what a sandboxed page sends.
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }
    return HTMLResponse(page, status, own | (headers or {}))


def _credentials(header: str) -> str | None:
    """The password in an Authorization header, None where there is none."""
    scheme, _, said = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return said.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(said.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _network(address: str) -> str:
    """An address as it is throttled: of IPv6 the network, because each of its machines has very many addresses."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
