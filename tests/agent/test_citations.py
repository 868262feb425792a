"""Every label in an answer is a passage that was shown, and every quote stands in its file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_library import FakeLibrary, passage, quotable
from hypothesis import given
from hypothesis import strategies as st

from agent.citations import Claim, check, denies, resolve, support, traced, without_labels
from agent.units import units
from ingest.types import Document
from retrieval.types import Source

QUESTION = "When did the archive of the harbour office open?"
HARBOUR = passage("1", "The archive of the harbour office opened in 1889.\nIt closed in 1940.", "harbour.md", line=3)
BRIDGE = passage("2", "The bridge office was painted by Ada Quill.", "bridge.md")
FILES = {"harbour.md": f"# Harbour\n\n{HARBOUR.text}\n", "bridge.md": BRIDGE.text}


def answered(draft: str, files: dict[str, str] = FILES, question: str = QUESTION) -> tuple:
    checked = check(support(question, draft, quotable(HARBOUR, BRIDGE)), FakeLibrary(files).resolve)
    return checked.text, checked.citations, checked.supported


def test_a_supported_claim_cites_the_lines_of_its_quote() -> None:
    text, [citation], supported = answered("1889 [1]")
    assert (text, supported) == ("1889 [1]", True)
    assert citation.quote == "The archive of the harbour office opened in 1889."
    assert (citation.path, citation.start_line, citation.end_line, citation.verified) == ("harbour.md", 3, 3, True)


def test_a_forged_label_is_removed_and_the_true_one_attached() -> None:
    assert answered("It opened in 1889 [7].")[0] == "It opened in 1889 [1]."


def test_a_label_that_was_forgotten_is_attached() -> None:
    assert answered("It opened in 1889.")[0] == "It opened in 1889 [1]."


def test_a_label_of_the_wrong_passage_is_replaced_by_the_right_one() -> None:
    assert answered("1889 [2]")[0] == "1889 [1]"


def test_a_sentence_that_nothing_supports_is_marked() -> None:
    text, citations, supported = answered("It opened in 1889 [1]. Whales built the lighthouse [1].")
    assert text == "It opened in 1889 [1]. Whales built the lighthouse [no source]."
    assert (len(citations), supported) == (1, True)


@pytest.mark.parametrize("draft", ["It opened in 1888 [1].", "1,889,000 [1]", "Brunel Fox opened it in 1889 [1]."])
def test_numbers_and_names_must_stand_in_the_quote(draft: str) -> None:
    assert answered(draft)[2] is False


def test_yes_is_supported_by_what_the_question_says() -> None:
    text, citations, _ = answered("Yes [1] [2]", question="Do the harbour office and the bridge office exist?")
    assert text == "Yes [1] [2]"
    assert {c.path for c in citations} == {"harbour.md", "bridge.md"}


def test_an_altered_file_leaves_the_quote_unverified_and_the_answer_unsupported() -> None:
    altered = {**FILES, "harbour.md": FILES["harbour.md"].replace("1889", "1789")}
    text, [citation], supported = answered("1889 [1]", altered)
    assert (citation.verified, supported) == (False, False)
    assert text == "1889 [1] [no source]"


def test_a_deleted_file_leaves_the_quote_unverified() -> None:
    assert answered("1889 [1]", {})[1][0].verified is False


def test_text_that_moved_is_cited_where_it_stands_now() -> None:
    moved = {"harbour.md": "New first line.\n\n\n" + FILES["harbour.md"]}
    [citation] = answered("1889 [1]", moved)[1]
    assert (citation.start_line, citation.verified, citation.moved) == (6, True, True)
    assert answered("1889 [1]")[1][0].moved is False


def test_the_quote_of_a_changed_file_is_not_said_to_be_the_commits() -> None:
    source = Source(".", "folder", "/repo", "/repo", "2026-01-01T00:00:00+00:00", commit="1a2b3c4d")
    [citation] = answered("1889 [1]")[1]
    for stale in (False, True):
        shown = traced(citation, stale=stale, source=source)
        assert shown.source is not None
        assert (shown.stale, shown.source.commit, shown.source.dirty) == (stale, "1a2b3c4d", stale)


def test_a_quote_over_two_lines_has_the_lines_of_both() -> None:
    wrapped = passage("1", "The archive opened\n  in 1889.", line=2)
    unit = units(wrapped, "prose")[0]
    cited = resolve(unit, Document("a.md", "x\nThe archive opened\n  in 1889.\n", "prose", "", ""))
    assert (cited.start_line, cited.end_line, cited.quote) == (2, 3, "The archive opened in 1889.")


def test_lines_are_the_files_where_loading_dropped_some() -> None:
    document = Document("a.html", "One.\nTwo is here.", "prose", "", "", source_lines=(4, 9))
    unit = units(passage("1", "Two is here.", "a.html", line=9), "prose")[0]
    assert (resolve(unit, document).start_line, resolve(unit, document).verified) == (9, True)


def test_a_quote_on_one_line_is_spelled_as_in_the_file() -> None:
    unit = units(passage("1", "KEEP  =  42   # days", "a.py"), "code")[0]
    assert resolve(unit, Document("a.py", "KEEP  =  42   # days\n", "code", "", "")).quote == "KEEP  =  42   # days"


def test_the_hop_that_leads_to_the_quote_is_cited_with_it() -> None:
    page = passage("1", "Heron keeps its letters in `ReedStore`.", "heron.md")
    code = replace(passage("2", "class ReedStore:\n    KEEP = 42", "reed.py"), names=("ReedStore",))
    [claim] = support("For how many days does Heron keep letters?", "42 [2]", quotable(page, code))
    assert [u.passage.label for u in claim.quotes] == ["2", "1"]


@pytest.mark.parametrize(
    "draft", ["The sources do not say.", "The passage does not mention it [1].", "Not specified", "Unknown.", "N/A"]
)
def test_a_draft_that_denies_is_known(draft: str) -> None:
    assert denies(draft)


def test_a_draft_that_only_uses_the_word_not_denies_nothing() -> None:
    assert not denies("The archive did not open before 1889 [1].")


def test_labels_and_marks_can_be_taken_off() -> None:
    assert without_labels("1889 [1]. Whales [no source].") == "1889. Whales."


@given(st.text(alphabet=st.sampled_from("archive 1889opened[]12,.\n{}"), max_size=80))
def test_no_draft_cites_what_was_not_shown(draft: str) -> None:
    text, citations, _ = answered(draft)
    assert {c.label for c in citations} <= {"1", "2"}
    assert all(c.quote in FILES[c.path] for c in citations if c.verified)
    assert check([Claim("x", ())], lambda _: None).text == "x [no source]"
    assert text is not None


def test_a_bare_number_needs_a_sentence_that_is_about_the_question() -> None:
    question = "How many bells did the lighthouse keeper Ada Quill ring on the northern shore of the lake?"
    aside = passage("1", "The keeper had 3 cats.", "cats.md")
    assert support(question, "3 [1]", quotable(aside))[0].quotes == ()
    told = passage("1", "The lighthouse keeper rang 3 bells on the shore.", "bells.md")
    assert support(question, "3 [1]", quotable(told))[0].quotes


def test_a_citation_has_the_page_its_quote_is_on_now() -> None:
    text = "Harbours\n\nThe archive of the harbour office opened in 1889.\nIt closed in 1940."
    document = Document("harbour.pdf", text, "prose", "pdf", "", pages=(1, 1, 2, 2))
    unit, _ = units(replace(HARBOUR, path="harbour.pdf", page=1), "prose")
    assert resolve(unit, document).page == 2
    assert resolve(unit, None).page == 1
    assert resolve(unit, replace(document, pages=None)).page is None
