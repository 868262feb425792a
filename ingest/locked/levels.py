"""Which level the model's code runs at: the one that was asked for, tested by a child that is started for it."""

from __future__ import annotations

from dataclasses import replace

from ingest.errors import UserError
from ingest.locked.process import LockedChild
from ingest.locked.report import Level, Sandbox, SandboxMissing, SandboxReport


def probe(asked: Sandbox = "auto") -> SandboxReport:
    """Start a child at the level that was asked for, report what holds of it, and end it.

    "auto" is strong; where that cannot be had it is interpreter, and `lacking` says why. Raises UserError where neither
    can, SandboxMissing where the one that was asked for cannot. "off" is only ever returned for "off".
    """
    if asked != "auto":
        return _tested(asked)
    try:
        return _tested("strong")
    except SandboxMissing as strong:
        try:
            return replace(_tested("interpreter"), lacking=strong.why)
        except SandboxMissing as interpreter:
            raise UserError(
                f"{strong} {interpreter} `--max-steps 0` answers without running code; `--sandbox off` runs it without "
                "isolation: it can then read and change your files and use the network."
            ) from None


def line(report: SandboxReport) -> str | None:
    """Return what a person must be told of the level before code runs at it, in one line; None where it is strong."""
    match report.level:
        case "strong":
            return None
        case "interpreter":
            why = f" (strong cannot be had: {report.lacking})" if report.lacking else ""
            return (
                f"Sandbox: interpreter{why}. The model's code runs in Monty, which has a part of Python and no way to "
                "files, network or processes; the kernel does not lock it in."
            )
        case "off":
            return "Sandbox: OFF. The model's code runs with your rights: it can change your files and use the network."


def _tested(level: Level) -> SandboxReport:
    with LockedChild({}, level=level) as child:
        return child.report
