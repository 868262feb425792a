"""Settings on the page: what is in force and where it came from, a model that was tried, this machine's checks.

Pure; whatever is not ours is escaped. No key is ever among the settings, and a login in an address is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from agent.models import Completion
from agent.settings import Resolved, Settings
from ingest.locked.report import SandboxReport
from ui import markup
from ui.commands.doctor import Check


def table(resolved: Resolved, places: Mapping[str, str]) -> str:
    """Return every setting with its value, where that came from, and what it means. `places` are what the paths of
    files are called."""
    rows = "".join(
        f"<tr><td>{markup.escaped(name)}</td><td>{markup.escaped(value(getattr(resolved.settings, name)))}</td>"
        f"<td>{markup.escaped(origin(resolved.origins[name], places))}</td>"
        f"<td>{markup.escaped(field.description or '')}</td></tr>"
        for name, field in Settings.model_fields.items()
    )
    head = "<tr><td>setting</td><td>value</td><td>from</td><td>what it is</td></tr>"
    return f"<table class=cells><tbody>{head}{rows}</tbody></table>"


def value(of: object) -> str:
    """Return a value as it is shown."""
    if of is None or of == "":
        return "–"
    if isinstance(of, bool):
        return "yes" if of else "no"
    return _without_login(str(of)) if isinstance(of, str) else f"{of:g}" if isinstance(of, float) else str(of)


def origin(of: str, places: Mapping[str, str]) -> str:
    """Return where a value came from, as a person says it."""
    return places.get(of, f"{of} in the environment" if of.startswith("HOPLITE_") else of)


def tried(name: str, found: Completion) -> str:
    """Return what a model answered, and what that took."""
    cost = "cost not known" if found.dollars is None else f"${found.dollars:.6f}"
    tokens = f"{found.input_tokens:,} tokens in, {found.output_tokens:,} out"
    facts = f"{name}: {found.seconds:.1f} s, {tokens}, {cost}"
    answer = markup.escaped(found.text.strip()[:500]) or "<i>nothing</i>"
    return f"<p class=good>✓ {markup.escaped(facts)}</p><blockquote>{answer}</blockquote>"


def sandbox(report: SandboxReport) -> str:
    """Return what the sandbox's test of itself found."""
    acts = ", ".join(f"{act} {state}" for act, state in report.attempts.items())
    held = ", ".join(f"{name} {state}" for name, state in report.mechanisms.items())
    lacking = f" It is not strong: {report.lacking}." if report.lacking else ""
    return (
        f"<p class=good>✓ {markup.escaped(f'{report.level}: {acts}. Starts in {report.start_ms:.0f} ms.{lacking}')}</p>"
        f"<p class=note>{markup.escaped(held)}</p>"
    )


def checks(found: Iterable[Check]) -> str:
    """Return what `hoplite doctor` says, a row a check."""
    rows = "".join(
        f"<tr><td>{_mark(each)}</td><td>{markup.escaped(each.name)}</td><td>{markup.escaped(each.found)}{_step(each)}</td></tr>"
        for each in found
    )
    return f"<table class=cells><tbody>{rows}</tbody></table>"


def _mark(each: Check) -> str:
    if each.good:
        return "<span class=good>✓ ok</span>"
    return "<span class=bad>✗ missing</span>" if each.needed else "<span class=note>– not here</span>"


def _step(each: Check) -> str:
    return f" → <code>{markup.escaped(each.next_step)}</code>" if each.next_step and not each.good else ""


def _without_login(text: str) -> str:
    """The text without what may be a password in an address."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "an address that is none"
    login, at, _ = parts.netloc.rpartition("@")
    return text.replace(f"{login}{at}", "…@", 1) if at else text
