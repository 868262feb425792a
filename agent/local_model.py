"""The language model on this machine: a llama.cpp server started at the first question, and how to ask it.

Qwen2.5-Coder-1.5B on two cores: 2.5 seconds to load, 85 tokens a second reading, 20 to 22 writing. What a conversation
shares with the one before is not read again: after 484 shared tokens the first one came in 0.2 seconds, not in 5.8.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import http.client
import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from agent.models import CONNECT_SECONDS, Piece, Request, Say, Stream
from agent.retries import Passing
from ingest.errors import ModelUnavailable, UserError
from retrieval import weights

CONTEXT_TOKENS = 8192
LOAD_SECONDS = 120.0
_MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server in OpenAI's form listens, and its key."""

    host: str
    port: int
    key: str = field(repr=False)


class LocalServer:
    """One llama.cpp server, started when first needed and again when it died; stopped with this process."""

    def __init__(self, model: Path, *, context: int = CONTEXT_TOKENS, threads: int | None = None) -> None:
        """`model` is a GGUF file, `context` its window in tokens, `threads` (cores, up to 8, unless told) read prompts.

        One less writes. llama.cpp's threads wait for each other at every layer of every token, spinning: with other
        work on both cores, two threads wrote 1 to 7 tokens a second and one 18 to 23; on idle cores two wrote 33.
        """
        self._model = model
        self._context = context
        self._threads = threads or min(8, len(os.sched_getaffinity(0)))
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None
        self._log: IO[bytes] | None = None
        atexit.register(self.stop)

    def endpoint(self, say: Say | None = None) -> Endpoint:
        """Return where the server listens, starting it if need be, which takes about 5 seconds.

        Raises ModelUnavailable with llama.cpp's last word where it does not come up.
        """
        with self._starting:
            if self._endpoint is None or self._process is None or self._process.poll() is not None:
                self._discard()
                if say is not None:
                    say(f"loading {self._model.stem}, about 5 seconds, once")
                self._endpoint = self._start()
            return self._endpoint

    def stop(self) -> None:
        """End the server and give its memory back; stopping twice is no error."""
        with self._starting:
            self._discard()

    @property
    def process_id(self) -> int | None:
        """The server's process, None where it is not started."""
        return self._process.pid if self._process is not None else None

    def last_word(self) -> str:
        """Return the last line that llama.cpp logged."""
        if self._log is None:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 4096))
        lines = [line for line in self._log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else ""

    def _start(self) -> Endpoint:
        key = secrets.token_urlsafe(24)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # Lives as long as the server; no name, so none to leave.
        self._process = subprocess.Popen(  # noqa: S603  # Our own script on a file the user named.
            [sys.executable, "-I", str(Path(__file__).with_name("local_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C in the terminal is for this process to handle.
        )
        wanted = {
            "model": str(self._model),
            "key": key,
            "context": self._context,
            "reading_threads": self._threads,
            "writing_threads": max(1, self._threads - 1),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Through a pipe, since other users can read a command line.
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], LOAD_SECONDS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            word = self.last_word()
            self._discard()
            raise ModelUnavailable(
                f"The language model {self._model} did not load: {word or f'no word in {LOAD_SECONDS:.0f} seconds'}. "
                "Check that it is a GGUF file and that 2 GB of memory are free, or use `--model none`."
            )
        address = urlsplit(json.loads(line)["address"])
        assert address.hostname is not None
        assert address.port is not None
        return Endpoint(address.hostname, address.port, key)

    def _discard(self) -> None:
        process, self._process, self._endpoint = self._process, None, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._log is not None:
            self._log.close()
            self._log = None


@functools.cache
def shared_server(model: Path) -> LocalServer:
    """Return this process's server of a model file: a second one would hold another gigabyte."""
    return LocalServer(model)


def model_file(which: str) -> Path:
    """Return the GGUF file of "" (the default model), of a model of the catalogue, or at a path.

    Raises ModelUnavailable with the command that fetches it, or where no such file is.
    """
    path = Path(which).expanduser()
    if which.endswith(".gguf") or "/" in which:
        if not path.is_file():
            raise ModelUnavailable(f"There is no model file {path}. Name a GGUF file, or use `--model local`.")
        return path.resolve()
    folder = weights.require(which or weights.LOCAL_MODEL)
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise ModelUnavailable(
            f"{which} is no language model. Use `--model local`, or `--model local:FILE` with a GGUF file."
        )
    return files[0]


def local_stream(which: str, *, say: Say | None = None) -> Stream:
    """Return the provider of a model on this machine, as `model_file` names it; loaded at its first call."""

    def stream(request: Request) -> Generator[Piece, None, None]:
        server = shared_server(model_file(which))
        endpoint = server.endpoint(say)
        try:
            yield from ask(endpoint, request)
        except TimeoutError:
            raise  # An OSError too, but its message is the caller's.
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: not JSON.
            raise Passing(
                f"The local language model stopped while answering ({server.last_word() or error}), perhaps for want "
                "of memory. Ask again, it will be started again, or use `--model none`."
            ) from error

    return stream


def ask(endpoint: Endpoint, request: Request) -> Generator[Piece, None, None]:
    """Yield the answer of a server in OpenAI's form, as it streams it.

    Closing the iterator closes the connection, on which llama.cpp stops writing. Raises OSError or HTTPException where
    the connection fails, TimeoutError at the request's deadline, UserError where the server refuses the request.
    """
    body = {
        "messages": list(request.messages),
        "max_tokens": request.max_tokens,
        "stop": list(request.stop),
        "temperature": request.temperature,
        "seed": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=CONNECT_SECONDS)
    with contextlib.closing(connection):
        connection.connect()
        # Kept, because the connection lets go of it when the server says that this answer is its last.
        socket = connection.sock
        socket.settimeout(request.seconds_left)
        headers = {"Authorization": f"Bearer {endpoint.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        with connection.getresponse() as response:
            if response.status != http.client.OK:
                raise _refused(response.read(_MAX_LINE))
            while line := response.readline(_MAX_LINE):
                if line.startswith(b"data: {"):
                    yield _piece(json.loads(line.removeprefix(b"data: ")))
                socket.settimeout(request.seconds_left)


def _piece(event: dict[str, Any]) -> Piece:
    """Read one event of the stream."""
    if "error" in event:
        raise _refused(json.dumps(event).encode())
    choices = event.get("choices") or [{}]
    usage = event.get("usage") or {}
    return Piece(
        text=choices[0].get("delta", {}).get("content") or "",
        input_tokens=usage.get("prompt_tokens", 0),
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
        output_tokens=usage.get("completion_tokens", 0),
    )


def _refused(body: bytes) -> UserError:
    """The error of an answer that is none, with the server's own reason."""
    try:
        reason = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        reason = body.decode("utf-8", "replace")[:300]
    return UserError(f"The local language model refused the request: {reason}. Ask with fewer or shorter passages.")
