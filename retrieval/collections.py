"""Collections: named sets of path globs that a question can be asked in, kept in the workspace as JSON.

The file can come with a workspace from somebody else, or out of an editor: it is validated whole, and bounded.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ingest.errors import UserError

MOST = 50
"""Collections of a workspace."""

GLOBS = 50
"""Globs of a collection."""

EVERYTHING = "Everything"
"""What the page calls being in no collection; none is called so."""

_NAME_LENGTH = 60
_GLOB_LENGTH = 300
_LONGEST = 2_000_000  # bytes of the file
_lock = threading.Lock()


class Collection(BaseModel):
    """What documents belong to it: those at paths that fit any of `globs`, `*` crossing slashes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=_NAME_LENGTH)
    globs: tuple[str, ...] = Field(min_length=1, max_length=GLOBS)

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not name.isprintable() or name != " ".join(name.split()):
            raise ValueError("a name is printable, with single spaces inside")
        if name.casefold() == EVERYTHING.casefold():
            raise ValueError(f"{EVERYTHING} is what belongs to no collection")
        return name

    @field_validator("globs")
    @classmethod
    def _written(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        for glob in globs:
            if not glob or len(glob) > _GLOB_LENGTH or not glob.isprintable():
                raise ValueError(f"a glob is printable and has 1 to {_GLOB_LENGTH} characters, such as docs/*")
        return globs


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    collections: tuple[Collection, ...] = Field((), max_length=MOST)

    @field_validator("collections")
    @classmethod
    def _apart(cls, found: tuple[Collection, ...]) -> tuple[Collection, ...]:
        names = [each.name.casefold() for each in found]
        if len(set(names)) < len(names):
            raise ValueError("two collections have one name")
        return found


def collections(path: Path) -> tuple[Collection, ...]:
    """Return the collections of a workspace's file, by name; none where there is no file.

    Raises UserError for a file that does not say what it should.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    try:
        if len(text) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST:,} bytes")
        found = _File.model_validate_json(text).collections
    except ValidationError as error:
        raise UserError(f"{path} holds no collections: {_first(error)}. Correct it, or delete it.") from error
    except ValueError as error:
        raise UserError(f"{path} holds no collections: {error}. Delete it.") from error
    return tuple(sorted(found, key=lambda each: each.name.casefold()))


def named(path: Path, name: str) -> Collection:
    """Return the collection of this name, however it is capitalised. Raises UserError with the names there are."""
    found = collections(path)
    for each in found:
        if each.name.casefold() == name.strip().casefold():
            return each
    names = ", ".join(each.name for each in found)
    there = f"There are: {names}" if found else "There is none yet; the page's Library makes them"
    raise UserError(f"There is no collection {name!r}. {there}.")


def save(path: Path, name: str, globs: Sequence[str], *, instead_of: str = "") -> Collection:
    """Write a collection, in place of the one of its name or of `instead_of`, which is how one is renamed.

    Raises UserError for a name or a glob that will not do, a name that another one has, and too many.
    """
    try:
        kept = dict.fromkeys(glob.strip() for glob in globs if glob.strip())
        made = Collection(name=" ".join(name.split()), globs=tuple(kept))
    except ValidationError as error:
        raise UserError(f"This is no collection: {_first(error)}.") from error
    with _lock:
        found = {each.name.casefold(): each for each in collections(path)}
        if instead_of:
            replaced = named(path, instead_of).name.casefold()
            if made.name.casefold() != replaced and made.name.casefold() in found:
                raise UserError(f"There is a collection {made.name} already. Choose another name.")
            del found[replaced]
        found[made.name.casefold()] = made
        if len(found) > MOST:
            raise UserError(f"There may be {MOST} collections. Delete one first.")
        _write(path, found.values())
    return made


def delete(path: Path, name: str) -> None:
    """Forget a collection; its documents stay. Raises UserError where there is none of this name."""
    with _lock:
        gone = named(path, name)
        _write(path, [each for each in collections(path) if each != gone])


def _write(path: Path, found: Iterable[Collection]) -> None:
    text = _File(collections=tuple(found)).model_dump_json(indent=2)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=".collections-")  # private to the user
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(made, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(made)
        raise UserError(f"{path} cannot be written: {error.strerror}. Free some space, or check who may.") from error


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    wrong = error.errors()[0]
    where = ".".join(map(str, wrong["loc"]))
    said = wrong["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
