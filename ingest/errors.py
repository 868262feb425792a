"""Every error Hoplite raises on purpose, as one tree.

HopliteError
├── UserError              the user can fix it: one line, exit 2
│   ├── ModelUnavailable   weights or an endpoint are missing; says which command fetches them
│   ├── EmbedderMismatch   the workspace was indexed with another embedder
│   ├── WorkspaceMissing   there is no workspace here
│   ├── WorkspaceDamaged   the store holds less than the manifest says
│   └── WorkspaceBusy      another process holds the workspace, exit 3
├── FileFailed             one file could not be read; the others go on, exit 4 at the end
└── ToolError              the model can fix it: goes back to it as an observation

Anything else that escapes is a bug: a traceback, exit 1.
"""


class HopliteError(Exception):
    """An outcome that was foreseen. Its message says what happened, the value seen and the next step."""

    exit_code = 1


class UserError(HopliteError):
    """The user can fix it."""

    exit_code = 2


class ModelUnavailable(UserError):
    """Weights or an endpoint are missing."""


class EmbedderMismatch(UserError):
    """The workspace was indexed with another embedder."""


class WorkspaceMissing(UserError):
    """No workspace was found where one was looked for."""


class WorkspaceDamaged(UserError):
    """The store holds less than the manifest says it does."""


class WorkspaceBusy(UserError):
    """Another process holds the workspace."""

    exit_code = 3


class FileFailed(HopliteError):
    """One file that should have been read was not.

    `reason` is a short, countable class of failure such as "syntax" or "encoding".
    """

    exit_code = 4

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["FileFailed"], tuple[str, str]]:
        # Raised in worker processes: the default reduction would lose one of the two arguments.
        return type(self), (self.reason, str(self))


class ToolError(HopliteError):
    """A tool call the model can correct; the message goes back to it as an observation."""
