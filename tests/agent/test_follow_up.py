"""Follow-ups: what stands alone is left, what does not gets the names that it stands for, and no model adds to them."""

from __future__ import annotations

import pytest

from agent.budget import Budget, MeteredChat
from agent.follow_up import Standalone, Turn, accepted, by_rules, standalone
from agent.testing import ScriptedModel
from agent.types import Answer, Citation
from retrieval.types import Passage


def turn(question: str, answer: str, path: str = "", names: tuple[str, ...] = ()) -> Turn:
    """A turn whose answer cites one passage of `path`, which defines `names`."""
    cited = (Citation("1", path, 3, 3, "quote", True),) if path else ()
    passages = (Passage("1", path, path, 1, 9, "text", "text", (), 1.0, names),) if path else ()
    return Turn(question, question, "look it up", Answer(question, answer, False, cited, passages=passages))


LOADS = turn("What does load_settings() do?", "It reads three files and the environment [1].", "agent/settings.py")
DELETES = turn("Which function deletes old readings?", "sweep() [1]", "src/store.py", ("sweep",))
CONSTANT = turn("Which constant says when a call is given up?", "CALL_SECONDS [1]", "agent/models.py")
CLASS = turn("What keeps the letters of Heron?", "The class ReedStore keeps them [1].", "src/reed.py")
KEPT = turn("How long are readings kept?", "45 days [1].", "guide.md", ("Keeping readings",))
FLASK = turn("How does Flask load its settings?", "From a file [1].", "docs/config.md")
NOVEL = turn("Who wrote War and Peace?", "Leo Tolstoy [1].", "novels.md")
SWEPT = turn(
    "Which readings go every night?",
    "Readings older than `HERON_RETENTION` days are deleted every night by `sweep()` [1].",
)
FILE = turn("What does retrieval/leads.py do?", "It opens what passages name [1].", "docs/architecture.md")
TWO = turn("Which is older, Heron or Egret?", "Heron [1].", "birds.md")
SUPPORTS = turn("Does Flask support typing?", "Yes [1].", "docs/typing.md")
DIRECTOR = turn("Who is the director of Nosferatu?", "F. W. Murnau [1].", "films.md")

FOLLOW_UPS = [
    (LOADS, "Who calls it?", "Who calls load_settings?"),
    (LOADS, "What does it return?", "What does load_settings return?"),
    (LOADS, "Where is that function tested?", "Where is the function load_settings tested?"),
    (LOADS, "and what does this raise?", "and what does load_settings raise?"),
    (LOADS, "Which tests cover it and where are they?", "Which tests cover load_settings and where are they?"),
    (LOADS, "What else is defined in that file?", "What else is defined in the file agent/settings.py?"),
    (LOADS, "What else is defined there?", "What else is defined in agent/settings.py?"),
    (LOADS, "What about save_settings()?", "What does save_settings() do?"),
    (LOADS, "What are its parameters?", "What are load_settings's parameters?"),
    (DELETES, "Who calls it?", "Who calls sweep?"),
    (DELETES, "Why?", "Which function deletes old readings, and why?"),
    (DELETES, "and when?", "Which function deletes old readings, and when?"),
    (CONSTANT, "Where is it used?", "Where is CALL_SECONDS used?"),
    (CONSTANT, "What is its value?", "What is CALL_SECONDS's value?"),
    (CONSTANT, "Which module defines that constant?", "Which module defines the constant CALL_SECONDS?"),
    (CLASS, "Who makes that class?", "Who makes the class ReedStore?"),
    (KEPT, "Who deletes them?", "Who deletes them? (about: How long are readings kept)"),
    (KEPT, "Tell me more", "How long are readings kept, in more detail?"),
    (KEPT, "For example?", "How long are readings kept, with an example?"),
    (KEPT, "And in tests?", "How long are readings kept in tests?"),
    (KEPT, "what about logs?", "How long are readings kept, and what about logs?"),
    (KEPT, "Which page says that?", "Which page says that? (about: How long are readings kept)"),
    (SWEPT, "Which test deletes them?", "Which test deletes them? (about: Which readings go every night)"),
    (SWEPT, "Where is that setting read?", "Where is the setting HERON_RETENTION read?"),
    (SWEPT, "Who calls that function?", "Who calls the function sweep?"),
    (FILE, "Who imports it?", "Who imports retrieval/leads.py?"),
    (FILE, "What else is in that file?", "What else is in the file retrieval/leads.py?"),
    (FLASK, "and for Celery?", "How does Celery load its settings?"),
    (FLASK, "How about Django?", "How does Django load its settings?"),
    (FLASK, "Same for Celery?", "How does Celery load its settings?"),
    (LOADS, "What happens if it fails?", "What happens if load_settings fails?"),
    (LOADS, "Which of them wins?", "Which of them wins? (about: What does load_settings() do)"),
    (FLASK, "Does Celery do that too?", "Does Celery do that too? (about: How does Flask load its settings)"),
    (SUPPORTS, "And in Python 3.12?", "Does Flask support typing in Python 3.12?"),
    (SUPPORTS, "Since when?", "Does Flask support typing, and since when?"),
    (SUPPORTS, "Why is that?", "Does Flask support typing, and why?"),
    (NOVEL, "When was he born?", "When was Leo Tolstoy born?"),
    (NOVEL, "When was it published?", "When was War and Peace published?"),
    (NOVEL, "Where did his wife live?", "Where did Leo Tolstoy's wife live?"),
    (DIRECTOR, "What other films did he make?", "What other films did F. W. Murnau make?"),
    (TWO, "Where do both live?", "Where do both Heron and Egret live?"),
    (TWO, "What does the latter count?", "What does Egret count?"),
]

