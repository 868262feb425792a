"""Pairs of texts that mean the same, taken from the code and the documentation of published packages.

`python -m retrieval.training.pairs FOLDER OUT` reads every wheel and source archive in FOLDER as data and writes one
JSON object a line: `kind`, `left` (what someone might ask with) and `right` (what answers it). A docstring and the
function it describes are such a pair, and so are a heading and its section, a comment and the lines below it, a
function's name and its body. Nothing is installed, imported or run. `sources.tsv` lists the packages that the shipped
model was trained on; `retrieval.training.fetch` brings them.
"""

from __future__ import annotations

import ast
import json
import random
import re
import tarfile
import textwrap
import warnings
import zipfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from hashlib import blake2b
from pathlib import Path, PurePosixPath

import click

from ingest.chunk import chunk
from ingest.errors import HopliteError
from ingest.ids import digest
from ingest.sentences import sentences
from ingest.types import Document
from retrieval.tokens import parts_of, tokens, trail_of

LANGUAGES = {".rst": "rst", ".md": "markdown", ".txt": "rst"}
"""How a page is written, by its ending."""

IN_WHEEL = (".py", ".rst", ".md")
IN_SDIST = (".rst", ".md", ".txt")
"""What is read of either: the code is in the wheel as it runs, the documentation is in the source archive."""

LARGEST = 400_000
"""Bytes of a file; what is larger is data or generated."""

LONGEST = 2_000
"""Characters of a text of a pair."""

SHORTEST = 3
"""Terms that either side has at least."""

OF_A_PACKAGE = 6_000
"""Pairs of one kind that a package gives at most, so that none sets the tone."""

OF_A_TEXT = 2
"""Pairs in which the same left or right text may stand."""

# Where a package keeps what is not its own, what says nothing, or what is the same in a hundred packages.
_SKIPPED = re.compile(
    r"(^|/)(tests?|testing|_?vendor(ed)?|third_?party|locale|migrations|examples_?data)(/|$)|_pb2|licen[cs]e", re.I
)
_LOOSE_TEXT = re.compile(r"^(?!.*/docs?/).*\.txt$")  # Lists of requirements and of files.
_PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|HPND|PSF|Python Software Foundation|Zope|ZPL|0BSD|Unlicense|Public Domain)\b", re.I
)
_COPYLEFT = re.compile(r"\b[AL]?GPL|General Public|Mozilla|\bMPL|\bEPL|Eclipse|CeCILL|proprietary", re.I)
_FIELDS = re.compile(
    r"^\s*(:\w+|@\w+|args?|arguments|parameters|params|returns?|raises?|yields?|examples?|notes?|see also|attributes)"
    r"\b.*$",
    re.I | re.M,
)
_COMMENT = re.compile(r"^(\s*)#+\s?(.*)$")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that mean the same, and how they hang together."""

    kind: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Archive:
    """A published package as data: what it is called, under which licence it came, and its files."""

    name: str
    version: str
    licence: str
    files: Iterable[tuple[str, bytes]]


def opened(path: Path) -> Archive:
    """Return a wheel or a source archive. Raises ValueError for anything else, or where it does not say what it is."""
    if path.suffix == ".whl":
        archive = zipfile.ZipFile(path)
        about = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return _described(archive.read(about), _zipped(archive))
    if path.name.endswith(".tar.gz"):
        tar = tarfile.open(path)  # noqa: SIM115  # Read through once, while the pairs are made.
        top = path.name.removesuffix(".tar.gz")
        member = next(m for m in tar.getmembers() if m.name == f"{top}/PKG-INFO")
        return _described(_bytes(tar, member), _tarred(tar))
    raise ValueError(f"{path.name} is neither a wheel nor a .tar.gz")


def is_permissive(licence: str) -> bool:
    """Whether a licence, as a package states it, lets its text be used without passing on its own terms."""
    return bool(_PERMISSIVE.search(licence)) and not _COPYLEFT.search(licence)


def pairs_of(archive: Archive) -> Iterator[Pair]:
    """Yield the pairs of a package, at most `OF_A_PACKAGE` of a kind, drawn at random but always the same ones."""
    by_kind: dict[str, list[Pair]] = {}
    for name, data in archive.files:
        for pair in _pairs_in(name, data):
            if min(len(tokens(pair.left)), len(tokens(pair.right))) >= SHORTEST:
                by_kind.setdefault(pair.kind, []).append(pair)
    draw = random.Random(archive.name)  # noqa: S311
    for kind in sorted(by_kind):
        found = list(dict.fromkeys(by_kind[kind]))
        yield from found if len(found) <= OF_A_PACKAGE else draw.sample(found, OF_A_PACKAGE)


def of_code(source: str) -> Iterator[Pair]:
    """Yield the pairs in one Python file; none where it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Old packages escape what needs no escape.
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = source.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from _of_definition(node, lines)
    yield from _of_comments(lines)


