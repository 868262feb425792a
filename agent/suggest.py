"""What to ask next: names that an answer's passages hold and that nobody asked about yet. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.plan import question_names
from agent.types import Answer
from ingest.names import is_file, prose_name, unique, words
from ingest.types import Chunk

_LONGEST = 60  # characters of a name
_SHORTEST = 3
_MOST_WORDS = 4
_CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


def follow_ups(answer: Answer, said: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """Return questions about names that the shown passages define or mention and that nothing `said` so far holds.

    Names of cited passages come first, then those that most passages hold. None for an abstention: its passages are
    about something else.
    """
    return () if answer.abstained else tuple(map(question_about, unexplored(answer, said)[:most]))


def unexplored(answer: Answer, said: Sequence[str]) -> tuple[str, ...]:
    """Return the names in the answer's passages that no text of `said` and not the answer itself holds, best first."""
    known = f" {' '.join(word for text in (answer.question, answer.answer, *said) for word in words(text))} "
    cited = {each.label for each in answer.citations}
    worth: dict[str, list[int]] = {}
    for passage in answer.passages:
        for name in unique((*spoken(passage.names), *question_names(passage.excerpt))):
            if _worth_asking(name) and f" {' '.join(words(name))} " not in known:
                held = worth.setdefault(name, [0, 0])
                held[0] += passage.label in cited
                held[1] += 1
    ordered = sorted(worth, key=lambda name: (-worth[name][0], -_told_apart(name), -worth[name][1]))
    chosen: list[str] = []
    for name in ordered:  # of "settings.load" and "load" the first; of "Heron Station" and "heron station" one
        tails = {" ".join(words(each)) for each in chosen} | {words(each)[-1] for each in chosen}
        if " ".join(words(name)) not in tails and words(name)[-1] not in tails:
            chosen.append(name)
    return tuple(chosen)


def examples(documents: Sequence[Sequence[Chunk]], most: int = 3) -> tuple[str, ...]:
    """Return questions to begin with: about what these documents define, one of each in turn, names that another one
    mentions before the rest."""
    mentions = [{name for chunk in chunks for name in chunk.mentions} for chunks in documents]
    asked: list[tuple[bool, int, str]] = []
    for at, chunks in enumerate(documents):
        elsewhere = set().union(*(names for other, names in enumerate(mentions) if other != at))
        for nth, chunk in enumerate(chunks):
            for name in (chunk.title,) if chunk.kind == "prose" else spoken(chunk.defines):
                if _worth_asking(name) and (chunk.kind == "prose" or _CODE.fullmatch(name)):
                    joins = bool({name.removesuffix("()"), prose_name(name)} & elsewhere)
                    asked.append((not joins, nth, _about_chunk(chunk, name)))
    return unique(question for _, _, question in sorted(asked, key=lambda each: each[:2]))[:most]


def _about_chunk(chunk: Chunk, name: str) -> str:
    file = chunk.path.rsplit("/", 1)[-1]
    return f"What does {file} say about {name}?" if chunk.kind == "prose" else question_about(name)


def spoken(defined: Sequence[str]) -> tuple[str, ...]:
    """Return defined names as people write them: `sweep()` where there is `store.sweep` too, which only code has."""
    dotted = {name.rsplit(".", 1)[-1] for name in defined if "." in name}
    return tuple(f"{name}()" if name in dotted and name.islower() else name for name in defined)


def question_about(name: str) -> str:
    """Return the question that asks about a name: what a setting is for, what a function does, what a thing is."""
    if _CONSTANT.fullmatch(name):
        return f"What is {name} used for?"
    return f"What does {name} do?" if _CODE.fullmatch(name) and _told_apart(name) else f"What is {name}?"


def _worth_asking(name: str) -> bool:
    """Whether a name can stand in a question: no file, no private part, no sentence, no bare word of everyday, and of
    dotted names only a class's: what comes before the dot is else a module or a variable."""
    if not _SHORTEST <= len(name) <= _LONGEST or "\n" in name or is_file(name) or not words(name):
        return False
    if len(words(name)) > _MOST_WORDS or name[-1] in ".,:;!?" or ("." in name and not name[0].isupper()):
        return False
    return not name.startswith("_") and (_told_apart(name) or name[0].isupper())


def _told_apart(name: str) -> bool:
    """Whether it is written as only code is: with an underscore, a call's brackets, or capitals inside."""
    return "_" in name or name.endswith("()") or bool(re.search(r"[a-z][A-Z]|\w\.\w", name))
