"""Which conversation, or which evaluation, the runs that begin here belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context

_SESSION = context.create_key("hoplite.session")


@contextmanager
def session(name: str, *, evaluation: bool = False) -> Iterator[None]:
    """Let the runs that begin inside be of one session. Not across a yield: see `agent.run.Stage.current`.

    The name is the conversation's own, or the folder of an evaluation, whose questions nobody asked for an answer.
    """
    attributes = {"session.id": name, "hoplite.evaluation" if evaluation else "gen_ai.conversation.id": name}
    token = context.attach(context.set_value(_SESSION, attributes))
    try:
        yield
    finally:
        context.detach(token)


def session_attributes() -> Mapping[str, str]:
    """Return what the span of a run says of its session; nothing where it has none."""
    found = context.get_value(_SESSION)
    return found if isinstance(found, dict) else {}
