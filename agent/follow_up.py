"""Follow-ups: what a question of a conversation refers to, and the same question with that written out.

Rules decide whether a question stands alone and rewrite it where it does not: "Who calls it?" gets the name that it
stands for, "And for Celery?" the question that it goes on with. Where the turn before has no name for it, a model is
asked. (It was asked always: the one on this machine took 8 seconds on two busy cores, and where there is a name it
wrote no better question than the rules.) Small models invent, so a model's question is taken only where all that it
adds was said in the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.budget import BudgetSpent, MeteredChat
from agent.citations import without_labels
from agent.guard import Marker, visible
from agent.models import Message
from agent.plan import question_names
from agent.prompts import prompt
from agent.terms import STOPWORDS, content, numbers
from agent.types import Answer
from ingest.errors import UserError
from ingest.names import identifiers, unique, words

_TURNS_SHOWN = 3  # to a model
_LONGEST_SHOWN = 300  # characters of a question or answer in a prompt, and of a question that is repeated
_LONGEST_FOLLOW_UP = 300  # characters; a longer question, such as a pasted trace, brings along what it is about
_LONGEST_NAME = 80
_LONGEST_REWRITTEN = 400
_LONGEST_PROPER = 4  # words of an answer that is only a name
_MAX_TOKENS = 80
_SHORT_ANSWER = 8  # words; a longer one explains rather than names


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a conversation as it was typed, as it was asked, the plan for it and its answer."""

    asked: str
    question: str
    plan: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that stands alone, and what wrote it: "asked" for one that was left as it is."""

    question: str
    by: Literal["asked", "rules", "model"]


def standalone(question: str, turns: Sequence[Turn], chat: MeteredChat | None = None) -> Standalone:
    """Return the question with what it refers to in the conversation written out; unchanged where it stands alone.

    Raises what the model raises, but for its budget: without time for the model, the rules' question is taken.
    """
    ruled = by_rules(question, turns[-1]) if turns else None
    if ruled is None:
        return Standalone(question, "asked")
    unnamed = ruled == _about(question, turns[-1])
    if unnamed and chat is not None and (written := _by_model(question, turns, chat)):
        return Standalone(written, "model")
    return Standalone(ruled, "rules")


# Rules --------------------------------------------------------------------------------------------------------------

_WH = r"why|how|when|where|who|whom|whose|which|what"
_AUX = "is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|must"
_ASKING = (
    r"(?:since|until|by|for|from|to|with|in|on|at)\s+(?:when|where|whom?|what|which)|why(?:\s+not)?"
    r"|how(?:\s+(?:so|come|exactly|many|much|long|often|old))?|when(?:\s+exactly)?|where(?:\s+exactly)?|whom?|whose"
    r"|which(?:\s+ones?)?|(?:what|who|where|how)\s+else"
)
_BARE = re.compile(rf"(?:(?:and|but|so)\s+)?(?P<what>{_ASKING})\W*", re.IGNORECASE)
_WHY_THAT = re.compile(rf"(?P<what>why|how)\s+(?:{_AUX})\s+(?:that|this|it)(?:\s+(?:so|done|happen|work))?\W*", re.I)
_MORE = re.compile(
    r"(?:(?:please|and)\s+)?(?:(?:can|could)\s+you\s+)?(?:tell\s+me\s+more|more(?:\s+details?)?|go\s+on|continue|details"
    r"|(?:explain|elaborate)(?:\s+(?:that|it|this|more|please|on\s+that))*|in\s+more\s+detail|(?P<example>such\s+as"
    r"|like\s+what|(?:for\s+|an\s+|give\s+me\s+an\s+|show\s+me\s+an\s+)?example))(?:\s+please)?\W*",
    re.IGNORECASE,
)
_ADDED = re.compile(rf",\s(?:and\s(?:{_ASKING})|in\smore\sdetail|with\san\sexample)\Z", re.IGNORECASE)
_PREPOSITION = "for|in|with|on|at|from|under|without|of|to|by|before|after|during|inside|outside|since"
_FRAGMENT = re.compile(
    r"(?:(?:(?:and|or|but)\s+)?(?:what|how)\s+about|(?:(?:and|but)\s+)?the\s+same\s+for(?=\s)|same\s+for|and|or|but)"
    rf"\s+(?:(?P<prep>{_PREPOSITION})\s+)?(?P<rest>.+?)\W*",
    re.IGNORECASE,
)
_PREPOSED = re.compile(rf"(?P<prep>{_PREPOSITION})\s+(?P<rest>.+?)\W*", re.IGNORECASE)
_CLAUSE = re.compile(rf"\b(?:{_WH}|{_AUX})\b", re.IGNORECASE)
_LONGEST_FRAGMENT = 6  # words

_PERSONS = frozenset("he him his she her hers".split())
_POSSESSIVE = frozenset("its their theirs his her hers".split())
_PLURAL = frozenset("they them their theirs these those both".split())
_REFERS = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|(?P<demonstrative>this|that|these|those)(?:\s+same)?"
    r"(?:\s+(?P<noun>[a-z]+))?|there|(?P<both>both)|the\s+(?P<which>former|latter|first\s+one|second\s+one))\b",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<![\w/.-])(?:[\w.-]+/)+[\w-]+(?:\.\w+)*")
_QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^”]*”")
# "it" that stands for nothing: "Is it possible to …", "How long does it take to …", "What time is it?".
_EXPLETIVE_BEFORE = re.compile(
    r"\b(?:how\s+(?:long|many\s+\w+)\s+(?:does|did|will)|what\s+(?:time|day)\s+is)\s+$", re.I
)
_EXPLETIVE_AFTER = re.compile(
    r"^(?:['’]s)?\s+(?:be\s+|is\s+|was\s+)?(?:(?:possible|allowed|safe|necessary|required|recommended|better|best|ok|okay|"
    r"enough|worth|easy|hard|common|normal|true|likely|important|advisable|wise)\b|(?:mean|take|matter|make\s+sense|help|"
    r"cost)\b.*\b(?:to|if|whether|that|when|which)\b)",
    re.IGNORECASE,
)
_THAT_AFTER = re.compile(
    rf"(?:^|\b(?:{_AUX}|{_PREPOSITION}|{_WH}|about|like|than|and|explain|calls?|uses?|sets?|reads?|writes?|imports?))\s*$",
    re.I,
)
_BOUNDARY = re.compile(r"[,;:]|\b(?:and|or|but|if|when|while|because|before|after|until|so|than)\b", re.IGNORECASE)
_ASKS_A_NAME = re.compile(
    rf"(?:(?:and|{_PREPOSITION})\s+)?(?:which|whose|whom?|what\s+(?:is|are)\s+the|what\s+(?!(?:{_AUX}|happens)\b))\b",
    re.I,
)
_FILES = frozenset("file files page document module section chapter readme".split())
_CODE = frozenset(
    "function method class constant variable setting option parameter argument field flag key attribute property "
    "decorator exception error command test helper type value name object functions methods classes constants "
    "variables settings options parameters arguments fields flags keys tests errors commands values names".split()
)
_OTHER = frozenset(
    "person author writer director company team place city book film number limit one ones thing".split()
)
# "This project" is what is indexed, not what was said.
_HERE = frozenset("repository repo project codebase code folder workspace machine computer time way".split())


def by_rules(question: str, last: Turn) -> str | None:
    """Return the question with what it refers to in the turn before written out; None where it stands alone."""
    question = " ".join(question.split())
    if len(question) > _LONGEST_FOLLOW_UP:
        return None
    return _going_on(question, last) or _fragment(question, last) or _referring(question, last)


def _going_on(question: str, last: Turn) -> str | None:
    """ "Why?" and "Tell me more" ask on about the question before."""
    if bare := _BARE.fullmatch(question) or _WHY_THAT.fullmatch(question):
        return f"{_open(last.question)}, and {bare['what'].lower()}?"
    if more := _MORE.fullmatch(question):
        return f"{_open(last.question)}, {'with an example' if more['example'] else 'in more detail'}?"
    return None


def _fragment(question: str, last: Turn) -> str | None:
    """ "And for Celery?" asks the question before of something else; "In tests?" narrows it."""
    found = _FRAGMENT.fullmatch(question) or _PREPOSED.fullmatch(question)
    if found is None:
        return None
    rest, preposition = found["rest"], (found["prep"] or "").lower()
    if _CLAUSE.search(rest) or len(rest.split()) > _LONGEST_FRAGMENT or _anaphor(rest):
        return None
    if "same for" in question[: found.start("rest")].lower():
        preposition = "for"
    base = _open(last.question)
    named = question_names(f"of {rest}")
    if len(named) == 1 and _plain(rest) == _plain(named[0]):
        alike = [name for name in question_names(base) if bool(identifiers(name)) == bool(identifiers(named[0]))]
        at = [name for name in alike if preposition and f" {preposition} {name}".lower() in f" {base}".lower()]
        if preposition in ("", "for"):
            at = at or alike
        if len(at) == 1 and at[0] in base:
            return f"{base.replace(at[0], named[0])}?"
    return f"{base} {preposition} {rest}?" if preposition else f"{base}, and what about {rest}?"


def _referring(question: str, last: Turn) -> str | None:
    """ "Who calls it?" gets the name that "it" stands for; without one, the question before is put behind it."""
    found = _anaphor(question)
    if found is None:
        return None
    spelled = _spelled(found, last)
    if spelled is None:
        return _about(question, last)
    return f"{question[: found.start()]}{spelled}{question[found.end() :]}"


def _about(question: str, last: Turn) -> str:
    """The question with the one before behind it: for what has no name."""
    return f"{' '.join(question.split())} (about: {_open(last.question)})"


def _anaphor(question: str) -> re.Match[str] | None:
    """Return the first word of the question that stands for something outside it."""
    masked = _QUOTED.sub(lambda quoted: "x" * len(quoted.group()), question)
    for found in _REFERS.finditer(masked):
        before, after = masked[: found.start()], masked[found.end() :]
        if _stands_for_something(found, before, after) and not _said_inside(found, before):
            return found
    return None


def _stands_for_something(found: re.Match[str], before: str, after: str) -> bool:
    word = found.group().split()[0].lower()
    noun = (found["noun"] or "").lower()
    if word == "it":
        return not (_EXPLETIVE_BEFORE.search(before) or _EXPLETIVE_AFTER.search(after))
    if word == "there":
        return not re.search(rf"\b(?:{_AUX})\s*$", before, re.I) and not re.match(rf"\s+(?:{_AUX})\b", after, re.I)
    if word == "both":
        return " and " not in f"{after} "
    if word == "that":  # otherwise it joins clauses: "the page that says", "says that"
        kind = noun in _FILES | _CODE | _OTHER
        return kind or (noun == "" and not after.strip(" ?.!")) or bool(_THAT_AFTER.search(before))
    if found["demonstrative"]:
        return noun not in _HERE and not (word in ("those", "these") and noun in ("that", "who", "which", "of", "with"))
    return True


def _said_inside(found: re.Match[str], before: str) -> bool:
    """Whether what the word stands for is in the question itself, in a clause before it or as its owner."""
    if found["noun"] and found["noun"].lower() in _CODE | _FILES:
        return False
    ends = [boundary.start() for boundary in _BOUNDARY.finditer(before)]
    if ends and _meaning(before[: ends[-1]]):
        return True
    if found.group().lower() not in _POSSESSIVE:
        return False
    owner = re.sub(r"\b(?:which|what)\s+\w+", " ", before, flags=re.IGNORECASE)
    return len(_meaning(owner)) > 1 or bool(question_names(f"of {before}"))


def _meaning(text: str) -> list[str]:
    return [word for word in words(text) if word not in STOPWORDS and not word.startswith("happen")]


def _spelled(found: re.Match[str], last: Turn) -> str | None:
    """What stands in the place of the word that refers; None where the turn before names nothing."""
    word = found.group().split()[0].lower()
    noun = found["noun"] or ""
    asked, given = _asked(last), _given(last)
    if which := (found["which"] or "").lower():
        return None if len(asked) < 2 else asked[0] if which in ("former", "first one") else asked[1]
    if word == "there":
        place = _places(last)[:1] or asked[:1]
        inside = re.search(r"\b(?:in|from|at)\s*$", found.string[: found.start()], re.IGNORECASE)
        return f"{'' if inside else 'in '}{place[0]}" if place else None
    if found["demonstrative"] and noun.lower() in _FILES | _CODE | _OTHER:
        named = _of_kind(noun.lower(), last)
        return f"the {noun} {named}" if named else None
    if found["demonstrative"] and _tells_of_all(found):
        return None
    # A noun or a verb that was taken along stays: "this step", "that return".
    tail = f" {noun}" if noun else ""
    if word in _PERSONS:
        asked, given = [[name for name in names if not identifiers(name)] for names in (asked, given)]
        names = (given or asked)[:1]
    elif word in _PLURAL:
        names = given if len(given) > 1 and _is_short(last) else asked
        both = "both " if found["both"] else ""
        return f"{both}{' and '.join(names[:3])}{_owns(word)}{tail}" if len(names) > 1 else None
    else:
        names = _focus(last, asked, given)
    if not names:
        return None
    aside = f" ({', '.join(names[1:])})" if names[1:] and word not in _POSSESSIVE else ""
    return f"{names[0]}{_owns(word)}{aside}{tail}"


def _tells_of_all(found: re.Match[str]) -> bool:
    """Whether "that" is what was said rather than a thing: "Does Celery do that too?", "Is that true?"."""
    before, after = found.string[: found.start()], found.string[found.start("demonstrative") + 4 :]
    return bool(re.search(r"\bdo\s+$", before) or re.match(r"\s+(?:the\s+same|true|so|also|right|correct)\b", after))


def _owns(word: str) -> str:
    return "'s" if word in _POSSESSIVE else ""


def _focus(last: Turn, asked: list[str], given: list[str]) -> list[str]:
    """The name that "it" most likely is, and one that it may be: what was asked for, or what was asked about."""
    if given and (
        not asked or (_is_short(last) and _ASKS_A_NAME.match(last.question) and not _asks_who(last.question))
    ):
        return [given[0], *asked[:1]]
    return asked[:2]


def _is_short(last: Turn) -> bool:
    return len(words(without_labels(last.answer.answer))) <= _SHORT_ANSWER


def _asks_who(question: str) -> bool:
    return re.match(r"(?:by\s+)?who(?:m|se)?\b", question, re.IGNORECASE) is not None


def _of_kind(noun: str, last: Turn) -> str | None:
    """The name of the turn before that is best called this: a file, a class, a constant, a function."""
    noun = noun.removesuffix("s") if noun not in ("class", "address") else noun
    if noun in _FILES:
        return next(iter(_places(last)), None)
    names = [*_focus(last, _asked(last), _given(last)), *_given(last), *_asked(last)]
    if noun not in _CODE:
        return next(iter(names), None)
    spelled = {*identifiers(last.question), *identifiers(last.answer.answer)}
    code = [name for name in names if name in spelled] or [n for p in _cited(last) for n in p if identifiers(n)]
    return next(iter([name for name in code if _looks_like(noun, name)] or code or names), None)


def _looks_like(noun: str, name: str) -> bool:
    """Whether a code name is spelt as such things usually are."""
    if noun in ("function", "method"):
        return name.rpartition(".")[2][:1].islower()
    if noun == "class":
        return name.rpartition(".")[2][:1].isupper() and not name.isupper()
    return noun != "constant" or name.isupper()


def _asked(last: Turn) -> list[str]:
    paths = _PATH.findall(last.question)
    return _names([*paths, *(name for name in question_names(last.question) if not any(name in p for p in paths))])


def _given(last: Turn) -> list[str]:
    """The names of the answer that its question does not have."""
    if last.answer.abstained:
        return []
    text = without_labels(last.answer.answer)
    found = question_names(text)
    if len(text.split()) <= _LONGEST_PROPER:  # where a sentence is little else, its first word is a name too
        proper = all(word[:1].isupper() for word in text.split()) and text.lower().strip(" .") not in STOPWORDS
        found = (text.rstrip(" ."),) if proper else question_names(f"is {text}")
    known = set(content(last.question))
    return [name for name in _names(found) if not set(content(name)) <= known]


def _names(spelled: Sequence[str]) -> list[str]:
    """The names, each once however it is spelled, without those that are too long to be one."""
    once = {" ".join(words(name)): name for name in reversed(spelled) if len(name) <= _LONGEST_NAME}
    return [name for name in spelled if once.get(" ".join(words(name))) == name]


def _places(last: Turn) -> list[str]:
    """The files that the turn asked about, and those that it cites."""
    paths = unique([*_PATH.findall(last.question), *(cited.path for cited in last.answer.citations)])
    return [path for path in paths if len(path) <= 2 * _LONGEST_NAME]


def _cited(last: Turn) -> list[tuple[str, ...]]:
    labels = {cited.label for cited in last.answer.citations}
    return [passage.names for passage in last.answer.passages if passage.label in labels]


def _open(question: str) -> str:
    """The question without its end, nor what a follow-up added there, so that more can be added."""
    question = " ".join(question.split()).rstrip("?.! ")
    return _ADDED.sub("", question)[:_LONGEST_SHOWN]


def _plain(text: str) -> str:
    return re.sub(r"^(?:the|a|an)\s+|[`\"“”()?]", "", text.strip(), flags=re.IGNORECASE).lower()


# The model ----------------------------------------------------------------------------------------------------------

_NEGATIONS = frozenset("not no never without neither nor cannot".split())
_WH_WORD = re.compile(rf"\b(?:{_WH})\b", re.IGNORECASE)


def _by_model(question: str, turns: Sequence[Turn], chat: MeteredChat) -> str | None:
    """Return the model's question where it is to be trusted; None where it is not, or time is over."""
    said = "\n".join(f"Question: {_clip(t.question)}\nAnswer: {_clip(t.answer.answer)}" for t in turns[-_TURNS_SHOWN:])
    messages: list[Message] = [
        {"role": "system", "content": prompt("rewrite")},
        {"role": "user", "content": f"{Marker().wrap(said)}\n\nLast question: {_clip(question)}\nRewritten question:"},
    ]
    try:
        text = chat.complete(messages, max_tokens=_MAX_TOKENS, stop=("\n\n",)).text
    except (BudgetSpent, UserError):  # the run asks the model itself, and says what is wrong with it
        return None
    written = " ".join(text.strip().strip('"').removeprefix("Rewritten question:").split())
    return written if accepted(question, written, turns) else None


