"""The locked child: run as `python -I -S -B child.py FD CONFIG` by `process.LockedChild`, never imported.

It closes the lock over itself, tries the lock, reports, and then runs one step after another in one namespace.
Standard library only. FD is a stream socket; a frame is four bytes of length, big-endian, and JSON.

    parent: {"t": "run", "code": ...}           child: {"t": "done", "value", "printed", "error", "final"}
            {"t": "set", "values": {...}}              {"t": "call", "name", "args", "kwargs"}
            {"value": ...} or {"error": "..."}  to a call
"""

from __future__ import annotations

import ctypes
import fcntl
import io
import json
import os
import signal
import struct
import sys
from _ast import Expr, Expression, Module, PyCF_ONLY_AST  # the module `ast` costs 5 ms of a 30 ms start
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import landlock, rlimits, seccomp
else:
    # Isolated mode leaves the script's own folder off the path. It is back off before anything untrusted runs.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import landlock
    import rlimits
    import seccomp

    del sys.path[0]

FRAME_BYTES = 8 << 20
PRINTED_CHARS = 50_000
ERROR_CHARS = 4_000
STEP = "<step>"  # the file name that the step's own lines carry in tracebacks

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
F_SETSIG = 10


class ToolError(Exception):
    """A tool refused the call; the message says how to call it better."""


class _Finished(BaseException):
    """Ends the step from inside `final_answer`."""


class Printed(io.TextIOBase):
    """Keeps the first `PRINTED_CHARS` characters of what a step prints."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._written = 0

    def write(self, text: str) -> int:
        room = PRINTED_CHARS - self._written
        if room > 0:
            self._parts.append(text[:room])
        self._written += len(text)
        return len(text)

    def text(self) -> str:
        cut = self._written - PRINTED_CHARS
        return "".join(self._parts) + (f"\n[{cut} more characters were printed]" if cut > 0 else "")


class Link:
    """The child's end of the wire."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, message: dict[str, Any]) -> None:
        frame = encode(message)
        view = memoryview(struct.pack(">I", len(frame)) + frame)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def receive(self) -> dict[str, Any]:
        (length,) = struct.unpack(">I", self.exactly(4))
        message: dict[str, Any] = json.loads(self.exactly(length))
        return message

    def exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self._descriptor, min(count, 1 << 20))
            if not part:
                os._exit(0)  # the parent is gone
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def encode(message: dict[str, Any]) -> bytes:
    # A lone surrogate has no UTF-8 and becomes "?".
    return json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def lock(config: dict[str, Any]) -> dict[str, str]:
    """Close the lock and return what each mechanism said: "ok" or the refusal. Without "lock", only the ceilings."""
    libc = ctypes.CDLL(None, use_errno=True)
    said: dict[str, str] = {}
    if config["lock"]:
        for name, option, value in (("no_new_privs", PR_SET_NO_NEW_PRIVS, 1), ("nondumpable", PR_SET_DUMPABLE, 0)):
            said[name] = "ok" if libc.prctl(option, value, 0, 0, 0) == 0 else os.strerror(ctypes.get_errno())
        said["landlock"] = landlock.restrict(libc, config["readable"])
    said["rlimits"] = rlimits.apply(config["memory_mb"])
    if config["lock"]:
        said["seccomp"] = seccomp.install(libc)  # last: it refuses prctl and setrlimit
    return said


def try_the_lock() -> dict[str, str]:
    """Do three forbidden things and return "blocked" or "open" for each."""
    return {what: _attempt(act) for what, act in (("network", _connect), ("files", _read), ("processes", _fork))}


def _attempt(act: Callable[[], None]) -> str:
    try:
        act()
    except OSError:
        return "blocked"
    return "open"


def _connect() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.socket(2, 1, 0)  # AF_INET, SOCK_STREAM
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "socket")
    os.close(descriptor)


def _read() -> None:
    os.close(os.open("/etc/passwd", os.O_RDONLY))


def _fork() -> None:
    process = os.fork()
    if process == 0:
        os._exit(0)
    os.waitpid(process, 0)


