"""What to ask next: names that were shown and that nobody used."""

from __future__ import annotations

from dataclasses import replace

from agent.suggest import examples, follow_ups, question_about, unexplored
from agent.types import Answer, Citation
from ingest.types import Chunk
from retrieval.types import Passage

GUIDE = Passage(
    "1", "guide.md", "guide.md > Keeping", 3, 3, "", "Older than `HERON_RETENTION` days, by `sweep()`.", (), 1.0
)
STORE = Passage("2", "store.py", "store.py > sweep", 6, 8, "", "Egret Hall is far.", (), 1.0, ("sweep", "store.sweep"))
CITED = Citation("2", "store.py", 6, 8, "x", True)
ANSWER = Answer("How long?", "45 days [1]", False, (), passages=(GUIDE, STORE))


def test_names_of_shown_passages_that_nothing_said_holds_are_suggested() -> None:
    assert set(unexplored(ANSWER, ())) == {"HERON_RETENTION", "sweep()", "Egret Hall"}
    assert "HERON_RETENTION" not in unexplored(ANSWER, ("What is heron_retention?",))
    assert "sweep()" not in unexplored(replace(ANSWER, answer="By sweep [1]"), ())


def test_what_is_cited_comes_first() -> None:
    assert unexplored(replace(ANSWER, citations=(CITED,)), ())[0] == "sweep()"


def test_an_abstention_suggests_nothing() -> None:
    assert follow_ups(replace(ANSWER, abstained=True), ()) == ()
    assert len(follow_ups(ANSWER, (), most=2)) == 2


def test_a_question_fits_what_the_name_is() -> None:
    assert question_about("HERON_RETENTION") == "What is HERON_RETENTION used for?"
    assert question_about("sweep()") == "What does sweep() do?"
    assert question_about("Egret Hall") == "What is Egret Hall?"


def test_files_private_names_modules_and_everyday_words_are_no_suggestion() -> None:
    noise = replace(
        STORE, excerpt="", names=("guide.md", "_hidden_part", "store.sweeper_two", "day", "Readings.", "x" * 70)
    )
    assert unexplored(replace(ANSWER, passages=(noise,)), ()) == ()


def chunk(path: str, kind: str, title: str, defines: tuple[str, ...], mentions: tuple[str, ...] = ()) -> Chunk:
    return Chunk(1, path, kind, "", title, f"{path} > {title}", "", 1, 2, defines, mentions)  # type: ignore[arg-type]


def test_examples_begin_with_what_one_document_defines_and_another_mentions() -> None:
    guide = [chunk("guide.md", "prose", "Keeping readings", ("keeping readings",), ("HERON_RETENTION",))]
    code = [chunk("s.py", "code", "", ("OTHER_ONE", "HERON_RETENTION", "s.HERON_RETENTION"))]
    asked = examples([guide, code])
    assert asked[0] == "What is HERON_RETENTION used for?"
    assert "What does guide.md say about Keeping readings?" in asked
    assert examples([]) == ()
