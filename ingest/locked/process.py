"""The parent's half of the locked child: start it, check its lock, run steps in it, answer its calls, outlive it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.errors import ToolError, UserError
from ingest.locked.clock import STEP, Limits, StepClock
from ingest.locked.outcome import ChildDied, StepResult
from ingest.locked.report import Level, SandboxMissing, SandboxReport, judge
from ingest.locked.wire import Wire, WireClosed, encode

# A callback gets what the child sent, positional and by name: JSON values of any kind and number, to be validated.
# Its ToolError goes back to the child; any other exception ends the child and leaves `LockedChild.run` as it is.
Callback = Callable[[list[object], dict[str, object]], object]

_PROGRAM = Path(__file__).with_name("child.py")
_INTERPRETER = Path(__file__).with_name("child_interpreter.py")
_START = Limits(wall_seconds=10, absolute_seconds=10)


def launch(
    program: Path, config: Mapping[str, object], *, stderr: int
) -> tuple[subprocess.Popen[bytes], socket.socket, int]:
    """Start one of this folder's programs, told `config` and what it may read.

    Returns the process, our end of its socket, and the descriptor whose closing ends it.
    """
    ours, theirs = socket.socketpair()
    lifeline, held = os.pipe()
    told = {**config, "lifeline": lifeline, "readable": readable_paths()}
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program, by absolute path, no shell
            [interpreter(), "-I", "-S", "-B", str(program), str(theirs.fileno()), json.dumps(told)],
            env=environment(),
            pass_fds=(theirs.fileno(), lifeline),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd="/",
            start_new_session=True,  # no terminal, and Ctrl-C is the parent's to hear
        )
    except BaseException:
        ours.close()
        os.close(held)
        raise
    finally:
        theirs.close()
        os.close(lifeline)
    return process, ours, held


class LockedChild:
    """A Python process in which one namespace lives. One thread at a time runs steps; any thread may interrupt.

    The constructor raises SandboxMissing unless all of the level holds. "strong" is CPython under the lock, "off" the
    same without it; "interpreter" is Monty. The limits are the same for each.
    """

    def __init__(self, callbacks: Mapping[str, Callback], *, level: Level = "strong", limits: Limits = STEP) -> None:
        self._callbacks = dict(callbacks)
        self._limits = limits
        self._stopped = False
        self.closed = False
        start = time.monotonic()
        config: dict[str, object] = {"memory_mb": limits.memory_mb, "names": list(callbacks)}
        if level == "interpreter":
            program, config = _INTERPRETER, config | monty()
        else:
            program, config = _PROGRAM, config | {"lock": level == "strong"}
        self._process, ours, self._lifeline = launch(program, config, stderr=subprocess.PIPE)
        self._worker = self._process.pid  # whose processor time counts
        self._wire = Wire(ours)
        with self._or_dead():
            self.report = self._ready(level, start)

    def run(self, code: str) -> StepResult:
        """Run one step, answering its calls in this thread.

        Raises ChildDied when the child's time is up, it breaks the protocol, crashes or is interrupted, and whatever a
        callback raises that is no ToolError. The child is gone after either, and every later call raises ChildDied.
        """
        frame = encode({"t": "run", "code": code})
        with self._or_dead():
            clock = StepClock(self._limits, self._worker)
            self._wire.send(frame, clock)
            calls = 0
            while (message := self._wire.receive(clock)).get("t") != "done":
                calls += 1
                self._wire.send(self._answer(message, calls, clock), clock)
            return StepResult.from_message(message)

    def set_variables(self, values: Mapping[str, object]) -> None:
        """Put JSON values in the namespace. Raises TypeError for others, ChildDied when the child is gone."""
        frame = encode({"t": "set", "values": dict(values)})
        with self._or_dead():
            self._wire.send(frame, StepClock(_START, self._process.pid))

    def interrupt(self) -> None:
        """Kill the child at once, from any thread; the step that was running raises ChildDied("stopped").

        A callback of the parent's that is running is not cut short; the step ends when it returns.
        """
        self._stopped = True
        self._process.kill()

    def close(self) -> None:
        """End the child and free what it held; closing twice is no error."""
        if self.closed:
            return
        self.closed = True
        self._process.kill()
        self._process.wait()
        self._wire.close()
        os.close(self._lifeline)
        if self._process.stderr:
            self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _or_dead(self) -> Iterator[None]:
        """Whatever goes wrong in the middle of a conversation ends the child: nobody knows what it would say next."""
        if self.closed:
            raise ChildDied("stopped" if self._stopped else "it has ended")
        try:
            yield
        except WireClosed:
            reason = self._autopsy()
            self.close()
            raise ChildDied(reason) from None
        except BaseException:
            self.close()
            raise

    def _ready(self, level: Level, start: float) -> SandboxReport:
        stderr = self._process.stderr
        assert stderr is not None
        try:
            message = self._wire.receive(StepClock(_START, self._process.pid))
        except WireClosed:
            self._process.kill()
            last = stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise UserError(
                f"The sandbox's Python did not start: {last or self._autopsy()}. `hoplite doctor` checks this machine"
            ) from None
        stderr.close()
        elapsed = (time.monotonic() - start) * 1000
        if level == "interpreter" and isinstance(worker := message.get("process"), int):
            self._worker = worker
        return judge(level, _texts(message.get("mechanisms")), _texts(message.get("attempts")), elapsed)

    def _answer(self, message: dict[str, object], calls: int, clock: StepClock) -> bytes:
        """Return the frame that answers a call. Raises ChildDied for what is no call."""
        name, args, kwargs = message.get("name"), message.get("args"), message.get("kwargs")
        if message.get("t") != "call" or not isinstance(args, list) or not isinstance(kwargs, dict):
            raise ChildDied("it broke the protocol")
        if calls > self._limits.calls:
            return encode({"error": f"call {calls} of this step; at most {self._limits.calls} are answered"})
        callback = self._callbacks.get(name) if isinstance(name, str) else None
        if callback is None:
            return encode({"error": f"there is no {str(name)[:80]!r}; there are: {', '.join(self._callbacks)}"})
        try:
            with clock.paused():
                return encode({"value": callback(args, kwargs)})
        except ToolError as error:
            return encode({"error": str(error)})

    def _autopsy(self) -> str:
        """Say in a few words why the child closed its end."""
        if self._stopped:
            return "stopped"
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        if status >= 0:
            return f"it exited with status {status}"
        if status == -signal.SIGKILL:
            return "killed by the system, perhaps for want of memory"
        return f"it crashed with {signal.Signals(-status).name}"


def monty() -> dict[str, object]:
    """Return where Monty's worker is, and the folders that its bindings are imported from.

    Its place is what was installed with it: neither a variable nor the search path of programs can name another one.
    Raises SandboxMissing where it is not installed.
    """
    found = [importlib.util.find_spec(name) for name in ("pydantic_monty", "typing_extensions")]
    folders = [Path(spec.origin).parent for spec in found if spec and spec.origin]
    try:
        files = importlib.metadata.files("pydantic-monty-runtime") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    programs = [str(file.locate()) for file in files if file.name == "monty"]
    if len(folders) < len(found) or not programs:
        raise SandboxMissing("interpreter", "monty: not installed")
    # The package lies in a folder of its own, the module beside it.
    return {"monty": os.path.realpath(programs[0]), "path": [str(folders[0].parent), str(folders[1])]}


def interpreter() -> str:
    """The Python under any virtual environment: a venv's own start reads files the child may not and need not see."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def readable_paths() -> list[str]:
    """What the child may read: the standard library, shared libraries and time zones, where they exist."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = (library, library.parent, "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
    return [str(path) for path in paths if os.path.isdir(path)]


def environment() -> dict[str, str]:
    """Everything the child inherits: where some interpreters find their own shared library, and nothing else."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}
