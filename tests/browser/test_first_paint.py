"""From the start of `hoplite serve` to the first paint, on a warm cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retrieval.indexing import index
from tests.browser.first_paint import measure

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

SECONDS = 2.0
_TRIES = 3  # of which the first fills the caches, and one may fall into a busy moment of the machine


def test_something_is_painted_within_two_seconds_of_the_start(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("# Herons\n\nThey nest in March.\n")
    index([tmp_path])
    took = []
    while len(took) < _TRIES and not (took and took[-1].painted <= SECONDS):
        took.append(measure(browser, tmp_path / ".hoplite"))
    assert took[-1].painted <= SECONDS, took
    assert took[-1].usable > took[-1].painted
