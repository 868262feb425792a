"""The library on the page as HTML: what is indexed and in what state, its documents, one of them open.

Pure; whatever is not ours is escaped, and every list is bounded and counts what it leaves out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.types import Chunk, Document
from ui import markup
from ui.intake import Job
from ui.render import by_reason, counted, failure_line, megabytes, place
from ui.traced import when

if TYPE_CHECKING:
    from retrieval.library import Status
    from retrieval.manifest import Failure, Listed
    from retrieval.types import Source

PAGE = 50
"""Documents on one page of the list."""

LINES = 200
"""Lines on one page of a document."""

LINE = 2_000
"""Characters of a line that are shown."""

NAMES = 40
"""Names of a chunk that are shown of one kind."""

SHOWN = 100
"""Failures, stale files, skipped files and copies that are listed of each."""

_PLACE = re.compile(r"#L(\d{1,9})(?:-(\d{1,9}))?\Z")

# What can be done about a failure, by its reason; the message says what happened.
_REMEDIES = {
    "encrypted": "Save a copy without a password, and index that.",
    "no_text": "It holds pictures of text: run it through text recognition first.",
    "too_large": "Cut it into smaller files.",
    "too_deep": "Flatten it, or leave it out.",
    "too_slow": "Try again; where it stays slow, save it in another format.",
    "syntax": "Open it in the program that made it, and save it anew.",
    "sandbox": "Run `hoplite doctor`, which says what the sandbox lacks here.",
    "parser_missing": "Install what the message names.",
    "unreadable": "Check who may read it.",
    "gone": "It moved meanwhile: bring the index up to date.",
    "refused": "Its site does not want to be read by programs, or leads elsewhere.",
    "binary": "It is no text: export it as text, Markdown or PDF.",
    "crash": "Its parser failed on it: save it in another format.",
}
_SKIPS = {
    "ignored": "by .gitignore, or because tools make such files",
    "binary": "no text",
    "too_large": "larger than is read",
    "too_deep": "a path longer than the system can open",
    "gitignore": "below a .gitignore that is too costly to obey",
    "symlink_folder": "a link to a folder",
    "symlink_outside": "a link that leads outside",
    "special": "no regular file",
    "unreadable": "may not be read",
}


@dataclass(frozen=True, slots=True)
class At:
    """A document that is to be opened, and the lines that it is opened for; 0 where none are named."""

    path: str
    start_line: int = 0
    end_line: int = 0


def at(said: str) -> At:
    """Return the place that a link names: `PATH` or `PATH#L12-18`."""
    named = _PLACE.search(said)
    if named is None:
        return At(said)
    start = int(named[1])
    return At(said[: named.start()], start, max(start, int(named[2] or start)))


def document_link(path: str, title: str = "", line: int = 0) -> str:
    """Return a link that opens a document, at a line where one is named."""
    return markup.opens("library", f"doc:{path}{f'#L{line}' if line else ''}", title or path)


# What is indexed ------------------------------------------------------------------------------------------------------


def status(now: Status) -> str:
    """Return what is indexed, stale, failed, skipped and stored once, with sizes, and what to do about each."""
    held = (
        f"{counted(now.totals.documents, 'document')}, {counted(now.totals.chunks, 'passage')}, {megabytes(now.size)}"
    )
    languages = ", ".join(f"{name} {number:,}" for name, number in list(now.languages.items())[:8])
    embedder = f" · {now.settings.embedder}" if now.settings else ""
    dense = f" · {now.dense.model} for {now.dense.done:,} of {now.dense.chunks:,}" if now.dense else ""
    store = f" · on {now.server.place}" if now.server else ""
    changed = f"last change {_moment(now.indexed_at)}"
    name, about = now.base.name or str(now.base), f"{languages}{embedder}{dense}{store}"
    head = (
        f"<p><b>{markup.escaped(name)}</b>: {markup.escaped(held)}, {markup.escaped(changed)}</p>"
        f"<p class=note>{markup.escaped(about)}<br><code>{markup.escaped(str(now.folder))}</code></p>"
    )
    return f'<div class="library">{head}{_sources(now.sources)}{_stale(now)}{_failed(now.failures)}{_rest(now)}</div>'


def _sources(sources: Sequence[Source]) -> str:
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(source.asked, []).append(source)
    rows = []
    for asked, found in list(groups.items())[:SHOWN]:
        newest = max(found, key=lambda source: source.fetched_at)
        about = [f"{len(found):,} {'files' if newest.kind == 'upload' else 'pages'}"] if len(found) > 1 else []
        about += [f"at commit {newest.commit[:7]}"] if newest.commit else []
        about += ["with local changes"] if newest.dirty else []
        about += [f"read {_moment(newest.fetched_at)}"]
        what = newest.prefix if newest.kind in ("folder", "git") else asked
        again = f"{markup.opens('library', f'again:{asked}', 'read again')} " if newest.kind in ("git", "web") else ""
        gone = _removes(what) if newest.kind != "document" else ""  # what a program handed over is its own to take back
        rows.append(
            f"<li>{markup.opens('library', f'folder:{what}', asked) if newest.kind != 'web' else markup.escaped(asked)}"
            f" <i>{markup.escaped(', '.join(about))}</i> {again}{gone}</li>"
        )
    more = f"<li>and {len(groups) - SHOWN:,} more</li>" if len(groups) > SHOWN else ""
    return f"<h4>Indexed</h4><ul class=traces>{''.join(rows)}{more}</ul>" if rows else ""


def _stale(now: Status) -> str:
    if not now.stale:
        return "<p class=good>✓ Every file is as it was indexed.</p>"
    gone = set(now.gone)
    rows = [
        f"<li>{document_link(path)} <i>{'the file is gone' if path in gone else 'the file changed'}</i></li>"
        for path in now.stale
    ]
    title = f"<span class=bad>{counted(len(now.stale), 'document')} changed since</span>"
    hint = "<p class=note>Answers may cite what is not there any more. “Bring up to date” reads these files again.</p>"
    return markup.folded(title, hint + _list(rows), name="part")


def _failed(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    title = f"<span class=bad>{counted(len(failures), 'file')} failed</span>: " + markup.escaped(
        by_reason(Counter(failure.reason for failure in failures))
    )
    rows = []
    for failure in failures:
        remedy = _REMEDIES.get(failure.reason, "")
        said = markup.escaped(failure_line(failure.path, failure.message)[:500])
        rows.append(f"<li>{said}{f'<br><i>{markup.escaped(remedy)}</i>' if remedy else ''}</li>")
    return markup.folded(title, _list(rows), name="part failures")


def _rest(now: Status) -> str:
    parts = ""
    if now.skips:
        rows = []
        for reason, number in sorted(now.skips.items(), key=lambda item: (-item[1], item[0])):
            paths = now.skipped_paths.get(reason, ())[:SHOWN]
            inner = [f"<li><code>{markup.escaped(path)}</code></li>" for path in paths]
            why = f"{number:,} {reason.replace('_', ' ')}: {_SKIPS.get(reason, 'not wanted')}"
            rows.append(markup.folded(markup.escaped(why), _list(inner, number), name="part"))
        title = f"Skipped: {markup.escaped(by_reason(now.skips))}"
        parts += markup.folded(title, "".join(rows), name="part")
    if now.copies:
        rows = [
            f"<li>{document_link(path)} <i>with</i> {document_link(original)}</li>"
            for path, original in now.copies.items()
        ]
        title = f"{counted(len(now.copies), 'document')} stored once, with the one whose text they have"
        parts += markup.folded(title, _list(rows), name="part")
    return parts


def _list(rows: Sequence[str], number: int | None = None) -> str:
    """The first of some rows, and how many more there are."""
    more = (len(rows) if number is None else number) - min(len(rows), SHOWN)
    left = f"<li>and {more:,} more; <code>hoplite status --json</code> has all</li>" if more > 0 else ""
    return f"<ul>{''.join(rows[:SHOWN])}{left}</ul>"


# What is being brought in ---------------------------------------------------------------------------------------------


def job(now: Job | None, line: str) -> str:
    """Return how far what is being brought in is, or what it came to."""
    if now is None:
        return ""
    name = f"<b>{markup.escaped(now.name[:200])}</b>"
    if not now.over:
        wait = "Questions wait until it is done, and what was found already stays found."
        return f'<div class="job working-on"><p>{name}<br>{markup.escaped(line)}</p><p class=note>{wait}</p></div>'
    if now.failed:
        return f'<div class="job"><p>{name}</p><p class=bad>{markup.escaped(now.failed)}</p></div>'
    return f'<div class="job"><p>{name}</p><p>{markup.escaped(now.said)}</p>{_failed(now.failed_files)}</div>'


def problem(text: str) -> str:
    """Return what went wrong and what to do, as the person is told it."""
    return f"<p class=bad>{markup.escaped(text)}</p>"


def nothing(text: str) -> str:
    """Return what is said where there is nothing to show."""
    return f'<p class="empty">{markup.escaped(text)}</p>'


# The list of documents ------------------------------------------------------------------------------------------------


def listed(found: Sequence[Listed], page: int, state: Callable[[Listed], str], opened: str = "") -> str:
    """Return one page of documents, counted from 0, each a link that opens it."""
    if not found:
        return nothing("No document fits. Take the filter away, or add a folder above.")
    first = page * PAGE
    rows = "".join(_line(each, state(each), opened) for each in found[first : first + PAGE])
    last = min(first + PAGE, len(found))
    return f"<p class=note>{first + 1:,} to {last:,} of {len(found):,}</p><ul class=traces>{rows}</ul>"


def pages(number: int) -> int:
    """Return how many pages so many documents take."""
    return max(1, -(-number // PAGE))


def _line(each: Listed, state: str, opened: str) -> str:
    about = f"{each.language or each.kind} · {_size(each.size)} · {counted(each.chunks, 'passage')}"
    copy = f" · stored with {each.original}" if each.original else ""
    mark = "" if state == "same" else f" <span class=bad>{'gone' if state == 'gone' else 'changed'}</span>"
    current = " class=current" if each.path == opened else ""
    return f"<li{current}>{document_link(each.path)}{mark} <i>{markup.escaped(about + copy)}</i></li>"


# A document -----------------------------------------------------------------------------------------------------------


def document(
    shown: At,
    loaded: Document | None,
    chunks: Sequence[Chunk],
    known: Collection[str],
    *,
    changed: bool,
    original: str = "",
) -> str:
    """Return a document: its lines a page at a time, and what each chunk of that page defines and mentions. `known` are
    the names among those that something here defines; `changed` is it since it was indexed."""
    head = f"<h3>{_crumbs(shown.path)}</h3>"
    about = [counted(len(chunks), "passage")]
    about += [loaded.language or loaded.kind] if loaded else []
    about += [f"most of its text is stored with {original}"] if original else []
    told = f"<p class=note>{markup.escaped(' · '.join(about))} · {_removes(shown.path)}</p>"
    warning = ""
    if changed and loaded is not None:
        warning = "<p class=bad>The file changed since it was indexed; its passages below are of then.</p>"
    if loaded is None:
        gone = "The file cannot be read any more. Bring the index up to date, or remove it."
        rows = "".join(_chunk(chunk, known) for chunk in chunks[:LINES])
        return f'<div class="document">{head}{told}{problem(gone)}{rows}</div>'
    numbered = _numbered(loaded)
    page = _page_of(numbered, shown.start_line)
    there = numbered[page * LINES : (page + 1) * LINES]
    cited = range(shown.start_line, shown.end_line + 1) if shown.start_line else range(0)
    first, last = (there[0][0], there[-1][0]) if there else (1, 1)
    mine = [chunk for chunk in chunks if chunk.start_line <= last and chunk.end_line >= first]
    lines = markup.lines([(number, _cut(text, LINE)) for number, text in there], cited)
    turn = _turn(shown.path, numbered, page)
    inside = "".join(_chunk(chunk, known) for chunk in mine[:LINES])
    return (
        f'<div class="document">{head}{told}{warning}{turn}<div class="source">{lines}</div>{turn}'
        f"<h4>Passages of these lines</h4>{inside or nothing('None of these lines is in a passage.')}</div>"
    )


def _numbered(loaded: Document) -> list[tuple[int, str]]:
    texts = loaded.text.split("\n")
    return list(zip(loaded.source_lines or range(1, len(texts) + 1), texts, strict=False))


def _page_of(numbered: Sequence[tuple[int, str]], line: int) -> int:
    before = sum(number < line for number, _ in numbered)
    return min(before, max(0, len(numbered) - 1)) // LINES


def _turn(path: str, numbered: Sequence[tuple[int, str]], page: int) -> str:
    """Links to the pages before and after, where there are any."""
    last = max(0, len(numbered) - 1) // LINES
    if last == 0:
        return ""
    links = [
        document_link(path, title, max(1, numbered[to * LINES][0]))
        for title, to in (("first", 0), ("previous", page - 1), ("next", page + 1), ("last", last))
        if 0 <= to <= last and to != page
    ]
    return f"<p class=turn>Page {page + 1:,} of {last + 1:,} · {' · '.join(links)}</p>"


def _chunk(chunk: Chunk, known: Collection[str]) -> str:
    where = place(chunk.path, chunk.start_line, chunk.end_line, chunk.page)
    title = f"<b>{markup.escaped(_cut(chunk.title or chunk.header, 120))}</b> <code>{markup.escaped(where)}</code>"
    header = f"<p class=note>{markup.escaped(_cut(chunk.header, 300))}</p>"
    link = markup.opens("library", f"doc:{chunk.path}#L{chunk.start_line}-{chunk.end_line}", "show these lines")
    names = _names("defines", chunk.defines, chunk.defines) + _names("mentions", chunk.mentions, known)
    return markup.folded(title, f"{header}{names}<p>{link}</p>", name="part chunk")


def _names(what: str, names: Sequence[str], known: Collection[str]) -> str:
    """Names, those that lead somewhere first and as links."""
    if not names:
        return ""
    ordered = sorted(names, key=lambda name: name not in known)
    shown = ", ".join(
        markup.opens("library", f"name:{name}", _cut(name, 80)) if name in known else markup.escaped(_cut(name, 80))
        for name in ordered[:NAMES]
    )
    more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return f"<p><i>{what}</i> {shown}{more}</p>"


def _crumbs(path: str) -> str:
    """A path whose folders are links."""
    parts = path.split("/")
    links = [
        markup.opens("library", f"folder:{'/'.join(parts[: n + 1])}", part or "/") for n, part in enumerate(parts[:-1])
    ]
    return " / ".join([*links, markup.escaped(parts[-1])])


def folder(path: str, found: Sequence[Listed]) -> str:
    """Return a folder: how much of it is indexed, and the first of its documents."""
    if not found:
        return nothing(f"Nothing that is indexed lies in {path}.")
    name = "everything" if path == "." else path
    about = f"{counted(len(found), 'document')}, {counted(sum(each.chunks for each in found), 'passage')}"
    rows = [f"<li>{document_link(each.path)}</li>" for each in found]
    left = f"<li>and {len(found) - SHOWN:,} more</li>" if len(found) > SHOWN else ""
    return (
        f'<div class="document"><h3>{_crumbs(name)}</h3><p class=note>{about} · '
        f"{_removes(path)}</p><ul>{''.join(rows[:SHOWN])}{left}</ul></div>"
    )


def asks(what: str, documents: int, passages: int, *, copied: bool) -> str:
    """Return the question whether something is to be removed, and what that means."""
    counts = f"{counted(documents, 'document')} with {counted(passages, 'passage')}"
    kept = (
        "The copy that the workspace keeps is deleted, too." if copied else "The files themselves stay where they are."
    )
    asked = f"Remove <b>{markup.escaped(what)}</b> from the index? That is {counts}. {kept}"
    return f'<div class="confirm"><p>{asked}</p></div>'


def _removes(what: str) -> str:
    return markup.opens("library", f"remove:{what}", "remove")


def names_of(chunks: Iterable[Chunk]) -> list[str]:
    """Return every name that these chunks mention, once."""
    return list(dict.fromkeys(name for chunk in chunks for name in chunk.mentions))


def _size(size: int) -> str:
    return f"{size / 1000:,.1f} kB" if size < 100_000 else megabytes(size)


def _moment(moment: str | None) -> str:
    from datetime import datetime

    return when(datetime.fromisoformat(moment).timestamp()) if moment else "never"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
