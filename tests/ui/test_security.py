"""Only this machine's own browser gets in."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from ingest.errors import UserError
from ui.security import Gate, loopback, names

PAGE = b"<html><script>1</script><script src='/x.js'></script><p>&lt;script&gt;</p></html>"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole request, then answers with a page that welcomes any origin."""
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    headers = [(b"content-type", b"text/html"), (b"access-control-allow-origin", b"http://evil.example")]
    status = 200 if message["type"] == "http.request" else 499
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE[:20], "more_body": True})
    await send({"type": "http.response.body", "body": PAGE[20:]})


def ask(method: str = "GET", path: str = "/", *, content: Any = None, **headers: str) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(Gate(app, hosts=names(7860), body_limit=1000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:7860") as client:
            return await client.request(method, path, content=content, headers=headers)

    # Not asyncio.run, which takes the thread's loop away: LiteLLM has made one by then, and would leave it unclosed.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(once())


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST:7860"])
def test_this_machine_by_any_of_its_names_gets_the_page(host: str) -> None:
    assert ask(host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "localhost:80", "localhost", "", "127.0.0.1"])
def test_a_rebound_name_is_refused(host: str) -> None:
    assert ask(host=host).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost:7860", "http://localhost:80"])
def test_another_sites_page_is_refused(origin: str) -> None:
    assert ask("POST", "/gradio_api/queue/join", origin=origin).status_code == 403


def test_the_pages_own_requests_pass_and_nobody_else_may_read_the_answer() -> None:
    answer = ask("POST", "/gradio_api/queue/join", content=b"{}", origin="http://localhost:7860")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=x"])
def test_what_the_page_never_uses_is_not_served(path: str) -> None:
    assert ask("POST", path).status_code == 403


def test_a_large_body_is_refused_with_and_without_its_length() -> None:
    async def stream() -> Any:
        for _ in range(3):
            yield b"x" * 500

    assert ask("POST", content=b"x" * 1001).status_code == 413
    assert ask("POST", content=stream()).status_code == 499


def test_each_script_of_the_page_gets_the_nonce_that_the_policy_names() -> None:
    answer = ask()
    nonce = re.search(r"'nonce-([^']+)'", answer.headers["content-security-policy"])
    assert nonce is not None
    assert answer.text.count(f'<script nonce="{nonce[1]}"') == 2
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert nonce[1] not in ask().text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org"])
def test_a_host_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(UserError, match="--host"):
        loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_loopback_host_is_taken(host: str) -> None:
    assert loopback(host) == host
