"""Names that files without a grammar define: configuration keys, and definitions that any language would show."""

from __future__ import annotations

import re

_KEYS = {
    # JSON and YAML: the two outermost levels, by their indentation.
    "json": re.compile(r'^[ \t]{0,4}"([\w.@/$-]{2,80})"\s*:', re.MULTILINE),
    "yaml": re.compile(r"^ {0,2}(?:- )?[\"']?([\w.@/$-]{2,80})[\"']?\s*:(?:\s|$)", re.MULTILINE),
    "toml": re.compile(r"^\s{0,2}(?:\[+\s*([\w.\"-]{2,80})\s*\]+|[\"']?([\w.-]{2,80})[\"']?\s*=)", re.MULTILINE),
    "ini": re.compile(r"^(?:\[([^\]\n]{2,80})\]|([\w.-]{2,80})\s*[=:])", re.MULTILINE),
}
_DEFINITION = re.compile(
    r"^\s*(?:(?:export|public|private|protected|internal|static|final|abstract|open|data|sealed|local)\s+)*"
    r"(?:def|function|func|fun|fn|sub|class|module|trait|interface|object|struct|enum|protocol|message|service|rpc"
    r"|(?i:create\s+(?:or\s+replace\s+)?(?:table|view|function|procedure)(?:\s+if\s+not\s+exists)?))"
    r"\s+[\"`]?([A-Za-z_][\w.]{1,80})",
    re.MULTILINE,
)
_SHELL = re.compile(r"^(?:export\s+)?([A-Za-z_][\w-]{1,80})(?:\(\)\s*\{|=)", re.MULTILINE)
_TARGET = re.compile(r"^([A-Za-z][\w.-]{1,80})\s*(?::(?!=)|[?:+]?=)", re.MULTILINE)


def config_keys(text: str, language: str) -> list[str]:
    """Return the keys of the two top levels, or the definitions, that a text in this language makes."""
    pattern = {"shell": _SHELL, "make": _TARGET}.get(language) or _KEYS.get(language, _DEFINITION)
    found = [next(group for group in match.groups() if group) for match in pattern.finditer(text)]
    return [name.strip("\"' ") for name in found]
