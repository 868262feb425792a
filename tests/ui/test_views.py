"""The page's views together."""

from __future__ import annotations

from pathlib import Path

import pytest

from ui.desk import Workdesk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported


def test_a_views_name_is_its_title_by_which_the_page_finds_tabs_that_do_not_fit(indexed: Path) -> None:
    from ui.app import views

    with Workdesk(indexed / ".hoplite", {"model": "none"}) as desk:
        shown = views(desk)
    assert [view.name for view in shown] == [view.title.lower() for view in shown]
    assert [view.name for view in shown] == ["chat", "library", "traces", "evaluation", "memory", "settings"]
