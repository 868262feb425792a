"""The command line with a model whose every step never ends: `python -m tests.ui.stubborn ask QUESTION`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent import roles
from agent.models import Message
from agent.testing import ScriptedModel
from tests.ui import station
from ui.cli import main


def _never_ends(messages: Sequence[Message]) -> str:
    gathers = messages[0]["content"].startswith("You gather")
    return "```python\nwhile True: pass\n```" if gathers else "The sources do not say."


if __name__ == "__main__":
    patch = pytest.MonkeyPatch()
    station.without_weights(patch)
    patch.setattr(
        roles, "make_roles", lambda settings, *, outgoing, say: roles.one_for_all(ScriptedModel([_never_ends] * 9))
    )
    main()
