"""The plan: what a question names, what kind of question it is, and its sub-questions. Rules, no model call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.terms import STOPWORDS
from ingest.names import identifiers, phrases, unique, words
from ingest.sentences import sentences
from retrieval.question import read

MOST_PARTS = 5
"""Sub-questions of a plan at the most."""

_QUOTED = re.compile(r"[\"“]([^\"”\n]{2,80})[\"”]")
_COMPARES = re.compile(
    r"\b(?:both|same|either|older|younger|earlier|later|first|more|less|fewer|larger|smaller|longer|shorter|higher|lower|"
    r"differ\w*|compare\w*|versus|vs|in common)\b",
    re.IGNORECASE,
)
_JOINS = re.compile(r"\b(?:or|and|versus|vs|than|from)\b", re.IGNORECASE)
# One thing is described through another: "the setting that …", "the author whose …", "X of the Y of Z".
_NESTED = re.compile(r"\b(?:that|which|who|whose|whom|where)\b.+|\bof the\b.+\bof\b|['’]s\b.+['’]s\b", re.IGNORECASE)
# The same in one noun: "the director of film X", "X's father". What the question asks beyond it is another hop.
_NAMED = r"(?:[Tt]he )?[\"“]?{name}[\"”]?(?: \([^()]*\))?"
_OF = r"\bthe (?:[\w-]+ ){{1,3}}?(?:of|by|for|behind)(?: the)?(?: [a-z]+)? " + _NAMED + "(?!['’]s)"
_OWNED = _NAMED + r"['’]s? (?:(?:default|main|first|own|\w+ternal) )?[a-z][\w-]*"
# The same in a clause: "the state where Reed House is located", "the association which published Reed Letters".
_DESCRIBES = re.compile(
    r"\bthe (?!same\b|first\b|last\b)(?:[a-z][\w-]* ){1,3}?"
    r"(?:(?:in|on|to|from|of|by) (?:which|whom)|where|that|which|who|whose"
    r"|of|in|on|at|to|by|with|from|for|near|behind|containing|called)\b"
)
_ENDS = re.compile(
    r"[\"”]?(?: (?:is|was|are|were|be|been|has|had|lived?|lives|died|dies|born|located|found|situated|in|at|from|by"
    r"|uses?|used|held|based|set|fought|taken|came|comes|happened|occurred|takes|took|place|plays|played|belongs|to|formed|founded"
    r"|published|made|wrote|written|released|owned|owns|also|currently)\b)*"
)
_OF_PEOPLE = re.compile(r".*(?:an|ish|ese|ch) [a-z]")  # "the Swedish artist": the name does not end the clause
_ASKS_FOR_IT = re.compile(
    r"\b(?:how many \w+(?= is| are)|who|what|which|is|are|was|were|tell me|name|give)\b", re.IGNORECASE
)

_SOUGHT = (
    (re.compile(r"\bhow (?:many|much|long|often|old|large|far|high|tall)\b|\bnumber of\b", re.IGNORECASE), "a number"),
    (re.compile(r"\b(?:older|younger|oldest|youngest|earlier|later|first|born|released)\b.*,.*\bor\b", re.I), "a date"),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month)\b|\bdate of\b", re.IGNORECASE), "a date"),
    (re.compile(r"\b(?:what|which|whose) (?:[\w-]+ )?(?:file|module|page|path)\b|\bin which file\b", re.I), "a file"),
    (re.compile(r"\bdefaults?\b|\bvalues?\b", re.IGNORECASE), "a value"),
    (re.compile(r"\bwhere\b|\bplace of\b", re.IGNORECASE), "a place"),
    (re.compile(r"\bwho(?:se|m)?\b", re.IGNORECASE), "a name"),
    (re.compile(r"\bwhy\b|\bhow\b", re.IGNORECASE), "an explanation"),
    (re.compile(r"\b(?:what|which)\b", re.IGNORECASE), "a name or a value"),
    (re.compile(r"^\W*(?:is|are|was|were|do|does|did|can|could|has|have|had|will)\b", re.IGNORECASE), "yes or no"),
)

NUMERIC = frozenset({"a number", "a date"})
"""What is sought that a passage without a digit cannot hold."""

# A sentence that asks for a number or a date, by how it begins.
_COUNTS = re.compile(
    r"(?:^|[.?!]\s+)\W*(?:(?:after|at|by|for|from|in|of|on|to|with) )?"
    r"(?:how (?:many|much|long|often|old|large|far|high|tall)|when|(?:what|which) (?:year|date|day)"
    r"|what (?:i|wa)s the number of)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![A-Za-z_])\d"
    r"|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|half|once|twice|no|none"
    r"|(?:twent|thirt|fort|fift|sixt|sevent|eight|ninet)y|hundreds?|thousands?|millions?|billions?|dozens?"
    r"|january|february|march|april|may|june|july|august|september|october|november|december"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|spring|summer|autumn|fall|winter)\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\[(\d)\]")


@dataclass(frozen=True, slots=True)
class Part:
    """A sub-question. `text` may point to the outcome of an earlier one, as [1]; `sought` says what would answer it."""

    text: str
    sought: str

    @property
    def query(self) -> str:
        """What is searched for: the text without what it points to."""
        return " ".join(_REFERENCE.sub(" ", self.text).split())

    @property
    def after(self) -> tuple[int, ...]:
        """The numbers of the sub-questions, counted from 1, whose outcome this one takes."""
        return tuple(int(number) for number in _REFERENCE.findall(self.text))

    @property
    def line(self) -> str:
        """The sub-question and what would answer it."""
        return f"{self.text} ({self.sought})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the run sets out to do.

    `names` are the names in the question as it spells them, `asked` the question's other words. `parts` are its
    sub-questions, in order: none for a simple question, five at the most. `made` holds the parts as the rules made
    them where a person changed them; None otherwise.
    """

    kind: Literal["simple", "comparison", "chain"]
    names: tuple[str, ...]
    asked: str
    parts: tuple[Part, ...] = ()
    made: tuple[Part, ...] | None = None

    @property
    def line(self) -> str:
        """The plan in one line."""
        how = {
            "simple": "look it up",
            "comparison": "find each, then compare",
            "chain": "follow the names from one source to the next",
        }[self.kind]
        return f"{how}: {' → '.join(self.aims)}" if self.aims else how

    @property
    def aims(self) -> tuple[str, ...]:
        """What is to be found, in order: the names, and but for a comparison what is asked of them."""
        return self.names if self.kind == "comparison" or not self.asked else (*self.names, self.asked)

    @property
    def edited(self) -> bool:
        """Whether a person changed the sub-questions."""
        return self.made is not None and self.made != self.parts


