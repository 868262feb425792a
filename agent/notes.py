"""Notes: what of an answer is worth noting, whether a note still stands, and which notes say the same.

Nothing here is written by a model alone: a fact is a sentence that was checked, with the quotes it rests on, and it is
kept only as long as these stand in their files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent.citations import UNSUPPORTED, changed, labels_of, resolve, unlabelled, without_labels
from agent.contradictions import contradictions
from agent.plan import make_plan
from agent.terms import content
from agent.types import Answer, Citation, Fact, Note, Past
from agent.units import Unit, squeeze
from ingest.names import identifiers, phrases, unique
from ingest.sentences import sentences
from ingest.types import Document
from retrieval.types import Passage

MOST_FACTS = 12
"""Facts of one note."""

MOST_QUESTIONS = 6
"""Other questions that a note is found by."""

_MOST_PAST = 20  # facts that a note had
_MOST_NAMES = 24
_LONGEST_FACT = 400  # characters: those of the longest quote

Documents = Callable[[str], Document | None]
Written = Literal["new", "merged", "replaced"]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a run would note. `digests` maps each cited path to its file's SHA-256 now."""

    question: str
    facts: tuple[Fact, ...]
    digests: dict[str, str]
    untrusted: bool = True


# Made of an answer ----------------------------------------------------------------------------------------------------


def facts_of(question: str, answer: Answer) -> tuple[Fact, ...]:
    """Return what an answer says that may be noted: of a short one its sentences, each with its quotes, of a longer one
    the quotes. Left out is what no quote supports, what was not found in its file, and what a model judged."""
    cited = [c for c in answer.citations if c.verified and not c.judged]
    if answer.form != "short":
        found = [Fact(c.quote, (c,)) for c in cited]
    else:
        refused = {c.label for c in answer.citations} - {c.label for c in cited}
        found = []
        for sentence in sentences(squeeze(answer.answer)):
            labels = labels_of(sentence)
            text = unlabelled(without_labels(sentence))
            if labels and UNSUPPORTED not in sentence and not refused & set(labels):
                found.append(Fact(text, _resting_on(f"{question} {text}", labels, cited)))
    return tuple(fact for fact in found if fact.citations and len(fact.text) <= _LONGEST_FACT)[:MOST_FACTS]


def _resting_on(said: str, labels: Sequence[str], cited: Sequence[Citation]) -> tuple[Citation, ...]:
    """The citation of each label that a sentence rests on: of several quotes the one with most of its words."""
    terms = set(content(said))
    chosen = []
    for label in dict.fromkeys(labels):
        under = [c for c in cited if c.label == label]
        chosen += [max(under, key=lambda c: len(terms & set(content(c.quote))))] if under else []
    return tuple(chosen)


def names_of(question: str, facts: Sequence[Fact]) -> tuple[str, ...]:
    """Return the names that a question and facts are about, the question's first."""
    texts = [question, *(text for fact in facts for text in (fact.text, *(c.quote for c in fact.citations)))]
    return unique(name for text in texts for name in (*identifiers(text), *phrases(text)))[:_MOST_NAMES]


# Looked at again ------------------------------------------------------------------------------------------------------


def rechecked(note: Note, documents: Documents, now: float) -> Note:
    """Return the note as its sources bear it out now: the same one where nothing changed.

    Every quote is looked for in its file. A fact all of whose quotes stand is kept, with the lines where they stand
    now; any other goes to the history.
    """
    kept: list[Fact] = []
    fallen: list[Past] = []
    for fact in note.facts:
        again = tuple(_resolved(c, documents(c.path)) for c in fact.citations)
        if again and all(c.verified for c in again):
            kept.append(replace(fact, citations=again))
            continue
        lost = [c.path for c in again if not c.verified]
        said = [f"{path} is gone" if documents(path) is None else f"{path} does not say it any more" for path in lost]
        fallen.append(Past(fact, note.checked, now, ", ".join(unique(said)) or "nothing was cited"))
    paths = {c.path for fact in kept for c in fact.citations}
    digests = {path: document.digest for path in sorted(paths) if (document := documents(path)) is not None}
    if tuple(kept) == note.facts and digests == note.digests:
        return note
    history = (*note.history, *fallen)[-_MOST_PAST:]
    return replace(note, facts=tuple(kept), digests=digests, checked=now, history=history)


