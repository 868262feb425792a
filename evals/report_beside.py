"""What a report puts beside a run: what a model judged, and another run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.agreement import Judged
from evals.compare import Changed, Comparison
from evals.compare_table import before_believing
from evals.report_html import LONGEST_LIST, cut, signed, table, text
from evals.slices import Part
from evals.statistics import Difference
from evals.tables import percent

_LONGEST_ANSWER = 400


def judged(found: Sequence[Judged]) -> str:
    """Return what a model judged of the run, beside each number how far it agrees with people, as a section."""
    rows = [
        [
            text(row.rubric),
            f"{percent(row.share)} <i>[{percent(row.interval[0])}, {percent(row.interval[1])}]</i>",
            f"{row.count:,}",
            f"{row.unjudged:,}",
            text(row.beside),
            text(cut(f"{row.judge}, {row.prompt}", 80)),
        ]
        for row in found
    ]
    return (
        '<h2 id="judged">Judged by a model</h2>\n<p>A judge is worth what its agreement with people is; one that is '
        "not calibrated says little. <code>hoplite eval judge calibrate</code> measures it.</p>\n"
        + table(["rubric", "passed, % [95 %]", "n", "unjudged", "agreement with people", "judge and prompt"], rows)
    )


def compared(comparison: Comparison) -> str:
    """Return another run beside this one, as a section."""
    first, second = (text(cut(name, 60)) for name in comparison.runs)
    rows = [
        [
            text(name),
            percent(each.first),
            percent(each.second),
            _difference(each.difference, each.verdict),
            "< 0.001" if each.corrected < 0.001 else f"{each.corrected:.3f}",
            "–" if each.floor is None else percent(each.floor),
            text(each.verdict),
        ]
        for name, each in comparison.metrics.items()
    ]
    rows += [
        ["seconds, median", *(f"{seconds:.2f}" for seconds in comparison.seconds), *[""] * 4],
        ["tokens, mean", *(f"{tokens:,.0f}" for tokens in comparison.tokens), *[""] * 4],
    ]
    repeated = any(each.floor is not None for each in comparison.metrics.values())
    said = "".join(f"<li>{text(line)}</li>" for line in before_believing(comparison, floors=repeated))
    return "".join(
        [
            f'<h2 id="against">Beside {first}</h2>\n',
            f"<p>{second} less {first}, over the {comparison.questions:,} questions that both answered, paired by "
            "question. Better or worse is said only where chance, corrected for how many metrics there are, does not "
            "explain the difference.</p>\n",
            table(["%", first, second, "difference [95 %]", "p, corrected", "noise", ""], rows),
            f'<ul class="note">{said}</ul>\n' if said else "",
            *_slices(comparison, first, second),
            *_changed(f"Fixed, by {comparison.right_by}", comparison.fixed, comparison.runs),
            *_changed(f"Broken, by {comparison.right_by}", comparison.broken, comparison.runs),
        ]
    )


def _difference(found: Difference, verdict: str) -> str:
    tone = {"better": "good", "worse": "bad"}.get(verdict, "")
    return f'<span class="{tone}">{signed(found.mean)}</span> <i>[{signed(found.low)}, {signed(found.high)}]</i>'


def _slices(comparison: Comparison, first: str, second: str) -> Iterator[str]:
    metric = comparison.right_by
    rows = [
        [
            text(cut(f"{each.by}: {each.name or '(none)'}", 60)),
            f"{part.questions:,}",
            percent(part.first),
            percent(part.second),
            _part(part),
        ]
        for each in comparison.slices[:LONGEST_LIST]
        if (part := each.metrics.get(metric)) is not None
    ]
    if rows:
        yield table([f"{text(metric)}, %", "n", first, second, "difference [95 %]"], rows)
        yield '<p class="note">Slices are for reading: of none is anything claimed.</p>\n'


def _part(part: Part) -> str:
    if part.interval is None:
        return f"{signed(part.difference)} <i>(too few)</i>"
    low, high = part.interval
    return f"{signed(part.difference)} <i>[{signed(low)}, {signed(high)}]</i>"


def _changed(what: str, changed: Sequence[Changed], runs: tuple[str, str]) -> Iterator[str]:
    """The questions that are right in one of the runs alone, folded."""
    yield f'<details class="more"><summary>{text(what)}: {len(changed):,}</summary><ul class="plain">\n'
    for each in changed[:LONGEST_LIST]:
        yield f"<li><b>{text(cut(each.id, 60))}</b> {text(cut(each.question, _LONGEST_ANSWER))}"
        for run, answer in zip(runs, (each.first, each.second), strict=True):
            yield f'<br><span class="faint">{text(cut(run, 60))}:</span> {text(cut(answer, _LONGEST_ANSWER))}'
        yield "</li>\n"
    if len(changed) > LONGEST_LIST:
        yield f"<li>and {len(changed) - LONGEST_LIST:,} more</li>"
    yield "</ul></details>\n"
