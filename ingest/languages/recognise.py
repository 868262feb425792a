"""Which language a file is written in: by its name, by its first line, or by how its text looks."""

from __future__ import annotations

import posixpath
import re

from ingest.types import Kind

_PROSE = {
    ".md": "markdown", ".markdown": "markdown", ".mdx": "mdx",
    ".rst": "rst", ".rest": "rst",
    ".txt": "text", ".text": "text", ".org": "text", ".tex": "text",
    ".adoc": "asciidoc", ".asciidoc": "asciidoc", ".asc": "asciidoc",
    ".csv": "csv", ".tsv": "csv",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".ipynb": "notebook",
}  # fmt: skip
_DOCUMENTS = {
    ".pdf": "pdf", ".docx": "docx", ".pptx": "pptx", ".xlsx": "xlsx", ".xlsm": "xlsx", ".odt": "odt", ".epub": "epub",
    ".eml": "email", ".mbox": "mbox",
}  # fmt: skip
_CODE = {
    ".py": "python", ".pyi": "python", ".pyw": "python",
    ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript", ".jsx": "javascript",
    ".ts": "typescript", ".mts": "typescript", ".cts": "typescript", ".tsx": "tsx",
    ".go": "go", ".rs": "rust", ".java": "java",
    ".c": "c", ".h": "c",
    ".cc": "cpp", ".cpp": "cpp", ".cxx": "cpp", ".hh": "cpp", ".hpp": "cpp", ".hxx": "cpp",
    ".json": "json", ".jsonc": "json", ".json5": "json", ".jsonl": "json", ".ndjson": "json", ".geojson": "json",
    ".yaml": "yaml", ".yml": "yaml", ".toml": "toml",
    ".ini": "ini", ".cfg": "ini", ".conf": "ini", ".properties": "ini",
    ".sh": "shell", ".bash": "shell", ".zsh": "shell", ".bat": "batch", ".ps1": "powershell",
    ".rb": "ruby", ".rake": "ruby", ".gemspec": "ruby", ".php": "php", ".phtml": "php",
    ".pl": "perl", ".pm": "perl", ".lua": "lua", ".r": "r", ".jl": "julia",
    ".cs": "csharp", ".kt": "kotlin", ".kts": "kotlin", ".scala": "scala", ".swift": "swift", ".dart": "dart",
    ".hs": "haskell", ".ml": "ocaml", ".ex": "elixir", ".exs": "elixir", ".erl": "erlang", ".clj": "clojure",
    ".sql": "sql", ".css": "css", ".scss": "scss", ".less": "less", ".xml": "xml",
    ".vue": "vue", ".svelte": "svelte", ".proto": "protobuf", ".graphql": "graphql",
    ".tf": "terraform", ".tfvars": "terraform",
    ".cmake": "cmake", ".mk": "make", ".scm": "scheme", ".nix": "nix", ".zig": "zig",
}  # fmt: skip
DOCUMENTS = frozenset(_DOCUMENTS.values())
"""The languages of files that are parsed in the locked child; their text is Markdown-like."""

_BY_NAME = {
    "makefile": "make",
    "dockerfile": "docker",
    "cmakelists.txt": "cmake",
    "jenkinsfile": "groovy",
    "rakefile": "ruby",
    "gemfile": "ruby",
}
_SHEBANG = re.compile(r"#!.*?\b(python|node|deno|bash|zsh|sh|ruby|perl|php|lua)\d*(?:[.\d]*)\b")
_BY_INTERPRETER = {"node": "javascript", "deno": "typescript", "bash": "shell", "zsh": "shell", "sh": "shell"}
CODE = frozenset({*_CODE.values(), *_BY_NAME.values()})
"""The languages of code and configuration that are recognised."""
_CPP = re.compile(r"^\s*(?:class\s+\w+|namespace\b|template\s*<|using\s+\w+|public:|private:)", re.MULTILINE)

_RST_UNDERLINE = re.compile(r"^[^\s].*\n(={3,}|-{3,}|~{3,}|\^{3,}|\*{3,}|\+{3,}|\"{3,}|`{3,})[ \t]*$", re.MULTILINE)
_RST_MARKUP = re.compile(r"^\s*\.\. (?:_[^:\n]+:|[\w:-]+::)|:[a-z:-]+:`[^`\n]+`|::\s*$", re.MULTILINE)

