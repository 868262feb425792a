"""Words that carry meaning: what questions, passages, claims and notes are compared by, without a model."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.names import words

# Words that ask, join or refer, and say nothing about a subject.
_EMPTY = """
    a about after all also am an and any are as at be because been before being between both but by can could
    did do does doing done during each either else every few find for from get give given gives had has have
    having he her here him his how i if in into is it its itself just kind know known like list made make many
    may me mean means might more most much must my name named names need no nor not now of off often on once one
    only or other our out over own per please say says set she should show so some such tell than that the their
    them then there these they thing this those through to too type under until up us use used uses using very
    via was we were what when where whether which while who whom whose why will with within without would yes
    you your
"""
STOPWORDS = frozenset(_EMPTY.split())

_SUFFIXES = ("ations", "ation", "ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s")
_SHORTEST_STEM = 4


def stem(word: str) -> str:
    """Return a word without its commonest English endings, never shorter than four letters.

    Crude on purpose: both sides of every comparison go through it, and identifiers and numbers must survive it.
    """
    if any(c.isdigit() for c in word):
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            word = word[: -len(suffix)]
            break
    if len(word) > _SHORTEST_STEM and word[-1] in "ey":
        return word[:-1]
    return word


def content(text: str) -> tuple[str, ...]:
    """Return the stems of the words that carry meaning, each once, in order of appearance."""
    return unique_stems(words(text))


def unique_stems(found: Iterable[str]) -> tuple[str, ...]:
    """Return the stems of the given words, stop words and single letters left out, each once."""
    return tuple(
        dict.fromkeys(stem(w) for w in found if w not in STOPWORDS and (len(w) > 1 or w.isdigit() or not w.isascii()))
    )


_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")


def numbers(text: str) -> tuple[str, ...]:
    """Return the numbers in a text, thousands separators removed, each once: "1,250 of 3.5" gives 1250 and 3.5."""
    return tuple(dict.fromkeys(re.sub(r",(?=\d{3}(?:\D|$))", "", n) for n in _NUMBER.findall(text)))
