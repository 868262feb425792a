"""Who may reach the page: this machine's own browsers, or whoever knows the password and a name that it goes by."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import UserError
from ingest.hosts import is_loopback

VARIABLE = "HOPLITE_PASSWORD"
SHORTEST = 12
"""Characters of a password. With twenty guesses at once and one a minute after that, it need not be longer."""
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_NAME = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:\d{1,5})?")
_LONGEST_FILE = 4096


class Password:
    """A password, of which only a hash is kept."""

    def __init__(self, text: str) -> None:
        self._digest = _digest(text)

    def matches(self, said: str) -> bool:
        """Whether this is it; takes the same time whatever is said."""
        return hmac.compare_digest(self._digest, _digest(said))


@dataclass(frozen=True, slots=True)
class Access:
    """The address that is listened at, the password, and the further names by which the page is reached.

    Without a password the address is a loopback one.
    """

    host: str = "127.0.0.1"
    password: Password | None = None
    names: tuple[str, ...] = ()

    def hosts(self, port: int) -> frozenset[str]:
        """Return what a browser may call the page: every loopback name with the port, and the further names with it, or
        as they are, because something before the page may listen at another port."""
        return self._here(port) | self._elsewhere(port)

    def origins(self, port: int) -> frozenset[str]:
        """Return what a browser may say that the page is from. Only by its further names can it be behind TLS."""
        plain = (f"http://{host}" for host in self.hosts(port))
        return frozenset(plain).union(f"https://{host}" for host in self._elsewhere(port))

    def address(self, port: int) -> str:
        """Return where a browser on this machine finds the page."""
        host = "127.0.0.1" if self.host in EVERYWHERE else self.host
        return f"http://{_in_address(host)}:{port}/"

    def _here(self, port: int) -> frozenset[str]:
        own = () if self.host in EVERYWHERE else (_in_address(self.host),)
        return frozenset(f"{name}:{port}" for name in (*_LOOPBACK, *own))

    def _elsewhere(self, port: int) -> frozenset[str]:
        return frozenset(f"{name}:{port}" for name in self.names if not _has_port(name)).union(self.names)


def access(host: str, names: Sequence[str], file: Path | None, environ: MutableMapping[str, str]) -> Access:
    """Return who may reach a page at `host`. The password is in `file` or the environment, which loses it.

    Raises UserError where others can reach the host and there is no password, and for one that is too short.
    """
    password = _password(file, environ)
    if password is None and (not is_loopback(host) or names):
        reached = f"{host} can be reached" if not is_loopback(host) else f"With --allow-host {names[0]} it is reached"
        raise UserError(
            f"{reached} from outside this machine, so the page needs a password: set {VARIABLE}, or name a file with "
            "--password-file FILE. Or leave --host and --allow-host out, and use an SSH tunnel from elsewhere."
        )
    lowered = tuple(name.lower() for name in names)
    for name in lowered:
        if not _NAME.fullmatch(name):
            raise UserError(f"--allow-host {name!r} is no name. Say it as in hoplite.example.org or localhost:8080.")
    return Access(host, password, lowered)


def _password(file: Path | None, environ: MutableMapping[str, str]) -> Password | None:
    said = environ.pop(VARIABLE, None)  # no child of this process gets to see it
    if file is None and said is None:
        return None
    if file is not None and said is not None:
        raise UserError(f"There is a password in {VARIABLE} and one in {file}. Leave one of them out.")
    text, origin = (_first_line(file), str(file)) if file is not None else (said or "", VARIABLE)
    if len(text) < SHORTEST:
        raise UserError(
            f"The password in {origin} has {len(text)} characters; it needs {SHORTEST}. "
            'Make one with `python3 -c "import secrets; print(secrets.token_urlsafe())"`.'
        )
    return Password(text)


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST_FILE).decode("utf-8").partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise UserError(f"The password file {file} cannot be read: {error.strerror}. Name another file.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"The password file {file} is no text in UTF-8. Name another file.") from error


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _has_port(name: str) -> bool:
    return re.search(r":\d+$", name.rpartition("]")[2]) is not None


def told(access: Access) -> tuple[str, ...]:
    """Return what whoever starts the page should know of who can reach it: nothing where only this machine does."""
    if is_loopback(access.host):
        return ()
    names = f" as {', '.join(access.names)}" if access.names else "; name them with --allow-host NAME"
    return (
        f"Others reach it at {access.host}{names}. Without TLS in front of it, the password and all else can be "
        "read on the way: docs/app.md.",
    )