def accepted(question: str, written: str, turns: Sequence[Turn]) -> bool:
    """Return whether a rewritten question asks what the question asks, with nothing but what the conversation says.

    Every word and number that it adds was said there, none that matters is lost, it negates what the question negates,
    it refers to nothing outside itself, and it is none that was asked already.
    """
    recent = turns[-_TURNS_SHOWN:]
    spoken = [text for t in recent for text in (t.asked, t.question, without_labels(t.answer.answer), *_places(t))]
    before, after = set(content(question)), set(content(written))
    kinds = {term for noun in _FILES | _CODE | _OTHER for term in content(noun)}
    known = before.union(*(content(text) for text in spoken))
    digits = {number for text in (question, *spoken) for number in numbers(text)}
    return (
        len(written) <= _LONGEST_REWRITTEN
        and bool(after - before)
        and after <= known
        and before - kinds <= after
        and set(numbers(question)) <= set(numbers(written)) <= digits
        and _negations(question) == _negations(written)
        and {w.lower() for w in _WH_WORD.findall(question)} <= {w.lower() for w in _WH_WORD.findall(written)}
        and _anaphor(written) is None
        and all(words(written) != words(turn.question) for turn in turns)
    )


def _negations(text: str) -> set[str]:
    return {word for word in words(re.sub(r"n['’]t\b", " not", text)) if word in _NEGATIONS}


def _clip(text: str) -> str:
    return visible(" ".join(text.split()))[:_LONGEST_SHOWN]
