"""What the parts of a report are made of: text that is escaped, numbers, tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from agent.guard import visible
from evals.estimates import Estimate
from evals.tables import percent
from evals.types import Finished

LONGEST_LIST = 200
"""Entries that a list shows at most."""


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells are HTML already."""
    rows = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines]
    names = "".join(f"<th>{cell}</th>" for cell in head)
    return f'<div class="wide" tabindex="0"><table><tr>{names}</tr>\n' + "\n".join(rows) + "</table></div>\n"


def text(value: str) -> str:
    """Return text without any tag, with what cannot be seen written out."""
    return html.escape(visible(value))


def cut(value: str, longest: int) -> str:
    """Return text of at most so many characters, with an ellipsis where something was cut."""
    return value if len(value) <= longest else f"{value[: longest - 1]}…"


def amount(value: float) -> str:
    """Return a number that is no share, to three digits."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.3g}"


def signed(share: float) -> str:
    """Return a difference from -1 to 1 as per cent, with its sign."""
    shown = percent(share)
    return shown if shown == "0.0" or share < 0 else f"+{shown}"


def measured(found: Estimate) -> str:
    """Return a mean with its interval."""
    return f"{percent(found.mean)} <i>[{percent(found.low)}, {percent(found.high)}]</i>"


def again(line: Finished) -> str:
    """Return which repeat of its question a line is, "" for the first."""
    return f" (repeat {line.repeat})" if line.repeat else ""
