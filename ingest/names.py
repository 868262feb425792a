"""Names: how a text writes the things that other texts define.

Two spellings share one namespace, and both keep apart by their form:

- a *prose name* is folded: no accents, lower case, words joined by one space ("journal of mathematical physics");
- a *code name* is an identifier as the code writes it ("load_settings", "Settings.load", "HERON_RETENTION",
  "--max-steps").

A heading "`load_settings()`" therefore defines both "load settings" and "load_settings": a page joins a function.
Files are code names of their own: "queries.txt", and "db/queries" for the last folder and the stem.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from itertools import accumulate, pairwise

LONGEST_NAME = 8
"""Words in the longest prose name that is looked for. Of 4,178 Wikipedia titles in three multi-hop question sets,
52 are longer."""

SHORTEST_NAME = 4
"""Characters of the shortest prose name that a text can mention; shorter ones ("it", "war") match by accident."""

_PARENTHESES = re.compile(r"\([^()]*\)")
_WORD = re.compile(r"\w+", re.UNICODE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n{2,}")
# Capitalised words, joined by the small words that stand inside proper names.
_PHRASE = re.compile(
    r"[^\W\d_a-z][\w'’\-]*(?:\s+(?:(?:of|the|de|and|for|von|van|du|la|al|in)\s+){0,2}[^\W\d_a-z][\w'’\-]*)*"
)
# A single backtick that ends in `_ is a link in reStructuredText.
_CODE_SPAN = re.compile(r"``([^`\n]{1,200})``|`([^`\n]{1,200})`(?!_)")
_URL = re.compile(r"\b(?:https?|ftp)://[^\s`<>\")\]]+")
_CONTRACTION = re.compile(
    r"(?:It|That|There|He|She|Here|What|Let|Who|You|We|They|I|(?:Do|Does|Did|Is|Are|Was|Were|Ca|Wo|Has|Have)n)['’]\w+\s+"
)
_POSSESSIVE = re.compile(r"['’]s?$")
_ROLE = re.compile(r":([a-z:+\-]{1,40}):`(?:[^`<]*<)?[~!]?([^`<>\n]{1,200})>?`")
# The target of these roles is a label, a page or a word, no dotted name.
_LABEL_ROLES = frozenset({"ref", "numref", "term", "any", "std:ref", "std:label"})
# The target of these is written as it is defined, hyphens and all.
_WORD_ROLES = frozenset({"confval", "setting", "djadmin", "envvar"})
_TEXT_ROLES = frozenset(
    {"doc", "rfc", "pep", "ticket", "kbd", "guilabel", "menuselection", "abbr", "sub", "sup", "math"}
)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LITERALS = frozenset({"True", "False", "None", "true", "false", "null", "nil", "self", "cls", "this"})
# No part of a word with hyphens: "--dry-run" and "django-admin" name neither "run" nor "admin".
_DOTTED = re.compile(r"(?<!\w)(?<!\w-)(?<!--)[^\W\d]\w*+(?:\.[^\W\d]\w*+)*+(?!-\w)")
# What an identifier looks like outside a code span: a call, an underscore inside, a dot inside, or a hump.
_EVIDENT = re.compile(
    r"(?<![\w.])(?:"
    r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?=\((?!e?s\)))"
    r"|(?:[^\W\d]\w*\.)*[A-Za-z]\w*_\w+(?:\.[^\W\d]\w*)*"
    r"|[a-z_]\w*(?:\.[A-Za-z_]\w+)+"
    r"|[a-z]+[A-Z]\w*"
    r"|(?:[A-Z][a-z0-9]+){2,}"
    r")"
)
# Where such may stand: a word or dotted name, with what tells a call from a plural, "name(s)".
_CANDIDATE = re.compile(r"(?<![\w.])[^\W\d]\w*+(?:\.[^\W\d]\w*+)*+(?:\((?:e?s\))?)?")
_FILE_LIKE = re.compile(
    r"\.(?:py|js|ts|tsx|jsx|go|rs|java|kt|scala|swift|c|h|cc|cpp|hpp|cs|rb|php"
    r"|md|mdx|rst|adoc|txt|html|csv|ipynb|toml|yaml|yml|json|cfg|ini|xml|css|sql|sh|log)$"
)


def fold(text: str) -> str:
    """Return the text without accents and other combining marks; nothing else changes."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """Return the folded, lower-case words of a text, in order."""
    return _WORD.findall(fold(text).replace("_", " ").lower())


def prose_name(text: str) -> str:
    """Return a title or phrase as a prose name: folded, words only, what stands in parentheses left out.

    >>> prose_name("Tiësto (DJ)")
    'tiesto'
    """
    return " ".join(words(_PARENTHESES.sub(" ", text))) or " ".join(words(text))


def phrases(text: str) -> list[str]:
    """Return the capitalised phrases as prose names, each followed by its words, because "Mississippi Territory" speaks
    of what "State of Mississippi" speaks of; without a sentence's first word where it stands alone."""
    found: dict[str, None] = {}
    for sentence in _SENTENCE_END.split(text):
        for match in _PHRASE.finditer(sentence):
            proper = _CONTRACTION.sub("", match.group())  # "It's Python" speaks of Python
            written = _POSSESSIVE.sub("", proper)
            first = proper == match.group() and not _WORD.search(sentence, 0, match.start())
            if len(written.split()) == 1 and (first or "'" in written or "’" in written):
                continue  # the first word of a sentence or list item, or "Don't"
            parts = words(written)
            for name in (" ".join(parts), *parts):
                if len(name) >= SHORTEST_NAME and not name.isdecimal():
                    found[name] = None
    return list(found)


