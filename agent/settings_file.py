"""The user's own config.toml, changed a key at a time: comments and order stay, unknown keys are refused."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from agent.settings import Settings, load_settings, user_file
from ingest.errors import UserError


def kept(environ: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return what the user's file sets, by the settings' names. Raises UserError where it cannot be read."""
    return {_name(key): value for key, value in _document(user_file(environ)).unwrap().items()}


def save(changes: Mapping[str, object], environ: Mapping[str, str] | None = None) -> Path:
    """Set keys in the user's file, remove those whose value is None, and return its path.

    The file is replaced as one and readable by its owner alone. Raises UserError, with nothing written, where a value
    cannot be, where a file may not say so (a sandbox that is off), and where the file has keys that are no settings.
    """
    path = user_file(environ)
    document = _document(path)
    if unknown := sorted(key for key in document if _name(key) not in Settings.model_fields):
        raise UserError(
            f"{path} has keys that are no settings: {', '.join(unknown)}. It is left as it is; remove or correct them."
        )
    for name, value in changes.items():
        for key in [key for key in document if _name(key) == name]:
            if value is None:
                del document[key]
            else:
                document[key] = value
        if value is not None and not any(_name(key) == name for key in document):
            document[name] = value
    text = tomlkit.dumps(document)
    _check(text)
    _write(path, text)
    return path


def _check(text: str) -> None:
    """Read what is to be written as it will be read. Raises UserError as `load_settings` does."""
    with tempfile.TemporaryDirectory() as folder:
        tried = user_file({"XDG_CONFIG_HOME": folder})
        tried.parent.mkdir()
        tried.write_text(text, encoding="utf-8")
        try:
            load_settings(environ={"XDG_CONFIG_HOME": folder})
        except UserError as error:
            raise UserError(str(error).replace(str(tried), "your own config.toml")) from None


def _document(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}. Correct it, or move it away.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Correct its permissions.") from error


def _write(path: Path, text: str) -> None:
    """Replace the file; a link is written through, so that it stays one."""
    real = Path(os.path.realpath(path))
    fresh: str | None = None
    try:
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(dir=real.parent, prefix=".config.")  # readable by its owner alone
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, real)
    except OSError as error:
        if fresh is not None:
            with suppress(OSError):
                os.unlink(fresh)
        raise UserError(f"{path} cannot be written: {error.strerror}. Check the folder's permissions.") from error


def _name(key: str) -> str:
    return key.lower().replace("-", "_")
