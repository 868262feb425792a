"""The language model on this machine: a llama.cpp server that all processes share, and how to ask it.

Qwen2.5-Coder-1.5B on two cores: 2.5 seconds to load, 85 tokens a second reading, 20 to 22 writing. What a conversation
shares with the one before is not read again: after 484 shared tokens the first one came in 0.2 seconds, not in 5.8.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import platform
import secrets
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.local_server import stamp
from agent.models import CONNECT_SECONDS, IDLE_SECONDS, Piece, Request, Say, Stream
from agent.retries import Passing, TooLong
from ingest.errors import ModelUnavailable, UserError
from ingest.ids import digest
from retrieval import weights

CONTEXT_TOKENS = 8192
LOAD_SECONDS = 120
SCRIPT = Path(__file__).with_name("local_server.py")
_MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server in OpenAI's form listens, and its key."""

    host: str
    port: int
    key: str = field(repr=False)


class LocalServer:
    """One llama.cpp server for all processes of a user, started when first needed and ended when nobody asks.

    Nothing of it is kept here: files below `server_folder` say where it is (see `agent.local_server`). A second process
    asks the same one, and a death of either side leaves nothing that the next one would trip over.
    """

    def __init__(
        self,
        model: Path,
        *,
        context: int = CONTEXT_TOKENS,
        threads: int | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`model` is a GGUF file, `context` its window in tokens, `threads` (cores, up to 8, unless told) read prompts.

        One less writes. llama.cpp's threads wait for each other at every layer of every token, spinning: with other
        work on both cores, two threads wrote 1 to 7 tokens a second and one 18 to 23; on idle cores two wrote 33. The
        server ends after `idle_seconds` without a question, as the process that started it has them.

        Raises UserError where the folder of its files is not the user's alone.
        """
        self._model = model
        self._context = context
        self._threads = threads or min(8, len(os.sched_getaffinity(0)))
        self._idle_seconds = idle_seconds
        self._stamp = stamp(str(model))
        name = _identity(model, self._stamp, context)
        folder = server_folder()
        self._file, self._used = folder / f"{name}.json", folder / f"{name}.used"
        self._starting, self._log = folder / f"{name}.starting", folder / f"{name}.log"

    @contextlib.contextmanager
    def asked(self, say: Say | None = None) -> Iterator[Endpoint]:
        """Give where the server listens, starting it if need be, which takes about 5 seconds. It stays meanwhile.

        Raises ModelUnavailable with llama.cpp's last word where it does not come up.
        """
        # Shared by all who ask; the server ends only with this lock for itself.
        with _locked(self._used, fcntl.LOCK_SH) as used:
            os.utime(used)
            try:
                yield self._found() or self._started(say)
            finally:
                os.utime(used)

    def last_word(self) -> str:
        """Return the last line that llama.cpp logged."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
                lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return lines[-1].strip()[:300] if lines else ""

    @property
    def process_id(self) -> int | None:
        """The server's process, None where none is alive."""
        about = self._alive()
        return int(about["pid"]) if about else None

    def _found(self) -> Endpoint | None:
        """Return where a server that is alive and lets itself be reached listens."""
        about = self._alive()
        if about is None:
            return None
        address = urlsplit(about["address"])
        assert address.hostname is not None
        assert address.port is not None
        endpoint = Endpoint(address.hostname, address.port, about["key"])
        return endpoint if _healthy(endpoint) else None

    def _alive(self) -> dict[str, Any] | None:
        """Return what the server's file says, None where there is none or its server is dead: then its lock is free."""
        try:
            with self._file.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    about: dict[str, Any] = json.loads(file.read())
                    return about
        except FileNotFoundError:
            pass
        return None

    def _started(self, say: Say | None) -> Endpoint:
        """Start the server, or wait for the one that another process is starting."""
        if say is not None:
            say(f"loading {self._model.stem}, about 5 seconds, once")
        with _locked(self._starting, fcntl.LOCK_EX) as starting:
            if (endpoint := self._found()) is not None:
                return endpoint
            if (silent := self.process_id) is not None:
                os.kill(silent, signal.SIGKILL)  # It holds the memory, and does not let itself be reached.
            self._start(starting)
        if (endpoint := self._found()) is None:
            raise self._not_loaded()
        return endpoint

    def _start(self, starting: int) -> None:
        wanted = {
            "model": str(self._model),
            "stamp": self._stamp,
            "key": secrets.token_urlsafe(24),
            "context": self._context,
            "reading_threads": self._threads,
            "writing_threads": max(1, self._threads - 1),
            "file": str(self._file),
            "used": str(self._used),
            "starting": starting,
            "idle_seconds": self._idle_seconds,
            "load_seconds": LOAD_SECONDS,
        }
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(log, "wb") as errors:
            process = subprocess.Popen(  # noqa: S603  # Our own script on a file the user named.
                [sys.executable, "-I", str(SCRIPT)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=(starting,),
                start_new_session=True,  # Ctrl-C in the terminal is for this process to handle.
            )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            # Through a pipe, since other users can read a command line.
            with contextlib.suppress(BrokenPipeError):  # It ended at once; the log says why.
                process.stdin.write(json.dumps(wanted).encode() + b"\n")
            # Ends without a line where the server did, which its own alarm sees to in time.
            if not process.stdout.readline():
                raise self._not_loaded()

    def _not_loaded(self) -> ModelUnavailable:
        word = self.last_word() or f"no word in {LOAD_SECONDS} seconds"
        return ModelUnavailable(
            f"The language model {self._model} did not load: {word}. Check that it is a GGUF file and that 2 GB of "
            "memory are free, or use `--model none`."
        )


@contextlib.contextmanager
def _locked(path: Path, how: int) -> Iterator[int]:
    """Hold a lock on a file, made where it is missing, and give its descriptor.

    Closing lets go of it, where no other process has the same descriptor: so a server keeps its starter's lock.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, how)
        yield file
    finally:
        os.close(file)


def _healthy(endpoint: Endpoint) -> bool:
    """Whether the server lets itself be reached. One that is only slow does: it may be answering somebody."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=CONNECT_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health", headers={"Authorization": f"Bearer {endpoint.key}"})
            return connection.getresponse().status == http.client.OK
        except TimeoutError:
            return True
        except (OSError, http.client.HTTPException):
            return False


def server_folder() -> Path:
    """Return the folder of the files that say where servers are: below $XDG_RUNTIME_DIR, else in the user's cache.

    Raises UserError where others may look into it, because keys lie there.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime) / "hoplite" if runtime and os.access(runtime, os.W_OK) else weights.user_cache() / "servers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.stat()
    if about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise UserError(f"{folder} is not yours alone, and keys lie there. Make it so: chmod 700 {folder}")
    return folder


def _identity(model: Path, content: list[int], context: int) -> str:
    """Return the name of a server's files: another model, content or window is another server.

    So is another machine, or container, with the same folder: its processes and addresses are not ours.
    """
    here = [platform.node(), *(os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "pid"))]
    return digest(json.dumps([str(model), content, context, here]).encode())[:16]


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


def local_stream(which: str, *, say: Say | None = None, idle_seconds: float = IDLE_SECONDS) -> Stream:
    """Return the provider of a model on this machine, as `model_file` names it; loaded at its first call."""

    def stream(request: Request) -> Generator[Piece, None, None]:
        server = LocalServer(model_file(which), idle_seconds=idle_seconds)
        with server.asked(say) as endpoint:
            try:
                yield from ask(endpoint, request)
            except TimeoutError:
                raise  # An OSError too, but its message is the caller's.
            except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: not JSON.
                raise Passing(
                    f"The local language model stopped while answering ({server.last_word() or error}), perhaps for "
                    "want of memory. Ask again, it will be started again, or use `--model none`."
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
    kind = TooLong if "exceed" in reason and "context" in reason else UserError
    return kind(f"The local language model refused the request: {reason}. Ask with fewer or shorter passages.")
