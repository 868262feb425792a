"""Ctrl-C while a question is answered: the first one stops the run with what it has, the second one gives up. And
SIGTERM while the page is served."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATED = 128 + signal.SIGTERM


@contextmanager
def stoppable(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, the first Ctrl-C calls `stop`, and the second one raises KeyboardInterrupt."""

    def stopping(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(2, b"\nStopping; Ctrl-C again gives up.\n")  # a handler may stand inside a write of `click.echo`
        threading.Thread(target=stop, daemon=True).start()  # nor may it wait for a lock that is held here

    with _handled_by(stopping):
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, while a person is asked and nothing is under way, Ctrl-C raises KeyboardInterrupt at once."""
    with _handled_by(signal.default_int_handler):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def terminable() -> Iterator[None]:
    """Have SIGTERM, with which services and containers are stopped, unwind the process instead of ending it on the
    spot: what is open is closed. Outside the main thread, which signals go to, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
