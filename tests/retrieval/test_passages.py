from __future__ import annotations

from collections.abc import Sequence

from ingest.types import Chunk
from retrieval.passages import EXCERPT_LIMIT, excerpt, passages
from retrieval.types import Hit
from tests.retrieval.made import prose


def flat(terms: Sequence[str]) -> dict[str, float]:
    return dict.fromkeys(terms, 1.0)


def hit(chunk: Chunk, score: float) -> Hit:
    return Hit(chunk, score, ("bm25",))


def test_chunks_that_touch_become_one_passage_with_every_line_once() -> None:
    first = prose("a.md", "One", "line 1\nline 2", start=1)
    second = prose("a.md", "Two", "line 4", start=4)
    (made,) = passages([hit(second, 2.0), hit(first, 1.0)], query="line", limit=5, idf=flat)
    assert (made.start_line, made.end_line, made.text) == (1, 4, "line 1\nline 2\n\nline 4")
    assert made.score == 2.0


def test_chunks_of_two_files_stay_apart() -> None:
    made = passages(
        [hit(prose("a.md", "A", "x"), 2.0), hit(prose("b.md", "B", "y"), 1.0)], query="x", limit=5, idf=flat
    )
    assert [(p.label, p.path) for p in made] == [("1", "a.md"), ("2", "b.md")]


def test_labels_go_on_where_the_last_search_ended() -> None:
    made = passages([hit(prose("a.md", "A", "x"), 1.0)], query="x", limit=5, idf=flat, first_label=4)
    assert made[0].label == "4"


def test_parts_of_one_long_line_follow_one_another() -> None:
    parts = [prose("a.txt", "A", text, start=7) for text in ("beginning", "end")]
    (made,) = passages([hit(p, 1.0) for p in parts], query="end", limit=5, idf=flat)
    assert sorted(made.text.split("\n")) == ["beginning", "end"]


def test_an_excerpt_keeps_the_sentences_with_the_wanted_words_in_their_order() -> None:
    dull = f"Cats sleep {'and sleep ' * 20}on."
    text = f"{dull} Herons wade. {dull} Herons fish\nat dawn. {dull} Herons nest in spring."
    assert (
        excerpt(text, {"herons": 1.0}, code=False) == "… Herons wade. … Herons fish at dawn. … Herons nest in spring."
    )


def test_a_short_text_is_its_own_excerpt() -> None:
    assert excerpt("Title\n=====\n\nCats sleep. Herons\nwade. Dogs bark. Birds fly.", {}, code=False) == (
        "Title Cats sleep. Herons wade. Dogs bark. Birds fly."
    )


def test_the_sentence_that_names_the_other_passage_is_kept() -> None:
    bridge = prose("a.md", "Film", "It ran long. " * 40 + "It was shot by Ada Byrne. It sold well.")
    other = prose("b.md", "Ada Byrne", "She lives in Cork.")
    made = passages([hit(bridge, 2.0), hit(other, 1.0)], query="where", limit=2, idf=flat)
    assert "Ada Byrne" in made[0].excerpt


def test_a_long_piece_of_code_keeps_its_signature_and_the_lines_asked_for() -> None:
    lines = ["def retain(days):", *(f"    step_{i} = {i}" for i in range(80)), "    return HERON_RETENTION"]
    shown = excerpt("\n".join(lines), {"heron": 1.0}, code=True)
    assert shown.startswith("def retain(days):")
    assert "HERON_RETENTION" in shown
    assert len(shown) <= EXCERPT_LIMIT + 20


def test_an_excerpt_of_one_endless_sentence_is_cut() -> None:
    assert len(excerpt("word " * 5000, {}, code=False)) <= EXCERPT_LIMIT + 10
