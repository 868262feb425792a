"""Only who may gets in, and what goes out says what a browser may do with it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests import loops
from ui.access import Access
from ui.bodies import Body
from ui.security import Gate
from ui.uploads import Arriving

if TYPE_CHECKING:
    from starlette.types import Message

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


def ask(
    method: str = "GET", path: str = "/", *, content: Any = None, who: Access | None = None, **headers: str
) -> httpx.Response:
    who = who or Access()

    async def once() -> httpx.Response:
        gate = Gate(
            app,
            hosts=who.hosts(7860),
            origins=who.origins(7860),
            arriving=Arriving(Path("/nowhere/arriving")),
            body_limit=1000,
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://localhost:7860") as client:
            return await client.request(
                method,
                path,
                content=content,
                headers={name.replace("_", "-"): value for name, value in headers.items()},
            )

    return loops.run(once())


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


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_sites_page_embeds_is_refused_and_a_link_is_followed(site: str) -> None:
    assert ask(sec_fetch_site=site, sec_fetch_mode="no-cors").status_code == 403
    assert ask("POST", "/login", sec_fetch_site=site, sec_fetch_mode="navigate").status_code == 403
    assert ask(sec_fetch_site=site, sec_fetch_mode="navigate").status_code == 200
    assert ask(sec_fetch_site="same-origin", sec_fetch_mode="cors").status_code == 200


def test_a_further_name_may_be_behind_tls_and_at_any_port_that_was_said() -> None:
    who = Access(names=("hoplite.example.org", "box:8080"))
    for host in ("hoplite.example.org", "hoplite.example.org:7860", "box:8080"):
        assert ask(who=who, host=host, origin=f"https://{host}").status_code == 200
    for host in ("box", "box:7860", "www.hoplite.example.org"):
        assert ask(who=who, host=host).status_code == 403


@pytest.mark.parametrize("path", [
    "/gradio_api/file=/etc/passwd", "/gradio_api/file/etc/passwd", "/gradio_api/proxy=x",
    "/gradio_api/mcp/sse", "/gradio_api/runs", "/gradio_api/deep_link", "/monitoring", "/monitoring/summary",
    "/gradio_api/run/ask", "/gradio_api/reset", "/gradio_api/process_recording",
    "/gradio_api/stream/1/2/3/playlist.m3u8",
    "/gradio_api/vibe-edit", "/assets/../app.py", "/static/%2e%2e/x", "/docs", "/openapi.json",
])  # fmt: skip
def test_what_the_page_never_uses_is_not_served(path: str) -> None:
    assert ask("POST", path).status_code == 403


def test_a_large_body_is_refused_with_and_without_its_length() -> None:
    async def stream() -> Any:
        for _ in range(3):
            yield b"x" * 500

    for content in (b"x" * 1001, stream()):
        answer = ask("POST", "/gradio_api/queue/join", content=content)
        assert (answer.status_code, "1,000 bytes" in answer.text) == (413, True)
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "guide.md", "http://evil.example/x", "/nowhere/arriving/../secret", "/nowhere/arriving2/x", ""],
)
def test_a_call_that_names_a_file_which_did_not_arrive_here_is_refused(path: str) -> None:
    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
    for data in ([named], [[{"value": named}]], {"a": [1, named]}):
        answer = ask("POST", "/gradio_api/queue/join", content=json.dumps({"data": data}))
        assert (answer.status_code, "added here" in answer.text) == (403, True)
    assert ask("POST", "/gradio_api/call/ask", content="[" * 900).status_code == 200  # no JSON: Gradio says so
    own = {"path": "/nowhere/arriving/0f/a.md", "meta": {"_type": "gradio.FileData"}}
    assert ask("POST", "/gradio_api/queue/join", content=json.dumps({"data": [own, {"path": "x"}]})).status_code == 200


def test_a_call_nested_too_deeply_to_be_looked_at_is_refused() -> None:
    assert Arriving(Path("/nowhere")).names_another(b"[" * 100_000)


def test_a_length_that_is_no_number_is_refused() -> None:
    assert ask("POST", "/gradio_api/cancel", content=b"x", content_length="-1").status_code == 400


def test_a_body_that_comes_too_slowly_is_left() -> None:
    async def slow() -> Message:
        await asyncio.sleep(5)
        raise AssertionError("nobody waits this long")

    async def receive() -> Message:
        body = Body(slow, {}, 1000, patience=0)
        assert await body() == {"type": "http.disconnect"}
        assert body.refusal is not None
        return {"status": body.refusal.status}

    assert loops.run(receive()) == {"status": 408}


def test_a_websocket_is_refused() -> None:
    assert ask(upgrade="websocket", connection="upgrade").status_code == 403


def test_every_answer_says_what_a_browser_may_do_with_it() -> None:
    for answer in (ask(), ask(host="evil.example")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert "camera=()" in answer.headers["permissions-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "cache-control" not in ask(path="/assets/index-1.js").headers


def test_each_script_of_the_page_gets_the_nonce_that_the_policy_names() -> None:
    answer = ask()
    nonce = re.search(r"'nonce-([^']+)'", answer.headers["content-security-policy"])
    assert nonce is not None
    assert answer.text.count(f'<script nonce="{nonce[1]}"') == 2
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    assert nonce[1] not in ask().text
