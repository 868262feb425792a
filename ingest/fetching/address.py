"""What a user named: a git repository, a web page, or neither."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ingest.errors import UserError

FORGES = frozenset({"github.com", "gitlab.com", "codeberg.org", "bitbucket.org", "gitea.com", "git.sr.ht"})
"""Hosts on which an address of two parts is a repository, also without `.git` at its end."""

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.I)
_SCP = re.compile(r"(?P<user>\w[\w.-]*)@(?P<host>[^:/@\s]+):(?P<path>[^@]+)(?:@(?P<ref>.+))?", re.S)
_HELPER = re.compile(r"[a-z][a-z0-9+.-]*::|file:", re.I)
_PART = re.compile(r"[\w~+][\w.~+-]{0,99}", re.ASCII)
_NO_REF = re.compile(r"^[-+/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|[/.]$|\.lock$")
_LONGEST_REF = 250


@dataclass(frozen=True, slots=True)
class GitAddress:
    """A repository. `url` is what git is given, without a password; `name` is `host/owner/repo`, a safe relative path.

    `ref` is a branch, a tag or a commit, "" for the default branch. `login` is the header that carries the name and
    password of an https address; it is for this one fetch, and neither stored nor shown.
    """

    url: str
    name: str
    ref: str = ""
    login: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A page or a sitemap, over http or https."""

    url: str


Address = GitAddress | WebAddress


def parse(word: str) -> Address | None:
    """Return the address that a word of the command line is, None where it is a path of this machine.

    `https://host/owner/repo@REF` on a known forge, whatever ends in `.git`, `ssh://…`, `git@host:owner/repo@REF` and
    `git+https://…` are repositories; other https and http addresses are pages. Raises UserError for what is an address
    and cannot be fetched.
    """
    if "://" in word:
        parts = _split(word)
        scheme = parts.scheme.lower()
        if scheme in ("git+https", "git+ssh", "ssh"):
            return _repository(parts, scheme.removeprefix("git+"))
        if scheme == "https" and _looks_like_repository(parts):
            return _repository(parts, scheme)
        if scheme in ("http", "https"):
            return _page(parts)
        raise UserError(
            f"Addresses that begin with {parts.scheme}:// are not fetched. Use https:// or ssh:// for a repository, "
            "https:// for a page, or name a folder."
        )
    if os.path.exists(word):  # unlike Path.exists, False for a word too long for a name
        return None
    if _HELPER.match(word):
        raise UserError(f"{word} is no address that is fetched. Use https:// or ssh://, or name a folder.")
    if found := _SCP.fullmatch(word):
        host = _host(found["host"])
        path, name = _repository_path(host, found["path"])
        return GitAddress(f"{found['user']}@{host}:{path}", name, _ref(found["ref"] or ""))
    return None


def _split(word: str) -> SplitResult:
    try:
        parts = urlsplit(word.strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UserError(f"This address cannot be read: {error}. Check its spelling.") from None
    if not host and parts.scheme.lower() in ("http", "https", "ssh", "git+https", "git+ssh"):
        raise UserError("This address names no host. Write it as https://host/path.")
    return parts


def _looks_like_repository(parts: SplitResult) -> bool:
    path, _, _ = parts.path.partition("@")
    if path.rstrip("/").endswith(".git"):
        return True
    return (parts.hostname or "").lower() in FORGES and len(path.strip("/").split("/")) == 2 and not parts.query


def _repository(parts: SplitResult, scheme: str) -> GitAddress:
    if parts.query or parts.fragment:
        raise UserError("A repository's address has no ? and no #. Write it as https://host/owner/repo@REF.")
    host = _host(parts.hostname or "")
    before, _, ref = parts.path.partition("@")
    port = f":{parts.port}" if parts.port else ""
    path, name = _repository_path(f"{host}{port.replace(':', '_')}", before)
    login, user = "", ""
    if scheme == "ssh" and parts.username:
        user = f"{_checked_user(unquote(parts.username))}@"  # ssh's user names the account, as in git@; it is no secret
    elif parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Authorization: Basic {b64encode(secret.encode()).decode()}"
    return GitAddress(f"{scheme}://{user}{host}{port}/{path}", name, _ref(unquote(ref)), login)


def _repository_path(host: str, written: str) -> tuple[str, str]:
    """The path as git is given it, and the name the repository goes by here."""
    parts = [unquote(part) for part in written.strip("/").split("/")]
    own = [*parts[:-1], parts[-1].removesuffix(".git")]
    if not all(_PART.fullmatch(part) and ".." not in part for part in own):
        raise UserError(
            f"{'/'.join(parts)!r} is no path of a repository: its parts are letters, digits and . _ - ~ +. "
            "Write it as https://host/owner/repo@REF."
        )
    return "/".join(parts), "/".join([host.lower(), *own])


def _page(parts: SplitResult) -> WebAddress:
    if parts.username or parts.password:
        raise UserError(
            "A page's address with a user name or a password in it is not fetched. Save the page, and index the file."
        )
    return WebAddress(urlunsplit(parts._replace(scheme=parts.scheme.lower(), path=parts.path or "/", fragment="")))


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise UserError(f"{host!r} is no name of a host. Check the address.")
    return host.lower()


def _checked_user(user: str) -> str:
    if not _PART.fullmatch(user):
        raise UserError(f"{user!r} is no user name that ssh is given. Check the address.")
    return user


def _ref(ref: str) -> str:
    """Refuse what git would take for an option, a refspec or a revision expression."""
    if len(ref) > _LONGEST_REF or _NO_REF.search(ref):
        raise UserError(f"{ref[:_LONGEST_REF]!r} is no branch, tag or commit. Check what stands after the @.")
    return ref
