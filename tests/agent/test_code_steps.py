"""How a reply becomes code, whatever marks the model left out."""

from __future__ import annotations

import pytest

from agent.code_steps import fenced


@pytest.mark.parametrize(
    "reply",
    ['search("Heron")', '```\nsearch("Heron")\n```', '```py\nsearch("Heron")\n```', '```python\nsearch("Heron")\n```'],
)
def test_code_is_marked_as_python(reply: str) -> None:
    assert fenced(reply).startswith('```python\nsearch("Heron")\n```')


@pytest.mark.parametrize(
    "reply", ["I would search for it.", "Heron", "", "[1] Heron", "def broken(:", "\x00", "(" * 5000]
)
def test_what_is_no_code_is_left_alone(reply: str) -> None:
    assert fenced(reply) == reply
