"""Kept answers: the same question alone is answered by one, and only while all that it depends on is the same."""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from fake_library import FakeLibrary
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agent.prompts
from agent import answer_cache
from agent.answer_cache import AnswerCache, still_stands, worth_keeping
from agent.build import basis, make_agent
from agent.loop import Agent
from agent.memory import Memory
from agent.models import Message
from agent.notes import Draft
from agent.settings import Settings
from agent.testing import ScriptedModel
from agent.types import Answer, Answered, Citation, Fact, Origin, Step
from ingest.errors import ModelUnavailable
from retrieval.types import Passage, Source
from retrieval.workspace import Workspace, create

HERON = {
    "heron.md": "# Heron\nHeron keeps the letters of the harbour office in `ReedStore`.\n",
    "egret.md": "# Egret\nEgret counts the boats of the harbour every night.\n",
}
ASKED = "What keeps the letters of the harbour office?"
CITED = Citation(
    "1", "heron.md", 2, 2, "Heron keeps the letters", True, source=Origin("https://h/o", "ab" * 20, "2026")
)
PASSAGE = Passage("1", "heron.md", "heron.md", 1, 2, "text", "text", ("bm25",), 1.5, ("Heron",), 3, ("b.md:1-2",))
ANSWER = Answer(
    ASKED, "Heron [1].", False, (CITED,), steps=(Step("search", ASKED, ("1",)),), timings={"total": 1.5},
    passages=(PASSAGE,), trace_id="ab" * 16,
)  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return create(tmp_path / ".hoplite", tmp_path)


def cache(path: Path, clock: Callable[[], float] = lambda: 1e9, most: int = 500, **parts: str) -> AnswerCache:
    return AnswerCache(
        path / "answers.sqlite", lambda: {"index": "1", "model": "none", **parts}, clock=clock, most=most
    )


def asking(library: FakeLibrary, workspace: Workspace, model: ScriptedModel, **chosen: object) -> Agent:
    settings = Settings.model_validate({"memory": False, **chosen})
    return make_agent(library, settings, workspace=workspace, chat=model)


def test_an_answer_comes_back_as_it_was_with_the_time_it_was_asked(tmp_path: Path) -> None:
    cache(tmp_path).keep(ASKED, ANSWER)
    assert cache(tmp_path).find(ASKED) == dataclasses.replace(ANSWER, cached="2001-09-09T01:46:40+00:00")


def test_white_space_and_spelling_of_accents_are_not_another_question(tmp_path: Path) -> None:
    cache(tmp_path).keep("Was tut  das Café?", ANSWER)
    assert cache(tmp_path).find(" Was tut das Cafe\u0301?\n")


@pytest.mark.parametrize("other", ["What keeps the letters of the harbour office", ASKED.lower(), "Who?"])
def test_another_question_is_a_miss(tmp_path: Path, other: str) -> None:
    cache(tmp_path).keep(ASKED, ANSWER)
    assert cache(tmp_path).find(other) is None


@pytest.mark.parametrize("part", ["index", "model", "more"])
def test_where_one_part_of_the_basis_is_another_it_is_a_miss(tmp_path: Path, part: str) -> None:
    cache(tmp_path).keep(ASKED, ANSWER)
    assert cache(tmp_path, **{part: "2"}).find(ASKED) is None


def test_each_thing_that_an_answer_depends_on_is_in_the_basis(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, weights = FakeLibrary(HERON), tmp_path / "a.gguf"
    weights.write_bytes(b"one")
    local = [f"local:{weights}"]
    first = basis(library, Settings(), workspace, local)
    assert first == basis(FakeLibrary(HERON), Settings(), workspace, local)
    others = [
        basis(FakeLibrary({**HERON, "heron.md": "# Anew\n"}), Settings(), workspace, local),
        basis(library, Settings(), create(tmp_path / "other", tmp_path), local),
        basis(library, Settings(), workspace, ["local"]),
        basis(library, Settings(), workspace, [*local, "none"]),
        *(
            basis(library, Settings.model_validate(changed), workspace, local)
            for changed in (
                {"passages": 4}, {"breadth": 9}, {"max_steps": 0}, {"max_seconds": 9}, {"profile": "full"},
                {"sandbox": "off"},
            )
        ),
    ]  # fmt: skip
    weights.write_bytes(b"another")
    others.append(basis(library, Settings(), workspace, local))
    weights.write_bytes(b"one")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9")
    others.append(basis(library, Settings(), workspace, local))
    monkeypatch.undo()
    monkeypatch.setattr(agent.prompts, "prompts_digest", lambda: "another")
    others.append(basis(library, Settings(), workspace, local))
    assert all(other != first for other in others)
    assert len({repr(other) for other in others}) == len(others)


def test_the_digest_of_the_prompts_changes_with_one_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "answer.md").write_text("Answer.")
    monkeypatch.setattr(agent.prompts, "files", lambda package: tmp_path)
    before = agent.prompts.prompts_digest()
    (tmp_path / "answer.md").write_text("Answer well.")
    assert agent.prompts.prompts_digest() != before


