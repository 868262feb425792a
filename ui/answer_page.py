"""One answer of a run to be read and judged by a person, and the failure modes that notes were sorted into, as HTML.
Pure; whatever is not ours is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from evals import report_questions
from evals.asked import name_of
from evals.coding import Coding, ModeCount
from evals.judge_tables import share
from evals.types import Finished
from ui import markup
from ui.render import counted
from ui.run_page import trace
from ui.sitting import Sitting, verdicts_of


def answer(coding: Coding, sitting: Sitting) -> str:
    """Return the open answer whole, with what was said of it. A verdict that is in view moves the hand that labels:
    each is shown once the person has said their own, or asked for it."""
    line = coding.line(sitting.name)
    labels = coding.labels_of(line)
    given = verdicts_of(coding, line)
    shown = [each for each in given if sitting.name in sitting.revealed or each.rubric in labels]
    hidden = len(given) - len(shown)
    note = coding.note_of(line)
    said = [
        ("you noted", markup.escaped(note) if note else "<i>nothing yet</i>" if note is None else "<i>nothing</i>"),
        ("labels", ", ".join(markup.escaped(f"{each.rubric} {each.label}") for each in labels.values())),
        ("failure modes", ", ".join(map(markup.escaped, coding.modes_of(line)))),
        ("judge", "<br>".join(markup.escaped(f"{e.rubric} {e.verdict}: {e.reason} ({e.judge})") for e in shown)),
        ("hidden", f"{counted(hidden, 'verdict')} of the judge, until you have labelled" if hidden else ""),
    ]
    facts = "".join(f"<dt>{title}</dt><dd>{text}</dd>" for title, text in said if text)
    at = f"{sitting.at + 1} of {len(sitting.names)}, {sitting.pick}"
    return (
        f"<p class=note><b>{markup.escaped(name_of(line))}</b> {markup.escaped(at)}</p>"
        f"{markup.of_report(report_questions.question(line, _ended(line), opened=True))}<dl>{facts}</dl>"
    )


def modes(counts: Sequence[ModeCount], read: int, chosen: int) -> str:
    """Return how many of the answers that were read have each failure mode, with the interval of each share."""
    rows = "".join(
        f"<tr><td>{markup.escaped(each.mode)}</td><td>{each.count:,}</td>"
        f"<td>{markup.escaped(share(each.share, each.interval))}</td></tr>"
        for each in counts
    )
    head = "<tr><td>failure mode</td><td>answers</td><td>% of those read, 95 %</td></tr>"
    shown = (
        f"<table class=cells><tbody>{head}{rows}</tbody></table>" if rows else "<p>No failure mode is named yet.</p>"
    )
    said = f"{counted(read, 'answer')} read."
    if chosen:
        said += f" {chosen:,} of them not drawn at random: the shares are of what was read, not of the run."
    return f"<p class=note>{said}</p>{shown}"


def _ended(line: Finished) -> str:
    error = f"<p class=bad>{markup.escaped((line.error or '')[:500])}</p>" if line.error else ""
    return f"{error}{trace(line)}"