def _resolved(cited: Citation, document: Document | None) -> Citation:
    """A citation as its file bears it out now."""
    at = Passage(
        cited.label, cited.path, cited.path, cited.start_line, cited.end_line, cited.quote, cited.quote, (), 0.0
    )
    unit = Unit(at, squeeze(cited.quote), 0, cited.end_line - cited.start_line)
    found = resolve(unit, document)
    same = (found.start_line, found.end_line, found.verified) == (cited.start_line, cited.end_line, cited.verified)
    return cited if same else replace(found, quote=cited.quote, source=cited.source, moved=False)


def differs(note: Note, documents: Documents) -> bool:
    """Return whether a file that a note cites is not the one that it was noted from."""
    return any(changed(documents(path), digest) for path, digest in note.digests.items())


# Compared -------------------------------------------------------------------------------------------------------------


def joined(old: Note, new: Draft, now: float) -> tuple[Note, Written] | None:
    """Return the old note with what the new one says, and how; None where they are of different things.

    They say the same where one has no quote that the other lacks. The new one takes the place of what it contradicts,
    of another answer to the same question, and of a note on the same place that has no fact left.
    """
    had, has = _quotes(old.facts), _quotes(new.facts)
    if had and (had <= has or has <= had):
        return _with(old, new, old.facts, (), now), "merged"
    if old.stale:
        there = {c.path for c in old.citations} & {c.path for fact in new.facts for c in fact.citations}
        return (_with(old, new, (), (), now), "replaced") if there or _same(old, new) else None
    against = {fact: where for fact in old.facts if (where := _contradicted(fact, new))}
    if not against and not _same(old, new):
        return None
    ended = [
        Past(fact, old.checked, now, against.get(fact, "asked again, and answered otherwise"))
        for fact in old.facts
        if fact in against or not against
    ]
    left = tuple(fact for fact in old.facts if against and fact not in against)
    return _with(old, new, left, ended, now), "replaced"


def _with(old: Note, new: Draft, facts: Sequence[Fact], ended: Sequence[Past], now: float) -> Note:
    """The old note with the new facts first, then those of its own that stay."""
    seen = _quotes(new.facts)
    held = (*new.facts, *(fact for fact in facts if not _quotes([fact]) <= seen))[:MOST_FACTS]
    paths = {c.path for fact in held for c in fact.citations}
    digests = {path: digest for path, digest in {**old.digests, **new.digests}.items() if path in paths}
    asked = unique([new.question, old.question, *old.also])[:MOST_QUESTIONS]
    return replace(
        old,
        question=asked[0],
        also=asked[1:],
        facts=held,
        names=names_of(" ".join(asked), held),
        digests=digests,
        checked=now,
        untrusted=old.untrusted or new.untrusted,
        history=(*old.history, *ended)[-_MOST_PAST:],
    )


def _quotes(facts: Sequence[Fact]) -> set[tuple[str, str]]:
    return {(c.path, squeeze(c.quote)) for fact in facts for c in fact.citations}


def _same(old: Note, new: Draft) -> bool:
    """Whether both were asked the same, in the words that carry meaning."""
    asked = set(content(new.question))
    return any(asked == set(content(question)) for question in (old.question, *old.also))


def _contradicted(fact: Fact, new: Draft) -> str:
    """Which quote of the new facts says a fact's quote with another value; "" where none does."""
    asked = make_plan(new.question).names
    for cited in fact.citations:
        for other in (c for said in new.facts for c in said.citations):
            pair = [
                Passage(str(i), c.path, c.path, 1, 1, c.quote, c.quote, (), 0.0) for i, c in enumerate((cited, other))
            ]
            if contradictions(pair, asked):
                return f"{other.path}:{other.start_line} says otherwise"
    return ""
