"""A question on the page: what happened so far, and that as HTML. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent import follow_up
from agent.suggest import follow_ups
from agent.types import Answer, Answered, AnswerToken, Citation, Event, Planned, Rewritten
from ui import markup
from ui.render import changes, commit, counted, disagreements, place, remarks
from ui.steps import ShownStep, shown_step
from ui.traced import dollars

if TYPE_CHECKING:
    from retrieval.types import Passage

_LONGEST_DRAFT = 20_000


@dataclass(frozen=True, slots=True)
class Turn:
    """One question: its steps, the draft, and the answer once it is checked.

    `asked` is the question as it stands alone, "" where it was asked as it is; `parts` are the sub-questions that
    it went by. `seconds` is how long it took, `rating` what the person thinks of the answer: 1 for good, 0 for bad.
    """

    question: str
    steps: tuple[ShownStep, ...] = ()
    draft: str = ""
    answer: Answer | None = None
    asked: str = ""
    plan: str = ""
    parts: tuple[str, ...] = ()
    seconds: float = 0.0
    rating: int | None = None

    def after(self, event: Event) -> Turn:
        """Return the turn with one event more."""
        if isinstance(event, AnswerToken):
            return replace(self, draft=(self.draft + event.text)[:_LONGEST_DRAFT])
        if isinstance(event, Answered):
            return replace(self, answer=event.answer)
        step = shown_step(event)
        turn = replace(self, steps=(*self.steps, step)) if step else self
        if isinstance(event, Rewritten):
            return replace(turn, asked=event.question)
        return replace(turn, plan=event.line) if isinstance(event, Planned) else turn

    @property
    def told(self) -> follow_up.Turn | None:
        """The turn as a conversation goes on from it; None without an answer."""
        return (
            follow_up.Turn(self.question, self.asked or self.question, self.plan, self.answer) if self.answer else None
        )


def conversation(turns: Sequence[Turn]) -> str:
    """Return the turns as HTML, the newest at the bottom; only of that the question can be changed."""
    known = said(turns)
    shown = (turn_html(turn, number, known, last=number == len(turns) - 1) for number, turn in enumerate(turns))
    return f'<div class="turns">{"".join(shown)}</div>'


def said(turns: Sequence[Turn]) -> list[str]:
    """Return all that was asked and answered."""
    return [turn.question for turn in turns] + [turn.answer.answer for turn in turns if turn.answer]


def turn_html(turn: Turn, number: int, known: Sequence[str], *, last: bool) -> str:
    """Return one turn that is over. `number` counts from 0; `known` is all that was asked and answered."""
    if turn.answer is None:
        return ""
    took = f"{counted(len(turn.steps), 'step')}, {turn.seconds:.1f} s"
    folded = (
        markup.folded(markup.escaped(took), steps(turn, number), name=f"all-steps steps-{number}") if turn.steps else ""
    )
    more = "".join(
        markup.does(f"suggest/{number}/{at}", title, "chip") for at, title in enumerate(suggestions(turn, known))
    )
    asked_next = f'<div class="more"><span class=note>Ask next</span>{more}</div>' if last and more else ""
    return (
        f'<div class="turn">{question(turn)}{folded}{answer(turn, number)}{cited(turn.answer, number)}'
        f"{about(turn)}{_actions(turn, number, last=last)}{asked_next}</div>"
    )


def question(turn: Turn) -> str:
    """Return what was asked, and as what where that differs."""
    stood = f"<p class=note>asked as: {markup.escaped(turn.asked)}</p>" if turn.asked else ""
    return f'<div class="asked"><p>{markup.escaped(turn.question)}</p>{stood}</div>'


def suggestions(turn: Turn, known: Sequence[str]) -> tuple[str, ...]:
    """Return what could be asked next: a report's sections one by one, then names that nobody asked about."""
    if turn.answer is None:
        return ()
    sections = tuple(part.follow_up for part in turn.answer.sections)
    return (*sections, *follow_ups(turn.answer, known))


def steps(turn: Turn, number: int, *, working: str = "") -> str:
    """Return the steps as parts that fold; `working` says what goes on, the newest step being open then."""
    parts = [
        _step(step, f"step step-{number}-{at}", opened=bool(working) and at == len(turn.steps) - 1)
        for at, step in enumerate(turn.steps)
    ]
    if working:
        parts.append(f'<div class="step working">{markup.escaped(working)}</div>')
    return f'<div class="steps">{"".join(parts)}</div>'


def answer(turn: Turn, number: int) -> str:
    """Return the checked answer with every sentence marked; before there is one, the draft, said to be one."""
    if turn.answer is None:
        draft = f"<p class=note>Draft, not checked yet</p>{markup.prose(turn.draft)}" if turn.draft else ""
        return f'<div class="answer draft">{draft}</div>'
    given = turn.answer
    labels = markup.Labels({each.label for each in given.citations}, _marks(given.citations), f"source-{number}")
    notes = [*disagreements(given), *filter(None, [changes(given)])]
    if given.stopped:
        notes.insert(0, f"Stopped early ({given.stopped}): the best answer so far.")
    if "unverified" in labels.marks.values():
        notes.append("✗ marks what could not be found again in its file.")
    if "judged" in labels.marks.values():
        notes.append("≈ marks what a model judged to be said by its source.")
    told = "".join(f"<p class=note>{markup.escaped(line)}</p>" for line in notes)
    kind = "answer abstained" if given.abstained else "answer"
    return f'<div class="{kind}">{markup.prose(given.answer, labels)}{told}{_unchecked(turn)}</div>'


