"""One question back, where what was asked can mean several things: by what the index holds, never by a guess."""

from __future__ import annotations

import re

from agent.terms import STOPWORDS
from agent.types import Clarify, Library
from ingest.names import identifiers, words

_MOST_CHOICES = 6
_PRONOUN = re.compile(r"\b(?:he|she|him|his|her|hers|they|them|their|theirs|it|its|this|these|those)\b", re.IGNORECASE)
# "Is it possible to …", "does it matter whether …" speak of what follows.
_FOLLOWS = re.compile(r"\b(?:to|that|whether|if|when|in|for)\b", re.IGNORECASE)
_POINTERS = frozenset({"it", "this", "these", "those"})


def clarify(question: str, library: Library) -> Clarify | None:
    """Return the one thing to ask back before the work, or None.

    It is asked where a code name of the question is defined in several places of which the question tells none, and
    where the question begins with a pronoun that stands for nothing in it.
    """
    asked = set(words(question))
    for name in identifiers(question):
        if "." in name or " " in name or "/" in name:
            continue  # a path or a dotted name says where it is
        places = library.meanings(name)
        told = [place for place in places if asked & (set(words(place.replace(".", " "))) - set(words(name)))]
        if len(places) > 1 and not told:
            return Clarify(f"{name} is defined in {len(places)} places. Which one?", tuple(places[:_MOST_CHOICES]))
    if pronoun := _without_antecedent(question):
        return Clarify(f'What does "{pronoun}" stand for?', ())
    return None


def clarified(question: str, given: Clarify, reply: str) -> str:
    """Return the question with what was replied: a choice's number, or other words. No reply changes nothing."""
    reply = reply.strip()
    if reply.isdecimal() and 1 <= int(reply) <= len(given.choices):
        reply = given.choices[int(reply) - 1]
    return f"{question} ({reply})" if reply else question


def _without_antecedent(question: str) -> str:
    """The pronoun that comes before anything it could stand for, or ""."""
    match = _PRONOUN.search(question)
    if match is None:
        return ""
    before, after = question[: match.start()], question[match.end() :]
    if any(word not in STOPWORDS for word in words(before)):
        return ""
    # "this function", "their team" begin a description; a pointer before a clause speaks of the clause.
    if match.group().lower() in _POINTERS and (_FOLLOWS.search(after) or match.group().lower() != "it"):
        return ""
    return match.group()