def test_nothing_is_kept_where_the_state_of_the_index_cannot_be_known(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeLibrary, "version", None)
    model = ScriptedModel(["Heron [1]"] * 2)
    for _ in range(2):
        assert asking(FakeLibrary(HERON), workspace, model).ask(ASKED).cached is None
    assert not workspace.answers.exists()


def test_the_second_time_no_model_is_asked_and_the_run_is_traced(workspace: Workspace) -> None:
    library, model = FakeLibrary(HERON), ScriptedModel(["Heron [1]"])
    first = asking(library, workspace, model).ask(ASKED)
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
        [event] = list(asking(library, workspace, model).stream(ASKED))
    assert isinstance(event, Answered)
    second = event.answer
    assert (second.answer, second.citations, second.passages) == (first.answer, first.citations, first.passages)
    assert (second.usage.calls, model.unspoken, first.cached) == (0, 0, None)
    *stages, span = spans.get_finished_spans()
    assert [stage.name for stage in stages] == ["plan", "verify"]
    assert (span.name, (span.attributes or {})["hoplite.cached"]) == ("invoke_agent hoplite", second.cached)
    assert second.trace_id == f"{span.get_span_context().trace_id:032x}"


def test_a_fresh_answer_is_asked_for_and_replaces_the_kept_one(workspace: Workspace) -> None:
    library, model = FakeLibrary(HERON), ScriptedModel(["Heron [1]", "Heron keeps them [1]"])
    made = asking(library, workspace, model)
    made.ask(ASKED)
    assert len(list(made.stream(ASKED, fresh=True))) > 1
    assert made.ask(ASKED).answer == "Heron keeps them [1]"


def test_switched_off_nothing_is_kept(workspace: Workspace) -> None:
    model = ScriptedModel(["Heron [1]"] * 2)
    for _ in range(2):
        assert asking(FakeLibrary(HERON), workspace, model, cache=False).ask(ASKED).cached is None
    assert (model.unspoken, workspace.answers.exists()) == (0, False)


def test_a_workspace_gives_no_answer_of_another_one_not_even_from_its_file(tmp_path: Path) -> None:
    here, there = create(tmp_path / "a", tmp_path), create(tmp_path / "b", tmp_path)
    model = ScriptedModel(["Heron [1]"] * 2)
    asking(FakeLibrary(HERON), here, model).ask(ASKED)
    there.answers.write_bytes(here.answers.read_bytes())
    assert asking(FakeLibrary(HERON), there, model).ask(ASKED).cached is None


def test_a_cited_file_that_changed_is_a_miss_and_another_one_is_not(workspace: Workspace) -> None:
    library, model = FakeLibrary(HERON), ScriptedModel(["Heron [1]"] * 2)
    asking(library, workspace, model).ask(ASKED)
    library.files["egret.md"] += "More.\n"
    assert asking(library, workspace, model).ask(ASKED).cached
    library.files["heron.md"] += "More.\n"
    assert asking(library, workspace, model).ask(ASKED).cached is None
    del library.files["heron.md"]
    assert still_stands(ANSWER, library) is None


def test_a_quote_that_the_file_does_not_hold_does_not_stand() -> None:
    library = FakeLibrary(HERON)
    assert still_stands(ANSWER, library)
    forged = dataclasses.replace(CITED, quote="Egret keeps the letters")
    assert still_stands(dataclasses.replace(ANSWER, citations=(CITED, forged)), library) is None


def test_citations_say_where_the_file_comes_from_now() -> None:
    library = FakeLibrary(HERON)
    library.sources["heron.md"] = Source("h", "git", "https://h/o", "", "2027", commit="cd" * 20)
    stands = still_stands(ANSWER, library)
    assert stands
    assert stands.citations[0].source == Origin("https://h/o", "cd" * 20, "2027")


@pytest.mark.parametrize(
    "changed",
    [
        {"abstained": True}, {"stopped": "stop"}, {"stopped": "seconds"}, {"stale": ("heron.md",)},
        {"citations": (dataclasses.replace(CITED, verified=False),)},
        {"citations": (dataclasses.replace(CITED, stale=True),)},
    ],
)  # fmt: skip
def test_what_may_be_another_answer_the_next_time_is_not_kept(tmp_path: Path, changed: dict[str, object]) -> None:
    answer = dataclasses.replace(ANSWER, **changed)  # type: ignore[arg-type]
    cache(tmp_path).keep(ASKED, answer)
    assert (worth_keeping(answer), cache(tmp_path).find(ASKED)) == (False, None)