STAND_ALONE = [
    "Who calls load_settings?",
    "Which function deletes old readings?",
    "Is it possible to index a folder twice?",
    "How long does it take to index Django?",
    "Does it matter whether the index is on a server?",
    "Which setting limits how long a run may take?",
    "What is the function that deletes readings?",
    "Which page says that readings are deleted?",
    "Which modules does this project have?",
    "What does this repository do?",
    "How does Heron store its readings?",
    "Which function loads the settings and what does it return?",
    "If a run is stopped, is it kept?",
    "When a file changes, what happens to its vectors?",
    "How do chunks keep their ids?",
    "Are there tests for the store?",
    "Is there a limit on questions?",
    "And who calls load_settings?",
    "What does `it` mean in `it.next()`?",
    "Are both bm25 and dense used?",
    "Which is older, Heron or Egret?",
    "Why are readings deleted?",
    "Where is CALL_SECONDS defined?",
    "In which file is the store opened?",
    "CALL_SECONDS",
    "Which of those that read the index also write?",
    "For how many days does Heron keep letters?",
    "What is the difference between a chunk and a passage?",
    "Show me the tests of the walk.",
    "Explain how hops follow names.",
]


@pytest.mark.parametrize(("last", "asked", "alone"), FOLLOW_UPS, ids=[asked for _, asked, _ in FOLLOW_UPS])
def test_a_follow_up_is_written_out(last: Turn, asked: str, alone: str) -> None:
    assert by_rules(asked, last) == alone


@pytest.mark.parametrize("asked", STAND_ALONE)
def test_a_question_that_stands_alone_is_left_as_it_is(asked: str) -> None:
    for last in (LOADS, NOVEL, KEPT, TWO):
        assert by_rules(asked, last) is None
    assert standalone(asked, [LOADS]) == Standalone(asked, "asked")


@pytest.mark.parametrize(("last", "asked", "alone"), FOLLOW_UPS, ids=[asked for _, asked, _ in FOLLOW_UPS])
def test_what_was_written_out_stands_alone(last: Turn, asked: str, alone: str) -> None:
    if "(about: " not in alone:
        assert by_rules(alone, NOVEL) is None


def test_the_first_question_is_left_as_it_is() -> None:
    assert standalone("Who calls it?", []) == Standalone("Who calls it?", "asked")


def test_an_abstention_names_nothing() -> None:
    last = Turn("x", "What eats fish?", "", Answer("x", "The sources do not say. Searched for: Grey Heron.", True))
    assert by_rules("Where does it live?", last) == "Where does it live? (about: What eats fish)"


def test_a_long_question_is_none_and_quickly_read() -> None:
    assert by_rules("and " + "? " * 50_000 + "it", LOADS) is None
    assert by_rules("Why does it raise this? " + "File x.py, line 3. " * 50, LOADS) is None


def test_what_one_follow_up_added_is_not_in_the_next() -> None:
    why = by_rules("Why?", KEPT)
    assert why
    assert by_rules("And how?", turn(why, "So [1].")) == "How long are readings kept, and how?"


# The model ----------------------------------------------------------------------------------------------------------


def written(line: str) -> Standalone:
    return standalone("Who deletes them?", [KEPT], MeteredChat(ScriptedModel([line]), Budget(60)))


def test_a_models_question_of_the_conversations_words_is_taken() -> None:
    assert written("Who deletes the readings?") == Standalone("Who deletes the readings?", "model")


@pytest.mark.parametrize(
    "line",
    [
        "Who deletes the readings of Django?",  # a name that nobody said
        "Who deletes them?",  # nothing is said by it
        "Who kept the readings?",  # another question
        "Who never deletes the readings?",
        "Which function deletes the readings?",
        "Who deletes the readings after 3 days?",
        "How long are readings kept?",  # asked already
        "Readings are kept 45 days.",
        "",
        "Who deletes the readings and keeps the readings? " * 20,
    ],
)
def test_a_models_question_that_adds_or_loses_something_is_not(line: str) -> None:
    assert written(line) == Standalone("Who deletes them? (about: How long are readings kept)", "rules")


def test_negations_and_numbers_must_stay() -> None:
    assert accepted("Why does it not read 3 files?", "Why does load_settings not read 3 files?", [LOADS])
    assert not accepted("Why does it not read 3 files?", "Why does load_settings read 3 files?", [LOADS])
    assert not accepted("Why doesn't it read 3 files?", "Why does load_settings read 3 files?", [LOADS])
    assert not accepted("Why does it read 3 files?", "Why does load_settings read files?", [LOADS])


def test_where_the_rules_know_no_model_is_asked() -> None:
    model = ScriptedModel([])
    assert standalone("Who calls sweep?", [LOADS], MeteredChat(model, Budget(60))).by == "asked"
    assert standalone("Who calls it?", [LOADS], MeteredChat(model, Budget(60))).by == "rules"  # there is one name
    assert model.calls == []


def test_without_time_for_the_model_the_rules_write_it() -> None:
    budget = Budget(60)
    budget.stop()
    assert standalone("Who deletes them?", [KEPT], MeteredChat(ScriptedModel([]), budget)).by == "rules"


def test_the_model_sees_the_conversation_as_data_and_what_cannot_be_seen_written_out() -> None:
    model = ScriptedModel(["Who deletes readings?"])
    standalone("Who deletes them?", [turn(KEPT.question, "Long \u202eago [1].")], MeteredChat(model, Budget(60)))
    shown = model.calls[0][-1]["content"]
    assert "<U+202E>ago" in shown
    assert (
        shown.index("<sources ") < shown.index("Long ") < shown.index("</sources ") < shown.index("Who deletes them?")
    )