def make_plan(question: str) -> Plan:
    """Return the plan for a question: simple, a comparison of two or more named things, or a chain of names."""
    names = question_names(question)
    if _COMPARES.search(question):  # "A and B" reads like one name, as "War and Peace" is
        names = tuple(part for name in names for part in name.split(" and "))
    asked = _what_is_asked(question, names)
    sides = read(question).sides
    if (len(names) > 1 and _COMPARES.search(question) and _JOINS.search(question)) or _either(question, names, sides):
        return Plan("comparison", names, asked, _each(question, sides or names))
    inner = _inner(question, names)
    told = [said for said in sentences(question) if len(_what_is_asked(said, ()).split()) > 1]
    nested = inner or len(told) > 1 or (names and _NESTED.search(question.partition(" ")[2]))
    if not nested and len(names) < 2:
        return Plan("simple", names, asked)
    return Plan("chain", names, asked, _hops(question, names, asked, inner or _described(question, names), told))


def question_names(question: str) -> tuple[str, ...]:
    """Return quoted strings, identifiers and capitalised phrases, as the question spells them, none inside another."""
    spelled = [m.group(1) for m in _QUOTED.finditer(question)] + identifiers(question)
    for phrase in phrases(question):
        kept = phrase.split()
        while kept and kept[0] in STOPWORDS:  # "Which Django", "Does Heron": the question's own first word
            kept = kept[1:]
        if kept:
            spelled.append(_as_spelled(question, kept))
    names = [n for n in unique(spelled) if n.lower() not in STOPWORDS]
    folded = {n: f" {' '.join(words(n))} " for n in names}
    return tuple(n for n in names if not any(folded[n] in folded[m] and len(m) > len(n) for m in names))


