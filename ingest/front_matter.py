"""The head of a Markdown page, between `---` (YAML) or `+++` (TOML): where a page gives its own names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.config_tree import Entry, config_tree
from ingest.names import file_names, identifiers, label_name, prose_name, unique

_MARKS = {"---": ("yaml", ("---", "...")), "+++": ("toml", ("+++",))}
_LONGEST = 200
_TITLES = frozenset({"title", "linktitle", "sidebar_label", "aliases", "alias", "redirect_from"})
_LABELS = frozenset({"id", "slug", "permalink", "aliases", "alias", "redirect_from"})
_SUBJECTS = frozenset({"tags", "tag", "keywords", "categories", "category"})


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The first `end` lines of a page: its title, aliases and slug are names that it defines, its tags and keywords are
    names that it mentions."""

    end: int
    defines: tuple[str, ...]
    mentions: tuple[str, ...]


def front_matter(lines: Sequence[str]) -> FrontMatter | None:
    """Return the head of a page, or None where it has none."""
    mark = lines[0].strip() if lines else ""
    if mark not in _MARKS:
        return None
    language, closing = _MARKS[mark]
    end = next((i for i in range(1, min(len(lines), _LONGEST)) if lines[i].strip() in closing), 0)
    if not end:
        return None
    defines: list[str] = []
    mentions: list[str] = []
    for entry in config_tree("\n".join(lines[1:end]), language):
        key = entry.key.lower()
        for value in _values(entry):
            if key in _TITLES and "/" not in value:
                defines += [prose_name(value), *identifiers(value)]
            if key in _LABELS:
                defines += _page_names(value)
            if key in _SUBJECTS:
                mentions += [prose_name(value), *([value] if "-" in value or "_" in value else [])]
    return FrontMatter(end + 1, unique(defines), unique(name for name in mentions if name not in defines))


def _values(entry: Entry) -> Iterable[str]:
    return [value for value in (entry.value, *(child.value for child in entry.children)) if value]


def _page_names(address: str) -> list[str]:
    """An address on the site, `/guide/retention/`, as links to it give it; or a label."""
    page = address.strip("/ ")
    last = page.rpartition("/")[2]
    return [*(file_names(page) if "/" in page else [label_name(page)]), prose_name(last.replace("-", " "))]
