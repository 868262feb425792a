"""How strong the isolation is, judged in the parent from what the child said and tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ingest.errors import UserError

Sandbox = Literal["auto", "strong", "interpreter", "off"]
"""What may be asked for. "auto" is strong, or else interpreter, or else nothing."""

Level = Literal["strong", "interpreter", "off"]
"""What is had. strong: CPython, locked in by the kernel. interpreter: Monty, whose language reaches nothing."""

MECHANISMS = {
    "strong": ("no_new_privs", "nondumpable", "landlock", "rlimits", "seccomp"),
    "interpreter": ("rlimits", "monty"),
}
ATTEMPTS = ("network", "files", "processes")

_NEEDS = {
    "strong": "it needs Linux 5.13 or newer with Landlock and seccomp, on x86_64 or aarch64",
    "interpreter": "it needs the package pydantic-monty",
}


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What holds.

    `mechanisms` maps each mechanism to "ok" or the refusal, `attempts` each forbidden act to "blocked" or
    "open". `start_ms` runs from the start of the process to its report. `lacking` says why "auto" did not come to
    strong; it is "" otherwise.
    """

    level: Level
    mechanisms: Mapping[str, str]
    attempts: Mapping[str, str]
    start_ms: float
    lacking: str = ""


class SandboxMissing(UserError):
    """A level cannot be had on this machine. `why` says in a few words what is missing."""

    def __init__(self, level: Level, why: str) -> None:
        super().__init__(f"The sandbox's level {level} cannot be had on this machine ({why}); {_NEEDS[level]}.")
        self.why = why


def judge(level: Level, mechanisms: Mapping[str, str], attempts: Mapping[str, str], start_ms: float) -> SandboxReport:
    """Return the report. Raises SandboxMissing when anything of the level is missing: no lock is half a lock."""
    if level != "off":
        missing = [f"{name}: {mechanisms.get(name, 'not tried')}" for name in MECHANISMS[level]]
        missing = [each for each in missing if not each.endswith(": ok")]
        doors = [f"{name}: {attempts.get(name, 'not tried')}" for name in ATTEMPTS if attempts.get(name) != "blocked"]
        if missing or doors:
            raise SandboxMissing(level, "; ".join(missing + doors))
    return SandboxReport(level, mechanisms, attempts, start_ms)