def sought(question: str) -> str:
    """Return what would answer a question, by its asking word."""
    return next((kind for pattern, kind in _SOUGHT if pattern.search(question)), "a passage that says it")


def owes_a_number(question: str, answer: str) -> bool:
    """Whether a question asks for a number or a date, and what is answered has none, in digits or in words."""
    return bool(_COUNTS.search(question)) and not _NUMBER.search(answer)


def _as_spelled(question: str, name_words: list[str]) -> str:
    found = re.search(r"\W+".join(map(re.escape, name_words)), question, re.IGNORECASE)
    return found.group() if found else " ".join(name_words)


def _what_is_asked(question: str, names: tuple[str, ...]) -> str:
    rest = question
    for name in names:
        rest = rest.replace(name, " ")
    return " ".join(w for w in words(rest) if w not in STOPWORDS and len(w) > 1)


def _either(question: str, names: tuple[str, ...], sides: tuple[str, ...]) -> bool:
    """Whether the question has two sides and one of them is a name: "Which is red, the Heron or the Egret?"."""
    return bool(sides) and any(name in side or side in name for name in names for side in sides)


def _each(question: str, sides: tuple[str, ...]) -> tuple[Part, ...]:
    """One part for each side of a comparison: the side, and what is compared."""
    asked = _what_is_asked(_COMPARES.sub(" ", question), sides)
    kind = sought(question)
    same = kind if kind in NUMERIC else "what it says of this side"
    return tuple(Part(f"{side}: {asked}" if asked else side, same) for side in sides[:MOST_PARTS])


def _inner(question: str, names: tuple[str, ...]) -> str:
    """The description inside the question that is to be resolved first: "the director of film X", "X's father".

    "" where the question asks for nothing beyond it.
    """
    for name in _proper(names):
        for form in (_OF, _OWNED):
            match = re.search(form.format(name=re.escape(name)), question)
            if match and (around := f"{question[: match.start()]} {question[match.end() :]}".strip(" ?.!")):
                beyond = _ASKS_FOR_IT.sub(" ", around)
                if any(w not in STOPWORDS for w in words(beyond)):
                    return match.group()
    return ""


def _described(question: str, names: tuple[str, ...]) -> str:
    """The innermost thing that a clause with a name in it describes: "the state where Reed House is located".

    "" where there is none, or where nothing is asked beyond it.
    """
    found = []
    for name in _proper(names):
        for match in re.finditer(rf"{re.escape(name)}\b", question):
            begins = list(_DESCRIBES.finditer(question, 0, match.start()))
            ends = _ENDS.match(question, match.end())
            if begins and ends and not _OF_PEOPLE.match(question[match.start() : ends.end() + 2]):
                found.append(question[begins[-1].start() : ends.end()])
    inner = min(found, key=len, default="")
    beyond = _ASKS_FOR_IT.sub(" ", question.replace(inner, " ", 1)) if inner else ""
    return inner if any(w not in STOPWORDS for w in words(beyond)) else ""


def _proper(names: tuple[str, ...]) -> list[str]:
    """The names that one would ask about: no lower-case word such as "film", and none spelled twice."""
    told = {" ".join(words(name)): name for name in reversed(names) if not (name.islower() and name.isalpha())}
    return [name for name in names if name in told.values()]


def _hops(question: str, names: tuple[str, ...], asked: str, inner: str, told: Sequence[str]) -> tuple[Part, ...]:
    """What is described first, then what is asked of it; else each sentence; else each name, then what is asked."""
    if inner:
        return (Part(inner, "a name"), Part(question.replace(inner, "[1]", 1), sought(question)))
    if len(told) > 1:
        return tuple(Part(said, sought(said)) for said in told[:MOST_PARTS])
    found = tuple(Part(name, "what it is and what it names") for name in _proper(names)[: MOST_PARTS - 1])
    return (*found, Part(asked, sought(question))) if asked else found
