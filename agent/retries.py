"""When a failed model call is made again: which failures pass, and how long to wait for it."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ingest.errors import ModelUnavailable

ATTEMPTS = 5
FIRST_WAIT = 1.0
"""Seconds before the second attempt; each further wait is twice as long."""

LONGEST_ASKED = 120.0
"""Seconds. A provider that asks to come back later than that has refused: nobody waits so long for an answer."""


class Passing(ModelUnavailable):
    """A failure that may pass by itself: a rate limit, an overloaded server, a connection that was dropped.

    `after` is how many seconds the provider asks to wait, None where it does not say.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class TooLong(ModelUnavailable):
    """A conversation is longer than the model's window. The same again fails again; a shorter one may not."""


def wait_before(attempt: int, after: float | None, seconds_left: float) -> float | None:
    """Return the seconds to wait before attempt number `attempt` (the first is 1), None where it is not to be made.

    What the provider asks for is honoured up to `LONGEST_ASKED`; else the wait doubles from one attempt to the next and
    is drawn from its upper half, so that callers that failed together do not come back together. No wait outlives the
    call's deadline.
    """
    if attempt > ATTEMPTS:
        return None
    if after is not None and after > LONGEST_ASKED:
        return None
    doubled = FIRST_WAIT * 2 ** (attempt - 2)
    wait = doubled * random.uniform(0.5, 1) if after is None else after  # noqa: S311  # Spreads callers; no secret.
    return wait if wait < seconds_left else None


def seconds_asked(retry_after: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait: a number or an HTTP date; None for anything else."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:  # "-0000" is UTC whose place is not known.
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
