"""Answers without a model: the sentences that cover the question, or nothing."""

from __future__ import annotations

from fake_library import passage, quotable

from agent.extract import extract, quoted

HERON = passage("1", "The sea is wide. Heron keeps its letters in `ReedStore`.", "heron.md", "heron.md > Heron")
REED = passage("2", "class ReedStore:\n    KEEP_DAYS = 42", "reed.py", "reed.py > ReedStore")
NOISE = passage("3", "Nothing of this concerns birds. Days go by.", "noise.md")


def test_the_sentence_that_holds_the_questions_words_comes_first() -> None:
    found = extract("Where does Heron keep letters?", quotable(NOISE, HERON))
    assert found[0].text == "Heron keeps its letters in `ReedStore`."


def test_a_name_that_a_sentence_brings_up_leads_to_the_next() -> None:
    found = extract("For how many days does Heron keep letters?", quotable(NOISE, HERON, REED))
    assert [u.passage.label for u in found][:2] == ["1", "2"]
    assert "KEEP_DAYS = 42" in found[1].text


def test_sentences_that_cover_too_little_are_no_answer() -> None:
    assert extract("Who painted the ceiling of the opera in Lisbon?", quotable(HERON, NOISE)) == ()


def test_a_question_of_stop_words_has_no_answer() -> None:
    assert extract("What is it?", quotable(HERON)) == ()
    assert extract("Heron?", []) == ()


def test_no_sentence_is_given_twice() -> None:
    found = extract("Heron letters ReedStore KEEP_DAYS days", quotable(HERON, REED, NOISE))
    assert len({(u.passage.label, u.text) for u in found}) == len(found)


def test_code_stands_between_backticks() -> None:
    unit = quotable(REED)[0]
    assert quoted(unit, "code") == "`class ReedStore:`"
    assert quoted(unit, "prose") == "class ReedStore:"