def cited(given: Answer, number: int) -> str:
    """Return the list of what an answer cites, folded; each opens its source beside the chat."""
    rows = "".join(
        f"<li>{markup.cite(label_of(each), f'source-{number}')} <code>{where(each)}</code> "
        f"{checked(each)}{found_by(each, given.passages)}</li>"
        for each in given.citations
    )
    title = markup.escaped(counted(len(given.citations), "source"))
    return markup.folded(title, f"<ul>{rows}</ul>", name=f"cited cited-{number}") if rows else ""


def about(turn: Turn) -> str:
    """Return what a turn took: seconds, model calls, tokens, dollars, the sandbox, when it was kept, and its trace."""
    given = turn.answer
    if given is None:
        return ""
    used = given.usage
    said = [f"{turn.seconds:.1f} s"]
    if used.calls:
        said += [
            counted(used.calls, "model call"),
            f"{used.input_tokens:,} tokens in, {used.output_tokens:,} out",
            "cost unknown" if used.dollars is None else dollars(used.dollars) if used.dollars else "no cost",
        ]
    else:
        said.append("no model call")
    if given.sandbox and any(step.kind == "code" for step in given.steps):
        said.append(f"sandbox {given.sandbox}")
    if given.cached:
        said.append(f"kept from {given.cached[:16].replace('T', ' ')} UTC, its citations checked again")
    if given.sent:
        said.append(f"sent to {', '.join(given.sent.to)}")
    parts = [markup.escaped(part) for part in said]
    if given.trace_id.strip("0"):
        parts.append(markup.opens("traces", given.trace_id, "trace"))
    return f'<div class="about">{" · ".join(parts)}</div>'


def where(each: Citation) -> str:
    """Return the place of a citation, its commit with it, as HTML."""
    return markup.escaped(place(each.path, each.start_line, each.end_line, each.page) + commit(each))


def checked(each: Citation) -> str:
    """Return whether a citation's quote stands, and what else is to be known of it, as HTML."""
    sign = "<span class=good>✓ verified</span>" if each.verified else "<span class=bad>✗ not verified</span>"
    said = remarks(each)
    return f"{sign} <span class=bad>{markup.escaped(said)}</span>" if said else sign


def found_by(each: Citation, passages: Sequence[Passage]) -> str:
    """Return the way on which a citation's passage was found, such as "hop: HERON_RETENTION", as HTML."""
    ways = [way for passage in passages if passage.label == each.label for way in passage.via]
    return _via(f"found by {', '.join(ways)}") if ways else ""


def label_of(each: Citation) -> str:
    """Return a citation's label, digits in any case: it goes into an address."""
    return each.label if each.label.isascii() and each.label.isdecimal() else "0"


def _via(ways: str) -> str:
    return f' <span class="via">{markup.escaped(ways)}</span>'


def _marks(citations: Sequence[Citation]) -> dict[str, str]:
    """What is known of each label: the worst of its citations."""
    marks: dict[str, str] = {}
    for each in citations:
        state = "unverified" if not each.verified else "judged" if each.judged else "verified"
        if marks.get(each.label) != "unverified" and (state != "verified" or each.label not in marks):
            marks[each.label] = state
    return marks


def _unchecked(turn: Turn) -> str:
    """What was written when a run was stopped: it is no answer, and it is not thrown away."""
    if turn.answer is None or turn.answer.stopped != "stop" or not turn.draft.strip():
        return ""
    return markup.folded(
        "Written before the stop, not checked", markup.prose(turn.draft), name="unchecked", opened=True
    )


def _actions(turn: Turn, number: int, *, last: bool) -> str:
    def rate(way: str, title: str, value: int) -> str:
        return markup.does(f"rate/{number}/{way}", title, "chosen" if turn.rating == value else "")

    shown = [rate("up", "Helpful", 1), rate("down", "Not helpful", 0), markup.does(f"copy/{number}", "Copy")]
    if last:
        shown += [markup.does("edit", "Edit question"), markup.does("again", "Regenerate")]
    return f'<div class="acts">{"".join(shown)}</div>'


def _step(step: ShownStep, name: str, *, opened: bool) -> str:
    aside = f" <i>{markup.escaped(step.aside)}</i>" if step.aside else ""
    title = f"<b>{markup.escaped(step.word)}</b> {markup.escaped(step.text)}{aside}"
    if not step.opens:
        return f'<div class="step">{title}</div>'
    items = "".join(f"<li>{markup.escaped(item)}</li>" for item in step.items)
    found = "".join(
        f'<li><code>{markup.escaped(at)}</code> <span class="via">{markup.escaped(via)}</span></li>'
        for at, via in step.found
    )
    code = markup.code(step.code) if step.code else ""
    seen = markup.code(step.seen) if step.seen else ""
    lists = "".join(f"<ul>{rows}</ul>" for rows in (items, found) if rows)
    return markup.folded(title, f"{code}{seen}{lists}", name=name, opened=opened)
