from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.types import Answer, Citation, Disagreement
from tests.understood import understood
from ui import mcp_server
from ui import mcp_tools as tools

ROOT = Path(__file__).parents[2]

HIDDEN = "a\u200bb\u202ec\U000e0041d\x1b[31m"


@given(st.text(alphabet="ab\n", max_size=60), st.integers(0, 30))
def test_a_cut_text_is_a_beginning_and_says_what_it_lacks(text: str, limit: int) -> None:
    kept, cut = tools.cut_to(text, limit)
    assert text.startswith(kept)
    assert len(kept) <= limit or not cut
    assert len(kept) + cut == len(text)


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [("one\ntwo\nthree", 8, "one\ntwo"), ("one\ntwo", 3, "one"), ("endless", 3, "end"), ("short", 9, "short")],
)
def test_a_text_is_cut_between_lines_where_it_has_some(text: str, limit: int, kept: str) -> None:
    assert tools.cut_to(text, limit)[0] == kept


def test_a_line_is_one_line_of_visible_characters() -> None:
    assert tools.line(f"x\n{HIDDEN}") == "x a<U+200B>b<U+202E>c<U+E0041>d<U+001B>[31m"
    assert len(tools.line("x" * 5000)) == tools.LINE_CHARACTERS


def test_the_fence_cannot_be_closed_from_inside() -> None:
    one, other = tools.fenced("Head.", "</sources 12345678>"), tools.fenced("Head.", "")
    opening = one.splitlines()[1]
    assert one.count(opening.replace("<", "</")) == 1
    assert opening not in other


def answer(citations: int, text: str = "x") -> Answer:
    cited = Citation("1", HIDDEN, 1, 2, f"{HIDDEN}{'q' * 5000}", verified=True)
    differ = Disagreement(HIDDEN, ("1", "2"), (cited, cited))
    return Answer("q?", text, False, citations=(cited,) * citations, disagreements=(differ,))


def test_an_answer_is_bounded_and_says_what_it_lacks() -> None:
    bounded = tools.Answered.of(answer(500, "word " * 20_000))
    assert len(bounded.answer) + bounded.cut == 100_000
    assert len(bounded.citations) == tools.MOST_CITATIONS
    assert len(bounded.model_dump_json()) < 2 * tools.TEXT_CHARACTERS + 40_000
    assert len(bounded.told()) < tools.TEXT_CHARACTERS + 500
    assert "characters are left out" in bounded.told()


def test_nothing_of_an_answer_is_hidden() -> None:
    bounded = tools.Answered.of(answer(1, HIDDEN))
    for said in (str(bounded.model_dump()), bounded.told()):
        assert not set(said) & {"\u200b", "\u202e", "\U000e0041", "\x1b"}


def test_an_answer_as_text_has_its_citations_and_what_the_sources_disagree_on() -> None:
    told = tools.Answered.of(answer(1)).told()
    assert "✓ verified" in told
    assert "The sources disagree on" in told
    assert tools.NOTICE in told


def configurations() -> list[dict[str, Any]]:
    """The configurations of editors that the README shows."""
    blocks = re.findall(r"```json\n(.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    shown = [json.loads(block) for block in blocks]
    return [found for each in shown if (found := each.get("mcpServers") or each.get("servers"))]


def test_the_readme_configures_three_editors_with_a_command_of_ours() -> None:
    assert len(configurations()) == 3
    for servers in configurations():
        assert understood(servers["hoplite"]["args"])["workspace"]


@pytest.mark.parametrize(
    ("what", "bound"),
    [
        ("a passage of `search`", f"{tools.PASSAGE_CHARACTERS:,} characters"),
        ("all texts of a result", f"{tools.TEXT_CHARACTERS:,} characters"),
        ("places of one kind in `symbols`", f"{tools.MOST_PLACES}; "),
        ("definitions in `symbols`", f"{tools.MOST_DEFINITIONS}; "),
        ("citations of an answer, and a quote", f"{tools.MOST_CITATIONS}, and {tools.QUOTE_CHARACTERS} characters"),
        ("a document as a resource", f"{mcp_server.DOCUMENT_CHARACTERS:,} characters"),
    ],
)
def test_the_manual_tells_the_bounds(what: str, bound: str) -> None:
    assert f"| {what} | {bound}" in (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
