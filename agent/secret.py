"""This user's secret on this machine, with which what a workspace keeps is sealed: it can come from somebody else."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress

from retrieval.weights import user_cache


def own_secret() -> bytes:
    """Return the secret for kept answers and journals, 32 bytes, made at the first call. Raises OSError."""
    path = user_cache() / "answers.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=path.parent)  # private to the user
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
            with suppress(FileExistsError):  # another process was faster: its secret is the one
                os.link(made, path)
        finally:
            os.unlink(made)
    return path.read_bytes()
