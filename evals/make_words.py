"""A question by rule: what a pair of chunks holds, put into a sentence of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evals.make_facts import GAP, HIDDEN, Fact, facts, hint, number, spellings, without
from evals.make_pairs import Pair
from evals.make_types import Written
from ingest.names import words

_ASKED = {
    "value": "Which value has {thing}?",
    "default": "Which default has the parameter `{said}` of {thing}?",
    "base": "From which class does {thing} inherit?",
}
_LED = f"what stands there as {HIDDEN}"


def by_rule(pair: Pair) -> Iterator[Written]:
    """Yield the questions that can be made of a pair without a model, in the order in which their facts stand."""
    if pair.shape == "comparison":
        yield from _compared(pair)
    elif pair.shape == "one-hop":
        for fact in facts(pair.chunks[0]):
            if fact.kind == "gap" or _about(fact, pair.name):
                yield Written(_plain(pair, fact), fact.answers)
    else:
        led = _led(pair)
        for fact in _of(pair) if led else ():
            yield Written(f"{led} {_asked(fact, pair.name)}", fact.answers)


def _plain(pair: Pair, fact: Fact) -> str:
    if fact.kind == "gap":
        return f"What stands at {GAP} in what is said under “{fact.of}”: “{fact.said}”?"
    return _ASKED[fact.kind].format(thing=f"`{pair.name}`", said=fact.said)


def _led(pair: Pair) -> str:
    """What the first chunk says of the name, "" where that is too little."""
    first = pair.chunks[0]
    said = hint(first, pair.name)
    if not said:
        return ""
    if first.kind == "code":
        return f"A line of code reads: `{said}`."
    return f"A page says under “{without(first.title, pair.name)}”: “{said}”"


def _of(pair: Pair) -> Iterator[Fact]:
    """The facts of the second chunk that are about the name."""
    second = pair.chunks[1]
    for fact in facts(second):
        if fact.kind == "gap":
            # A page that is headed with the name speaks of it throughout; another one where it says it.
            if pair.name in second.defines or HIDDEN in without(fact.said, pair.name):
                yield fact
        elif _about(fact, pair.name):
            yield fact


def _about(fact: Fact, name: str) -> bool:
    return fact.of in spellings(name) or " ".join(words(fact.of)) == name


def _asked(fact: Fact, name: str) -> str:
    if fact.kind == "gap":
        return f"A page says of {_LED}: “{without(fact.said, name)}” What stands at {GAP}?"
    return _ASKED[fact.kind].format(thing=_LED, said=fact.said)


def _compared(pair: Pair) -> Iterator[Written]:
    one, other = (
        next((n for fact in facts(chunk) if fact.of in spellings(name) and (n := number(fact)) is not None), None)
        for chunk, name in zip(pair.chunks, (pair.name, pair.other), strict=True)
    )
    if one is not None and other is not None and one != other:
        larger = pair.name if one > other else pair.other
        yield Written(f"Which is larger, `{pair.name}` or `{pair.other}`?", (larger,))


def states(question: str, name: str) -> bool:
    """Whether a question says a name, in one of its spellings. The last part of a dotted one counts where it is put
    together from several words: `load` of `Settings.load` is a word like others."""
    asked = f" {' '.join(words(question))} "
    forms = [form for form in spellings(name) if form == name or len(re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", form)) > 1]
    return any(f" {' '.join(words(form))} " in asked for form in forms)
