"""The page's own door: a cookie for who knew the password, few guesses for who does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import loops
from ui.access import Access, Password
from ui.login import EACH, LIFETIME, Login, Sessions, Throttle
from ui.security import Gate
from ui.uploads import Arriving

RIGHT = "correct horse battery"
HOST = "localhost:7860"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"inside"})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Door:
    """The gate with a password, and browsers and programs before it."""

    def __init__(self) -> None:
        self.clock = Clock()
        who = Access(names=("hoplite.example.org",))
        self.gate = Gate(
            app,
            hosts=who.hosts(7860),
            origins=who.origins(7860),
            arriving=Arriving(Path("/nowhere")),
            login=Login(Password(RIGHT), 7860, clock=self.clock),
        )

    def ask(
        self, method: str = "GET", path: str = "/", *, client: str = "127.0.0.1", cookies: Any = None, **extra: Any
    ) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.gate, client=(client, 1))
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", cookies=cookies) as http:
                return await http.request(method, path, **extra)

        return loops.run(once())

    def guess(
        self, password: str, *, client: str = "127.0.0.1", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return self.ask("POST", "/login", client=client, data={"password": password}, headers=headers)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/config"), ("GET", "/gradio_api/info"), ("POST", "/gradio_api/queue/join"),
     ("POST", "/gradio_api/call/ask"), ("GET", "/assets/index.js"), ("GET", "/page.js"), ("GET", "/logout")],
)  # fmt: skip
def test_without_the_password_nothing_is_served(door: Door, method: str, path: str) -> None:
    answer = door.ask(method, path)
    assert (answer.status_code, "inside" in answer.text) == (401, False)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_browser_is_sent_to_the_form(door: Door) -> None:
    answer = door.ask(headers={"accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    form = door.ask(path="/login")
    assert 'type="password"' in form.text
    assert "default-src 'none'" in form.headers["content-security-policy"]
    assert form.headers["referrer-policy"] == "same-origin"  # or the browser would send `Origin: null` with the form


def test_the_cookie_lets_in_until_it_ends_or_is_given_up(door: Door) -> None:
    answer = door.guess(RIGHT)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    for word in ("HttpOnly", "SameSite=strict", f"Max-Age={LIFETIME}", "Path=/"):
        assert word in answer.headers["set-cookie"]
    assert "Secure" not in answer.headers["set-cookie"]
    cookies = answer.cookies
    assert door.ask(cookies=cookies).text == "inside"
    door.clock.now += LIFETIME
    assert door.ask(cookies=cookies).status_code == 401
    cookies = door.guess(RIGHT).cookies
    assert "Log out" in door.ask(path="/logout", cookies=cookies).text
    assert door.ask("POST", "/logout", cookies=cookies).status_code == 303
    assert door.ask(cookies=cookies).status_code == 401


def test_behind_tls_the_cookie_is_for_tls_alone(door: Door) -> None:
    answer = door.guess(RIGHT, headers={"host": "hoplite.example.org", "origin": "https://hoplite.example.org"})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_made_up_cookie_lets_nobody_in(door: Door) -> None:
    name = next(iter(door.guess(RIGHT).cookies))
    assert door.ask(cookies={name: "x" * 43}).status_code == 401


@pytest.mark.parametrize("header", [f"Bearer {RIGHT}", httpx.BasicAuth("anyone", RIGHT)._auth_header])
def test_a_program_says_the_password_in_a_header(door: Door, header: str) -> None:
    assert door.ask(headers={"authorization": header}).text == "inside"


@pytest.mark.parametrize("header", ["Bearer nope", "Basic nope", "Basic " + "A" * 30, "Digest x", "Bearer", ""])
def test_another_header_lets_nobody_in(door: Door, header: str) -> None:
    assert door.ask(headers={"authorization": header}).status_code == 401


def test_after_five_wrong_ones_an_address_waits_and_is_told_how_long(door: Door) -> None:
    assert [door.guess("wrong").status_code for _ in range(EACH)] == [401] * EACH
    answer = door.guess(RIGHT)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "Try again in 60 seconds" in answer.text
    assert door.ask(headers={"authorization": f"Bearer {RIGHT}"}).status_code == 429
    assert door.guess(RIGHT, client="10.0.0.7").status_code == 303
    door.clock.now += 60
    assert door.guess(RIGHT).status_code == 303


def test_who_is_in_stays_in_while_others_guess(door: Door) -> None:
    cookies = door.guess(RIGHT).cookies
    for _ in range(10):
        door.guess("wrong")
    assert door.ask(cookies=cookies).text == "inside"


def test_from_very_many_addresses_the_door_closes_for_longer_and_longer() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    tried = 0
    for number in range(3600):  # one a second for an hour, each from another address
        address = f"10.0.{number // 256}.{number % 256}"
        if not throttle.wait(address):
            throttle.wrong(address)
            tried += 1
        clock.now += 1
    assert tried < 240  # of 3600
    clock.now += 601
    assert throttle.wait("10.9.9.9") == 0


def test_the_addresses_of_one_ipv6_network_count_as_one() -> None:
    throttle = Throttle(Clock())
    for number in range(EACH):
        throttle.wrong(f"2001:db8::{number}")
    assert throttle.wait("2001:db8::ffff") == 60
    assert throttle.wait("2001:db8:0:1::1") == 0


def test_a_password_of_any_length_is_bounded(door: Door) -> None:
    assert door.guess("x" * 5000).status_code == 413


def test_very_many_sessions_end_the_oldest() -> None:
    sessions = Sessions(Clock())
    first = sessions.begin()
    last = [sessions.begin() for _ in range(1000)][-1]
    assert (sessions.hold(first), sessions.hold(last), sessions.hold(None)) == (False, True, False)
