"""Coroutines run to their end, without a trace in the thread they ran in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own and return what it returns.

    `asyncio.run` takes the thread's loop away as well: LiteLLM has made one by then, and would leave it unclosed, which
    fails whatever test the garbage collector comes by in.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(coroutine)
