"""What is left of a conversation that was too long: all that was said, and the beginning of every passage."""

from __future__ import annotations

from agent.compact import compacted
from agent.guard import Marker
from agent.models import Message

MARKER = Marker("0badc0de")


def asks(sources: str) -> list[Message]:
    return [
        {"role": "system", "content": "Answer from the sources."},
        {"role": "user", "content": f"Sources:\n{MARKER.wrap(sources)}\n\nQuestion: Why?\nAnswer:"},
    ]


def test_every_passage_keeps_its_label_and_its_beginning_inside_the_fence() -> None:
    shorter = compacted(asks("[1] a.md\none two three four five six\n\n[12] b.md\nseven eight nine ten eleven twelve"))
    assert shorter == tuple(asks("[1] a.md\none two …\n\n[12] b.md\nseven eight …"))


def test_doing_it_again_shortens_further_until_nothing_is_left_to_cut() -> None:
    said = asks("[1] a.md\n" + "word " * 1000)
    lengths = []
    while (shorter := compacted(said)) is not None:
        said = list(shorter)
        lengths.append(len(said[1]["content"]))
        assert len(lengths) < 40
    assert lengths == sorted(lengths, reverse=True)
    assert "[1]" in said[1]["content"]


def test_what_is_not_retrieved_is_not_cut() -> None:
    assert compacted([{"role": "user", "content": "word " * 1000}]) is None
    assert compacted(asks("")) is None
