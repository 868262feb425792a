"""What Gradio leaves open, tried against the real application in a process of its own, with and without a password."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.canary import watching
from tests.security.page import FILE_LIMIT
from tests.ui import station

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
LET_IN = {"authorization": f"Bearer {PASSWORD}"}
GB = 1_000_000_000


class Page:
    """A server of the page: its address, its workspace's folder, and its process."""

    def __init__(self, address: str, folder: Path, pid: int) -> None:
        self.address = address.rstrip("/")
        self.folder = folder
        self.pid = pid

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def ask(self, method: str, path: str, **extra: Any) -> httpx.Response:
        return httpx.request(method, self.address + path, timeout=60, **extra)

    def call(self, name: str, *data: Any) -> str:
        """Call an endpoint of the API, and return what it streams."""
        event = self.ask("POST", f"/gradio_api/call/{name}", json={"data": list(data)}).json()["event_id"]
        return self.ask("GET", f"/gradio_api/call/{name}/{event}").text

    def disk(self) -> int:
        """The bytes that uploads take up."""
        places = (self.folder / ".hoplite" / "arriving", self.folder / ".hoplite" / "sources" / "uploads")
        return sum(path.stat().st_size for place in places for path in place.rglob("*") if path.is_file())

    def peak_memory(self) -> int:
        """The most bytes of memory that the server ever had."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def served(folder: Path, **environ: str) -> Iterator[Page]:
    station.write(folder)
    command = [sys.executable, "-m", "tests.security.page", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, text=True, env=os.environ | environ) as server:
        assert server.stdout is not None
        try:
            yield Page(server.stdout.readline().strip(), folder, server.pid)
        finally:
            server.terminate()
            server.communicate(timeout=30)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page as it is by default: for this machine, without a password."""
    with served(tmp_path_factory.mktemp("open") / "station") as opened:
        yield opened


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page with a password."""
    with served(tmp_path_factory.mktemp("locked") / "station", HOPLITE_PASSWORD=PASSWORD) as opened:
        yield opened


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "{folder}/guide.md", "{folder}/.hoplite/manifest.sqlite", ".env", "app.py", "pyproject.toml",
     "/proc/self/environ", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "http://127.0.0.1:{port}/config",
     "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd"],
)  # fmt: skip
@pytest.mark.parametrize("route", ["/gradio_api/file=", "/gradio_api/file/", "/file=", "/gradio_api/proxy="])
def test_no_file_and_no_address_is_served(page: Page, route: str, path: str) -> None:
    answer = page.ask("GET", route + path.format(folder=page.folder, port=page.port))
    assert answer.status_code == 403
    assert len(answer.content) < 200


def test_a_forged_file_reaches_no_handler(page: Page) -> None:
    """Gradio itself copies any file that a call names, whatever component it is for: the question's box will do."""
    with watching() as canary:
        for path in ("/etc/passwd", "/proc/self/environ", str(page.folder / "guide.md"), "../guide.md",
                     f"http://127.0.0.1:{canary.server_port}/x", "https://example.com/x"):  # fmt: skip
            file = {"path": path, "url": path, "orig_name": "a.md", "meta": {"_type": "gradio.FileData"}}
            for call in dependencies(page):
                body = {"data": [[file]], "fn_index": call["id"], "session_hash": "forged"}
                assert page.ask("POST", "/gradio_api/queue/join", json=body).status_code == 403
            for route in ("/gradio_api/call/ask", "/gradio_api/call/search"):
                assert page.ask("POST", route, json={"data": [file]}).status_code == 403
            assert page.ask("POST", "/gradio_api/call/v2/ask", json={"question": file}).status_code == 403
        assert canary.connections == 0
    assert page.disk() == 0


def dependencies(page: Page) -> list[dict[str, Any]]:
    """Everything that can be called."""
    found: list[dict[str, Any]] = page.ask("GET", "/config").json()["dependencies"]
    return found


def drop(page: Page) -> int:
    """The number of the handler that takes files in."""
    return next(each["id"] for each in dependencies(page) if any(target[1] == "upload" for target in each["targets"]))


