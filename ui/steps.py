"""A step of a run as the page shows and keeps it: text alone, so that it can be kept and escaped again."""

from __future__ import annotations

from dataclasses import dataclass

from agent.types import Clarify, Event, Planned, Recalled, Reflected, Remembered, Rewritten, Searched, Stepped
from retrieval.types import Passage
from ui.render import noted, place, recalled, reflection

_LONGEST = 20_000
"""Characters of a step's code, and of what came of it, that are shown."""


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One step. `word` says what kind it is, `aside` what came of it in short. What it opens to: `items` are lines of a
    list, `code` what was run, `seen` what that said, `found` the places of passages, each with what found it."""

    word: str
    text: str
    aside: str = ""
    items: tuple[str, ...] = ()
    code: str = ""
    seen: str = ""
    found: tuple[tuple[str, str], ...] = ()

    @property
    def opens(self) -> bool:
        """Whether there is more to it than its line."""
        return bool(self.items or self.code or self.seen or self.found)


def shown_step(event: Event) -> ShownStep | None:
    """Return what the page shows of an event, None where it shows nothing of its own."""
    match event:
        case Rewritten(question=question):
            return ShownStep("asked as", question)
        case Recalled(notes=notes, problem=problem) if notes or problem:
            return ShownStep("memory", "asked before" if notes else "not used", items=tuple(recalled(event)))
        case Clarify(question=question, choices=choices):
            return ShownStep("unclear", question, items=choices)
        case Planned(line=line, parts=parts, changes=changes):
            return ShownStep("plan", line, "changed by you" if changes else "", items=parts, seen="\n".join(changes))
        case Searched(query=query, passages=passages, seconds=seconds):
            return ShownStep("search", query, f"{len(passages)} found, {seconds:.1f} s", found=_places(passages))
        case Stepped(number=number, code=code, observation=observation, passages=passages, error=error):
            came = "failed" if error else f"{len(passages)} found"
            seen = (error or observation).strip()[:_LONGEST]
            return ShownStep(
                f"step {number}",
                _first_line(code),
                f"{came}, {event.seconds:.1f} s",
                code=code.strip()[:_LONGEST],
                seen=seen,
                found=_places(passages),
            )
        case Reflected(line=line, seen=weighed, then=then):
            return ShownStep("reflect", f"{line}; {then}", items=tuple(reflection(weighed)) if weighed else ())
        case Remembered():
            return ShownStep("memory", noted(event))
    return None


def _first_line(code: str) -> str:
    rows = (row.strip() for row in code.splitlines())
    row = next((row for row in rows if row and not row.startswith(("#", "import ", "from "))), "")
    return row if len(row) <= 80 else f"{row[:79]}…"


def _places(passages: tuple[Passage, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((place(p.path, p.start_line, p.end_line, p.page), ", ".join(p.via)) for p in passages)
