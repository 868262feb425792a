"""The interpreter level's child: run as `python -I -S -B child_interpreter.py FD CONFIG` by `process`, never imported.

Steps run in Monty, a Python interpreter written in Rust that has no way to open a file, a socket or a process: there is
nothing in its language that asks the kernel for one. Monty's worker is a process of its own; this one, between worker
and parent, speaks the wire's JSON, so that the parent never decodes what a worker sends. Both have an empty environment
and the ceilings of `rlimits`, and neither has a lock of the kernel's.

The messages are those of `child.py`; "ready" also has "process", the worker, whose processor time the parent watches.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from . import rlimits
    from .child import ERROR_CHARS, Link, Printed, ToolError, die_with_parent, plain, stub
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import rlimits
    from child import ERROR_CHARS, Link, Printed, ToolError, die_with_parent, plain, stub

    del sys.path[0]

OVERHEAD_MB = 512  # address space of worker and bindings beyond what a step may use: 230 MB are there before the first
SUSPENSIONS = 1_000_000  # calls and names asked for; the parent counts calls, and a loop of names meets its clocks

FORBIDDEN = {
    "network": "import socket\nsocket.socket()",
    "files": "open('/etc/passwd').read()",
    "processes": "import os\nos.fork()",
}


class Interpreter:
    """One session of `monty`, the package, in which steps run one after another."""

    def __init__(self, monty: Any, session: Any, link: Link, names: list[str]) -> None:
        self._monty = monty
        self._session = session
        self._answer: list[Any] = []
        self._known: dict[str, Any] = {name: self._tool(stub(link, name)) for name in names}
        self._known["final_answer"] = self._final_answer
        # There are no exceptions but Python's own: a tool's error is an Exception, and can be caught as ToolError.
        session.feed_run("ToolError = Exception")
        self.variables: dict[str, Any] = {}

    def _tool(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(*args, **kwargs)
            except ToolError as refused:
                raise Exception(f"ToolError: {refused}") from None

        return called

    def _final_answer(self, answer: Any = None) -> NoReturn:
        self._answer.append(answer)
        raise KeyboardInterrupt  # which `except Exception` lets through

    def run(self, code: str) -> dict[str, Any]:
        """Run one step and return the "done" message. Ends this process where the worker is gone."""
        self._answer.clear()
        printed = Printed()
        value, error = None, None
        given, self.variables = self.variables, {}
        try:
            value = self._session.feed_run(
                code, inputs=given, external_lookup=self._known, print_callback=lambda stream, text: printed.write(text)
            )
        except (self._monty.MontySyntaxError, self._monty.MontyRuntimeError) as raised:
            error = described(raised)
        except self._monty.MontyCrashedError:
            os._exit(1)
        if self._answer:
            value, error = self._answer[0], None
        final = bool(self._answer)
        return {"t": "done", "value": plain(value), "printed": printed.text(), "error": error, "final": final}

    def attempt(self) -> dict[str, str]:
        """Do three forbidden things and return "blocked" or "open" for each."""
        return {what: "blocked" if self.run(code)["error"] else "open" for what, code in FORBIDDEN.items()}


def described(raised: Any) -> str:
    """Return the exception with the line of the step that raised it."""
    text = raised.display("type-msg").strip()
    text = text.removeprefix("Exception: ") if text.startswith("Exception: ToolError: ") else text
    frames = raised.traceback()
    return (f"line {frames[-1].line}: {text}" if frames else text)[:ERROR_CHARS]


def main() -> None:
    config = json.loads(sys.argv[2])
    # The worker must not hold the wire. It does hold the lifeline: whatever becomes of this process, closing that
    # ends them both.
    os.set_inheritable(int(sys.argv[1]), False)
    die_with_parent(config["lifeline"], -os.getpgid(0))
    link = Link(int(sys.argv[1]))
    sys.path += config["path"]
    import pydantic_monty as monty

    said = {"rlimits": rlimits.apply(config["memory_mb"] + OVERHEAD_MB, processes=False)}
    # No limit on time: the parent's clocks are the same for every level, and end a worker that no longer listens.
    limits: Any = {"max_memory": config["memory_mb"] << 20, "max_suspensions": SUSPENSIONS}
    with monty.Monty(binary_path=config["monty"], max_processes=1) as pool, pool.checkout(limits=limits) as session:
        interpreter = Interpreter(monty, session, link, config["names"])
        process = session.worker_pid
        assert process is not None  # no turn is under way
        resource.prlimit(process, resource.RLIMIT_NPROC, (0, 0))  # root is exempt
        said["monty"] = "ok"  # it gave a session
        link.send({"t": "ready", "mechanisms": said, "attempts": interpreter.attempt(), "process": process})
        while True:
            message = link.receive()
            if message["t"] == "set":
                interpreter.variables.update(message["values"])
            else:
                link.send(interpreter.run(message["code"]))


if __name__ == "__main__":
    main()