def outcome(page: Page, session: str) -> Any:
    """What a call through the page's queue came to."""
    with httpx.stream(
        "GET", f"{page.address}/gradio_api/queue/data", params={"session_hash": session}, timeout=30
    ) as events:
        for line in events.iter_lines():
            if line.startswith("data:") and (said := json.loads(line[5:]))["msg"] == "process_completed":
                return said
    raise AssertionError("the call came to no end")


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info"])
def test_a_rebound_name_is_refused_and_no_origin_is_welcome(page: Page, path: str) -> None:
    evil = f"evil.example:{page.port}"
    answer = page.ask("GET", path, headers={"host": evil, "origin": f"http://{evil}"})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    own = page.ask("GET", path, headers={"origin": page.address})
    assert own.status_code == 200
    assert not [name for name in own.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_another_sites_page_calls_nothing(page: Page, origin: str, kind: str) -> None:
    for path in ("/gradio_api/call/ask", "/gradio_api/queue/join", "/gradio_api/upload"):
        answer = page.ask("POST", path, content=b'{"data": ["x"]}', headers={"origin": origin, "content-type": kind})
        assert answer.status_code == 403
    asked = {"origin": origin, "access-control-request-method": "POST"}
    assert page.ask("OPTIONS", "/gradio_api/call/ask", headers=asked).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/monitoring"), ("GET", "/monitoring/summary"), ("POST", "/gradio_api/mcp/"),
     ("GET", "/gradio_api/mcp/sse"),
     ("GET", "/gradio_api/runs"), ("GET", "/gradio_api/deep_link?session_hash=x"), ("GET", "/pwa_icon"),
     ("POST", "/gradio_api/run/ask"), ("POST", "/gradio_api/api/search"), ("GET", "/gradio_api/app_id"),
     ("GET", "/gradio_api/dev/reload"), ("GET", "/gradio_api/token"), ("POST", "/gradio_api/component_server"),
     ("POST", "/gradio_api/process_recording"), ("POST", "/gradio_api/vibe-edit/"), ("GET", "/docs"),
     ("GET", "/gradio_api/profiling/traces"), ("GET", "/custom_component/x/client/component/x.js")],
)  # fmt: skip
def test_what_the_page_does_not_use_is_closed(page: Page, method: str, path: str) -> None:
    assert page.ask(method, path).status_code == 403


def test_every_kind_of_answer_has_the_headers(page: Page) -> None:
    for path in ("/", "/config", "/page.js", "/theme.css", "/gradio_api/info", "/gradio_api/file=x"):
        headers = page.ask("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_the_api_has_two_endpoints_and_the_page_keeps_its_own(page: Page) -> None:
    info = page.ask("GET", "/gradio_api/info").json()
    assert (set(info["named_endpoints"]), info["unnamed_endpoints"]) == ({"/ask", "/search"}, {})
    hidden = [each for each in page.ask("GET", "/config").json()["dependencies"] if each["api_visibility"] != "private"]
    assert len(hidden) == 2


def test_an_upload_is_kept_under_a_clean_name_and_never_served(page: Page) -> None:
    evil = b"<script>document.title='owned'</script>"
    uploaded = page.ask("POST", "/gradio_api/upload", files={"files": ("../../.evil.html", evil, "text/html")})
    (path,) = uploaded.json()
    assert Path(path).is_relative_to(page.folder / ".hoplite" / "arriving")
    assert uploaded.headers["content-type"] == "application/json"
    for route in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}", f"/file={path}", path, f"/static/{path}"):
        assert page.ask("GET", route).status_code == 403
    file = {"path": path, "orig_name": "<b>.html", "size": len(evil), "meta": {"_type": "gradio.FileData"}}
    body = {"data": [[file]], "fn_index": drop(page), "session_hash": "uploads"}
    page.ask("POST", "/gradio_api/queue/join", json=body).raise_for_status()
    assert outcome(page, "uploads")["success"] is True
    (kept,) = (page.folder / ".hoplite" / "sources" / "uploads").iterdir()
    assert (kept.read_bytes(), kept.suffix, oct(kept.stat().st_mode)[-3:]) == (evil, ".html", "600")
    kept.unlink()


def test_a_file_beyond_its_limit_is_refused_and_leaves_nothing(page: Page) -> None:
    answer = page.ask("POST", "/gradio_api/upload", files={"files": ("a.bin", b"\0" * (FILE_LIMIT + 1))})
    assert (answer.status_code, "maximum" in answer.text) == (413, True)
    assert page.disk() == 0


