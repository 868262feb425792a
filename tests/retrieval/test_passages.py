from __future__ import annotations

import math
from collections.abc import Sequence

from ingest.types import Chunk, Kind
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


def test_copies_are_one_passage_that_says_where_they_are() -> None:
    text = "The heron is kept for as long as anybody wants. " * 5
    chunks = [prose(f"{n}.md", "Heron", text) for n in range(50)]
    other = prose("other.md", "Other", "Herons are kept for 45 days.")
    made = passages([*(hit(c, 2.0) for c in chunks), hit(other, 1.0)], query="heron", limit=3, idf=flat)
    assert [passage.path for passage in made] == ["0.md", "other.md"]
    assert made[0].copies == tuple(f"{n}.md:1-1" for n in range(1, 50))
    assert made[1].copies == ()


CLASS = [
    ("Station", "class Station:\n    name = 'north'", 1),
    ("Station > open", "    def open(self):\n        self.up = True", 4),
    ("Station > close", "    def close(self):\n        self.up = False", 7),
    ("helper", "def helper():\n    return 1", 10),
]


def document(parts: list[tuple[str, str, int]], kind: Kind = "code") -> list[Chunk]:
    return [prose("a.py", title, text, start, kind) for title, text, start in parts]


def test_a_few_lines_take_in_their_class_and_nothing_outside_of_it() -> None:
    chunks = document(CLASS)
    (made,) = passages([hit(chunks[1], 1.0)], query="open", limit=1, idf=flat, in_document=lambda path: chunks)
    assert (made.start_line, made.end_line, made.header) == (1, 8, "a.py > Station > open")
    assert made.text == "\n\n".join(text for _, text, _ in CLASS[:3])
    assert made.excerpt == made.text


def test_without_a_class_or_section_a_passage_stays_as_it_is() -> None:
    chunks = document(CLASS)
    (made,) = passages([hit(chunks[3], 1.0)], query="help", limit=1, idf=flat, in_document=lambda path: chunks)
    assert made.text == CLASS[3][1]


def test_what_stands_around_is_in_one_passage_only_and_ends_where_it_is_not_shown_whole() -> None:
    long = "Herons wade in the long evening. " * 14
    parts = [
        ("Birds", "# Birds", 1),
        ("Birds > Heron", "Kept 45 days.", 3),
        ("Birds > Stork", "Kept 9 days.", 5),
        ("Birds > Moor", long, 7),
    ]
    chunks = document(parts, "prose")
    made = passages(
        [hit(chunks[2], 2.0), hit(chunks[0], 1.0)], query="stork", limit=2, idf=flat, in_document=lambda path: chunks
    )
    assert [(p.start_line, p.end_line) for p in made] == [(3, 5), (1, 1)]


def test_the_parts_of_a_long_line_are_not_put_together_again() -> None:
    chunks = document([("S", "heron and", 4), ("S", "stork", 4), ("S", "crane", 5)], "prose")
    (made,) = passages([hit(chunks[0], 1.0)], query="heron", limit=1, idf=flat, in_document=lambda path: chunks)
    assert made.text == "heron and"


def test_a_long_passage_takes_in_nothing() -> None:
    chunks = document([("S", "x = 1", 1), ("S > f", "y = 'heron'\n" * 40, 2)])
    (made,) = passages([hit(chunks[1], 1.0)], query="heron", limit=1, idf=flat, in_document=lambda path: chunks)
    assert made.start_line == 2


def test_a_budget_is_filled_with_what_is_worth_most_a_token() -> None:
    long = prose("long.md", "L", "The heron wades and waits for fish in the reeds. " * 9)
    short, third = prose("short.md", "S", "Herons wade."), prose("third.md", "T", "Reeds bend.")
    found = [hit(long, 1.0), hit(short, 0.9), hit(third, 0.2)]

    def taken(budget: int, limit: int = 3) -> list[str]:
        made = passages(found, query="heron", limit=limit, idf=flat, budget=budget)
        assert sum(-(-len(p.header + p.excerpt) // 4) for p in made) <= budget
        return [passage.path for passage in made]

    assert taken(1000) == ["long.md", "short.md", "third.md"]
    assert taken(20) == ["short.md", "third.md"]
    assert taken(8) == ["short.md"]
    assert taken(0) == []
    assert taken(1000, limit=1) == ["long.md"]


def test_the_best_passage_can_stand_last() -> None:
    found = [hit(prose(f"{n}.md", f"T{n}", f"Text of {n}."), 1.0 - n / 10) for n in range(3)]
    made = passages(found, query="text", limit=2, idf=flat, best="last", first_label=4)
    assert [(p.label, p.path) for p in made] == [("4", "1.md"), ("5", "0.md")]


def test_of_sentences_that_are_worth_the_same_the_first_are_kept() -> None:
    """Sums in the order of a set, which Python draws anew in each process, differ in their last bit."""
    wanted = {f"word{n}": math.log(1 + n / 7) for n in range(1, 60)}
    fillers = [" ".join(f"filler{n}x{m}" for m in range(1 + n * 9 % 70)) for n in range(24)]  # sets of several sizes
    said = [f"Sentence {n} says {' '.join(wanted)} {filler} once." for n, filler in enumerate(fillers)]
    assert excerpt(" ".join(said), wanted, code=False, limit=10_000) == f"{' '.join(said[:3])} …"