def die_with_parent(lifeline: int, whom: int = 0) -> None:
    """Have the kernel kill this process, or the group `-whom`, when the other end of the pipe closes.

    Not PR_SET_PDEATHSIG: that fires when the *thread* that started the child ends, and web servers end idle threads.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, whom or os.getpid())
    fcntl.fcntl(lifeline, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)


def stub(link: Link, name: str) -> Callable[..., Any]:
    """A function of the step's that calls the parent's callback of this name."""

    def call(*args: Any, **kwargs: Any) -> Any:
        message = {"t": "call", "name": name, "args": args, "kwargs": kwargs}
        try:
            size = len(encode(message))
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{name}() takes strings, numbers, lists and dicts only: {error}") from None
        if size > FRAME_BYTES:
            raise ValueError(f"{name}() was given {size} bytes; at most {FRAME_BYTES} pass")
        link.send(message)
        reply = link.receive()
        if "error" in reply:
            raise ToolError(reply["error"])
        return reply["value"]

    call.__name__ = call.__qualname__ = name
    return call


class Interpreter:
    """One namespace, in which steps run one after another."""

    def __init__(self, link: Link, names: list[str]) -> None:
        self._answer: list[Any] = []
        self.namespace: dict[str, Any] = {"__name__": "__main__", "ToolError": ToolError}
        self.namespace.update({name: stub(link, name) for name in names})
        self.namespace["final_answer"] = self._final_answer

    def _final_answer(self, answer: Any = None) -> None:
        """Give the answer and end the step."""
        self._answer.append(answer)
        raise _Finished

    def run(self, code: str) -> dict[str, Any]:
        """Run one step and return the "done" message. No exception of the step's leaves this method."""
        self._answer.clear()
        printed = Printed()
        sys.stdout = sys.stderr = printed
        value, error = None, None
        try:
            value = self._execute(code)
        except _Finished:
            pass
        except MemoryError:
            error = "MemoryError: the step used more memory than it may"
        except BaseException as raised:  # SystemExit and KeyboardInterrupt are the step's own too
            error = describe(raised)
        # Asked here and not in `except _Finished`: a bare `except:` of the step's may have caught that one.
        final = bool(self._answer)
        if final:
            value, error = self._answer[0], None
        return {"t": "done", "value": plain(value), "printed": printed.text(), "error": error, "final": final}

    def _execute(self, code: str) -> Any:
        """Run the statements; return the value of the last one where it is an expression."""
        tree = compile(code, STEP, "exec", PyCF_ONLY_AST, dont_inherit=True)
        assert isinstance(tree, Module)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], Expr) else None
        exec(compile(tree, STEP, "exec", dont_inherit=True), self.namespace)  # noqa: S102 - what this process is for
        if not isinstance(last, Expr):
            return None
        expression = compile(Expression(last.value), STEP, "eval", dont_inherit=True)
        return eval(expression, self.namespace)  # noqa: S307 - as above


def describe(raised: BaseException) -> str:
    """Return the exception with the line of the step that raised it."""
    import traceback  # 10 ms that most children never need

    try:
        lines = [frame.lineno for frame in traceback.extract_tb(raised.__traceback__) if frame.filename == STEP]
        text = "".join(traceback.format_exception_only(raised)).strip()
        return (f"line {lines[-1]}: {text}" if lines else text)[:ERROR_CHARS]
    except BaseException:  # the exception's own methods are the step's, and may do anything
        return type(raised).__name__


def plain(value: Any) -> Any:
    """Return the value if it goes through the wire, else a text that stands for it."""
    if type(value) is str and len(value) > FRAME_BYTES // 2:  # encoding it to learn its length takes the step's time
        return f"[too long to show] {value[:PRINTED_CHARS]!r}"
    try:
        if len(encode({"": value})) <= FRAME_BYTES // 2:
            return value
        return f"[too long to show] {repr(value)[:PRINTED_CHARS]}"
    except (TypeError, ValueError, RecursionError, MemoryError):
        pass
    try:
        return repr(value)[:PRINTED_CHARS]
    except BaseException:
        return f"[a {type(value).__name__} that cannot be shown]"


def main() -> None:
    config = json.loads(sys.argv[2])
    link = Link(int(sys.argv[1]))
    die_with_parent(config["lifeline"])
    said = lock(config)
    link.send({"t": "ready", "mechanisms": said, "attempts": try_the_lock()})
    interpreter = Interpreter(link, config["names"])
    while True:
        message = link.receive()
        if message["t"] == "set":
            interpreter.namespace.update(message["values"])
        else:
            link.send(interpreter.run(message["code"]))


if __name__ == "__main__":
    main()
