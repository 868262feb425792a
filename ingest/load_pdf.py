"""PDF as Markdown-like text, a text for each page. Runs in the locked child.

Text comes in the order in which the file writes it, which is the reading order in what word processors and TeX make,
two columns included; pypdf's layout mode instead puts what stands side by side on one line. Of 120 sentences set in two
columns, plain mode keeps 120 whole and layout mode 6.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from statistics import median
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from ingest.errors import FileFailed
from ingest.load_pdf_hidden import Matrix, Onlooker, product, scale
from ingest.marked import heading, plain, spaced, squeezed

LARGER = 1.12
"""How much larger than the body a heading's letters are at the least."""

REPEATED = 0.4
"""Share of the pages at whose edge a line stands that is a running head or foot; they often differ left and right."""

UNREAD = "[This page is damaged and could not be read.]"

# What pypdf raises over damage: its own errors, and those of Python where it found something else than it looked for.
_DAMAGE = (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
_RUNNING = 3  # pages on which a line must stand to be one
_EDGE = 3  # lines at the top and at the bottom of a page among which running heads and feet are looked for
_GAP = 1.35  # how much further apart than usual lines are between paragraphs
_LONGEST_HEADING = 120
_LIST = 3  # headings on one page that end in a number: a table of contents
_DEEPEST = 4  # sizes that count as levels of headings
_MOST_BOOKMARKS = 5_000
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_LETTERS = {**_LIGATURES, 0xAD: "-"}  # a soft hyphen is only written where it was used
_NUMBER = re.compile(r"^(?:(?i:chapter|section|part|appendix)\s+)?(?:(?:\d{1,3}|[A-Z])(?:\.\d+)*|[IVXLC]+)\.?\s+")
_LEADERS = re.compile(r"(?:\s?\.){4,}\s?|\s?…{2,}\s?")
_ADDRESS = re.compile(r"\S@\S|://")
_LISTED = re.compile(r"\s\d{1,4}$")
_BROKEN = re.compile(r"([^\W\d_]+)-$")
_REST = re.compile(r"([^\W\d_]+)(\S*)\s*")
_BOLD = re.compile(r"bold|black|heavy|demi|^/(?:\w{6}\+)?(?:CM|SF|EC)[BS]?BX", re.I)
_NO_TITLE = re.compile(r"^(?:untitled|microsoft word|\W*$)|\.(?:docx?|tex|dvi|indd|qxd|pdf|rtf|pptx?)$", re.I)


@dataclass(slots=True)
class _Line:
    """A line of a page: its text, its size in points, the height of its baseline, and whether all of it is bold."""

    text: str
    size: float
    height: float
    bold: bool
    level: int = 0
    parted: bool = False  # from the line above, as paragraphs are


@dataclass(slots=True)
class _Piece:
    """Text that is shown at once: a line or less."""

    text: str
    size: float
    height: float
    bold: bool


_Page = list[_Line]


def read_pdf(data: bytes) -> list[str]:
    """Return the text of each page.

    Headings are the bookmarks' lines where there are bookmarks, else lines in larger or in bold letters. Running heads
    and feet are left out, and so is text that nobody can see; see `Onlooker`. A page that cannot be read says so.

    Raises:
        FileFailed: "encrypted", "syntax", or "no_text" where no page has any.
    """
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise FileFailed("encrypted", "it asks for a password")
        pages = _pages(reader)
        title, bookmarks = _title(reader), _bookmarks(reader)
    except _DAMAGE as error:
        raise FileFailed("syntax", f"{type(error).__name__}: {error}") from error
    _drop_running(pages)
    if not any(pages):
        raise FileFailed("no_text", f"{len(pages)} pages")
    _part(pages)
    if not _mark_bookmarks(pages, bookmarks):
        _mark_by_look(pages)
    _join_hyphens(pages)
    return _written(pages, title)


# Lines --------------------------------------------------------------------------------------------------------------


def _pages(reader: PdfReader) -> list[_Page]:
    """Every page's lines. Raises what the first one raised where none can be read."""
    pages: list[_Page] = []
    damage: list[Exception] = []
    for page in reader.pages:
        try:
            pages.append(list(_lines(page)))
        except _DAMAGE as error:
            damage.append(error)
            pages.append([_Line(UNREAD, 0.0, 0.0, bold=False)])
    if damage and len(damage) == len(pages):
        raise damage[0]
    return pages


def _lines(page: Any) -> Iterator[_Line]:
    """The page's lines that hold something, in the order in which the file writes them."""
    onlooker = Onlooker(page)
    pieces: list[_Piece] = []

    def visit(text: str, cm: Matrix, tm: Matrix, font: Any, size: float) -> None:
        if text:
            place = product(tm, cm)
            name = str(font.get("/BaseFont", "")) if font else ""
            pieces.append(_Piece(text, abs(size) * scale(place), place[5], bool(_BOLD.search(name))))

    page.extract_text(visitor_operand_before=onlooker.before, visitor_operand_after=onlooker.after, visitor_text=visit)
    if onlooker.saw_nothing and onlooker.shows_image:
        # The text layer of a scan: invisible, over the picture of the same text. The only invisible text that is kept.
        pieces.clear()
        page.extract_text(visitor_text=visit)
    row: list[_Piece] = []
    for piece in pieces:
        *ended, rest = piece.text.split("\n")
        for text in ended:
            yield from _line([*row, _Piece(text, piece.size, piece.height, piece.bold)])
            row = []
        row.append(_Piece(rest, piece.size, piece.height, piece.bold))
    yield from _line(row)


def _line(row: Sequence[_Piece]) -> Iterator[_Line]:
    text = _LEADERS.sub(" … ", spaced("".join(piece.text for piece in row).translate(_LETTERS)))
    inked = [piece for piece in row if piece.text.strip()]
    if text and inked:
        main = max(inked, key=lambda piece: len(piece.text.strip()))
        yield _Line(text, round(main.size, 1), main.height, all(piece.bold for piece in inked))


def _drop_running(pages: Sequence[_Page]) -> None:
    """Take out what stands at the edge of many pages, numbers aside."""

    def form(line: _Line) -> str:
        return re.sub(r"\d+|\b[ivxlc]+\b", "#", squeezed(line.text).lower())

    seen: Counter[str] = Counter()
    for page in pages:
        edge = [*page[:_EDGE], *page[-_EDGE:]]
        seen.update({form(line) for line in edge} | {line.text for line in edge})
    least = max(_RUNNING, REPEATED * len(pages))
    met: set[str] = set()
    for page in pages:
        last = len(page) - _EDGE
        kept = []
        for i, line in enumerate(page):
            # A chapter's title runs on over its own pages only, and first it may be the chapter's heading.
            again = seen[line.text] >= _RUNNING and line.text in met
            if not ((i < _EDGE or i >= last) and (again or seen[form(line)] >= least)):
                kept.append(line)
            met.add(line.text)
        page[:] = kept or page  # a page that has nothing else is no page with a running head


def _part(pages: Sequence[_Page]) -> None:
    """Find where paragraphs begin: below a gap wider than between most lines."""
    steps = [a.height - b.height for page in pages for a, b in pairwise(page)]
    downward = [step for step in steps if 2 < step < 60]
    usual = median(downward) if downward else 12.0
    for page in pages:
        for above, line in pairwise(page):
            line.parted = above.height - line.height > _GAP * max(usual, line.size)


# Headings -----------------------------------------------------------------------------------------------------------


def _title(reader: PdfReader) -> str:
    written = reader.metadata.title if reader.metadata else None
    title = squeezed(written)[:200] if isinstance(written, str) else ""
    return "" if _NO_TITLE.search(title) else title


def _bookmarks(reader: PdfReader) -> list[tuple[str, int, int]]:
    """The outline as (title, level, page counted from 0), in its own order."""
    found: list[tuple[str, int, int]] = []

    def descend(entries: Sequence[Any], level: int) -> None:
        for entry in entries:
            if len(found) >= _MOST_BOOKMARKS:
                return
            if isinstance(entry, list):
                descend(entry, level + 1)
                continue
            page = reader.get_destination_page_number(entry)
            if page is not None and entry.title:
                found.append((str(entry.title), level, page))

    try:
        descend(reader.outline, 1)
    except _DAMAGE:
        return []  # a broken outline is no reason to lose the text
    return found


def _bare(text: str) -> str:
    """A title as it is compared: without its number, in letters and digits alone."""
    text = text.translate(_LIGATURES).strip()
    return "".join(c for c in _NUMBER.sub("", text, count=1) or text if c.isalnum()).lower()


def _mark_bookmarks(pages: Sequence[_Page], bookmarks: Sequence[tuple[str, int, int]]) -> bool:
    """Make headings of the lines that the bookmarks name, one or two lines each; return whether most were found."""
    marked = 0
    for title, level, number in bookmarks:
        wanted = _bare(title)
        lines = pages[number] if number < len(pages) else []
        for i, line in enumerate(lines):
            if not wanted or line.level or len(line.text) > 2 * _LONGEST_HEADING:
                continue
            # A section's line may go on after its title, but then its number says that it is the title's.
            numbered = bool(_NUMBER.match(title)) and line.text.lower().startswith(f"{squeezed(title).lower()} ")
            if _bare(line.text) == wanted or numbered:
                line.level = level
            elif i + 1 < len(lines) and _bare(f"{line.text} {lines[i + 1].text}") == wanted:
                line.text, line.level = f"{line.text} {lines[i + 1].text}", level
                del lines[i + 1]
            else:
                continue
            marked += 1
            break
    return marked > len(bookmarks) / 2


def _mark_by_look(pages: Sequence[_Page]) -> None:
    """Make headings of the short lines in letters larger than the body's, and of those in bold that stand apart."""
    letters: Counter[float] = Counter()
    for page in pages:
        for line in page:
            letters[line.size] += len(line.text)
    body = letters.most_common(1)[0][0]
    larger = [line for page in pages for line in page if line.size > LARGER * body and _could_head(line)]
    sizes = sorted({line.size for line in larger}, reverse=True)
    # Sizes that differ by less than a reader sees are one level.
    levels: dict[float, int] = {}
    for above, size in zip([None, *sizes], sizes, strict=False):
        before = levels.get(above, 0) if above else 0
        levels[size] = before if above and above / size < 1.04 else min(before + 1, _DEEPEST)
    for line in larger:
        line.level = line.level or levels[line.size]
    bold = sum(len(line.text) for page in pages for line in page if line.bold)
    if bold < 0.2 * letters.total():
        deepest = max(levels.values(), default=0) + 1
        for page in pages:
            for i, line in enumerate(page):
                alone = (line.parted or i == 0) and (i + 1 == len(page) or not page[i + 1].bold)
                if line.bold and alone and not line.level and line.size >= body and _could_head(line):
                    line.level = deepest
    for page in pages:
        listed = [line for line in page if line.level and _LISTED.search(line.text)]
        for line in listed if len(listed) >= _LIST else ():
            line.level = 0
        _join_wrapped(page)


def _could_head(line: _Line) -> bool:
    """A heading is short, has a word, and is no sentence."""
    text = line.text
    wordy = sum(c.isalpha() for c in text) >= max(3, len(text) / 3)
    return (
        len(text) <= _LONGEST_HEADING
        and wordy
        and not text.endswith((".", ",", ";", ":", "…"))
        and text[0] not in "•–-|"
        and not _ADDRESS.search(text)
    )


def _join_wrapped(page: _Page) -> None:
    """Make one of a heading that takes two or three lines."""
    joined: list[_Line] = []
    for line in page:
        above = joined[-1] if joined else None
        alike = above and line.level and (above.level, above.size) == (line.level, line.size) and not line.parted
        if above and alike and len(above.text) + len(line.text) <= 2 * _LONGEST_HEADING:
            above.text = f"{above.text} {line.text}"
        else:
            joined.append(line)
    page[:] = joined


# Writing ------------------------------------------------------------------------------------------------------------


def _join_hyphens(pages: Sequence[_Page]) -> None:
    """Join words that were broken at a line's end. The hyphen stays where the document writes the word with one."""
    text = "\n".join(line.text for page in pages for line in page).lower()
    hyphened = set(re.findall(r"[^\W\d_]+-[^\W\d_]+", text))
    for page in pages:
        for line, below in pairwise(page):
            first, rest = _BROKEN.search(line.text), _REST.match(below.text)
            if not first or not rest or not rest.group(1)[0].islower() or line.level or below.level or below.parted:
                continue
            whole = f"{first.group(1)}-{rest.group(1)}"
            kept = whole if whole.lower() in hyphened else whole.replace("-", "")
            line.text = f"{line.text[: first.start()]}{kept}{rest.group(2)}"
            below.text = below.text[rest.end() :]
        page[:] = [line for line in page if line.text]


def _written(pages: Sequence[_Page], title: str) -> list[str]:
    first = next((line for page in pages for line in page), None)
    own = next((line for page in pages[:1] for line in page if title and _bare(line.text) == _bare(title)), None)
    if own:
        own.level = 1
    texts: list[str] = []
    for page in pages:
        out: list[str] = []
        for line in page:
            if title and not own and line is first:
                out += [heading(1, title), ""]
            if line.level:
                # Below the title, where there is one.
                level = line.level + 1 if title and line is not own else line.level
                out += ["", heading(level, line.text), ""]
            else:
                out += [""] * line.parted + [plain(line.text)]
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip("\n")
        # A sentence that goes on overleaf stays in one paragraph.
        texts.append(text + "\n" if text.endswith((".", "!", "?", ":", "|")) or not text else text)
    return texts
