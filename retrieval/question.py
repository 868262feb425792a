"""What a question says outright, read without a model: files, lines, quotations, errors, and what it compares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.names import is_file

LIMIT = 2000
"""Characters that words and vectors are made of. More of a paste costs time and adds no aim."""

FRAMES = 12
"""Frames of a trace that are followed, those nearest to the error."""

EXACT = 8
"""Quotations, messages, dates and versions that are looked for."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# Frames of Python; of Java and JavaScript; of pytest, Go, Rust, Ruby, compilers and grep. Every repetition is bounded.
_PYTHON_FRAME = re.compile(r'File "([^"\n]{1,400})", line (\d{1,7})(?:, in ([\w.<>]{1,200}))?')
_AT_FRAME = re.compile(r"\bat (?:async )?([\w$.<>\[\] ]{1,200}?) ?\(([^()\s]{1,400}?):(\d{1,7})(?::\d{1,7})?\)")
_PLACE = re.compile(
    r"(?<![\w./\\@-])([\w./\\@-]{1,400}\.[A-Za-z]\w{0,4}):(\d{1,7})(?::\d{1,7})?(?!\w)"
    r"(?::in [`'](?:\w+[#.])?(\w{1,99}))?"
)
_FILE = re.compile(r"(?<![\w./\\@:-])((?:[\w.@-]{1,100}[/\\]){0,20}[\w@-][\w.@-]{0,100}\.[A-Za-z]\w{0,4})(?![\w/\\-])")
_ERROR = re.compile(
    r"^[\sE>|+]{0,40}(?:Caused by: |Uncaught |Exception in thread \S{1,80} )?"
    r"((?:\w{1,80}\.){0,12}(?:[A-Z]\w{0,80})?(?:Error|Exception|Warning|Interrupt|Exit|Fault|Abort))"
    r"(?::[ \t]*(.{0,600}))?$",
    re.MULTILINE,
)
_TRACE_LINE = re.compile(
    r"\s*(?:Traceback \(|During handling|The above exception|File \"|at [\w$.<]|[\^~\s]+$|\.\.\. \d+ more)"
)
_QUOTED = re.compile(r"\"([^\"\n]{4,200})\"|“([^”\n]{4,200})”|«([^»\n]{4,200})»")
_VERSION = re.compile(r"(?<![\w.])v?(\d{1,4}\.\d{1,4}(?:\.\d{1,6}){0,3})(?![\w.]*\w)")
_DATE = re.compile(r"(?<![\w-])(\d{4}-\d{2}-\d{2})(?![\w-])")
# What a message quotes or counts differs each time; its other words stand in the code that raises it.
_FILLED = re.compile(r"'[^']{0,200}'|\"[^\"]{0,200}\"|`[^`]{0,200}`|<[^>]{0,200}>|\S*[\d/\\=]\S*")
_SIDES = (
    re.compile(r"\bdifferences? between (.{2,80}?) and (.{2,80}?)[?.!]?$", re.IGNORECASE),
    re.compile(r"^compare (.{2,80}?) (?:and|with|to) (.{2,80}?)[?.!]?$", re.IGNORECASE),
    re.compile(r"\bwhich (?:one )?of (.{2,80}?) (?:and|or) (.{2,80}?)(?:,| (?:is|was|has|came|does|did)\b|\?|$)", re.I),
    re.compile(r"\bboth (.{2,80}?) and (.{2,80}?)(?:,| (?:are|were|have|had|located|from|in|by|do|did)\b|\?|$)", re.I),
    re.compile(r"[,:;] (?:the )?([^,:;?]{2,80}?),? or (?:the )?([^,:;?]{2,80}?)\?*$", re.IGNORECASE),
    re.compile(r"^((?:\S+ ){0,3}\S+?) (?:vs\.?|versus|or) ((?:\S+ ){0,3}\S+?)\?*$", re.IGNORECASE),
)
_LONGEST_SIDE = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A file as the question writes it; the line and the function where it tells them, else 0 and ""."""

    path: str
    line: int = 0
    function: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Question:
    """`text` is what words and vectors are searched for, in one line, at most `LIMIT` characters; "" asks nothing.

    `places` are files, the one that matters most first. `exact` are strings that stand in the sources as they are.
    `sides` are the two things that a comparison asks about, or none.
    """

    text: str
    places: tuple[Place, ...] = ()
    exact: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()


def read(query: str) -> Question:
    """Read a question of any length, a pasted trace too: of that, the error and the frames nearest to it count."""
    query = _CONTROL.sub(" ", query)
    frames = list(dict.fromkeys(_frames(query)))[-FRAMES:]
    errors = [(match[1], (match[2] or "").strip()) for match in _ERROR.finditer(query)]
    if frames and (len(frames) > 1 or errors):
        text = _of_trace(query, frames, errors)
        asked = [*reversed(frames)]
    else:
        text = _ends(" ".join(query.split()))
        asked = [*frames, *(Place(match[1].replace("\\", "/")) for match in _FILE.finditer(text) if is_file(match[1]))]
    text = _VERSION.sub(r"\1", text)
    places = {place.path.rpartition("/")[2] + str(place.line): place for place in reversed(asked)}
    known = {place.path for place in asked if place.line}
    return Question(
        text=text,
        places=tuple(p for p in reversed(places.values()) if p.line or p.path not in known)[:FRAMES],
        exact=tuple(dict.fromkeys(_exact(text, errors)))[:EXACT],
        sides=() if frames else _sides(text),
    )


def _frames(query: str) -> Iterator[Place]:
    """The places that a trace goes through, in the order of the text: the error is nearest to the last, as in Python;
    for Java and JavaScript, whose error stands first, they come the other way round."""
    yield from (Place(m[1].replace("\\", "/"), int(m[2]), _bare(m[3])) for m in _PYTHON_FRAME.finditer(query))
    at = [Place(m[2].replace("\\", "/"), int(m[3]), _bare(m[1])) for m in _AT_FRAME.finditer(query)]
    yield from reversed(at)
    inside = {str(place) for place in at}
    places = (Place(m[1].replace("\\", "/"), int(m[2]), _bare(m[3])) for m in _PLACE.finditer(query))
    yield from (place for place in places if str(place) not in inside)


def _bare(function: str | None) -> str:
    name = (function or "").strip().rpartition(".")[2].rpartition(" ")[2]
    return name if name.isidentifier() else ""


def _of_trace(query: str, frames: Sequence[Place], errors: Sequence[tuple[str, str]]) -> str:
    """The words of a trace that aim: what was written around it, its last errors, and where it ended."""
    around: list[str] = []
    code = False
    for line in query.split("\n"):
        trace = bool(_TRACE_LINE.match(line) or _ERROR.match(line) or _PLACE.search(line))
        if not trace and not (code and line[:1].isspace()):
            around.append(line)
        code = trace
    said = " ".join(f"{name} {message}".strip() for name, message in dict.fromkeys(reversed(errors)))
    through = " ".join(f"{place.function} {place.path.rpartition('/')[2]}".strip() for place in reversed(frames))
    third = LIMIT // 3
    return " ".join(" ".join((_ends(" ".join(" ".join(around).split()), third), said[:third], through[:third])).split())


def _ends(text: str, limit: int = LIMIT) -> str:
    """The beginning of a text that is too long, and its end, where what was pasted says most."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit * 3 // 5], text[-(limit * 2 // 5 - 1) :]
    return f"{head} {tail}"


def _exact(text: str, errors: Sequence[tuple[str, str]]) -> Iterator[str]:
    for _, message in reversed(errors):
        yield from (part for part in (p.strip(" .,:;()") for p in _FILLED.split(message)) if len(part.split()) >= 3)
    yield from (" ".join(next(filter(None, match.groups())).split()) for match in _QUOTED.finditer(text))
    yield from (match[1] for match in _DATE.finditer(text))
    yield from (match[1] for match in _VERSION.finditer(text))


def _sides(text: str) -> tuple[str, ...]:
    for pattern in _SIDES:
        if match := pattern.search(text):
            sides = tuple(side.strip(" ,\"'“”`") for side in match.groups())
            if all(side and len(side.split()) <= _LONGEST_SIDE for side in sides):
                return sides
    return ()
