"""An answer as a Markdown page with footnotes: what is saved, sent on, or shown where Markdown is read.

Questions, models, documents and file names are untrusted, and a Markdown viewer fetches images and follows links by
itself. So everything that is not ours is escaped or stands in a code span, and nothing of it can become markup.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from agent.types import Answer, Citation
from ui.render import changes, place, remarks, visible

# All that CommonMark and its common extensions read: emphasis, code, links, images, HTML, entities, headings, tables,
# formulas, footnotes, addresses written out, and marks such as ==this== or :this:.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#~|$!^&@=:]")
_ADDRESS = re.compile(r"\bwww\.", re.IGNORECASE)
_LINE_START = re.compile(r"^([-+]|\d+(?=[.)]))")
_SPAN = re.compile(r"`([^`\n]+)`|\[(\d{1,4})\]")
_CELLS = _BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"-{3,}")
_HEADING = "## "
_ITEM = "- "


def as_markdown(given: Answer) -> str:
    """Return the answer as a page: its question, its text with footnotes, and what to know of its sources.

    A footnote has the place, the commit where there is one, and the quote, and says what is not as it should be: a
    quote that is not in the file, a file that changed, a sentence that a model vouches for.
    """
    notes: dict[str, list[Citation]] = {}
    for cited in (*given.citations, *(c for differ in given.disagreements for c in differ.citations)):
        if cited not in notes.setdefault(cited.label, []):
            notes[cited.label].append(cited)
    parts = [f"# {literal(' '.join(given.question.split()))}", *_blocks(given.answer, notes)]
    for differ in given.disagreements:
        (one, other), (first, second) = differ.values, differ.citations
        parts.append(
            f"The sources disagree on {span(differ.about)}: {literal(one)}{_note(first.label)}, "
            f"{literal(other)}{_note(second.label)}."
        )
    if line := changes(given):
        parts.append(literal(line))
    if given.stopped:
        parts.append(f"Stopped early ({literal(given.stopped)}): this is the best answer so far.")
    parts += [f"[^{int(label)}]: {'; '.join(map(_footnote, cited))}" for label, cited in notes.items()]
    return "\n\n".join(parts) + "\n"


def literal(text: str) -> str:
    """Return text as one line that a Markdown reader shows as it is."""
    return _begun(_escaped(" ".join(text.split())))


def span(text: str) -> str:
    """Return text as a code span, with as many backticks round it as it takes."""
    shown = visible(" ".join(text.split()))
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", shown)), default=0))
    room = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{room}{shown}{room}{fence}" if shown else ""


def _escaped(text: str) -> str:
    shown = _MARKUP.sub(r"\\\g<0>", visible(text))
    return _ADDRESS.sub(lambda found: found.group()[:-1] + "\\.", shown)


def _begun(line: str) -> str:
    """A line that begins like an item of a list, or a rule, so that it is none."""
    return _LINE_START.sub(lambda found: f"\\{found[1]}" if found[1] in "-+" else f"{found[1]}\\", line)


def _blocks(text: str, labels: Collection[str]) -> Iterator[str]:
    """Yield the paragraphs, lists, headings and tables of an answer, which the agent puts together line by line."""
    kind, held = "", list[str]()
    for line in [*text.splitlines(), ""]:
        new = "table" if line.startswith("|") else "list" if line.startswith(_ITEM) else ""
        if held and new != kind:
            yield "\n".join(held)
            held = []
        kind = new
        if new == "table":
            cells = _CELLS.split(line.strip().removeprefix("|").removesuffix("|"))
            held.append(f"| {' | '.join(_cell(cell.strip(), labels) for cell in cells)} |")
        elif new == "list":
            held.append(_ITEM + _line(line.removeprefix(_ITEM), labels))
        elif line.startswith(_HEADING):
            yield _HEADING + literal(line.removeprefix(_HEADING))
        elif line.strip():
            yield _line(line, labels)


def _cell(text: str, labels: Collection[str]) -> str:
    """A cell of a table: the rule under its head as it is, a bar inside a code span escaped."""
    if _RULE.fullmatch(text):
        return text
    return _BAR.sub(r"\\|", _line(text.replace("\\|", "|"), labels))


def _line(text: str, labels: Collection[str]) -> str:
    """A line with its code spans and its known labels as footnotes; all else is escaped."""
    text = " ".join(text.split())
    parts: list[str] = []
    at = 0
    for found in _SPAN.finditer(text):
        code, label = found.groups()
        known = span(code) if code else _note(label) if label in labels else _escaped(found.group())
        parts += [_escaped(text[at : found.start()]), known]
        at = found.end()
    return _begun("".join([*parts, _escaped(text[at:])]))


def _note(label: str) -> str:
    return f"[^{int(label)}]"


def _footnote(cited: Citation) -> str:
    where = span(place(cited.path, cited.start_line, cited.end_line, cited.page))
    return " ".join((where, *_origin(cited), f"“{literal(cited.quote)}”", *_warnings(cited)))


def _origin(cited: Citation) -> Iterator[str]:
    source = cited.source
    if source and source.commit:
        yield f"at {span(source.commit)}{' with changes that are in no commit' if source.dirty else ''}"
    if source and source.url:
        yield f"of {span(source.url)}"


def _warnings(cited: Citation) -> Iterator[str]:
    if said := ", ".join(filter(None, ("" if cited.verified else "not verified", remarks(cited)))):
        yield f"({said})"
