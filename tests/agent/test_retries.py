"""Which failures are waited for, and how long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.retries import ATTEMPTS, FIRST_WAIT, LONGEST_ASKED, seconds_asked, wait_before

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_the_wait_doubles_and_ends() -> None:
    for attempt in range(2, ATTEMPTS + 1):
        doubled = FIRST_WAIT * 2 ** (attempt - 2)
        waits = [wait_before(attempt, None, 60) for _ in range(50)]
        assert all(wait is not None and doubled / 2 <= wait <= doubled for wait in waits)
        assert len(set(waits)) > 1
    assert wait_before(ATTEMPTS + 1, None, 60) is None
    assert (ATTEMPTS, FIRST_WAIT) == (5, 1)
    assert doubled <= 30


def test_what_the_provider_asks_for_is_waited_but_not_beyond_the_deadline() -> None:
    assert wait_before(2, 7, 60) == 7
    assert wait_before(2, 0, 60) == 0
    assert wait_before(2, 61, 60) is None
    assert wait_before(2, None, FIRST_WAIT / 4) is None


def test_a_provider_that_asks_for_more_than_two_minutes_is_not_waited_for() -> None:
    assert LONGEST_ASKED == 120
    assert wait_before(2, LONGEST_ASKED, 600) == LONGEST_ASKED
    assert wait_before(2, LONGEST_ASKED + 1, 600) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3),
        (" 0.5 ", 0.5),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-3", None),
        ("1e9", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_a_retry_after_header_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_asked(header, NOON) == seconds
