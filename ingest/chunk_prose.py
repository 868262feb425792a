"""Prose as pieces: a section each, long sections cut between paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.languages.config_keys import config_keys
from ingest.languages.recognise import DOCUMENTS
from ingest.links import NOWHERE, asciidoc_names, link_names, references
from ingest.names import identifiers, phrases, prose_name, unique
from ingest.outline import Block, markdown_blocks, plain_blocks
from ingest.outline_asciidoc import asciidoc_blocks
from ingest.outline_mdx import mdx_blocks, without_mdx
from ingest.outline_rst import rst_blocks
from ingest.pieces import HARD, SOFT, Piece, cut_blindly, cut_line, length, packed, trimmed

_FENCED = re.compile(r"^```.*?(?:^```|\Z)", re.MULTILINE | re.DOTALL)
_LISTING = re.compile(r"^(----+|\.\.\.\.+|```)[^\n]*$.*?(?:^\1|\Z)", re.MULTILINE | re.DOTALL)
_OPENING = 400
"""Characters of a piece after which the description of a new thing (a function's directive) begins a new one."""


def prose_pieces(lines: Sequence[str], language: str, path: str) -> list[Piece]:
    """Return the pieces of a document. Each non-blank line is in exactly one."""
    if language == "rst":
        blocks = rst_blocks(lines)
    elif language == "asciidoc":
        blocks = asciidoc_blocks(lines)
    elif language == "mdx":
        blocks = mdx_blocks(lines, path)
    elif language in ("markdown", "html", "notebook") or language in DOCUMENTS:
        blocks = markdown_blocks(lines)
    else:
        blocks = plain_blocks(lines)
    leads = references(lines) if language in ("markdown", "mdx", "notebook") else NOWHERE
    return [
        _named(piece, lines, language, path, leads)
        for section in _sections(blocks)
        for run in _runs(section.blocks, lines)
        for piece in _cut(run, section, lines)
    ]


def plain_pieces(lines: Sequence[str], language: str, path: str) -> list[Piece]:
    """Return the pieces of code for which there is no grammar, and of configuration, whose keys are names."""
    pieces = []
    for run in _runs(plain_blocks(lines), lines):
        for piece in _cut(run, _Section((), [], prose=False), lines):
            text = piece.text or "\n".join(lines[piece.start : piece.end])
            defines = unique(config_keys(text, language))
            mentions = unique(name for name in identifiers(text) if name not in defines)
            pieces.append(Piece(piece.start, piece.end, (), defines, mentions, piece.text))
    return pieces


@dataclass(frozen=True, slots=True)
class _Section:
    """What stands under one heading, the heading's own block first."""

    trail: tuple[str, ...]
    blocks: list[Block]
    prose: bool = True


def _sections(blocks: Iterable[Block]) -> list[_Section]:
    sections = [_Section((), [])]
    trail: list[tuple[int, str]] = []
    for block in blocks:
        if not block.level:
            sections[-1].blocks.append(block)
            continue
        leaders = _leaders(sections[-1].blocks)
        previous = sections[-1]
        deepest = previous.blocks[-1].level if previous.blocks else 0
        trail = [(level, title) for level, title in trail if level < block.level]
        trail.append((block.level, block.title))
        shown = tuple(_shown(title) for _, title in trail)
        if deepest and deepest <= block.level:
            # A heading with nothing below it but a deeper heading: one piece, so that neither is a piece of one line.
            sections.pop()
            previous.blocks.extend([*leaders, block])
            sections.append(_Section(shown, previous.blocks))
        else:
            sections.append(_Section(shown, [*leaders, block]))
    return [section for section in sections if section.blocks]


def _shown(title: str) -> str:
    """Return a heading as it is shown: without the marks of code spans."""
    return title.replace("`", "").strip()


def _leaders(blocks: list[Block]) -> list[Block]:
    """Take the labels and bare directives off the end: they belong to what follows, a heading or what they open."""
    cut = len(blocks)
    while cut and blocks[cut - 1].leader:
        cut -= 1
    leaders = blocks[cut:]
    del blocks[cut:]
    return leaders


def _runs(blocks: Iterable[Block], lines: Sequence[str]) -> list[list[Block]]:
    """Pack blocks up to SOFT characters, up to HARD where a block is glued to the one above it."""
    runs: list[list[Block]] = []
    size = 0
    headed = False
    for block in blocks:
        own = length(lines, block.start, block.end)
        limit = HARD if block.glued or headed else SOFT
        fits = size + own <= limit and not (block.opens and size > _OPENING)
        # What must be cut by lines anyway is cut together with its heading.
        if runs and (fits or (headed and own > HARD and not block.code)):
            runs[-1].append(block)
        else:
            carried = _leaders(runs[-1]) if runs and any(not b.leader for b in runs[-1]) else []
            runs.append([*carried, block])
            size = sum(length(lines, b.start, b.end) for b in carried)
        size += own
        headed = bool(block.level) or (headed and block.leader)
    return runs


def _cut(run: Sequence[Block], section: _Section, lines: Sequence[str]) -> list[Piece]:
    """Return the run as one piece, or as several where a single paragraph is longer than a piece may be."""
    start, end = trimmed(lines, run[0].start, run[-1].end)
    scope = tuple(name for name in run[0].scope[-1:] if not section.trail or name != section.trail[-1])
    trail = (*section.trail, *scope)
    defines = [name for block in run for name in block.defines]
    mentions = unique(name for block in run for name in block.mentions)
    for title in (block.title for block in run if block.level):
        defines += [prose_name(title), *identifiers(title)]
    ceiling = 2 * HARD if any(block.code for block in run) else HARD
    if length(lines, start, end) <= ceiling:
        return [Piece(start, end, trail, unique(defines), mentions)]
    pieces: list[Piece] = []
    for first, last in packed(lines, start, end, SOFT):
        first, last = trimmed(lines, first, last)
        if first == last:
            continue
        own, others = (unique(defines), mentions) if not pieces else ((), ())
        if last - first == 1 and len(lines[first]) > HARD:
            parts = cut_line(lines[first]) if section.prose else cut_blindly(lines[first])
            pieces.append(Piece(first, last, trail, own, others, parts[0]))
            pieces += [Piece(first, last, trail, text=part) for part in parts[1:]]
        else:
            pieces.append(Piece(first, last, trail, own, others))
    return pieces


def _named(piece: Piece, lines: Sequence[str], language: str, path: str, leads: Mapping[str, str]) -> Piece:
    """Return the piece with what its text mentions."""
    text = piece.text or "\n".join(lines[piece.start : piece.end])
    links = asciidoc_names(text, path) if language == "asciidoc" else link_names(text, path, leads)
    found = (*piece.mentions, *links, *identifiers(text), *phrases(_as_prose(text, language)))
    mentions = unique(name for name in found if name not in piece.defines)
    return Piece(piece.start, piece.end, piece.trail, piece.defines, mentions, piece.text)


def _as_prose(text: str, language: str) -> str:
    """Return what of a text may hold phrases: no code."""
    if language == "asciidoc":
        return _LISTING.sub("", text)
    text = _FENCED.sub("", text)
    return without_mdx(text) if language == "mdx" else text
