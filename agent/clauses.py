"""A sentence taken apart: its words, its clauses, and what each clause says with what belongs to it.

Rules for English, and no parser: they serve checks that can only refuse (`agent.entailment`), so that a sentence that
is read wrongly costs a claim and lets none through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from agent.terms import STOPWORDS, stem
from ingest.names import fold

_TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d](?:[\w.]*\w)?(?:['’]t\b)?|[,;:.!?()—–#]|--+|//", re.UNICODE)
_THOUSANDS = re.compile(r",(?=\d{3}(?:\D|$))")
_CODE = re.compile(r"\w_\w|\w\.\w|[a-z][A-Z]|^_")
_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been|being)\b(?:(?!\bthan\b)[^.;]){0,40}\bby\b", re.IGNORECASE)
_LONGEST_ASIDE = 3  # meaningful words of an aside, and of a subject
_LONGEST_SCOPE = 4  # meaningful words that a negation reaches

_DIGITS = {
    w: str(n) for n, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
}
_DIGITS.pop("one")  # more often a pronoun
SUBORDINATE = frozenset("because when before after once until if unless".split())
_JOINTS = SUBORDINATE | frozenset("and but while whereas although though which who whose where since".split())
_RELATIVE = frozenset("which who whose".split())
_GOES_ON = frozenset(["and", "but", ","])
_OWN_SUBJECT = frozenset(
    """the a an this that these those his her its their our my your most all some each every other another both no there
    what""".split()
)
_DETERMINERS = frozenset("the a an any this that these those his her its their our my your".split())
_FINITE = frozenset(
    "is are was were be been has have had can could may might must will would shall should does do did".split()
)
_DENIALS = frozenset("not no never none neither nor without cannot nothing nobody nowhere".split())
# Said in one word and denied in another; the second denies the first.
_DENIED = {
    stem(denied): stem(said)
    for said, denied in (
        line.split()
        for line in """enabled disabled;enable disable;allowed forbidden;allowed prohibited;allowed disallowed;
        included excluded;present absent;valid invalid;true false;able unable;possible impossible;known unknown;
        required optional;accepted rejected;supported unsupported;safe unsafe;public private""".split(";")
    )
}
ADJUNCT = frozenset("every each once in at on from of for near under since during by to after before until".split())
_PLACES = frozenset("in at on from of for near to into under within since during by".split())


@dataclass(frozen=True, slots=True)
class Word:
    """A word as its stem and as it is written, with its clause's number and what the rules know of it."""

    stem: str
    raw: str
    clause: int
    denied: bool = False
    name: bool = False
    number: bool = False
    behind: str = ""  # the word before it, articles left out

    @property
    def empty(self) -> bool:
        """Whether it carries no meaning of its own."""
        return self.raw.lower() in STOPWORDS

    @property
    def placed(self) -> bool:
        """Whether it stands behind a preposition: "in Marrow"."""
        return self.behind in _PLACES


@dataclass(frozen=True)
class Reading:
    """A text as the checks see it. `raw` are its words in lower case, without names."""

    words: tuple[Word, ...]
    raw: frozenset[str]
    passive: bool
    joints: tuple[str, ...]  # what begins each clause, "" the first

    @property
    def clauses(self) -> int:
        return len(self.joints)

    @cached_property
    def statements(self) -> tuple[frozenset[str], ...]:
        """What each clause says, as stems: its own words, what they are said of, where and when, and, as "when:war",
        the words of a clause that depends on it."""
        return _statements(self, whole=True)

    @cached_property
    def bare(self) -> tuple[frozenset[str], ...]:
        """The same of each clause alone, without the clauses that depend on it."""
        return _statements(self, whole=False)

    @property
    def stems(self) -> frozenset[str]:
        return frozenset(w.stem for w in self.words)


@lru_cache(maxsize=4096)
def reading(text: str) -> Reading:
    """Return a text taken apart."""
    joints = [""]
    words = tuple(_words(fold(text).replace("`", " "), joints))
    raw = frozenset(w.raw.lower() for w in words) - {w.raw.lower() for w in words if w.name}
    return Reading(words, raw, bool(_PASSIVE.search(text)), tuple(joints))


def is_code(word: str) -> bool:
    """Return whether a word is written as names in code are."""
    return bool(_CODE.search(word))


def meaningful(words: Iterable[Word]) -> list[str]:
    """Return the stems of those words that carry a meaning of their own."""
    return [w.stem for w in words if not w.empty]


# Clauses ------------------------------------------------------------------------------------------------------------


def _statements(text: Reading, *, whole: bool) -> tuple[frozenset[str], ...]:
    clauses = [[w for w in text.words if w.clause == n] for n in range(text.clauses)]
    asides = [_aside(text, clauses, n) for n in range(text.clauses)]
    heads = {n: head for n in range(text.clauses) if (head := _head(text, clauses, n)) is not None}
    said = []
    for n, clause in enumerate(clauses):
        if not meaningful(clause) or (asides[n] and len(clauses) > 1) or (whole and n in heads):
            continue
        stems = {*meaningful(clause), *_carried(text, clauses, n)}
        for near in (n - 1, n + 1):
            if 0 <= near < len(clauses) and asides[near]:
                stems |= {*meaningful(clauses[near])}
        if whole:
            stems |= {f"{text.joints[m]}:{w}" for m, head in heads.items() if head == n for w in meaningful(clauses[m])}
        said.append(frozenset(stems))
    return tuple(said) or (frozenset(meaningful(text.words)),)


