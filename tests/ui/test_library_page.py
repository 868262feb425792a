"""The library as HTML: places are read, pages are bounded, and nothing of a document, a name or a path is markup."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest.types import Document
from retrieval.manifest import Failure, Listed
from tests.retrieval.made import prose
from ui import library_page
from ui.intake import Job
from ui.library_page import LINES, PAGE, At, at

HOSTILE = '<img src=x onerror=alert(1)> ![x](http://evil/p.png) "#L1'


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("a.md", At("a.md")),
        ("a.md#L12-18", At("a.md", 12, 18)),
        ("a.md#L12", At("a.md", 12, 12)),
        ("a#L3.md#L12-4", At("a#L3.md", 12, 12)),
        ("a.md#L12-18x", At("a.md#L12-18x")),
        ("a.md#L" + "9" * 40, At("a.md#L" + "9" * 40)),
        ("", At("")),
    ],
)
def test_a_place_is_read_or_is_a_path(said: str, place: At) -> None:
    assert at(said) == place


def loaded(lines: int, text: str = "line") -> Document:
    return Document("a.md", "\n".join(f"{text} {n}" for n in range(1, lines + 1)), "prose", "markdown", "d")


def test_a_document_is_shown_a_page_at_a_time_from_the_line_that_is_asked_for() -> None:
    shown = library_page.document(At("a.md", LINES + 5, LINES + 6), loaded(3 * LINES), [], (), changed=False)
    assert "Page 2 of 3" in shown
    assert f">line {LINES + 1}<" in shown
    assert f">line {LINES}<" not in shown
    assert shown.count("class=cited") == 2
    assert f"#open/library/doc%3Aa.md%23L{2 * LINES + 1}" in shown


def test_a_line_beyond_the_end_shows_the_last_page() -> None:
    assert f">line {LINES + 1}<" in library_page.document(At("a.md", 9**9), loaded(LINES + 1), [], (), changed=False)


def test_a_chunk_says_what_it_defines_and_mentions_and_what_leads_on_is_a_link() -> None:
    chunk = replace(prose("a.md", "Title", "x"), defines=("title",), mentions=("sweep", "nowhere"), end_line=2)
    shown = library_page.document(At("a.md"), loaded(3), [chunk], {"sweep"}, changed=True, original="b.md")
    assert 'href="#open/library/name%3Asweep">sweep</a>' in shown
    assert 'href="#open/library/name%3Anowhere"' not in shown
    assert 'href="#open/library/name%3Atitle"' in shown
    assert "changed since it was indexed" in shown
    assert "stored with b.md" in shown


def test_hostile_text_and_paths_are_text() -> None:
    chunk = replace(prose(HOSTILE, HOSTILE, HOSTILE), defines=(HOSTILE,), mentions=(HOSTILE,))
    listed = Listed(HOSTILE, HOSTILE, 1, 1, "prose", HOSTILE, 1, HOSTILE)
    failure = Failure(HOSTILE, HOSTILE, HOSTILE)
    shown = [
        library_page.document(At(HOSTILE, 1, 1), loaded(3, HOSTILE), [chunk], {HOSTILE}, changed=False),
        library_page.document(At(HOSTILE), None, [chunk], {HOSTILE}, changed=False),
        library_page.listed([listed], 0, lambda each: "changed"),
        library_page.folder(HOSTILE, [listed]),
        library_page.asks(HOSTILE, 1, 1, copied=True),
        library_page.job(Job(HOSTILE, over=True, said=HOSTILE, failed_files=(failure,)), HOSTILE),
        library_page.job(Job(HOSTILE), HOSTILE),
        library_page.problem(HOSTILE),
    ]
    for page in shown:
        assert "<img" not in page
        assert "http://evil" not in page
        assert "\n" not in page


def test_a_very_long_line_and_very_many_names_are_cut() -> None:
    chunk = replace(prose("a.md", "T", "x"), mentions=tuple(f"name{n}" for n in range(500)), end_line=1)
    long = Document("a.md", "x" * 100_000, "prose", "markdown", "d")
    shown = library_page.document(At("a.md"), long, [chunk], (), changed=False)
    assert len(shown) < 10_000
    assert "and 460 more" in shown


def test_a_list_of_ten_thousand_is_shown_by_pages() -> None:
    many = [Listed(f"d{n:05}.md", "", 1, 1, "prose", "markdown", 1, "") for n in range(10_000)]
    asked: list[Listed] = []

    def state(each: Listed) -> str:
        asked.append(each)
        return "same"

    shown = library_page.listed(many, 3, state, "d00151.md")
    assert "151 to 200 of 10,000" in shown
    assert len(asked) == PAGE, "only those shown are looked at"
    assert "<li class=current>" in shown
    assert library_page.pages(10_000) == 200


def test_a_failure_says_what_can_be_done() -> None:
    job = Job("x", over=True, failed_files=(Failure("a.pdf", "encrypted", "a.pdf asks for a password."),))
    shown = library_page.job(job, "")
    assert "a.pdf asks for a password" in shown
    assert "Save a copy without a password" in shown
