"""What a chunk holds that can be asked for without a model: values, defaults, bases, and what stands in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ingest import names
from ingest.sentences import blocks, sentences
from ingest.types import Chunk

GAP = "[?]"
"""Stands where an answer was taken out of a sentence."""

HIDDEN = "…"
"""Stands where a name was taken out of a sentence or a line."""

Kind = Literal["value", "default", "base", "gap"]

_LITERAL = r"""(?:-?\d[\d_]*(?:\.\d+)?|"[^"\n]{2,60}"|'[^'\n]{2,60}')"""
_CONSTANT = re.compile(
    r"^[ \t]*(?:(?:export|public|private|protected|static|final|const|constexpr|let|var|val|readonly)[ \t]+)*"
    r"(?:[A-Za-z_][\w<>\[\]]*[ \t]+)?([A-Za-z_]\w{2,})[ \t]*(?::[^=\n]{1,60})?:?=[ \t]*"
    rf"({_LITERAL})[ \t]*[;,]?[ \t]*(?:(?:#|//|/\*|--).*)?$",
    re.MULTILINE,
)
_SIGNATURE = re.compile(r"\b(?:def|function|func|fn|fun)\s+(\w+)\s*\(([^)]{1,1000})\)")
_DEFAULT = re.compile(rf"(\w+)\s*(?::[^=,()]{{1,60}})?\s*=\s*({_LITERAL})\s*(?:,|$)")
_CLASS = re.compile(r"([\w.]+)\(([\w.]+)\)")
_NUMBER = re.compile(r"(?<![\w.,\-])\d[\d.,]*\d(?![\w\-])|(?<![\w.,\-`])[2-9](?![\w.,\-`])")
_SPAN = re.compile(r"(?P<ticks>`+)(?P<said>[^`\n]+)(?P=ticks)(?!_)")  # in reStructuredText a link ends in `_
_IMPORT = re.compile(r"^\s*(?:import|from|use|using|require|include|#include|package)\b")
_MARKUP = re.compile(r"^\s*(?:[#|>=~+.]|-{3}|```|:)")
_TELLING = 4  # words of a hint besides the name
_WORDS = range(6, 41)  # of a sentence that is asked about
_LONGEST_LINE = 160
_LONGEST_SPAN = 40
_GUESSED = frozenset({"-1", "0", "1", "0.0", "1.0", "True", "False", "None", "true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a chunk says of the name `of`, as the file writes it. `answers` are ways to write it. `said` is
    the parameter whose default it is, or the sentence it was taken out of, with `GAP` in its place."""

    of: str
    kind: Kind
    answers: tuple[str, ...]
    said: str = ""


def facts(chunk: Chunk) -> list[Fact]:
    """Return what can be asked of a chunk, in the order in which it stands there."""
    return list(_of_code(chunk) if chunk.kind == "code" else _of_prose(chunk))


def number(fact: Fact) -> float | None:
    """Return the number that a constant has, None for any other fact."""
    try:
        return float(fact.answers[0].replace("_", "")) if fact.kind == "value" else None
    except ValueError:
        return None


def spellings(name: str) -> list[str]:
    """Return the ways in which a text may write a name, the longest first: a dotted one also by its last parts."""
    return sorted(names.with_tails(name) if " " not in name else [name], key=len, reverse=True)


def without(text: str, name: str) -> str:
    """Return the text with the name, however it is written, taken out."""
    for form in spellings(name):
        words = r"[\W_]+".join(map(re.escape, form.split())) if " " in form else re.escape(form)
        text = re.sub(rf"(?<!\w){words}(?:\(\))?(?!\w)", HIDDEN, text, flags=re.IGNORECASE if " " in form else 0)
    return text


def hint(chunk: Chunk, name: str) -> str:
    """Return the sentence or line of a chunk that tells most of a name, with the name taken out; "" where none does."""
    lines = _prose(chunk.text) if chunk.kind == "prose" else _lines(chunk.text)
    hidden = [text for line in lines if HIDDEN in (text := without(line, name))]
    telling = [text for text in hidden if len(re.findall(r"[^\W_]{3,}", text)) >= _TELLING]
    return max(telling, key=lambda text: len(set(names.words(text))), default="")


def _of_code(chunk: Chunk) -> Iterator[Fact]:
    defined = {part for name in chunk.defines for part in (name, name.rpartition(".")[2])}
    for match in _CONSTANT.finditer(chunk.text):
        if match[1] in defined and match[2] not in _GUESSED:
            yield Fact(match[1], "value", _written(match[2]))
    for signature in _SIGNATURE.finditer(chunk.text):
        for match in _DEFAULT.finditer(signature[2]) if signature[1] in defined else ():
            if match[2] not in _GUESSED:
                yield Fact(signature[1], "default", _written(match[2]), match[1])
    for said in chunk.inherits:
        if inherits := _CLASS.fullmatch(said):
            own, base = (part.rpartition(".")[2] for part in inherits.groups())
            if own in defined and base != "object":
                yield Fact(own, "base", (base,))


def _of_prose(chunk: Chunk) -> Iterator[Fact]:
    for sentence in _prose(chunk.text):
        if len(sentence.split()) not in _WORDS:
            continue
        spans = [match for match in _SPAN.finditer(sentence) if 3 <= len(match["said"]) <= _LONGEST_SPAN]
        for match in sorted((*_NUMBER.finditer(sentence), *spans), key=lambda match: match.start()):
            answer = match["said"] if match.re is _SPAN else match[0]
            if answer not in _GUESSED and len(_places(answer, sentence)) == 1:
                gap = sentence[: match.start()] + GAP + sentence[match.end() :]
                yield Fact(chunk.title, "gap", (answer,), gap)


def _prose(text: str) -> list[str]:
    """The sentences of running text, each on one line; headings, tables, directives and code are left out."""
    lines = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL).split("\n")
    runs: list[Sequence[str]] = [lines[start:end] for start, end in blocks(lines)]
    running = (" ".join(" ".join(run).split()) for run in runs if run and not _MARKUP.match(run[0]))
    return [sentence for run in running for sentence in sentences(run) if _unmarked(sentence)]


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if len(line) <= _LONGEST_LINE and not _IMPORT.match(line) and _unmarked(line)]


def _unmarked(text: str) -> bool:
    """Whether a reader can tell our marks in it from the text's own, because it has none."""
    return HIDDEN not in text and GAP not in text


def _written(literal: str) -> tuple[str, ...]:
    if literal[0] in "\"'":
        return (literal[1:-1],)
    plain = literal.replace("_", "")
    grouped = f"{int(plain):,}" if plain.lstrip("-").isdecimal() else plain
    return tuple(dict.fromkeys((literal, plain, grouped)))


def _places(answer: str, text: str) -> list[str]:
    return re.findall(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE)
