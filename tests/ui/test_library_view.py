"""The library's handlers over a real workspace: added, listed, opened, re-read, removed, put in collections."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import loops
from ui.desk import Workdesk
from ui.intake import Intake
from ui.uploads import arriving

if TYPE_CHECKING:
    from ui.views.library import LibraryView

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported


@pytest.fixture
def view(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LibraryView]:
    from ui.views.library import LibraryView

    monkeypatch.setenv("HOPLITE_ALLOWED_ROOTS", str(indexed.parent))
    with Workdesk(indexed / ".hoplite", {"model": "none"}) as desk:
        yield LibraryView(desk, Intake(desk))


def followed(view: LibraryView) -> str:
    """What the progress says in the end."""

    async def shown() -> list[str]:
        return [html async for html in view.follow()]

    return loops.run(shown())[-1]


def links(html: str) -> list[str]:
    return re.findall(r'href="#open/library/([^"]+)"', html)


def test_a_folder_is_added_and_its_documents_are_there(view: LibraryView, indexed: Path) -> None:
    more = indexed.parent / "more"
    more.mkdir()
    (more / "notes.md").write_text("# Notes\n\nAbout `sweep()`.\n")
    assert "more" in view.add(f" {more} ")[0]
    assert "1 new" in followed(view)
    assert "notes.md" in view.listed("notes")[0]
    assert "4 documents" in view.state()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "Type a folder"),
        ("/etc", "outside of what this page may index"),
        ("/nowhere/at/all", "cannot be found"),
        ("<b>x</b>", "cannot be found"),
    ],
)
def test_what_cannot_be_added_is_said(view: LibraryView, said: str, told: str) -> None:
    html, _ = view.add(said)
    assert told in html
    assert "<b>x" not in html
    assert "3 documents" in view.state()


def test_files_that_are_dropped_are_kept_in_the_workspace_and_no_later_run_forgets_them(
    view: LibraryView, indexed: Path
) -> None:
    home = view._desk.home()
    with arriving(home) as folder:
        (folder.folder / "plan.md").write_text("# Plan\n\nThe heron lands at noon.\n")
        view.dropped([str(folder.folder / "plan.md")])
    assert "1 new" in followed(view)
    assert "lands at noon" in view.opened("doc:uploads/plan.md")[0]
    view.add(str(indexed))
    followed(view)
    assert "uploads/plan.md" in view.listed()[0]
    _, _, asked, removing, _ = view.opened("remove:uploads/plan.md")
    assert "The copy that the workspace keeps is deleted, too" in asked
    assert "1 document and 1 passage forgotten" in view.removed(removing)[0]
    assert not (home.uploads / "plan.md").exists()


def test_a_file_that_comes_to_nothing_is_not_kept(view: LibraryView, indexed: Path) -> None:
    (indexed / "uploads").mkdir()
    (indexed / "uploads" / "plan.md").write_text("# Mine\n\nOf this machine.\n")
    home = view._desk.home()
    with arriving(home) as folder:
        (folder.folder / "plan.md").write_text("# Plan\n\nThe heron lands at noon.\n")
        view.dropped([str(folder.folder / "plan.md")])
    assert "would be shown by the same path as" in followed(view)
    assert list(home.uploads.iterdir()) == []
    assert (indexed / "uploads" / "plan.md").exists()


def test_nothing_but_what_arrived_is_taken_in(view: LibraryView, indexed: Path) -> None:
    with arriving(view._desk.home()):
        assert "no file that was added here" in view.dropped([str(indexed / "guide.md")])[0]
    assert (indexed / "guide.md").exists()


def test_what_is_stale_is_said_and_read_again_with_one_button(view: LibraryView, indexed: Path) -> None:
    assert "Every file is as it was indexed" in view.state()
    assert "Every file is as it was indexed" in view.update()
    (indexed / "guide.md").write_text("# Anew\n\nOther words.\n")
    (indexed / "src" / "store.py").unlink()
    (indexed / "new.md").write_text("# New\n\nNot asked for.\n")
    assert "2 documents changed since" in view.state()
    assert "changed</span>" in view.listed("guide")[0]
    view.update()
    assert "1 changed, 1 gone" in followed(view)
    assert "2 documents" in view.state()
    assert "new.md" not in view.listed()[0], "only what changed is read again"


def test_a_failure_is_told_with_what_to_do(view: LibraryView, indexed: Path) -> None:
    (indexed / "broken.ipynb").write_text("{")
    view.add(str(indexed))
    for html in (followed(view), view.state()):
        assert "1 file failed" in html
        assert "broken.ipynb is no" in html
        assert "save it anew" in html


def test_documents_are_filtered_by_words_globs_kind_and_collection(view: LibraryView) -> None:
    assert "1 to 3 of 3" in view.listed()[0]
    assert "1 to 1 of 1" in view.listed("GUIDE")[0]
    assert "1 to 2 of 2" in view.listed("src/*")[0]
    assert "1 to 1 of 1" in view.listed("", "Documents")[0]
    assert "No document fits" in view.listed("zebra")[0]
    view.saved("New collection", "code", "src/*")
    assert "1 to 2 of 2" in view.listed("", "", "code")[0]
    assert "There is no collection" in view.listed("", "", "gone")[0]


def test_ten_thousand_documents_are_listed_quickly(view: LibraryView, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrieval.manifest import Entry

    with view._desk.library() as library:
        library._manifest.record(
            [Entry(f"d/{n:05}.md", f"/d/{n}", "x", 9, 1, "prose", "markdown", (n,), ()) for n in range(10_000)]
        )
        began = time.perf_counter()
        html, page, before, after = view.listed("d/", page=7)
        assert time.perf_counter() - began < 1.0
    assert "351 to 400 of 10,000" in html
    assert (page, before["interactive"], after["interactive"]) == (7, True, True)


def test_a_document_opens_at_its_lines_and_its_names_lead_on(view: LibraryView) -> None:
    html, *_, opened = view.opened("doc:src/store.py#L6-8")
    assert opened == "src/store.py"
    assert html.count("class=cited") == 3
    assert "name%3AHERON_RETENTION" in "".join(links(html))
    assert "name%3Asweep" in "".join(links(html))
    for what in ("doc:../../etc/passwd", "doc:/etc/passwd", "doc:", "doc:guide.md\x00"):
        assert "is not indexed" in view.opened(what)[0]


def test_a_name_is_drawn_and_listed_and_its_nodes_open(view: LibraryView) -> None:
    html = view.opened("name:sweep")[0]
    assert "<svg" in html
    assert "Where it is defined" in html
    assert "doc%3Aguide.md%23L1-4" in "".join(links(html))
    assert "Nothing here defines or mentions" in view.opened("name:zebra")[0]
    assert links(view.opened("name:heronRetention")[0]) == ["name%3AHERON_RETENTION"], "what looks like it is offered"
    assert "<b>" not in view.opened("name:<b>x</b>")[0].partition("</h3>")[0]


def test_a_folder_opens_and_is_removed_once_that_was_asked(view: LibraryView, indexed: Path) -> None:
    assert "2 documents" in view.opened("folder:src")[0]
    _, confirm, asked, removing, _ = view.opened("remove:src")
    assert confirm["visible"]
    assert "2 documents with" in asked
    assert "files themselves stay" in asked
    assert "3 documents" in view.state(), "asking removes nothing"
    assert view.kept()[1] == ""
    assert "2 documents and" in view.removed(removing)[0]
    assert "1 document" in view.state()
    assert (indexed / "src" / "store.py").exists()
    for nothing in ("remove:src", "remove:", "remove:/etc"):
        assert "Nothing that is indexed lies at" in view.opened(nothing)[0]


def test_a_link_reads_no_address_again_that_was_not_read_before(view: LibraryView) -> None:
    assert "never read" in view.opened("again:https://host/owner/repo")[0]
    assert view._intake.job is None
    assert "Choose a document" in view.opened("whatever")[0]


def test_collections_are_made_renamed_and_deleted_on_the_page(view: LibraryView) -> None:
    assert view.collected()[0]["choices"] == ["New collection"]
    *_, said, within = view.saved("New collection", "code", "src/*\n\n")
    assert "2 documents in it" in said
    assert (within["choices"], within["visible"], "value" in within) == (["Everything", "code"], True, False)
    name, globs, counted = view.chosen("code")
    assert (name, globs) == ("code", "src/*")
    assert "2 documents in it" in counted
    chosen, *_, within = view.saved("code", "Source", "src/*\nguide.md")
    assert (chosen["choices"], chosen["value"]) == (["New collection", "Source"], "Source")
    assert (within["choices"], within["value"]) == (["Everything", "Source"], "Everything")
    assert "This is no collection" in view.saved("New collection", "", "x")[-2]
    assert "Choose a collection first" in view.deleted("New collection")[-2]
    assert view.deleted("Source")[0]["choices"] == ["New collection"]


def test_without_a_workspace_every_part_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.views.library import LibraryView

    monkeypatch.chdir(tmp_path)
    with Workdesk(None, {"model": "none"}) as desk:
        view = LibraryView(desk, Intake(desk))
        for html in (
            view.state(),
            view.listed()[0],
            view.opened("doc:a.md")[0],
            view.saved("New collection", "a", "*")[-2],
        ):
            assert "There is no workspace" in html
        assert followed(view) == ""
        assert view.stop() == ""


def test_a_workspace_is_made_for_files_that_are_dropped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.views.library import LibraryView

    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    with Workdesk(None, {"model": "none"}) as desk, arriving(None) as place:
        view = LibraryView(desk, Intake(desk))
        (place.folder / "plan.md").write_text("# Plan\n\nThe heron lands at noon.\n")
        view.dropped([str(place.folder / "plan.md")])
        assert "1 new" in followed(view)
        assert "uploads/plan.md" in view.listed()[0]
        assert os.listdir(tmp_path / "new") == [".hoplite"]


def test_what_is_asked_while_something_is_indexed_is_told_so(view: LibraryView) -> None:
    with view._desk.set_aside(lambda: "X is being indexed."):
        for html in (view.state(), view.listed()[0], view.opened("doc:guide.md")[0], view.removed("guide.md")[0]):
            assert "X is being indexed" in html
    assert "3 documents" in view.state()
