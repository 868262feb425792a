"""What answers while the page is being made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests import loops
from ui.front import STARTED, Front

Sent = list[dict[str, Any]]
Send = Callable[..., Awaitable[None]]


async def page(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        for what in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{what}"
            await send({"type": f"lifespan.{what}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the page"})


async def get(front: Front, path: str = "/", method: str = "GET") -> Sent:
    sent: Sent = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await front({"type": "http", "path": path, "method": method}, asyncio.Event().wait, send)  # type: ignore[arg-type]
    return sent


async def live(front: Front, inside: Callable[[], Awaitable[None]]) -> Sent:
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    heard: Sent = []

    async def hear(message: dict[str, Any]) -> None:
        heard.append(message)

    task = asyncio.create_task(front({"type": "lifespan"}, said.get, hear))  # type: ignore[arg-type]
    await said.put({"type": "lifespan.startup"})
    await inside()
    await said.put({"type": "lifespan.shutdown"})
    await asyncio.wait_for(task, 5)
    return heard


def test_a_page_of_ours_answers_until_the_real_one_does() -> None:
    made = threading.Event()

    def make() -> Any:
        assert made.wait(5)
        return page

    front = Front(make, stop=lambda: None)

    async def inside() -> None:
        assert b"Opening the page" in (await get(front))[1]["body"]
        assert b"location.reload" in (await get(front, "/starting/script"))[1]["body"]
        assert (await get(front, "/gradio_api/queue/join", "POST"))[0]["status"] == 503
        waiting = asyncio.create_task(get(front, STARTED))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        made.set()
        assert (await asyncio.wait_for(waiting, 5))[0]["status"] == 204
        assert (await get(front))[1]["body"] == b"the page"

    heard = loops.run(live(front, inside))
    assert [each["type"] for each in heard] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_page_that_cannot_be_made_stops_the_server_and_says_why() -> None:
    stopped = threading.Event()

    def make() -> Any:
        raise ValueError("no page")

    front = Front(make, stop=stopped.set)

    async def inside() -> None:
        await asyncio.to_thread(stopped.wait, 5)

    loops.run(live(front, inside))
    assert stopped.is_set()
    assert str(front.failed) == "no page"


@pytest.mark.parametrize("path", ["/", "/starting/../app.py", "/starting/page.css", "/etc/passwd"])
def test_it_serves_its_own_three_files_and_nothing_else(path: str) -> None:
    [_, body] = loops.run(get(Front(lambda: page, stop=lambda: None), path))
    assert b"Opening the page" in body["body"]


def test_nothing_is_made_once_it_ended_and_what_has_begun_is_waited_for() -> None:
    begun, prepared, let = threading.Event(), threading.Event(), threading.Event()
    made: list[str] = []

    def make() -> Any:
        begun.set()
        assert let.wait(5)
        made.append("late")
        return page

    def begin(front: Front) -> Callable[[], Awaitable[None]]:
        async def inside() -> None:
            await asyncio.to_thread((begun if front is slow else prepared).wait, 5)

        return inside

    slow = Front(make, stop=lambda: None)
    loops.run(live(slow, begin(slow)))
    threading.Timer(0.1, let.set).start()
    slow.end()
    assert made == ["late"]

    held = threading.Event()

    def prepare() -> None:
        prepared.set()
        assert held.wait(5)

    early = Front(lambda: made.append("never"), stop=lambda: None, prepare=prepare)
    loops.run(live(early, begin(early)))
    early.end()
    held.set()
    for thread in threading.enumerate():
        if thread.name == "hoplite-page":
            thread.join(5)
    assert made == ["late"]