# One pattern a language, for the first line of code in a text of unknown kind. Only unmistakable beginnings count:
# prose taken for code loses its phrases, while code taken for prose still has its identifiers.
_FIRST_LINE = (
    ("python", re.compile(r"(?:async )?def \w+\s*\(|class \w+\s*(?:\([\w.,\s=]*\))?:\s*$|@\w[\w.]*(?:\(.*\))?\s*$"
                          r"|(?:from [\w.]+ )?import [\w., *]+\s*(?:as \w+\s*)?$")),
    ("rust", re.compile(r"(?:pub(?:\(\w+\))? )?(?:async )?(?:fn \w+\s*[(<]|impl\b.*\{\s*$|struct \w+.*[{;(]\s*$)")),
    ("go", re.compile(r"package \w+\s*$|func (?:\([^)]*\) )?\w+\(.*\{\s*$")),
    ("java", re.compile(r"(?:static )?(?:public|private|protected|abstract) (?:(?:static|final|abstract) )*"
                        r"[\w<>\[\], .?]+[({]")),
    ("typescript", re.compile(r"(?:export )?(?:interface \w+.*\{\s*$|type \w+(?:<.*>)? =|enum \w+ \{)")),
    ("javascript", re.compile(r"(?:export )?(?:default )?(?:async )?function\b.*\(|(?:const|let|var) \w+ = .*"
                              r"|module\.exports\s*=|'use strict'")),
    ("cpp", re.compile(r"template\s*<|namespace \w+\s*\{|class \w+.*\{\s*$|(?:[\w:<>*&]+ )+\w+::~?\w+\(.*")),
    ("c", re.compile(r"#include\s*[<\"]|(?:static |inline |const |unsigned )*(?:void|int|char|long|float|double|size_t)"
                     r"[ *]+\w+\(.*\)\s*\{?\s*$")),
)  # fmt: skip


def document_format(name: str) -> str | None:
    """Return the language of a file that is parsed rather than decoded ("pdf", "docx" …), None for all others."""
    return _DOCUMENTS.get(posixpath.splitext(name)[1].lower())


def language_of(name: str, text: str) -> tuple[Kind, str]:
    """Return a file's kind and language by its name, else by its `#!` line; what nothing claims is prose, "text".

    `text` settles what a name leaves open: `.txt` with reStructuredText in it, C++ in a `.h`.
    """
    base = posixpath.basename(name).lower()
    suffix = posixpath.splitext(base)[1]
    if base.startswith(".env"):
        return "code", "ini"
    if base in _BY_NAME:
        return "code", _BY_NAME[base]
    if suffix in _DOCUMENTS:
        return "prose", _DOCUMENTS[suffix]
    if suffix in _PROSE:
        language = _PROSE[suffix]
        return "prose", "rst" if language == "text" and looks_like_rst(text) else language
    if suffix in _CODE:
        return "code", "cpp" if suffix == ".h" and _CPP.search(text) else _CODE[suffix]
    if shebang := _SHEBANG.match(text[:200]):
        return "code", _BY_INTERPRETER.get(shebang.group(1), shebang.group(1))
    return "prose", "rst" if looks_like_rst(text) else "text"


def stem_of(name: str) -> str:
    """Return a path's last part without a suffix that names a language: "St. Louis" stays whole."""
    base = posixpath.basename(name)
    stem, suffix = posixpath.splitext(base)
    known = suffix.lower() in _PROSE or suffix.lower() in _CODE or suffix.lower() in _DOCUMENTS
    return stem if stem and known else base


def looks_like_rst(text: str) -> bool:
    """True where the beginning of a text has both an underlined title and some of reStructuredText's own markup."""
    head = text[:20_000]
    return bool(_RST_UNDERLINE.search(head) and _RST_MARKUP.search(head))


def looks_like_code(text: str) -> str | None:
    """Return the language of a bare piece of code such as one function, or None for prose. Cheap: reads one line."""
    for line in text[:4_000].split("\n"):
        line = line.strip()
        if line and not line.startswith(("#!", "# ", "//", "/*", "*", '"""')):
            return next((language for language, pattern in _FIRST_LINE if pattern.match(line)), None)
    return None