def _head(text: Reading, clauses: Sequence[Sequence[Word]], n: int) -> int | None:
    """The clause that a subordinate one depends on: the next one, where it stands first and a comma follows it."""
    if text.joints[n] not in SUBORDINATE:
        return None
    before = [m for m in range(n) if meaningful(clauses[m])]
    if not before:
        return next((m for m in range(n + 1, text.clauses) if meaningful(clauses[m])), None)
    return before[-1]


def _aside(text: Reading, clauses: Sequence[Sequence[Word]], n: int) -> bool:
    """Whether a clause only says where or when, or stands in parentheses: it belongs to the one beside it."""
    inner = meaningful(clauses[n])
    if text.joints[n] == "(":
        return True
    ends = text.joints[n + 1] if n + 1 < text.clauses else ""
    apart = text.joints[n] == "," or (n == 0 and ends == ",")
    return apart and 0 < len(inner) <= _LONGEST_ASIDE and clauses[n][0].raw.lower() in ADJUNCT


def _carried(text: Reading, clauses: Sequence[Sequence[Word]], n: int) -> list[str]:
    """What a clause is said of, where it does not say so itself."""
    joint = text.joints[n]
    main = next((m for m in range(n - 1, -1, -1) if text.joints[m] not in (*_GOES_ON, *_RELATIVE) and clauses[m]), None)
    last = next((m for m in range(n - 1, -1, -1) if meaningful(clauses[m]) and not _aside(text, clauses, m)), None)
    if main is None or last is None:
        return []
    if joint in _RELATIVE:
        return _trailing(clauses[last])
    if joint == ")" or (joint == ":" and len(meaningful(clauses[last])) <= _LONGEST_ASIDE):
        return meaningful(clauses[last])
    if joint not in _GOES_ON:
        return []
    if all(w.name or w.number or w.empty for w in clauses[n]) or _things(clauses[n]) == 1:
        whole = [w for w in clauses[last] if not w.number]  # one more of a list: "in Go and Rust"
        return [*leading(clauses[main]), *meaningful(whole)[:-1]]
    begins = clauses[n][0]
    own = begins.raw.lower() in _OWN_SUBJECT or begins.name or begins.number
    return [] if own else leading(clauses[_subject(text, clauses, main)])


def _things(clause: Sequence[Word]) -> int:
    return sum(not w.number and not w.empty for w in clause)


def _subject(text: Reading, clauses: Sequence[Sequence[Word]], main: int) -> int:
    """The clause with the subject: the next one, where the main one is an aside: "In winter, the ferry runs and …"."""
    return main + 1 if _aside(text, clauses, main) and main + 1 < len(clauses) else main


def leading(clause: Sequence[Word]) -> list[str]:
    """The words of a clause's subject: up to its verb, as far as that shows."""
    found: list[str] = []
    for at, word in enumerate(clause):
        behind = clause[at + 1].raw.lower() if at + 1 < len(clause) else ""
        if word.raw.lower() in _FINITE:
            break
        if word.empty:
            continue
        if found and not word.name and word.raw.endswith(("ed", "s")) and behind not in _FINITE:
            break
        found.append(word.stem)
    return found if len(found) <= _LONGEST_ASIDE else found[:1]


def _trailing(clause: Sequence[Word]) -> list[str]:
    """The last thing that a clause speaks of: what "which" means."""
    words = [w for w in clause if not w.empty]
    named = [w.stem for w in words[-2:] if w.name]
    return named or [w.stem for w in words[-1:]]


# Words ----------------------------------------------------------------------------------------------------------------


def _words(text: str, joints: list[str]) -> Iterator[Word]:
    clause, reach, first, before = 0, 0, True, ""
    for match in _TOKEN.finditer(text):
        found = match.group()
        lower = found.lower()
        if not (found[0].isalnum() or found[0] == "_") or lower in _JOINTS:
            clause, reach = clause + 1, 0
            joints.append(lower)
            first = first or found in ".!?"
            before = lower
            if found[0].isalnum():
                yield Word(lower, lower, clause)
            continue
        if lower in _DENIALS or lower.endswith(("n't", "n’t")):
            reach, before, first = _LONGEST_SCOPE, lower, False
            yield Word(lower, lower, clause)
            continue
        word = _word(found, lower, clause, first, before)
        first = False
        if reach and not word.empty:
            word, reach = replace(word, denied=not word.denied), reach - 1
        if lower not in _DETERMINERS:
            before = lower
        yield word


def _word(token: str, lower: str, clause: int, first: bool, before: str) -> Word:
    number = _DIGITS.get(lower) or (_THOUSANDS.sub("", token) if token[0].isdigit() else "")
    if number:
        return Word(number, token, clause, number=True, behind=before)
    code = is_code(token)
    name = code or (token[0].isupper() and lower not in STOPWORDS)
    if code:
        return Word(token, token, clause, name=True, behind=before)
    root = stem(lower)
    denied = root in _DENIED
    return Word(_DENIED.get(root, root), token, clause, denied, name, behind=before)