def identifiers(text: str) -> list[str]:
    """Return the code names that prose mentions: code spans, Sphinx roles, command-line options, and words that can
    only be identifiers (`load_settings`, `settings.load`, `loadSettings`, `SettingsLoader`).

    A dotted name also gives its last part and, where it has three parts or more, its last two.
    """
    found: dict[str, None] = {}
    for match in _ROLE.finditer(text) if ":`" in text else ():
        role, target = match.groups()
        if role in _LABEL_ROLES:
            found[label_name(target)] = None
        elif role not in _TEXT_ROLES:
            found.update(dict.fromkeys(_OPTION.findall(target)))
            if role in _WORD_ROLES:
                found[target.strip()] = None
            for name in _DOTTED.findall(target):
                found.update(dict.fromkeys(with_tails(name)))
    if ":`" in text:
        text = _ROLE.sub(" ", text)
    if "://" in text:
        text = _URL.sub(" ", text)
    for match in _CODE_SPAN.finditer(text) if "`" in text else ():
        span = match.group(1) or match.group(2)
        if is_file(span):
            found.update(dict.fromkeys(file_names(span)))
        elif len(span.split()) <= 4:
            for name in _DOTTED.findall(span):
                found.update(dict.fromkeys(with_tails(name)))
    for names in map(_evident, dict.fromkeys(_CANDIDATE.findall(text))):
        found.update(names)
    if "--" in text:
        found.update(dict.fromkeys(_OPTION.findall(text)))
    return [name for name in found if len(name) > 2 and name not in _LITERALS]


@lru_cache(maxsize=1 << 16)  # most words are no identifiers, and come again
def _evident(candidate: str) -> dict[str, None]:
    """Return the names that a word or dotted name says by its looks; `(` at its end tells a call."""
    found: dict[str, None] = {}
    for match in _EVIDENT.finditer(candidate):
        written = match.group()
        found.update(dict.fromkeys(file_names(written) if is_file(written) else with_tails(written)))
    return found


def with_tails(dotted: str) -> list[str]:
    """Return a dotted code name with the shorter forms under which it may be defined.

    >>> with_tails("django.db.models.F")
    ['django.db.models.F', 'models.F', 'F']
    """
    parts = dotted.split(".")
    forms = [dotted, ".".join(parts[-2:]), parts[-1]]
    return list(dict.fromkeys(forms[:1] if len(parts) == 1 else forms))


def label_name(label: str) -> str:
    """Return a cross-reference label as a name. Labels keep their hyphens and case does not matter."""
    return " ".join(label.lower().split())


def is_file(text: str) -> bool:
    """True for what ends as the name of a text file does: "queries.txt" is no attribute of `queries`."""
    return bool(_FILE_LIKE.search(text))


def file_names(path: str) -> list[str]:
    """Return the names under which a file is known: its own, and its last folder with its stem.

    >>> file_names("docs/topics/db/queries.txt")
    ['queries.txt', 'db/queries']
    """
    folder, name = posixpath.split(path.split("#")[0].strip())
    if " " in path or name in ("", ".", ".."):
        return []
    parent = posixpath.basename(folder)
    found = [name] if "." in name else []
    if parent and parent not in (".", ".."):
        found.append(f"{parent}/{_FILE_LIKE.sub('', name) or name}")
    return found


def runs(text: str, begun: Callable[[Collection[str]], Collection[str]] | None = None) -> list[list[str]]:
    """Return, for each word of a text where a prose name could begin, the runs of words from there, the longest first.

    `begun` tells with which pairs of words a name may begin, where that is known; other runs are left out.
    A single word is a name only where it is written as one, with a capital, or in a script without them: "variable" in
    a sentence is a word, whatever function has that name.
    """
    parts = [(part, part == word) for word in _WORD.findall(fold(text)) for part in word.split("_") if part]
    folded = [part.lower() for part, _ in parts]
    line = " ".join(folded)
    ends = list(accumulate(len(part) + 1 for part in folded))  # where the next word begins
    pairs = [*map(" ".join, pairwise(folded)), ""]
    wanted = set(begun(pairs) if begun else pairs)
    found: list[list[str]] = []
    start = 0
    for i, (part, whole) in enumerate(parts):
        longest = LONGEST_NAME if pairs[i] in wanted else 1
        shortest = 1 if whole and not part.islower() else 2
        if shortest <= longest:
            here = ends[i + shortest - 1 : i + longest]
            found.append([line[start : end - 1] for end in reversed(here) if end - 1 - start >= SHORTEST_NAME])
        start = ends[i]
    return found


def mentioned(found: Iterable[Iterable[str]], defined: Collection[str]) -> list[str]:
    """Return the defined names among a text's runs: at each word the longest one, in order of appearance."""
    names = (next((name for name in here if name in defined), "") for here in found)
    return list(dict.fromkeys(name for name in names if name))


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names without repeats and without empty ones, in order of first appearance."""
    return tuple(dict.fromkeys(name for name in names if name))
