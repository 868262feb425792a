"""The Dockerfile, as far as that can be known without Docker: its files, its commands, its health check."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.understood import understood

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, lines joined and comments left out."""
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def one(name: str) -> str:
    """The arguments of the last instruction of that name, the one that holds."""
    return [arguments for each, arguments in instructions() if each == name][-1]


def copied() -> list[str]:
    """What is copied into the image from here."""
    words = [arguments.split() for name, arguments in instructions() if name == "COPY" and "--from" not in arguments]
    return [source.rstrip("/") for sources in words for source in sources[:-1]]


def test_everything_that_is_copied_exists_and_reaches_the_builder() -> None:
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in kept
    for source in copied():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in kept, source


def test_every_package_is_copied() -> None:
    floors = {package.name for package in ROOT.iterdir() if (package / "__init__.py").is_file()} - {"tests"}
    assert floors <= set(copied())


def test_the_container_starts_a_command_of_ours() -> None:
    assert json.loads(one("ENTRYPOINT")) == ["hoplite"]
    understood(json.loads(one("CMD")))


def test_every_command_of_the_page_is_one_of_ours() -> None:
    block = PAGE.partition("```\n")[2].partition("```")[0].replace("\\\n", " ")
    runs = [line for line in block.splitlines() if line.startswith("docker run")]
    asked = [
        shlex.split(line.partition(" hoplite ")[2])
        for line in runs
        if " hoplite " in line.replace("--name hoplite", "")
    ]
    assert [words[0] for words in asked] == ["models", "index"]
    for words in [*asked, ["doctor"]]:
        understood(words)


def test_nobody_is_root_in_it() -> None:
    users = [arguments for name, arguments in instructions() if name == "USER"]
    assert users == ["10001:10001"]
    assert "--uid 10001" in one("RUN")


def test_what_is_kept_lies_in_volumes() -> None:
    volumes = json.loads(one("VOLUME"))
    assert volumes == ["/documents", "/workspace", "/cache"]
    command = json.loads(one("CMD"))
    assert command[command.index("--workspace") + 1] in volumes
    assert "XDG_CACHE_HOME=/cache " in one("ENV")
    assert all(f":{volume}" in PAGE for volume in volumes)


def test_torch_is_the_pinned_version_for_cpus() -> None:
    fetched = next(a for name, a in instructions() if name == "RUN" and a.endswith(" torch"))
    assert "--index-url https://download.pytorch.org/whl/cpu" in fetched
    assert "--constraint constraints.txt" in fetched
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)


@contextmanager
def served(status: int) -> Iterator[int]:
    """A page on a free port that answers with a status."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def checked(port: int) -> int:
    """The exit status of the health check, asked at another port."""
    python, dash, code = json.loads(one("HEALTHCHECK").partition("CMD ")[2])
    assert (python, dash) == ("python", "-c")
    assert one("EXPOSE") in code
    words = [sys.executable, "-c", code.replace(one("EXPOSE"), str(port))]
    return subprocess.run(words, capture_output=True).returncode


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (401, True), (403, True), (503, False)])
def test_the_health_check_tells_a_page_that_answers_from_one_that_fails(status: int, healthy: bool) -> None:
    with served(status) as port:
        assert (checked(port) == 0) == healthy


def test_the_health_check_fails_where_nothing_listens() -> None:
    with served(200) as port:
        pass
    assert checked(port) != 0
