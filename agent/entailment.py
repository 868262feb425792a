"""Whether a sentence follows from what the sources say, without a model: words, and what words alone do not show.

Two sentences share their words and still say different things where a number or a name is another one or stands with
another thing, where one of them denies, where one says "all" or "may" and the other does not. Each of these is looked
at by itself, and each can only refuse: what is accepted is nearly always right, what is refused may still be true. How
often, over pairs written for it, `tests/agent/test_entailment.py` holds. Likeness of vectors was measured on the same
pairs and is not asked: what differs in a number or a "not" is as alike as what says the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.clauses import ADJUNCT, SUBORDINATE, Reading, Word, is_code, leading, meaningful, reading
from agent.terms import STOPWORDS, content, stem
from agent.units import Unit

_COORDINATES = re.compile(r"\s*[,;]?\s+(?:and|while|whereas|but|though|although)\s+|\s*;\s+|\s*,\s+(?=which\b|who\b)")
_PRONOUN = re.compile(r"\W*(?:it|its|he|his|she|her|they|their|this|these|such|there)\b", re.IGNORECASE)
# Neither can be true of one thing at one time, and neither denies the other.
_OPPOSITES: dict[str, set[str]] = {}
for _pair in """before after;more less;more fewer;least most;minimum maximum;larger smaller;longer shorter;higher lower;
    older younger;earlier later;first last;first second;increase decrease;increased decreased;rise fall;rose fell;
    above below;start end;open closed;opened closed;won lost;north south;east west;left right;both neither;
    with without;oldest youngest;largest smallest;faster slower;sent received;buy sell;bought sold;born died;
    input output;read write;reads writes;added removed;inside outside;ascending descending""".split(";"):
    _one, _other = map(stem, _pair.split())
    _OPPOSITES.setdefault(_one, set()).add(_other)
    _OPPOSITES.setdefault(_other, set()).add(_one)
# Prepositions that can stand for each other; any other two say different things of what is behind them.
_ALIKE = [
    frozenset(line.split())
    for line in """in at on of within inside during;to into for;from of since;about of on;by with;near at beside;
    under below;over above;through by""".split(";")
]
_PREPOSITIONS = frozenset().union(*_ALIKE) | {"against", "without", "out", "off"}
# What claims more than the bare sentence does: it must stand in the source as well.
_STRONG = {
    "all": "all", "every": "all", "each": "all", "always": "always", "only": "only", "solely": "only", "must": "must",
    "most": "most", "because": "because", "both": "both", "entire": "all", "never": "never", "none": "none",
    "sole": "only", "exactly": "exactly", "immediately": "immediately",
    "before": "before", "after": "after", "until": "until", "unless": "unless", "another": "other", "other": "other",
}  # fmt: skip
# What claims less: where the source says it, so must the sentence.
_HEDGES = frozenset(
    """may might could perhaps possibly probably likely sometimes some would should ought planned plan plans proposed
    proposal
    allegedly rumoured supposedly expected considered rarely seldom almost nearly attempted tried failed""".split()
)
_CONDITIONS = frozenset(
    "if unless when where while otherwise except until but though although whereas was were used".split()
)
_LIMITS = frozenset(
    "least most up to over under about around than before after until more less fewer first last".split()
)
_ADDED = re.compile(r"\s*(?:[.;#]|//|,?\s+(?:which|who|and)\b)(?=\s|$).*|\s*[.]\s*$", re.DOTALL)
# Words that a sentence about code adds to a name or a value.
_OF_CODE = frozenset(
    stem(w)
    for w in """function method class module setting variable constant option parameter argument value set sets equal
    equals defined defines named called takes accepts type""".split()
)


def entailing(claim: str, quotable: Sequence[Unit], optional: frozenset[str] = frozenset()) -> tuple[Unit, ...]:
    """Return the unit from which the claim follows; where it joins several statements, a unit for each; () where none.

    A unit is read with its passage's header, and where it begins with a pronoun with the sentence before it. `optional`
    are stems that no source need have.
    """
    return _whole(claim, quotable, optional) or _in_parts(claim, quotable, optional)


def follows(claim: str, quote: str, context: str = "", optional: frozenset[str] = frozenset()) -> bool:
    """Return whether the claim follows from the quote. The context may only say what the quote is about."""
    said, source, about = reading(claim), reading(quote), reading(context).stems
    meant = [w for w in said.words if not w.empty and w.stem not in optional - source.stems]
    if not any(not w.number for w in meant) or any(w.number and w.stem not in source.stems for w in meant):
        return False
    if claim.strip(" .").lower() == quote.strip(" .").lower():
        return True
    needed = frozenset(w.stem for w in meant)
    free = about | (_OF_CODE if any(is_code(w.raw) for w in said.words) else frozenset())
    if not needed <= source.stems | free:
        return False
    return (
        any(w.stem in source.stems for w in meant)
        and all(_held(part, needed, free, source) for part in said.statements)
        and _polarity(said, source)
        and _strength(said, source)
        and _order(said, source)
        and _agents(said, source)
        and _relations(said, source)
        and _numbers(said, source)
    )


def _held(part: frozenset[str], needed: frozenset[str], free: frozenset[str], source: Reading) -> bool:
    """Whether one clause of the source, with what belongs to it, says a part of the claim."""
    words = {said for said in part if _plain(said) in needed and _plain(said) not in free}
    return any(words <= there for there in (*source.statements, *source.bare))


def _plain(said: str) -> str:
    return said.rpartition(":")[2]


def _whole(claim: str, quotable: Sequence[Unit], optional: frozenset[str]) -> tuple[Unit, ...]:
    found = [
        unit
        for unit, before in zip(quotable, (None, *quotable), strict=False)
        if follows(claim, unit.text, _context(unit, before), optional)
    ]
    return (min(found, key=lambda u: len(u.text)),) if found else ()


def _context(unit: Unit, before: Unit | None) -> str:
    near = before is not None and before.passage.label == unit.passage.label and _PRONOUN.match(unit.text)
    if not near or before is None:
        return unit.passage.header
    clause = [w for w in reading(before.text).words if w.clause == 0]
    return f"{unit.passage.header}. {' '.join(w.raw for w in clause if w.stem in leading(clause))}"


def _in_parts(claim: str, quotable: Sequence[Unit], optional: frozenset[str]) -> tuple[Unit, ...]:
    """Each of the statements that a sentence joins by itself, those without a name being about the first one's."""
    parts = [part for part in _COORDINATES.split(claim) if part.strip()]
    if len(parts) < 2:
        return ()
    first = next((w.raw for w in reading(claim).words if w.name), "")
    chosen: dict[int, Unit] = {}
    for part in parts:
        words = reading(part).words
        if not any(not w.name and not w.number and not w.empty for w in words):
            return ()
        found = _whole(part if any(w.name for w in words) else f"{first} {part}", quotable, optional)
        if not found:
            return ()
        chosen[id(found[0])] = found[0]
    return tuple(chosen.values())