def _of_definition(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, lines: list[str]) -> Iterator[Pair]:
    said = ast.get_docstring(node)
    first = node.body[0]
    is_class = isinstance(node, ast.ClassDef)
    start, end = node.lineno - 1, node.end_lineno or node.lineno
    if said:
        below = lines[first.end_lineno or first.lineno : end]
        above = lines[start : first.lineno - 1]
    else:
        above, below = lines[start : first.lineno - 1], lines[first.lineno - 1 : end]
    body = _cut(textwrap.dedent("\n".join(below)))
    code = _cut(textwrap.dedent("\n".join([*above, *below])))
    name = " ".join(parts_of(node.name))
    if said and body.strip():
        prose = _FIELDS.split(said)[0].strip()
        whole = _cut(" ".join(prose.split()))
        brief = _first_sentence(prose)
        kind = "class" if is_class else "function"
        yield Pair(f"first sentence, {kind}", brief, code)
        if len(whole) > len(brief) + 20:
            yield Pair(f"docstring, {kind}", whole, code)
        rest = _cut(said[len(brief) :].strip()) if said.startswith(brief) else ""
        if len(rest) > 80:
            yield Pair(f"first sentence, documented {kind}", brief, _cut("\n".join([*above, rest, *below])))
        if not is_class:
            yield Pair("name, docstring", name, whole)
    if body.strip() and not is_class and not node.name.startswith("__"):
        yield Pair("name, body", name, body)


def _of_comments(lines: list[str]) -> Iterator[Pair]:
    """A block comment and the lines below it, as deep as the comment, up to the next blank line."""
    at = 0
    while at < len(lines):
        said: list[str] = []
        indent = ""
        while at < len(lines) and (match := _COMMENT.match(lines[at])):
            indent = match[1]
            said.append(match[2])
            at += 1
        if not said:
            at += 1
            continue
        below: list[str] = []
        while at < len(lines) and len(below) < 12 and lines[at].strip() and lines[at].startswith(indent):
            if _COMMENT.match(lines[at]):
                break
            below.append(lines[at])
            at += 1
        text = " ".join(" ".join(said).split())
        if len(below) > 1 and len(text) > 20 and text[0].isalpha():
            yield Pair("comment", text[:LONGEST], _cut(textwrap.dedent("\n".join(below))))


def of_docs(path: str, text: str, language: str) -> Iterator[Pair]:
    """Yield each section of a page with its heading, and with the headings above it."""
    page = Document(path=path, text=text, kind="prose", language=language, digest=digest(text.encode()))
    try:
        sections = chunk(page)
    except HopliteError:
        return
    for section in sections:
        trail = trail_of(section).split(" > ")
        lines = section.text.splitlines()
        # The heading itself stands in the section's text as a rule; the pair would be trivial with it.
        body = "\n".join(line for line in lines if line.strip("#=-~*^\"'` ") not in (*trail, ""))
        if trail[-1] and len(body) > 80:
            yield Pair("heading", trail[-1], _cut(body))
            if len(trail) > 1:
                yield Pair("headings", " ".join(trail), _cut(body))
        said = sentences(" ".join(body.split()))
        if len(said) > 3:
            # The first sentence of a section says what the rest is about.
            yield Pair("first sentence, section", said[0][:LONGEST], _cut(" ".join(said[1:])))


def _pairs_in(name: str, data: bytes) -> Iterator[Pair]:
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return
    suffix = PurePosixPath(name).suffix
    yield from of_code(text) if suffix == ".py" else of_docs(name, text, LANGUAGES[suffix])


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    found = sentences(paragraph)
    return found[0][:300] if found else paragraph[:300]


def _cut(text: str) -> str:
    return text[:LONGEST]


def _wanted(name: str, size: int, kinds: Container[str]) -> bool:
    skipped = _SKIPPED.search(name) or _LOOSE_TEXT.match(name)
    return PurePosixPath(name).suffix in kinds and 0 < size <= LARGEST and not skipped


def _zipped(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    with archive:
        for member in archive.infolist():
            if _wanted(member.filename, member.file_size, IN_WHEEL):
                yield member.filename, archive.read(member)


def _tarred(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    with archive:
        for member in archive.getmembers():
            if member.isfile() and _wanted(member.name, member.size, IN_SDIST):
                yield member.name, _bytes(archive, member)


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _described(metadata: bytes, files: Iterable[tuple[str, bytes]]) -> Archive:
    about = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    classifiers = [c.rsplit(" :: ", 1)[-1] for c in about.get_all("Classifier", []) if c.startswith("License ::")]
    stated = about.get("License-Expression") or "; ".join(classifiers) or str(about.get("License", "")).split("\n")[0]
    return Archive(str(about["Name"]), str(about["Version"]), stated[:120], files)


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(folder: Path, out: Path) -> None:
    """Write the pairs of all packages in FOLDER to OUT. What is not permissively licensed is named and left out."""
    seen: Counter[bytes] = Counter()
    with out.open("w", encoding="utf-8") as file:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in (".whl", ".gz")):
            archive = opened(path)
            if not is_permissive(archive.licence):
                click.echo(f"left out {path.name}: {archive.licence or 'no licence stated'}", err=True)
                continue
            kept = 0
            for pair in pairs_of(archive):
                keys = [blake2b(f"{pair.kind}\0{side}".encode()).digest() for side in (pair.left, pair.right)]
                if max(seen[key] for key in keys) < OF_A_TEXT:
                    seen.update(keys)
                    file.write(json.dumps({"kind": pair.kind, "left": pair.left, "right": pair.right}) + "\n")
                    kept += 1
            click.echo(f"{archive.name}\t{archive.version}\t{archive.licence}\t{kept}")


if __name__ == "__main__":
    main()
