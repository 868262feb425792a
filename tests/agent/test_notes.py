"""What of an answer is noted, whether a note stands, and which notes are one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from fake_library import FakeLibrary
from note_parts import ASKED, FILE, KEEPS, answer, cited, draft, fact

from agent.notes import MOST_FACTS, facts_of, joined, names_of, rechecked
from agent.types import Citation, Note
from ingest.types import Document


def files(texts: Mapping[str, str]) -> Callable[[str], Document | None]:
    return FakeLibrary(dict(texts)).resolve


def note(*facts: object, question: str = ASKED, path: str = "a.md") -> Note:
    held = facts or (fact(),)
    return Note(1, question, held, names_of(question, held), {path: "0" * 64}, 1.0, 1.0)  # type: ignore[arg-type]


def test_a_short_answer_is_noted_by_its_sentences_each_with_its_quotes() -> None:
    other = cited("Egret guards the bridge.", "b.md", label="2")
    found = facts_of(ASKED, answer("Heron [1]. Egret guards the bridge [2].", cited(), other))
    assert [(f.text, f.citations) for f in found] == [("Heron.", (cited(),)), ("Egret guards the bridge.", (other,))]


def test_of_two_quotes_under_one_label_a_sentence_rests_on_the_one_with_its_words() -> None:
    other = cited("The bridge was painted red.")
    assert facts_of("Which bridge?", answer("The red bridge [1].", cited(), other))[0].citations == (other,)


@pytest.mark.parametrize(
    ("text", "citation"),
    [
        ("Pelican [no source].", cited()),
        ("Pelican.", cited()),
        ("Pelican [1] [no source].", cited(verified=False)),
        ("Pelican [1].", cited(judged=True)),
        ("Pelican [7].", cited()),
        (f"{'Pelican ' * 80}[1].", cited()),
    ],
)
def test_what_no_verified_quote_supports_is_not_noted(text: str, citation: Citation) -> None:
    assert facts_of(ASKED, answer(text, citation)) == ()


@pytest.mark.parametrize("form", ["paragraph", "report", "table"])
def test_of_a_longer_answer_only_the_quotes_are_noted(form: str) -> None:
    text = f"## Keeping\n\n{'A long story of herons [1]. ' * 50}"
    assert [f.text for f in facts_of(ASKED, answer(text, cited(), form=form))] == [KEEPS]
    many = [cited(f"Heron {i} keeps letters.", line=i) for i in range(1, 40)]
    assert len(facts_of(ASKED, answer(text, *many, form=form))) == MOST_FACTS


def test_a_note_whose_sources_did_not_change_stays_the_same() -> None:
    held = replace(note(), digests={"a.md": FakeLibrary(FILE).digest("a.md") or ""})
    assert rechecked(held, files(FILE), 5.0) is held


def test_a_fact_whose_quote_stands_in_a_changed_file_is_renewed_with_its_new_line() -> None:
    moved = f"# Heron\n\nA new line.\n\n{KEEPS}\n"
    again = rechecked(note(), files({"a.md": moved}), 5.0)
    assert (again.facts[0].citations[0].start_line, again.stale, again.history, again.checked) == (5, False, (), 5.0)
    assert again.digests == {"a.md": FakeLibrary({"a.md": moved}).digest("a.md")}


def test_a_fact_that_its_source_does_not_say_any_more_goes_to_the_history() -> None:
    again = rechecked(note(), files({"a.md": "# Heron\n\nEgret keeps the letters of the harbour office.\n"}), 5.0)
    assert (again.facts, again.stale, again.conclusion, again.digests) == ((), True, "", {})
    assert [(p.fact.text, p.noted, p.ended, p.why) for p in again.history] == [
        ("Heron", 1.0, 5.0, "a.md does not say it any more")
    ]
    assert [c.path for c in again.citations] == ["a.md"]  # where to look is left


def test_a_file_that_is_gone_takes_its_facts_with_it_and_leaves_the_others() -> None:
    other = fact("Egret", cited("Egret guards the bridge.", "b.md", 1))
    again = rechecked(note(fact(), other), files({"b.md": "Egret guards the bridge.\n"}), 5.0)
    assert ([f.text for f in again.facts], again.history[0].why) == (["Egret"], "a.md is gone")


def test_a_quote_that_was_never_in_the_file_falls_whatever_the_digest_says() -> None:
    forged = note(fact("Pelican", cited("Pelican keeps the letters.")))
    forged = replace(forged, digests={"a.md": FakeLibrary(FILE).digest("a.md") or ""})
    assert rechecked(forged, files(FILE), 5.0).stale


def test_a_note_with_the_same_quotes_is_merged_and_knows_both_questions() -> None:
    found = joined(note(), draft("Where is the post of the harbour?", fact("At Heron's")), 9.0)
    assert found is not None
    merged, how = found
    assert (how, merged.question, merged.also) == ("merged", "Where is the post of the harbour?", (ASKED,))
    assert ([f.text for f in merged.facts], merged.history, merged.id) == (["At Heron's"], (), 1)


def test_another_answer_to_the_same_question_takes_the_place_of_the_first() -> None:
    egret = fact("Egret", cited("Egret keeps the letters of the harbour office.", "b.md"))
    found = joined(note(), draft(ASKED, egret), 9.0)
    assert found is not None
    replaced, how = found
    assert (how, [f.text for f in replaced.facts]) == ("replaced", ["Egret"])
    assert [(p.fact.text, p.ended) for p in replaced.history] == [("Heron", 9.0)]


def test_a_number_that_another_document_contradicts_is_replaced_and_the_reason_kept() -> None:
    old = note(fact("42 days", cited("Heron keeps letters for 42 days.")), question="How long does Heron keep letters?")
    new = fact("63 days", cited("Heron keeps letters for 63 days.", "b.md", 8))
    found = joined(old, draft("For what time are letters kept at Heron?", new), 9.0)
    assert found is not None
    replaced, how = found
    assert (how, [f.text for f in replaced.facts]) == ("replaced", ["63 days"])
    assert replaced.history[0].why == "b.md:8 says otherwise"


def test_a_stale_note_on_the_same_place_is_taken_over_with_its_history() -> None:
    stale = rechecked(note(), files({"a.md": "Nothing.\n"}), 5.0)
    found = joined(stale, draft("Who looks after the post?", fact("Egret", cited("Egret does.", "a.md"))), 9.0)
    assert found is not None
    assert (found[1], found[0].stale, [p.fact.text for p in found[0].history]) == ("replaced", False, ["Heron"])


def test_notes_on_different_things_stay_apart() -> None:
    other = fact("Egret", cited("Egret guards the bridge.", "b.md"))
    assert joined(note(), draft("Who guards the bridge?", other), 9.0) is None


def test_a_note_of_the_users_own_text_gets_the_mark_with_the_first_fact_from_elsewhere() -> None:
    own = replace(note(), untrusted=False)
    for untrusted in (False, True):
        found = joined(own, draft(untrusted=untrusted), 9.0)
        assert found is not None
        assert found[0].untrusted is untrusted


def test_a_conclusion_is_short_whatever_the_facts_are() -> None:
    long = note(*(fact(f"Heron number {i} keeps the letters of the harbour office.") for i in range(12)))
    assert 200 < len(long.conclusion) <= 300
    assert long.conclusion.endswith("office.")