def _polarity(said: Reading, source: Reading) -> bool:
    """What one denies the other must deny, and neither may say the opposite of the other."""
    meant = {w.stem for w in said.words if not w.empty}
    shared = [len(meant & {w.stem for w in source.words if w.clause == n}) for n in range(source.clauses)]
    for word in said.words:
        there = [w for w in source.words if w.stem == word.stem]
        if word.empty or not there:
            continue
        nearest = max(shared[w.clause] for w in there)
        if all(w.denied != word.denied for w in there if shared[w.clause] == nearest):
            return False
    raw, other = said.stems | {stem(w) for w in said.raw}, source.stems | {stem(w) for w in source.raw}
    if any(word not in other and opposite in other for word in raw for opposite in _OPPOSITES.get(word, ())):
        return False
    return not (any(w.denied for w in said.words) and not any(w.denied for w in source.words))


def _strength(said: Reading, source: Reading) -> bool:
    stronger = {_STRONG[w] for w in said.raw if w in _STRONG} - {_STRONG[w] for w in source.raw if w in _STRONG}
    return not stronger and (source.raw & _HEDGES) <= said.raw


def _order(said: Reading, source: Reading) -> bool:
    """Names stand in the order of the source: "A taught B" is not "B taught A". A passive turns it round."""
    names = [w for w in said.words if w.name and any(s.stem == w.stem and s.name for s in source.words)]
    places = {w.stem: [i for i, s in enumerate(source.words) if s.stem == w.stem] for w in names}
    placed = {s.stem for s in source.words if s.placed}
    turned = said.passive != source.passive
    by = next((i for i, w in enumerate(said.words) if w.raw == "by"), None) if said.passive else None
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if a.stem == b.stem or _same_name(said, source, a, b):
                continue
            inverted = min(places[a.stem]) > max(places[b.stem])
            kept = max(places[a.stem]) < min(places[b.stem])
            if (a.placed and a.stem in placed) != (b.placed and b.stem in placed):
                continue  # where something happened may be said first or last
            agents = turned and (by is None or said.words.index(a) < by < said.words.index(b))
            if (kept and agents) or (inverted and not agents):
                return False
    return True


def _agents(said: Reading, source: Reading) -> bool:
    """Who does it and to whom, also of things without a name: "hired by the guide", "the cat chased the dog"."""
    agents, theirs_do = _doers(said), _doers(source)
    mine, theirs = meaningful(said.words), meaningful(source.words)
    if agents and theirs_do and not agents & theirs_do:
        return False
    if agents and not source.passive and mine[0] in theirs:
        return all(theirs.index(agent) < theirs.index(mine[0]) for agent in agents if agent in theirs)
    if theirs_do and not said.passive and mine[0] in _behind_by(source):
        return mine[0] in theirs_do
    if said.passive != source.passive or mine[0] not in theirs or theirs[0] not in mine or mine[0] == theirs[0]:
        return True
    firsts = (next(w for w in text.words if not w.empty) for text in (said, source))
    return any(first.behind in ADJUNCT | SUBORDINATE or first.number for first in firsts)


