"""A question on the page: what happened so far, and that as HTML. Pure but for reading the sources that are cited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.types import (
    Answer,
    Answered,
    AnswerToken,
    Citation,
    Clarify,
    Event,
    Planned,
    Recalled,
    Reflected,
    Remembered,
    Rewritten,
    Searched,
    Stepped,
)
from ingest.types import Document
from retrieval.types import Passage
from ui import markup
from ui.render import (
    changes,
    commit,
    cost,
    disagreements,
    from_cache,
    noted,
    place,
    recalled,
    reflection,
    remarks,
)

AROUND = 12
"""Lines of a source that are shown before and after what is cited."""

Resolve = Callable[[str], Document | None]
"""Gives an indexed file as it is now, None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question under way: its events but for the draft's pieces, the draft, and the answer once it is checked."""

    question: str
    events: tuple[Event, ...] = ()
    draft: str = ""
    answer: Answer | None = None

    def after(self, event: Event) -> Turn:
        """Return the turn with one event more."""
        if isinstance(event, AnswerToken):
            return replace(self, draft=self.draft + event.text)
        if isinstance(event, Answered):
            return replace(self, answer=event.answer)
        return replace(self, events=(*self.events, event))


def steps(turn: Turn) -> str:
    """Return the steps as parts that fold, the newest open while the run goes on."""
    shown = [part for event in turn.events if (part := _step(event))]
    parts = [
        markup.folded(title, body, name="step", opened=turn.answer is None and number == len(shown)) if body
        else f'<div class="step">{title}</div>'
        for number, (title, body) in enumerate(shown, start=1)
    ]  # fmt: skip
    if turn.answer is None:
        parts.append('<div class="step working">working …</div>')
    return f'<div class="steps">{"".join(parts)}</div>'


def answer(turn: Turn, seconds: float) -> str:
    """Return the checked answer; before there is one, the draft, said to be one."""
    if turn.answer is None:
        draft = f"<p class=note>Draft, not checked yet</p>{markup.prose(turn.draft)}" if turn.draft else ""
        return f'<div class="answer draft">{draft}</div>'
    given = turn.answer
    labels = {cited.label for cited in given.citations}
    early = f"Stopped early ({markup.escaped(given.stopped)}): the best answer so far. " if given.stopped else ""
    cached = f"{markup.escaped(line)} " if (line := from_cache(given)) else ""
    stale = f"{markup.escaped(line)} " if (line := changes(given)) else ""
    differ = "".join(f"<p class=note>{markup.escaped(said)}</p>" for said in disagreements(given))
    kind = "answer abstained" if given.abstained else "answer"
    return (
        f'<div class="{kind}">{markup.prose(given.answer, labels)}{differ}'
        f"<p class=note>{early}{cached}{stale}{markup.escaped(cost(given, seconds))}</p></div>"
    )


def sources(given: Answer | None, resolve: Resolve) -> str:
    """Return every citation with the lines it points at, as the file has them now, closed until it is clicked."""
    cited = given.citations if given else ()
    title = "<h3>Sources</h3>" if cited else ""
    return f'<div class="sources">{title}{"".join(_source(each, resolve(each.path)) for each in cited)}</div>'


def numbered(document: Document, first: int, last: int) -> list[tuple[int, str]]:
    """Return the lines of the file from `first` to `last` with their numbers, as far as they were loaded."""
    lines = document.text.split("\n")
    numbers = document.source_lines or range(1, len(lines) + 1)
    return [(number, line) for number, line in zip(numbers, lines, strict=False) if first <= number <= last]


def _source(cited: Citation, document: Document | None) -> str:
    checked = "<span class=good>✓ verified</span>" if cited.verified else "<span class=bad>✗ not verified</span>"
    said = remarks(cited)
    changed = f" <span class=bad>{said}</span>" if said else ""
    where = markup.escaped(place(cited.path, cited.start_line, cited.end_line, cited.page) + commit(cited))
    label = cited.label if cited.label.isascii() and cited.label.isdecimal() else "0"
    quote = f"<q>{markup.escaped(_short(cited.quote))}</q>"
    title = f"<b class=label>{label}</b> <code>{where}</code> {checked}{changed}<br>{quote}"
    if document is None:
        body = "<p class=note>The file cannot be read any more.</p>"
    else:
        around = numbered(document, cited.start_line - AROUND, cited.end_line + AROUND)
        body = markup.lines(around, range(cited.start_line, cited.end_line + 1))
    return markup.folded(title, body, name=f"source source-{label}")


def _step(event: Event) -> tuple[str, str] | None:
    """The title and the body of one event, both HTML; an empty body folds nothing."""
    text = markup.escaped
    match event:
        case Rewritten(question=question):
            return f"<b>asked as</b> {text(question)}", ""
        case Recalled(notes=notes, problem=problem) if notes or problem:
            return f"<b>memory</b> {'asked before' if notes else 'not used'}", _items(tuple(recalled(event)))
        case Clarify(question=question, choices=choices):
            return f"<b>unclear</b> {text(question)}", _items(choices)
        case Planned(line=line, parts=parts, changes=changes):
            return f"<b>plan</b> {text(line)}", _items(parts) + (markup.code("\n".join(changes)) if changes else "")
        case Searched(query=query, passages=passages, seconds=seconds):
            return f"<b>search</b> {text(query)} <i>{len(passages)} found, {seconds:.1f} s</i>", _passages(passages)
        case Stepped(number=number, code=code, observation=observation, passages=passages, error=error):
            seen = markup.code(error or observation) if (error or observation).strip() else ""
            title = (
                f"<b>step {number}</b> <i>{'failed' if error else f'{len(passages)} found'}, {event.seconds:.1f} s</i>"
            )
            return title, f"{markup.code(code)}{seen}{_passages(passages)}"
        case Reflected(line=line, seen=seen, then=then):
            return f"<b>reflect</b> {text(line)}; {then}", _items(tuple(reflection(seen))) if seen else ""
        case Remembered():
            return f"<b>memory</b> {text(noted(event))}", ""
    return None


def _items(items: tuple[str, ...]) -> str:
    rows = "".join(f"<li>{markup.escaped(item)}</li>" for item in items)
    return f"<ul>{rows}</ul>" if items else ""


def _passages(passages: tuple[Passage, ...]) -> str:
    rows = (
        f"<li><code>{markup.escaped(place(p.path, p.start_line, p.end_line, p.page))}</code>"
        f" <i>{markup.escaped(', '.join(p.via))}</i></li>"
        for p in passages
    )
    return f"<ul>{''.join(rows)}</ul>" if passages else ""


def _short(quote: str, limit: int = 160) -> str:
    quote = " ".join(quote.split())
    return quote if len(quote) <= limit else quote[: limit - 1] + "…"
