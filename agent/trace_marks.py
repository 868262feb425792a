"""Marks: attributes that each span gets because of what it is part of, when it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context

_KEY = context.create_key("hoplite.marks")


@contextmanager
def marked(marks: Mapping[str, str]) -> Iterator[None]:
    """Let the traces that begin inside have these attributes on all their spans, where they are sent anywhere.

    Not across a yield: see `agent.run.Stage.current`.
    """
    token = context.attach(context.set_value(_KEY, marks))
    try:
        yield
    finally:
        context.detach(token)


def marks(within: context.Context | None) -> Mapping[str, str]:
    """Return the marks of a context, None being the current one."""
    found = context.get_value(_KEY, within)
    return found if isinstance(found, Mapping) else {}
