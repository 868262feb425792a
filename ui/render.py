"""What the terminal shows, as text. Pure: values in, lines out; whatever is not ours is escaped."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.reflect import Reflection
    from agent.types import Answer, Citation, Event, Note, Recalled, Remembered
    from ingest.types import Chunk
    from retrieval.types import Hit, Passage, Symbols

CHANGED_SHOWN = 3
EXCERPT_LINES = 3
PLACES = 8  # that are listed of one kind
WIDTH = 110
_SIGNS = {"-": "red", "+": "green"}

# Zero-width, but Persian, Hindi and many emoji are spelt with the joiners, and Chinese and Japanese with selectors of a
# variant: kept behind what they can belong to, no ASCII and not another of them.
_JOINERS = "\u200c\u200d"
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Letters and marks that Unicode wants drawn as nothing."""


def visible(text: str, *, keep: str = "") -> str:
    """Return the text with what a terminal or a reader could be fooled by written as escapes.

    These are control characters (so no escape sequence survives), bidirectional and other invisible characters, line
    and paragraph separators, half surrogates and private-use characters. `keep` names those that stay: a newline.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in keep or _seen(char, before) else char.encode("unicode_escape").decode("ascii")
        for before, char in zip(" " + text, text, strict=False)
    )


def _seen(char: str, before: str) -> bool:
    """Whether a character shows where it stands."""
    if char in _JOINERS:
        return not before.isascii() and before not in _JOINERS
    if char in _SELECTORS:
        return not before.isascii() and before not in _JOINERS and before not in _SELECTORS
    return char not in _BLANK and unicodedata.category(char) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def block(text: str) -> str:
    """Return text of several lines made visible, with tabs as spaces."""
    return visible(text.replace("\r\n", "\n").expandtabs(4), keep="\n")


def place(path: str, start_line: int, end_line: int, page: int | None = None) -> str:
    """Return `path:12-18`, or `path:12` for one line; with a page `a.pdf p. 3` or `deck.pptx slide 4`."""
    if page:
        return f"{visible(path)} {'slide' if path.lower().endswith('.pptx') else 'p.'} {page}"
    lines = f"{start_line}" if start_line == end_line else f"{start_line}-{end_line}"
    return f"{visible(path)}:{lines}"


def commit(cited: Citation) -> str:
    """Return ` @ 1a2b3c4` for a citation of a commit, with a `*` where the folder had changes that are in none."""
    source = cited.source
    return f" @ {visible(source.commit[:7])}{'*' if source.dirty else ''}" if source and source.commit else ""


def changes(given: Answer) -> str | None:
    """Return the line that says which files behind the answer are not as they were indexed; None where all are."""
    if not given.stale:
        return None
    named = ", ".join(visible(path) for path in given.stale[:CHANGED_SHOWN])
    more = f" and {len(given.stale) - CHANGED_SHOWN} more" if len(given.stale) > CHANGED_SHOWN else ""
    return (
        f"Changed since it was indexed: {named}{more}. Run `hoplite index` on its folder or address and ask again; "
        "`hoplite status` shows them."
    )


def from_cache(given: Answer) -> str | None:
    """Return the line that says of when an answer is that was kept; None for one of now."""
    if not given.cached:
        return None
    when = visible(given.cached[:16].replace("T", " "))
    return f"From the cache, asked {when} UTC; its citations were checked again. `--no-cache` asks anew."


def megabytes(size: float) -> str:
    """Return a number of bytes as people read it."""
    if size >= 1e10:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.1f} MB" if size < 1e8 else f"{size / 1e6:,.0f} MB"


def counted(number: int, what: str) -> str:
    """Return `1 file` or `2,000 files`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some(names: Sequence[str], shown: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(map(visible, names[:shown])) + more


def by_reason(counts: Mapping[str, int]) -> str:
    """Return how many of each reason, most first: `12 ignored, 3 too large`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {visible(reason.replace('_', ' '))}" for reason, number in ordered)


def failure_line(path: str, message: str) -> str:
    """Return a failure's message, with the path before it where it does not begin with that."""
    return visible(message) if message.startswith(path) else f"{visible(path)}: {visible(message)}"


def excerpt(text: str, query: str, *, lines: int = EXCERPT_LINES, width: int = WIDTH) -> str:
    """Return the run of lines that holds most of the query's words, the first of equals, each cut to `width`."""
    words = {word.casefold() for word in re.findall(r"\w+", query) if len(word) > 2}
    rows = [row for row in block(text).splitlines() if row.strip()]
    best = max(
        range(max(1, len(rows) - lines + 1)),
        key=lambda at: (sum(word in "\n".join(rows[at : at + lines]).casefold() for word in words), -at),
    )
    return "\n".join(_cut(row, width) for row in rows[best : best + lines])


def hit(number: int, found: Hit, query: str, *, width: int = WIDTH) -> str:
    """Return one hit: where it is, its header, what found it, its score and an excerpt of lines up to `width`."""
    chunk = found.chunk
    where = place(chunk.path, chunk.start_line, chunk.end_line, chunk.page)
    head = f"{number:>2}  {click.style(where, bold=True)}"
    via = ", ".join(visible(way) for way in found.via)
    return "\n".join(
        (
            f"{head}  {_header(chunk.header, chunk.path)}".rstrip(),
            click.style(f"    {via}  {found.score:.3f}", dim=True),
            *_copies(found.copies),
            textwrap.indent(excerpt(chunk.text, query, width=width), "    │ ", lambda line: True),
        )
    )


def _copies(chunks: Sequence[Chunk]) -> Iterator[str]:
    """A line that says where else the same stands."""
    if chunks:
        where = [f"{chunk.path}:{chunk.start_line}-{chunk.end_line}" for chunk in chunks]
        yield click.style(f"    the same in {some(where, 3)}", dim=True)


def symbols(known: Symbols) -> Iterator[str]:
    """Return lines for a name: each definition with what refers to it, then other mentions and the documentation."""
    if known.state == "unresolved":
        yield f"{visible(known.name)} is unresolved: mentioned here, and defined nowhere here."
    if len(known.definitions) > 1:
        yield f"{visible(known.name)} is one of {len(known.definitions)}:"
    for found in known.definitions[:PLACES]:
        yield f"{click.style(place(found.path, found.line, found.end_line), bold=True)}  {visible(found.name)}"
        yield f"    {_cut(visible(found.signature), WIDTH)}"
        for title, chunks in (
            ("called by", found.callers),
            ("perhaps called by", found.possible),
            ("imported by", found.importers),
            ("inherited by", found.subclasses),
        ):
            yield from _counted(title, chunks, "  ")
    if len(known.definitions) > PLACES:
        yield f"… {len(known.definitions) - PLACES} definitions more; --json has all"
    if not known.definitions:
        yield from _counted("defined in", [chunk for chunk in known.defined if chunk.kind == "code"])
    yield from _counted("mentioned otherwise by", known.other)
    yield from _counted("documented by", known.documentation)
    if known.state == "unmentioned":
        yield "Nobody here mentions it."


def _counted(title: str, chunks: Sequence[Chunk], indent: str = "") -> Iterator[str]:
    """A title with how many there are, and the first of them."""
    if not chunks:
        return
    yield f"{indent}{title} {len(chunks)} {'place' if len(chunks) == 1 else 'places'}"
    for chunk in chunks[:PLACES]:
        where = click.style(place(chunk.path, chunk.start_line, chunk.end_line, chunk.page), bold=True)
        yield f"{indent}  {where}  {visible(chunk.title)}"
    if len(chunks) > PLACES:
        yield f"{indent}  … {len(chunks) - PLACES} more; --json has all"


def passage(found: Passage) -> str:
    """Return a passage's line in a step: its label, its place, its header and what found it."""
    header = _header(found.header, found.path)
    return (
        f"    [{visible(found.label)}] {place(found.path, found.start_line, found.end_line, found.page)}"
        f"{'  ' + header if header else ''}  {click.style(', '.join(map(visible, found.via)), dim=True)}"
    )


def event(happened: Event) -> str | None:
    """Return what to show for one event of a run, None where it shows nothing of its own."""
    from agent import types

    match happened:
        case types.Rewritten(question=question):
            return f"{_mark('asked as')} {visible(question)}"
        case types.Recalled():
            return "\n".join(f"{_mark('memory')} {line}" for line in recalled(happened)) or None
        case types.Clarify(question=question, choices=choices):
            return "\n".join((f"{_mark('unclear')} {visible(question)}", *_listed(choices)))
        case types.Planned(line=line, parts=parts, changes=changes):
            changed = (click.style(f"    {visible(row)}", fg=_SIGNS.get(row[0])) for row in changes)
            return "\n".join((f"{_mark('plan')} {block(line).strip()}", *_listed(parts), *changed))
        case types.Searched(query=query, passages=passages, seconds=seconds):
            title = f"{_mark('search')} {visible(query)} {click.style(f'{seconds:.1f} s', dim=True)}"
            return "\n".join((title, *map(passage, passages))) if passages else f"{title}\n    nothing found"
        case types.Stepped():
            return _step(happened)
        case types.Reflected(line=line, seen=seen, then=then):
            rows = reflection(seen) if seen else iter(())
            return "\n".join((f"{_mark('reflect')} {block(line).strip()}; {then}", *(f"    {row}" for row in rows)))
        case types.Remembered():
            return f"{_mark('memory')} {noted(happened)}"
    return None


def reflection(seen: Reflection) -> Iterator[str]:
    """Return lines for how a plan stands: each sub-question with the fact that covers it, where threads
    meet, and what contradicts what."""
    for number, part in enumerate(seen.parts, 1):
        covered = " ".join(f"[{label}]" for label in part.labels)
        yield visible(f"{number}. {part.part.text}: {f'covered by {covered}' if covered else 'open'}")
        if part.fact:
            yield visible(f"   fact [{part.labels[0]}] {_cut(part.fact, WIDTH)}")
    for link in seen.links:
        yield visible(f"threads meet in [{link.label}]: {', '.join(link.names)}")
    for found in seen.contradictions:
        first, second = (f"[{unit.passage.label}] {_cut(unit.text, WIDTH)}" for unit in found.units)
        yield visible(f"contradiction, {found.about}: {first} / {second}")


def _listed(items: Sequence[str]) -> Iterator[str]:
    """Numbered lines below an event."""
    return (f"    {number}. {visible(item)}" for number, item in enumerate(items, 1))


def answer(given: Answer) -> str:
    """Return the answer with its citations, what its sources disagree on, and what to ask for more on each section."""
    parts = [block(given.answer).strip()]
    if given.citations:
        parts.append("\n".join(citation(cited) for cited in given.citations))
    parts += [click.style(line, fg="yellow") for line in disagreements(given)]
    if given.sections:
        parts.append("\n".join(("To go on:", *(f"    {visible(part.follow_up)}" for part in given.sections))))
    if line := changes(given):
        parts.append(click.style(line, fg="yellow"))
    if line := from_cache(given):
        parts.append(line)
    if given.stopped:
        parts.append(f"Stopped early ({visible(given.stopped)}): this is the best answer so far.")
    return "\n\n".join(parts)


def disagreements(given: Answer) -> Iterator[str]:
    """Yield a line for each value that the sources contradict each other in, with both places."""
    for differ in given.disagreements:
        each = (
            f"{visible(value)} [{visible(c.label)}] {place(c.path, c.start_line, c.end_line, c.page)}{commit(c)}"
            for value, c in zip(differ.values, differ.citations, strict=True)
        )
        yield f"The sources disagree on {visible(differ.about)}: {', '.join(each)}."


def remarks(cited: Citation) -> str:
    """Return what to know of a citation besides whether its quote stands: "changed since it was indexed"; else ""."""
    differs = " and ".join(word for word, holds in (("moved", cited.moved), ("changed", cited.stale)) if holds)
    said = (f"{differs} since it was indexed" if differs else "", "judged by a model" if cited.judged else "")
    return ", ".join(filter(None, said))


def citation(cited: Citation) -> str:
    """Return one citation: label, place, commit, whether the quote stands and the file changed; the quote."""
    quote = _cut(visible(" ".join(cited.quote.split())), WIDTH)
    checked = click.style("✓ verified", fg="green") if cited.verified else click.style("✗ not verified", fg="red")
    where = click.style(place(cited.path, cited.start_line, cited.end_line, cited.page), bold=True) + commit(cited)
    said = remarks(cited)
    note = click.style(f"  {said}", fg="yellow") if said else ""
    return f"[{visible(cited.label)}] {where}  {checked}{note}\n    “{quote}”"


def cost(given: Answer, seconds: float) -> str:
    """Return the line of seconds, tokens, dollars where there are any, the sandbox where code ran, and the trace."""
    used = given.usage
    calls = "1 model call" if used.calls == 1 else f"{used.calls} model calls"
    dollars = ", $ unknown" if used.dollars is None else f", ${used.dollars:.4f}" if used.dollars else ""
    tokens = f"{calls}, {used.input_tokens:,} tokens in, {used.output_tokens:,} out{dollars}"
    trace = f" · hoplite trace show {given.trace_id[:12]}" if given.trace_id.strip("0") else ""
    ran = any(step.kind == "code" for step in given.steps)
    sandbox = f" · sandbox {visible(given.sandbox)}" if ran and given.sandbox else ""
    return f"{seconds:.1f} s · {tokens if used.calls else 'no model call'}{sandbox}{trace}"


def _step(step: object) -> str:
    from agent.types import Stepped

    assert isinstance(step, Stepped)
    title = f"{_mark(f'step {step.number}')} {click.style(f'{step.seconds:.1f} s', dim=True)}"
    parts = [title, textwrap.indent(block(step.code).strip(), "    ")]
    if step.error:
        parts.append(click.style(textwrap.indent(block(step.error).strip(), "    ! "), fg="red"))
    elif step.passages:
        parts += map(passage, step.passages)
    elif step.observation.strip():
        rows = block(step.observation).strip().splitlines()
        rows = [*rows[:6], f"… {len(rows) - 6} lines more"] if len(rows) > 7 else rows
        parts.append(textwrap.indent("\n".join(_cut(row, WIDTH) for row in rows), "    → "))
    return "\n".join(parts)


def note_marks(note: Note, *, changed: bool = False, renewed: bool = False) -> str:
    """Return what to know of a note besides what it says, in parentheses after a space; "" for one without a mark.

    `changed`: its sources do not say all of it any more; `renewed`: they changed, and still say it.
    """
    said = (
        "its sources changed since"
        if changed or note.stale
        else "its sources changed and still say it"
        if renewed
        else "",
        "from text that is not your own" if note.untrusted else "",
    )
    marks = "; ".join(filter(None, said))
    return f" ({marks})" if marks else ""


def recalled(event: Recalled) -> Iterator[str]:
    """Yield a line for each note that was recalled, with its marks, and one for what could not be read."""
    for note in event.notes:
        marks = note_marks(note, changed=note.id in event.stale, renewed=note.id in event.renewed)
        yield f"asked before: {visible(note.question)}{marks}"
    if event.problem:
        yield visible(event.problem)


def noted(event: Remembered) -> str:
    """Return whether a run left a note, and how."""
    if event.note is None:
        return f"not noted: {visible(event.reason)}"
    how = {"merged": ", with what was noted before", "replaced": ", in the place of what was noted before"}
    return f"noted for the next time{how.get(event.how, '')}"


def day(seconds: float) -> str:
    """Return the day of a time in seconds since 1970; "an unknown day" for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return "an unknown day"


def _header(header: str, path: str) -> str:
    """The header without the path it begins with, which stands beside it already."""
    return visible(header.removeprefix(path).removeprefix(" > ").strip())


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def _mark(word: str) -> str:
    return click.style(f"{word:<8}", fg="cyan", bold=True)
