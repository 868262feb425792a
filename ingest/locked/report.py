"""How strong the lock is, judged in the parent from what the child said and tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ingest.errors import UserError

Sandbox = Literal["auto", "off"]
Level = Literal["strong", "off"]

MECHANISMS = ("no_new_privs", "nondumpable", "landlock", "rlimits", "seccomp")
ATTEMPTS = ("network", "files", "processes")


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """What holds.

    `mechanisms` maps each mechanism to "ok" or the kernel's refusal, `attempts` each forbidden act to "blocked" or
    "open". `start_ms` runs from the start of the process to its report.
    """

    level: Level
    mechanisms: Mapping[str, str]
    attempts: Mapping[str, str]
    start_ms: float


def judge(
    sandbox: Sandbox, mechanisms: Mapping[str, str], attempts: Mapping[str, str], start_ms: float
) -> SandboxReport:
    """Return the report. Raises UserError when "auto" was asked for and anything is missing: no lock is half a lock."""
    if sandbox == "off":
        return SandboxReport("off", mechanisms, attempts, start_ms)
    missing = [f"{name}: {mechanisms.get(name, 'not tried')}" for name in MECHANISMS if mechanisms.get(name) != "ok"]
    open_doors = [f"{name}: {attempts.get(name, 'not tried')}" for name in ATTEMPTS if attempts.get(name) != "blocked"]
    if missing or open_doors:
        raise UserError(
            f"The sandbox cannot be closed on this machine ({'; '.join(missing + open_doors)}); it needs Linux 5.13 or "
            "newer with Landlock and seccomp, on x86_64 or aarch64. `--sandbox off` runs the model's code without it: "
            "such code can then read and change your files and use the network."
        )
    return SandboxReport("strong", mechanisms, attempts, start_ms)
