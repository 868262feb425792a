"""How a step in the child ends: with a result, or with the child's death."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.errors import ToolError

PRINTED_CHARS = 60_000  # the child cuts at 50,000 and says so; this is for one that does not
ERROR_CHARS = 4_000


class ChildDied(ToolError):
    """The child is gone, and with it every variable; the parent is well and may start another.

    `reason` says why in a few words, such as "CPU limit of 10 s" or "stopped".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the interpreter died, and its variables with it ({reason})")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class StepResult:
    """A finished step, in the child's words: untrusted.

    `value` is JSON: what `final_answer` was given where `final`, else the value of a last expression, else None.
    `error` is the exception that ended the step, with its line. `printed` holds stdout and stderr, cut when long.
    """

    value: object
    printed: str
    error: str | None
    final: bool

    @classmethod
    def from_message(cls, message: dict[str, object]) -> StepResult:
        """Read the child's "done". Raises ChildDied for any other shape."""
        printed, error, final = message.get("printed"), message.get("error"), message.get("final")
        if not isinstance(printed, str) or not isinstance(error, str | None) or not isinstance(final, bool):
            raise ChildDied("it broke the protocol")
        return cls(message.get("value"), printed[:PRINTED_CHARS], error and error[:ERROR_CHARS], final)
