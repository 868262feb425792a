"""Runs on the page: the list, one run in numbers and in its questions, two beside each other, a batch under way.

Pure; whatever is not ours is escaped, here or by the report whose parts these are (`evals.report_page`).
"""

from __future__ import annotations

from collections.abc import Sequence

from evals import report_beside, report_page, report_questions
from evals.agreement import Judged
from evals.compare import Comparison
from evals.run_summary import Summary
from evals.tables import percent
from evals.types import Finished
from ui import markup
from ui.batches import Going
from ui.render import counted
from ui.run_list import ORDERS, PAGE, Run, when

VIEW = "evaluation"
_LONGEST = 80


def listed(runs: Sequence[Run], opened: str = "") -> str:
    """Return the list of runs, each a link that opens it; beside one that is `opened`, links that compare."""
    if not runs:
        return (
            '<p class="empty">No run is here yet. Choose a question set and ask it; what comes of it is kept in the '
            "workspace, where <code>hoplite eval</code> finds it too.</p>"
        )
    return f"<ul class=traces>{''.join(_line(each, opened) for each in runs)}</ul>"


def _line(run: Run, opened: str) -> str:
    current = " class=current" if run.name == opened else ""
    link = markup.opens(VIEW, f"run/{run.name}", _short(run.name))
    if run.problem or run.summary is None:
        return f"<li{current}>{link} <span class=bad>{markup.escaped(run.problem)}</span></li>"
    facts = [when(run.ended), _short(run.set), _asked(run), _short(run.model) + (", one call" if run.baseline else "")]
    found = run.summary.metrics.get(run.summary.main or "")
    score = f" <b>{markup.escaped(run.summary.main or '')} {percent(found.mean)} %</b>" if found else ""
    failed = f" <span class=bad>{run.summary.failed:,} failed</span>" if run.summary.failed else ""
    compare = (
        f" {markup.opens(VIEW, f'compare/{opened}/{run.name}', 'compare')}" if opened not in ("", run.name) else ""
    )
    said = markup.escaped(" · ".join(filter(None, facts)))
    return f"<li{current}>{link}{score}{failed}{compare} <i>{said}</i></li>"


def _asked(run: Run) -> str:
    assert run.summary is not None, "it was read"
    lines = run.summary.lines
    return f"{lines:,} of {run.total:,} answers" if run.total and run.total > lines else counted(lines, "answer")


def head(run: Run, ended: str = "") -> str:
    """Return what stands above a run: its name, what it asks and what can be done with it."""
    assert run.summary is not None, "it was read"
    facts = [when(run.ended), run.set, run.model, "one call over the five best passages" if run.baseline else ""]
    missing = ""
    if run.missing:
        missing = f"<p class=note>{run.missing:,} of {run.total:,} have no answer yet. {markup.escaped(ended)}</p>"
    return (
        f"<h3>{markup.escaped(run.name)}</h3><p class=note>{markup.escaped(' · '.join(filter(None, facts)))}</p>"
        f'<p class="acts">{markup.opens(VIEW, f"read/{run.name}", "Read its answers")} '
        f'<a href="/evaluation/{run.key}/report.html">Report as HTML</a> '
        f'<a href="/evaluation/{run.key}/report.md">as Markdown</a></p>{missing}'
    )


def numbers(heading: report_page.Heading, summary: Summary, judged: Sequence[Judged]) -> str:
    """Return a run's metrics with their intervals, its slices and its times, as in its report."""
    sections = [report_beside.judged(judged)] if judged else []
    made = [
        report_page.facts(heading, summary),
        report_page.fingerprint(heading),
        *report_page.numbers(summary, sections),
    ]
    return markup.of_report("".join(made))


def failures(summary: Summary) -> str:
    """Return what questions failed with."""
    return markup.of_report("".join(report_page.failures(summary, ()))) if summary.failed else ""


def questions(run: Run, shown: Sequence[Finished], order: str, page: int, total: int) -> str:
    """Return some of a run's questions, each folded over all that the run has of it, and links to the others."""
    orders = " ".join(
        f"<b>{title}</b>" if order == each else markup.opens(VIEW, f"run/{run.name}/{each}/0", title)
        for each, title in ORDERS.items()
    )
    first, last = page * PAGE, min(total, (page + 1) * PAGE)
    turn = [markup.escaped(f"{first + 1 if total else 0:,} to {last:,} of {total:,}")]
    if page:
        turn.insert(0, markup.opens(VIEW, f"run/{run.name}/{order}/{page - 1}", "← before"))
    if last < total:
        turn.append(markup.opens(VIEW, f"run/{run.name}/{order}/{page + 1}", "after →"))
    rows = "".join(_question(line) for line in shown)
    return f'<h3>Questions</h3><p class="acts">{orders} <span class=note>{" ".join(turn)}</span></p>{rows}'


def _question(line: Finished) -> str:
    error = f"<p class=bad>{markup.escaped((line.error or '')[:500])}</p>" if line.error else ""
    return markup.of_report(report_questions.question(line, f"{error}{trace(line)}"))


def trace(line: Finished) -> str:
    """Return a link to the trace of an answer, "" where none was written."""
    if not line.trace_id or not line.trace_id.strip("0"):
        return ""
    return f"<p>{markup.opens('traces', line.trace_id[:64], 'Its trace')}</p>"


def compared(comparison: Comparison) -> str:
    """Return two runs beside each other: differences with intervals and verdicts, slices, what was fixed and broken,
    and what to read before believing it."""
    return markup.of_report(report_beside.compared(comparison))


def going(now: Going | None) -> str:
    """Return how the batch stands, "" where there is none."""
    if now is None:
        return ""
    said = "".join(f"<p class=note>{markup.escaped(line)}</p>" for line in now.said)
    title = f"<b>{markup.escaped(_short(now.folder.name))}</b> {markup.escaped(_short(now.set))}"
    progress = now.progress
    bar = ""
    facts = [{"preparing": "beginning …", "stopping": "stopping …", "running": "", "over": "over"}[now.phase]]
    if progress:
        share = round(100 * progress.done / max(1, progress.total))
        bar = f'<span class="bar"><span class="model from-0 for-{share}">&nbsp;</span></span>'
        facts.append(f"{progress.done:,} of {progress.total:,}")
        facts.append(f"{progress.errors:,} failed" if progress.errors else "")
        facts.append(f"${progress.dollars:.4f}" if progress.dollars is not None else "cost not known")
    if now.phase == "running":
        facts.append(_left(now.seconds_left))
        if now.ahead:
            facts.append(f"lets {counted(now.ahead, 'question')} of the chat go first")
    problem = f"<p class=bad>{markup.escaped(now.problem)}</p>" if now.problem else ""
    about = markup.escaped(" · ".join(filter(None, facts)))
    open_it = markup.opens(VIEW, f"run/{now.folder.name}", "Open it") if now.phase == "over" and progress else ""
    return f'<div class="batch"><p>{title} {open_it}</p>{bar}<p class=note>{about}</p>{problem}{said}</div>'


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left not known yet"
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 5400 else f"about {seconds / 3600:.1f} h left"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