@pytest.mark.parametrize("size", [60_000_000, GB])
@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
def test_a_large_upload_is_refused_early_without_filling_disk_or_memory(page: Page, size: int, told: bool) -> None:
    before, begun, sent = page.peak_memory(), time.monotonic(), 0
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="zeros.bin"\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    headers |= {"content-length": str(size)} if told else {}

    def zeros() -> Iterator[bytes]:
        nonlocal sent
        yield head
        sent = len(head)
        while sent < size:
            piece = b"\0" * min(1_000_000, size - sent)
            sent += len(piece)
            yield piece

    answer = page.ask("POST", "/gradio_api/upload", content=zeros(), headers=headers)
    assert answer.status_code == 413
    assert re.search(r"too large: .* 4 MB|maximum allowed size", answer.text)
    assert time.monotonic() - begun < 15
    assert page.disk() < 5 * FILE_LIMIT
    assert page.peak_memory() - before < 100_000_000
    assert page.ask("GET", "/config").status_code == 200


def test_a_large_question_is_refused(page: Page) -> None:
    answer = page.ask("POST", "/gradio_api/call/ask", json={"data": ["x" * 300_000]})
    assert (answer.status_code, "256,000 bytes" in answer.text) == (413, True)


def test_a_websocket_is_not_opened(page: Page) -> None:
    headers = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13",
               "sec-websocket-key": "x" * 22 + "=="}  # fmt: skip
    assert page.ask("GET", "/gradio_api/queue/data", headers=headers).status_code == 403


@pytest.mark.slow
def test_who_is_slow_to_say_what_they_want_is_left(page: Page) -> None:
    with closing(socket.create_connection(("127.0.0.1", page.port))) as silent:
        silent.settimeout(20)
        begun = time.monotonic()
        with suppress(OSError):
            for _ in range(20):
                silent.sendall(b"G" if _ == 0 else b"")
                if silent.recv(100) == b"":
                    break
        assert 5 < time.monotonic() - begun < 15


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/config"), ("GET", "/gradio_api/file=/etc/passwd"), ("POST", "/gradio_api/call/ask"), ("GET", "/page.js"),
     ("POST", "/gradio_api/upload"), ("POST", "/gradio_api/queue/join"),
     ("GET", "/gradio_api/queue/data?session_hash=x"),
     ("GET", "/gradio_api/info"), ("GET", "/"), ("GET", "/gradio_api/heartbeat/x"), ("GET", "/theme.css")],
)  # fmt: skip
def test_with_a_password_nothing_is_served_without_it(locked: Page, method: str, path: str) -> None:
    assert locked.ask(method, path).status_code in (401, 403)
    if "file=" not in path:
        assert locked.ask(method, path).status_code == 401


def test_with_a_password_a_program_and_a_browser_get_in(locked: Page) -> None:
    assert locked.ask("GET", "/config", headers=LET_IN).status_code == 200
    assert locked.ask("GET", "/config", auth=("anyone", PASSWORD)).status_code == 200
    with httpx.Client(base_url=locked.address, timeout=60) as browser:
        home = browser.get("/", headers={"accept": "text/html"}, follow_redirects=True)
        assert (home.url.path, "password" in home.text) == ("/login", True)
        assert browser.post("/login", data={"password": PASSWORD}).headers["location"] == "/"
        assert "gradio" in browser.get("/").text
        assert browser.post("/logout").status_code == 303
        assert browser.get("/config").status_code == 401


def test_a_password_that_was_said_to_the_server_is_not_in_what_it_starts(locked: Page) -> None:
    assert PASSWORD not in locked.ask("GET", "/config", headers=LET_IN).text


def test_two_hundred_wrong_passwords_are_throttled_and_the_right_one_has_to_wait(locked: Page) -> None:
    begun = time.monotonic()
    with httpx.Client(base_url=locked.address, timeout=60) as guesser:
        codes = [guesser.post("/login", data={"password": f"guess {n}"}).status_code for n in range(200)]
    minutes = 1 + int((time.monotonic() - begun) // 60)
    assert set(codes) == {401, 429}
    assert codes.count(401) <= 5 * minutes
    answer = locked.ask("POST", "/login", data={"password": PASSWORD})
    assert (answer.status_code, "Try again in" in answer.text) == (429, True)
    assert locked.ask("GET", "/config", headers=LET_IN).status_code == 429
