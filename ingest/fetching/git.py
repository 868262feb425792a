"""A repository's files at one commit, fetched with the system's git, which is trusted with nothing that it was sent.

git runs without a shell, without the user's and the system's configuration, without hooks, filters, submodules and
prompts, and speaks https and ssh only. Links in a repository become small text files that hold their targets. How long
and how much is bounded; what passes a bound is killed.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ingest.errors import UserError
from ingest.fetching.address import GitAddress

PROTOCOLS = "https:ssh"
"""What git may speak, as GIT_ALLOW_PROTOCOL has it."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_WANTED = "refs/hoplite/wanted"
_ABBREVIATED = re.compile(r"[0-9a-f]{4,39}")
# Of git's own variables only those that say how to reach a host: the user's ssh, the user's certificates.
_KEPT = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.symlinks": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.fsmonitor": "false",
    "core.logAllRefUpdates": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "advice.detachedHead": "false",
}
_OWN_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
_NEVER_OURS = ("config.worktree", "commondir", "gitdir", "objects/info/alternates")
# The strongest of all attribute files: the bytes are those of the commit, whatever a .gitattributes says.
_ATTRIBUTES = "* -text -filter -ident !working-tree-encoding !eol\n"
_ENTRY = re.compile(rb"([^\0]+)\0  ctime: \d+:\d+\n  mtime: (\d+):(\d+)\n  dev: .*\n  uid: .*\n  size: (\d+)\t.*\n")
_OLDEST = (2, 32)  # the first to leave the user's configuration out when GIT_CONFIG_GLOBAL says so
_MOST_SAID = 50_000_000  # bytes that a git prints: the refs of a very large repository
_MOST_PACKS = 8  # every fetch adds one


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one fetch may take. `bytes` holds for what is downloaded and for what is checked out, each."""

    seconds: float = 900.0
    bytes: int = 2_000_000_000
    files: int = 300_000
    memory: int = 8_000_000_000


def fetch(address: GitAddress, folder: Path, *, bounds: Bounds | None = None, protocols: str = PROTOCOLS) -> str:
    """Bring a folder to what the repository holds at the address's ref, and return the commit's hash.

    Files that are the same stay untouched, with their times. The folder is this function's own: what else lies in it is
    deleted. Where nothing was there before, nothing is left after a failure.

    Args:
        protocols: For tests, which fetch from a folder.

    Raises:
        UserError: git is missing, the repository or the ref is not there, or a bound was passed.
    """
    new = not (folder / ".git").is_dir()
    try:
        return _Fetch(address, folder, bounds or Bounds(), protocols).run()
    except BaseException:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


class _Fetch:
    """One fetch: its bounds run from its making."""

    def __init__(self, address: GitAddress, folder: Path, bounds: Bounds, protocols: str) -> None:
        self.address = address
        self.folder = folder
        self.bounds = bounds
        self.until = time.monotonic() + bounds.seconds
        self.environment = environment(protocols, address.login)

    def run(self) -> str:
        own = self.folder / ".git"
        self._prepare(own)
        ref = self.address.ref
        if _ABBREVIATED.fullmatch(ref):
            ref = self._completed(own, ref)
        # As a whole refspec: the bare word "tag" is one of git fetch's own.
        wanted = f"+{ref or 'HEAD'}:{_WANTED}"
        self._git(own, "fetch", "--quiet", "--no-tags", "--depth=1", "--", self.address.url, wanted)
        commit = self._git(own, "rev-parse", "--verify", "--quiet", f"{_WANTED}^{{commit}}").strip()
        if not _COMMIT.fullmatch(commit):
            raise UserError(f"{self._named} is no commit: git says {commit[:80]!r}.")
        self._weigh(own, commit)
        self._git(own, "checkout", "--quiet", "--force", "--detach", commit)
        self._git(own, "clean", "--quiet", "-ffdx")
        if len(list((own / "objects" / "pack").glob("*.pack"))) > _MOST_PACKS:
            self._git(own, "gc", "--quiet", "--prune=now")
        return commit

    @property
    def _named(self) -> str:
        return f"{self.address.name}@{self.address.ref}" if self.address.ref else self.address.name

    def _prepare(self, own: Path) -> None:
        """Make the repository, or take away the locks that a killed git left in it: the workspace's lock is ours."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # A workspace may have come from elsewhere: nothing is written through its links, and nothing is done that its
        # repository is configured to do.
        if own.is_symlink():
            own.unlink()
        elif any(path.is_symlink() for path in (*own.glob("*"), *own.glob("info/*"))):
            shutil.rmtree(own)
        version = self._git(own, "version")
        if (found := re.search(r"(\d+)\.(\d+)", version)) is None or tuple(map(int, found.groups())) < _OLDEST:
            raise UserError(
                f"{version.strip()[:80]} does not know all the limits it is to keep. "
                f"Install git {'.'.join(map(str, _OLDEST))} or newer, or clone the repository and index the folder."
            )
        if not (own / "HEAD").is_file():
            self._git(own, "init", "--quiet", "--template=")
        (own / "config").write_text(_OWN_CONFIG, encoding="ascii")
        for stray in (*own.glob("*.lock"), *(own / name for name in _NEVER_OURS)):
            stray.unlink(missing_ok=True)
        (own / "info").mkdir(exist_ok=True)
        (own / "info" / "attributes").write_text(_ATTRIBUTES, encoding="ascii")

    def _completed(self, own: Path, ref: str) -> str:
        """Return the whole hash that an abbreviated one stands for, the ref itself where it is a name after all.

        A server is asked for whole hashes only. Of the history, just the commits are fetched, beside the repository.
        """
        listed = [line.split("\t") for line in self._git(own, "ls-remote", "--", self.address.url).splitlines()]
        names = {name for _, name in listed}
        if {f"refs/heads/{ref}", f"refs/tags/{ref}"} & names:
            return ref
        if len(found := {commit for commit, _ in listed if commit.startswith(ref)}) == 1:
            return found.pop()
        with tempfile.TemporaryDirectory(dir=self.folder.parent, prefix=".history-") as place:
            history = Path(place)
            self._git(history, "init", "--quiet", "--bare", "--template=")
            everything = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            self._git(history, "fetch", "--quiet", "--filter=tree:0", "--", self.address.url, *everything)
            return self._git(history, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}").strip()

    def _weigh(self, own: Path, commit: str) -> None:
        """Refuse a tree that would fill the disk before any of it is written: a small pack can hold a large one."""
        size = 0
        for files, entry in enumerate(self._listed(own, "ls-tree", "-r", "-l", "-z", "--full-tree", commit), 1):
            length = entry.split(b"\t", 1)[0].split()[-1]
            size += int(length) if length.isdigit() else 0
            if files > self.bounds.files or size > self.bounds.bytes:
                raise UserError(
                    f"{self._named} holds more than {self.bounds.files:,} files or {self.bounds.bytes:,} bytes; "
                    "nothing of it was written. Clone the part you need, and index that folder."
                )

    def _listed(self, own: Path, *arguments: str) -> Iterator[bytes]:
        """Yield what git prints between NULs, as it comes."""
        with tempfile.TemporaryFile() as said:
            process = self._start(own, arguments, subprocess.PIPE, said)
            assert process.stdout is not None
            rest = b""
            try:
                while block := process.stdout.read(1 << 16):
                    *whole, rest = (rest + block).split(b"\0")
                    yield from whole
                    if time.monotonic() > self.until or len(rest) > _MOST_SAID:
                        raise self._too_long()
                if process.wait():  # a list that broke off says nothing about the rest
                    raise self._failed(arguments[0], _text(said))
            finally:
                _kill(process)
                process.stdout.close()

    def _git(self, own: Path, *arguments: str) -> str:
        """Run git on the repository at `own`, watched, and return what it prints."""
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as printed:
            process = self._start(own, arguments, printed, said)
            try:
                self._watch(process, own, printed, said)
            finally:
                _kill(process)
            if process.returncode:
                raise self._failed(arguments[0], _text(said))
            return _text(printed)

    def _start(
        self, own: Path, arguments: tuple[str, ...], output: IO[bytes] | int, errors: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        # The repository and its tree are named: were one not found, git would take the one above, the user's own.
        places = {"GIT_DIR": str(own)} | ({"GIT_WORK_TREE": str(self.folder)} if own.name == ".git" else {})
        try:
            process = subprocess.Popen(  # noqa: S603 no shell, and what comes from outside stands after --
                ["git", *arguments],  # noqa: S607 the user's git, wherever it is
                cwd=self.folder,
                env=self.environment | places,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise UserError("There is no git on this machine. Install it, or index a folder.") from None
        # A few objects can describe a tree of billions, whose list git would build in memory before it writes.
        with suppress(OSError, ValueError):  # over already, or a lower limit holds
            resource.prlimit(process.pid, resource.RLIMIT_AS, (self.bounds.memory, self.bounds.memory))
        return process

    def _watch(self, process: subprocess.Popen[bytes], own: Path, *outputs: IO[bytes]) -> None:
        """Wait for the end, killing what takes too long, writes too much or says too much."""
        pause = 0.005
        while process.poll() is None:
            if time.monotonic() > self.until:
                raise self._too_long()
            looked = time.monotonic()
            if _size(own) > self.bounds.bytes:
                raise UserError(
                    f"{self._named} has more than {self.bounds.bytes:,} bytes; it was not fetched. "
                    "Clone the part you need, and index that folder."
                )
            if any(os.fstat(file.fileno()).st_size > _MOST_SAID for file in outputs):
                raise UserError(f"The server of {self._named} sends messages without end; it was not fetched.")
            # At most a fifth of the time goes into looking.
            pause = min(0.25, max(pause * 1.5, 4 * (time.monotonic() - looked)))
            try:
                process.wait(pause)
            except subprocess.TimeoutExpired:
                continue

    def _too_long(self) -> UserError:
        return UserError(f"{self._named} took longer than {self.bounds.seconds:.0f} s; it was not fetched. Try again.")

    def _failed(self, step: str, said: str) -> UserError:
        lines = [line.removeprefix("fatal: ").strip() for line in said.splitlines() if line.strip()]
        reason = next(
            (line for line in lines if "remote ref" in line or "not found" in line), lines[-1] if lines else ""
        )
        return UserError(
            f"{self._named} could not be fetched: git {step} says {reason[:300] or 'nothing'!r}. "
            "Check the address, what stands after the @, and your rights to it."
        )


def environment(protocols: str, login: str = "") -> dict[str, str]:
    """Return what git runs with: no configuration of the user's, of the system's, or of a git that called this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    # A host may send git on at the first request, as GitLab does to add `.git`; never with a password that was for it.
    redirects = {"http.followRedirects": "false" if login else "initial"}
    config = _CONFIG | redirects | ({"http.extraHeader": login} if login else {})
    reach = {} if "GIT_SSH" in kept else {"GIT_SSH_COMMAND": kept.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")}
    numbered = {
        f"GIT_CONFIG_{part}_{number}": text
        for number, pair in enumerate(config.items())
        for part, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    return {
        **kept,
        **numbered,
        "GIT_CONFIG_COUNT": str(len(config)),  # in the environment, not on the command line: it may hold a password
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "SSH_ASKPASS_REQUIRE": "never",
        **reach,
        "LC_ALL": "C",
    }


def _size(folder: Path) -> int:
    """Bytes on disk under a folder that is changing."""
    size = 0
    pending = [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return size


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


# A folder of the user's ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """The commit that a folder is at. `dirty` tells of files under it that are not as the commit has them."""

    commit: str
    dirty: bool


def head_of(folder: Path, *, seconds: float = 10.0) -> Head | None:
    """Return the commit that a folder of the user's is checked out at; None where it is in no repository.

    The folder may come from anywhere and its configuration with it, so only commands run that start no program which a
    repository can name: no filter, no monitor, no hook. `git status` and `git diff-files` do start filters. Sizes and
    times are compared instead of contents: a file that was only touched counts as changed until git looked at it again.
    """
    alone = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
        # A partial clone would have git fetch what lacks, by the program its configuration names.
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }

    def git(*arguments: str) -> bytes | None:
        try:
            done = subprocess.run(  # noqa: S603 the arguments are those below
                ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments],  # noqa: S607
                cwd=folder,
                env=alone,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    commit = (git("rev-parse", "--verify", "--quiet", "HEAD") or b"").decode("ascii", "replace").strip()
    if not _COMMIT.fullmatch(commit):
        return None
    staged = git("diff-index", "--cached", "--raw", "--ignore-submodules=all", "--no-ext-diff", "HEAD", "--", ".")
    new = git("ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "--", ".")
    # A command that did not end well has not shown that nothing changed.
    if staged != b"" or new != b"":
        return Head(commit, dirty=True)
    listed = git("ls-files", "--debug", "-z", "--", ".")
    return Head(commit, dirty=listed is None or not _as_listed(listed, folder))


def _as_listed(listed: bytes, folder: Path) -> bool:
    """Whether every file has the size and the time that git's index has of it; false for a list in another format."""
    at = 0
    while at < len(listed):
        entry = _ENTRY.match(listed, at)
        if entry is None:
            return False
        at = entry.end()
        name, seconds, nanoseconds, size = entry.groups()
        try:
            found = os.lstat(os.path.join(os.fsencode(folder), name))
        except OSError:
            return False
        if stat.S_ISDIR(found.st_mode):
            continue  # a submodule, whose files are of no commit of this repository
        # Not every program that writes an index notes more than seconds.
        exact = int(nanoseconds) == 0 or found.st_mtime_ns % 10**9 == int(nanoseconds)
        if (found.st_size % 2**32, found.st_mtime_ns // 10**9) != (int(size), int(seconds)) or not exact:
            return False
    return True
