"""Charts as SVG to stand in an HTML page: pure functions from numbers to text, everything in it escaped.

Colours are the page's own classes (`evals/report.css`), so that one chart is readable on light and on dark. Each chart
has a title and a description for who cannot see it, and says every number in writing too.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.guard import visible

WIDTH = 380
"""Units of a chart's width: about the pixels of a small telephone, so that its letters are readable there too."""

_ROW = 30
_LABEL = 112
_VALUE = 58
_LONGEST_LABEL = 16
_BINS = 20
_HEIGHT = 110
_NAME = 28


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a share from 0 to 1 with its 95 % interval, over `count` questions."""

    label: str
    share: float
    low: float
    high: float
    count: int


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return horizontal bars from 0 to 100 %, the interval drawn across each end, the count under each label."""
    room = WIDTH - _LABEL - _VALUE
    parts = [
        f'<line class="grid" x1="{_LABEL + room * part / 4:g}" x2="{_LABEL + room * part / 4:g}"'
        f' y1="0" y2="{_ROW * len(rows)}"/>'
        for part in range(5)
    ]
    for number, row in enumerate(rows):
        y = number * _ROW
        low, high = _LABEL + room * _within(row.low), _LABEL + room * _within(row.high)
        said = f"{row.label}: {_percent(row.share)} %, 95 % from {_percent(row.low)} to {_percent(row.high)}"
        parts += [
            f"<g><title>{_text(f'{said}, {row.count} questions')}</title>",
            f'<text class="label" x="{_LABEL - 8}" y="{y + 13}" text-anchor="end">{_text(_cut(row.label))}</text>',
            f'<text class="faint" x="{_LABEL - 8}" y="{y + 25}" text-anchor="end">n = {row.count:,}</text>',
            f'<rect class="bar" x="{_LABEL}" y="{y + 7}" width="{room * _within(row.share):.1f}" height="16" rx="2"/>',
            f'<path class="whisker" d="M{low:.1f} {y + 15}H{high:.1f}M{low:.1f} {y + 10}v10M{high:.1f} {y + 10}v10"/>',
            f'<text class="number" x="{WIDTH}" y="{y + 19}" text-anchor="end">{_percent(row.share)} %</text></g>',
        ]
    described = "; ".join(f"{row.label} {_percent(row.share)} %" for row in rows)
    return _svg(title, described, _ROW * len(rows), parts)


def histogram(title: str, values: Sequence[float], marks: Mapping[str, float], unit: str) -> str:
    """Return how often values occur, in equal steps from 0, with a line at each mark.

    What lies beyond the 99th percentile is counted in the last step, so that one straggler does not flatten the rest.
    """
    counts, top, over = binned(values)
    step, high = WIDTH / len(counts), max(counts, default=0)
    parts = []
    for number, count in enumerate(counts):
        tall = 0 if not high else _HEIGHT * count / high
        first, last = top * number / len(counts), top * (number + 1) / len(counts)
        beyond = number == len(counts) - 1 and over
        range_ = f"{_short(first)} {unit} and more" if beyond else f"{_short(first)} to {_short(last)} {unit}"
        parts.append(
            f'<rect class="bar" x="{number * step + 1:.1f}" y="{_HEIGHT - tall + 14:.1f}" width="{step - 2:.1f}"'
            f' height="{tall:.1f}"><title>{_text(range_)}: {count:,}</title></rect>'
        )
    parts.append(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{_HEIGHT + 14}" y2="{_HEIGHT + 14}"/>')
    free = 0.0
    for name, value in marks.items():
        x = WIDTH * min(1.0, value / top) if top else 0.0
        parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{_HEIGHT + 14}"/>')
        if free <= x <= WIDTH - _NAME:  # a name that has no room is left out, and stands in the description
            parts.append(f'<text class="faint" x="{x + 4:.1f}" y="11">{_text(name)}</text>')
            free = x + _NAME
    parts += [
        f'<text class="faint" x="0" y="{_HEIGHT + 30}">0</text>',
        f'<text class="faint" x="{WIDTH}" y="{_HEIGHT + 30}" text-anchor="end">'
        f"{_short(top)} {_text(unit)}{' and more' if over else ''}</text>",
    ]
    described = ", ".join(f"{name} {_short(value)} {unit}" for name, value in marks.items())
    return _svg(title, described, _HEIGHT + 36, parts)


def binned(values: Sequence[float]) -> tuple[list[int], float, int]:
    """Return counts in equal steps from 0, where the last step ends, and how many of the last lie beyond that."""
    found = np.asarray(values, dtype=np.float64)
    top = float(np.percentile(found, 99)) if found.size else 0.0
    if top <= 0:
        return [int(found.size), *([0] * (_BINS - 1))], 0.0, 0
    counts, _ = np.histogram(np.minimum(found, top), bins=_BINS, range=(0.0, top))
    return [int(count) for count in counts], top, int((found > top).sum())


def _svg(title: str, described: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{_text(f"{title}: {described}")}">'
        f"<title>{_text(title)}</title><desc>{_text(described)}</desc>{''.join(parts)}</svg>"
    )


def _text(text: str) -> str:
    return html.escape(visible(text))


def _cut(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _short(value: float) -> str:
    """Three digits, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