def test_an_answer_behind_which_notes_may_be_is_not_kept(workspace: Workspace) -> None:
    """A note reaches the code steps, and what it cites is opened where the first search does not cover the question."""
    cited = Citation("1", "heron.md", 1, 1, HERON["heron.md"].strip(), True)
    Memory(workspace.memory).remember(Draft(ASKED, (Fact("Heron", (cited,)),), {}))
    kept = []
    for steps in ((), (Step("code", "search('x')"),)):
        made = make_agent(FakeLibrary(HERON), Settings(model="none"), workspace=workspace)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(made, "_gather", lambda run, reflection, steps=steps: iter(run.steps.extend(steps) or ()))
            list(made.stream(ASKED, fresh=True))
        kept.append(workspace.answers.exists())
        workspace.answers.unlink(missing_ok=True)
    assert kept == [True, False]


def test_old_answers_are_not_given_and_go_with_the_next_one(tmp_path: Path) -> None:
    now = [1e9]
    kept = cache(tmp_path, lambda: now[0])
    kept.keep(ASKED, ANSWER)
    now[0] += (answer_cache.KEEP_DAYS + 1) * 86_400
    assert kept.find(ASKED) is None
    kept.keep("Another?", ANSWER)
    assert rows(tmp_path) == 1


def test_the_oldest_answers_go_beyond_the_most(tmp_path: Path) -> None:
    now = map(float, range(10**9, 2 * 10**9))
    kept = cache(tmp_path, lambda: next(now), most=3)
    for number in range(5):
        kept.keep(f"Question {number}?", ANSWER)
    assert [bool(kept.find(f"Question {number}?")) for number in range(5)] == [False, False, True, True, True]


def test_the_file_and_the_secret_are_private(tmp_path: Path, private_home: Path) -> None:
    cache(tmp_path).keep(ASKED, ANSWER)
    for path in (tmp_path / "answers.sqlite", private_home / ".cache" / "hoplite" / "answers.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list((private_home / ".cache" / "hoplite").iterdir())) == 1


def test_what_another_user_wrote_is_not_given(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache(tmp_path).keep(ASKED, ANSWER)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("theirs")))
    assert cache(tmp_path).find(ASKED) is None


def test_a_forged_row_is_not_given(tmp_path: Path) -> None:
    cache(tmp_path).keep(ASKED, ANSWER)
    with closing(sqlite3.connect(tmp_path / "answers.sqlite")) as db, db:
        db.execute("UPDATE answers SET answer = CAST(replace(answer, 'Heron [1]', 'Egret [1]') AS BLOB)")
    assert cache(tmp_path).find(ASKED) is None


def test_several_write_at_once_and_nothing_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def write(writer: int) -> None:
        own = cache(tmp_path)
        for number in range(10):
            own.keep(f"Question {writer} {number}?", ANSWER)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (rows(tmp_path), caplog.records) == (40, [])


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_one_warning_and_the_run_goes_on(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    workspace.answers.write_bytes(content)
    made = asking(FakeLibrary(HERON), workspace, ScriptedModel(["Heron [1]"] * 2))
    with caplog.at_level(logging.WARNING):
        assert [made.ask(ASKED).answer for _ in range(2)] == ["Heron [1]"] * 2
    [warning] = caplog.records
    assert "Move it away" in warning.getMessage()


def test_a_table_of_another_shape_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(sqlite3.connect(tmp_path / "answers.sqlite")) as db, db:
        db.execute("CREATE TABLE answers (key TEXT PRIMARY KEY)")
    kept = cache(tmp_path)
    kept.keep(ASKED, ANSWER)
    assert kept.find(ASKED) is None
    assert len(caplog.records) == 1


def rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "answers.sqlite")) as db:
        return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])


def test_an_answer_on_whose_way_a_model_failed_is_not_kept(workspace: Workspace) -> None:
    def line(messages: Sequence[Message]) -> str:
        if messages[0]["content"].startswith("You gather"):
            raise ModelUnavailable("away")
        return "Heron keeps the letters of the harbour office [1]"

    made = asking(FakeLibrary(HERON), workspace, ScriptedModel([line] * 9))
    question = "For how many days does the store of Heron preserve mail safely underground?"
    first, again = made.ask(question), made.ask(question)
    assert [step.error for step in first.steps if step.kind == "code"] == ["away"]
    assert not first.abstained
    assert again.cached is None
