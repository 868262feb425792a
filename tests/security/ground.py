"""The ground that is attacked: secrets, listeners and traps in the parent, and what an attack left behind on them."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attacks import INTERPRETER, Attack

from ingest.locked.clock import Limits
from ingest.locked.outcome import ChildDied
from ingest.locked.process import LockedChild
from ingest.locked.report import Level

LIMITS = Limits(cpu_seconds=1, wall_seconds=2.5, absolute_seconds=10, memory_mb=256)


class Ground:
    """One attack's surroundings. Use within `ground()`."""

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        self.canary = "sk-" + secrets.token_hex(16)
        self.secret = folder / "secret.env"
        self.secret.write_text(f"KEY={self.canary}")
        self.secret.chmod(0o600)
        self.pwned = (folder / "pwned", Path(json.__file__).with_name("hoplite_pwned.py"))
        self.signals: list[int] = []
        self.calls: list[list[object]] = []
        self._tcp = cleanup.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._udp = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._udp.bind(("127.0.0.1", 0))
        self._abstract = cleanup.enter_context(socket.socket(socket.AF_UNIX))
        self._abstract.bind("\0" + self.canary[3:])
        self._abstract.listen()
        inheritable = os.open(self.secret, os.O_RDONLY)
        os.set_inheritable(inheritable, True)
        cleanup.callback(os.close, inheritable)
        for which in (signal.SIGUSR1, signal.SIGIO):
            before = signal.signal(which, lambda number, _: self.signals.append(number))
            cleanup.callback(signal.signal, which, before)
        os.environ["OPENAI_API_KEY"] = self.canary
        cleanup.callback(os.environ.pop, "OPENAI_API_KEY")

    def names(self) -> dict[str, object]:
        """What the attacker is told."""
        return {
            "FOLDER": str(self.secret.parent),
            "HOME": str(Path.home()),
            "TCP": self._tcp.getsockname()[1],
            "UDP": self._udp.getsockname()[1],
            "ABSTRACT": self.canary[3:],
        }

    def search(self, args: list[object], kwargs: dict[str, object]) -> object:
        self.calls.append(args)
        return args

    def traces(self, told: str) -> list[str]:
        """Name everything that an attack reached. `told` is all that the child gave back."""
        found = {
            "read the secret": self.canary in told,
            "connected by TCP": arrived(self._tcp),
            "sent by UDP": arrived(self._udp),
            "connected to an abstract socket": arrived(self._abstract),
            "signalled the parent": bool(self.signals),
            "wrote a file": any(path.exists() for path in self.pwned),
            "changed the secret": not self.secret.exists()
            or self.secret.read_text() != f"KEY={self.canary}"
            or self.secret.stat().st_mode & 0o777 != 0o600,
            "reached what is no tool": any(args not in ([], ["x"]) for args in self.calls),
        }
        return [what for what, happened in found.items() if happened]


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    with ExitStack() as cleanup:
        yield Ground(folder, cleanup)


def arrived(listener: socket.socket) -> bool:
    listener.setblocking(False)
    try:
        if listener.type == socket.SOCK_DGRAM:
            listener.recv(1)
        else:
            listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def attempt(attack: Attack, ground: Ground, *, level: Level = "strong") -> str:
    """Run the attack and return, as one text, all that came back."""
    with LockedChild({"search": ground.search}, level=level, limits=LIMITS) as child:
        child.set_variables(ground.names())
        try:
            result = child.run(attack.code)
        except ChildDied as died:
            return f"died: {died.reason}"
    return "\n".join(str(part).strip() for part in (result.printed, result.error, result.value) if part is not None)


# Most attacks end at the first name that the interpreter has not; these get further, and end so.
ENDS = {
    "printing 30 MB": r"\[29953000 more characters were printed\]",
    "returning 50 MB": r"\[too long to show\]",
    "a pattern too slow": "^$",  # its patterns take linear time
    "a lone surrogate": "^\ufffd$",
}


def expected(attack: Attack, level: Level) -> str:
    """Return the pattern of how an attack must end at this level."""
    if level == "strong" or attack in INTERPRETER:
        return attack.expect
    return ENDS.get(attack.name, r"\w+Error: |died: (CPU|time) limit")


def faults(attack: Attack, folder: Path, level: Level = "strong") -> list[str]:
    """Return all that went wrong with the defence; empty is right."""
    with ground(folder) as attacked:
        told = attempt(attack, attacked, level=level)
        wrong = attacked.traces(told)
    if not re.search(expected(attack, level), told, re.MULTILINE):
        wrong.append(f"ended unexpectedly: {told[:300]!r}")
    told.encode("utf-8")
    with LockedChild({}, level=level) as fresh:
        if fresh.run("6 * 7").value != 42:
            wrong.append("the parent cannot go on")
    return wrong