def _relations(said: Reading, source: Reading) -> bool:
    """What stands behind "for" or "to" does not stand behind "against" or "from" in the source, and what does it, or is
    it, is not only something that it is done to or with."""
    first = next((w for w in said.words if not w.empty), None)
    for word in said.words:
        there = {w.behind for w in source.words if w.stem == word.stem}
        if not there or not there <= _PREPOSITIONS or word.empty:
            continue
        if word.behind in _PREPOSITIONS and not any(_alike(word.behind, other) for other in there):
            return False
        if word is first and word.behind not in _PREPOSITIONS | ADJUNCT and said.passive == source.passive:
            return False
    return True


def _alike(one: str, other: str) -> bool:
    return one == other or any({one, other} <= group for group in _ALIKE)


def _doers(text: Reading) -> set[str]:
    """The things behind each "by" of a passive; a number is none: "by 12 percent"."""
    if not text.passive:
        return set()
    first = [next((w for w in text.words[at + 1 :] if not w.empty), None) for at in _bys(text)]
    return {w.stem for w in first if w is not None and not w.number}


def _behind_by(text: Reading) -> set[str]:
    return {w.stem for at in _bys(text)[:1] for w in text.words[at + 1 :]}


def _bys(text: Reading) -> list[int]:
    return [i for i, w in enumerate(text.words) if w.raw == "by"]


def _same_name(said: Reading, source: Reading, a: Word, b: Word) -> bool:
    """Whether two words are parts of one name in both: "Ada Quill"."""
    return all(
        any(x.stem == a.stem and y.stem == b.stem for x, y in zip(text.words, text.words[1:], strict=False))
        for text in (said, source)
    )


def _numbers(said: Reading, source: Reading) -> bool:
    """A number counts the same things, and stands with the same things, as in the source."""
    here = [i for i, w in enumerate(source.words) if w.number]
    order = [source.words[i].stem for i in here]
    mine = [w for w in said.words if w.number]
    for a, b in pairwise(mine):
        if a.clause == b.clause and a.stem != b.stem and order.index(a.stem) > max(_all(order, b.stem)):
            return False
    for at, word in enumerate(said.words):
        if not word.number:
            continue
        behind = said.words[at + 1] if at + 1 < len(said.words) else None
        with_it = [i for i in here if source.words[i].stem == word.stem]
        beside = [i for i in here if any(source.words[i].clause == source.words[j].clause for j in with_it)]
        best = max(_company(said, at, source, i) for i in beside)
        if max(_company(said, at, source, i) for i in with_it) < best:
            return False
        if behind is None or behind.clause != word.clause or behind.number or behind.empty:
            continue
        counted = {w.stem for i in with_it for w in source.words[i + 1 : i + 3]}
        named = {_before(source, i) for i in with_it} & {_before(said, at)} - {None}
        if behind.stem in source.stems and behind.stem not in counted and not named:
            return False
    return True


def _all(values: Sequence[str], wanted: str) -> list[int]:
    return [i for i, value in enumerate(values) if value == wanted]


def _company(said: Reading, at: int, source: Reading, i: int) -> int:
    """How much the words round a number of the claim are those round a number of the source."""
    mine = {w.stem: w for w in said.words if w.clause == said.words[at].clause and not w.number}
    theirs = {w.stem for w in source.words if w.clause == source.words[i].clause and not w.number}
    shared = [w for s, w in mine.items() if s in theirs and not w.empty]
    near = _before(said, at), _before(source, i)
    return len(shared) + 2 * sum(w.name for w in shared) + (near[0] is not None and near[0] == near[1])


def _before(text: Reading, at: int) -> str | None:
    return next((w.stem for w in reversed(text.words[:at]) if not w.number and not w.empty), None)


# Statements ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement:
    """What a sentence says before anything is added to it, taken apart so that two can be compared.

    `subject` are its meaningful stems without numbers, `numbers` these as values and as written, `limits` words such as
    "least" or "before" that say how the rest is meant. `denied` tells whether it denies something.
    """

    subject: frozenset[str]
    numbers: tuple[tuple[str, str], ...]
    limits: frozenset[str]
    denied: bool
    text: str


def statement(text: str) -> Statement | None:
    """Return what a sentence says for itself; None for one that a condition, a doubt or an aside qualifies."""
    read = reading(text)
    here = [w for w in read.words if w.clause == 0]
    joint = _ADDED.search(text)
    if not here or read.raw & (_HEDGES | _CONDITIONS) or (read.clauses > 1 and joint is None):
        return None
    body = text[: joint.start()] if joint else text
    if reading(body).clauses > 1:
        return None  # something stands before it or inside it: "On Linux, …"
    if any(b.number and a.name for a, b, _ in zip(here, here[1:], here[2:], strict=False)):
        return None  # "Heron 2 needs Go": the number is a part of the name
    stems = {s for w in here if not w.number for s in (content(w.raw) if w.name else (w.stem,))} - STOPWORDS
    return Statement(
        frozenset(stems),
        tuple((w.stem, w.raw) for w in here if w.number),
        frozenset(w.raw.lower() for w in here) & _LIMITS,
        any(w.denied for w in here),
        body.strip(),
    )
