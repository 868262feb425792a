"""A run that stopped half-way goes on from its journal, and a journal is trusted no further than the files bear it."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_library import FakeLibrary
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from test_loop import EASY, HERON, STEP, TWO_HOP, only

from agent import journal_file, journals
from agent.executor import SandboxExecutor
from agent.journal import Head, Journal
from agent.journal_file import Lines, read
from agent.journals import Journals
from agent.loop import Agent
from agent.memory import Memory
from agent.models import Message
from agent.notes import Draft
from agent.plan import make_plan
from agent.plan_edit import rewritten
from agent.secret import own_secret
from agent.testing import ScriptedModel
from agent.types import (
    Answer,
    Answered,
    Citation,
    Event,
    Fact,
    Limits,
    Planned,
    Recalled,
    Resumed,
    Searched,
    Stepped,
    Withdrawn,
)
from ingest.errors import ModelUnavailable, UserError

SCRIPT = [STEP, "42 [2]"]


class Killed(BaseException):
    """The process ends here."""


class Place:
    """A workspace's folder with journals; each agent in it is as in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journals = Journals(folder / "journals", folder)

    def agent(
        self,
        script: Sequence[Any],
        library: FakeLibrary | None = None,
        memory: Memory | None = None,
        **caps: Any,
    ) -> Agent:
        self.model = ScriptedModel(script)
        return Agent(
            library or FakeLibrary(HERON),
            chat=self.model,
            executor=SandboxExecutor,
            limits=Limits(**{"breadth": 1, "max_steps": 1, **caps}),
            memory=memory,
            journals=self.journals,
        )

    def killed(self, question: str = TWO_HOP, script: Sequence[Any] = (STEP,), **made: Any) -> Agent:
        """Ask, and die when the model is asked for more than the script has."""
        agent = self.agent([*script, dies], **made)
        with pytest.raises(Killed):
            list(agent.stream(question))
        return agent

    def resumed(self, *script: Any, named: str = "last", **made: Any) -> list[Event]:
        return list(self.agent(list(script), **made).resume(self.journals.open(named)))

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "journals").iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def dies(messages: Sequence[Message]) -> str:
    raise Killed


def answer_of(events: list[Event]) -> Answer:
    [answered] = only(Answered, events)
    return answered.answer


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Write a journal anew with changed records, as one who has the secret could."""
    records = [json.loads(json.dumps(record)) for record in read(path, own_secret()).records]
    path.unlink()
    lines = Lines(path, own_secret())
    for record in records:
        change(record)
        lines.add(record)
    lines.close()


# Going on ---------------------------------------------------------------------------------------------------------


def test_a_resumed_run_asks_only_for_what_was_not_done(place: Place) -> None:
    place.killed()
    library = FakeLibrary(HERON)
    events = place.resumed("42 [2]", library=library)
    [resumed] = only(Resumed, events)
    assert events[0] is resumed
    assert (resumed.taken.searches, resumed.taken.steps, resumed.taken.replies) == (2, 1, 1)
    assert (only(Searched, events), only(Stepped, events), library.searches) == ([], [], [])
    assert len(place.model.calls) == 1


@pytest.mark.parametrize("lines", range(1, 18))
def test_wherever_a_run_ends_it_comes_to_the_same_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    def told(answer: Answer) -> tuple[object, ...]:
        steps = [(step.kind, step.text, step.labels, step.error) for step in answer.steps]
        return answer.answer, answer.citations, steps, answer.passages, answer.abstained

    whole = told(answer_of(list(Place(tmp_path).agent(SCRIPT).stream(TWO_HOP))))
    place = Place(tmp_path / "killed")
    real, written = journal_file._write, []

    def write(file: int, line: bytes) -> None:
        written.append(line)
        if len(written) > lines:
            real(file, line[: len(line) // 2])
            raise Killed
        real(file, line)

    monkeypatch.setattr(journal_file, "_write", write)
    try:
        first = list(place.agent(SCRIPT).stream(TWO_HOP))
    except Killed:
        monkeypatch.setattr(journal_file, "_write", real)
        said = sum(b'"did": "model"' in line for line in written[:lines])
        assert told(answer_of(place.resumed(*SCRIPT[said:]))) == whole
        assert place.model.unspoken == 0
    else:
        assert told(answer_of(first)) == whole
        assert lines >= len(written)


def test_a_resumed_run_that_is_killed_is_resumed(place: Place) -> None:
    place.killed(script=())
    with pytest.raises(Killed):
        place.resumed(STEP, dies)
    assert answer_of(place.resumed("42 [2]")).answer == "42 [1] [2]"


def test_a_run_that_failed_is_resumed_where_it_failed(place: Place) -> None:
    def gone(messages: Sequence[Message]) -> str:
        raise ModelUnavailable("the model is gone")

    agent = place.agent([STEP, gone])
    with pytest.raises(ModelUnavailable):
        list(agent.stream(TWO_HOP))
    assert agent.resumable == place.journals.unfinished()[0].id
    assert answer_of(place.resumed("42 [2]", named=agent.resumable[:7])).answer == "42 [1] [2]"


def test_a_run_that_was_stopped_gives_its_best_answer_and_can_be_gone_on_with(place: Place) -> None:
    def stops(messages: Sequence[Message]) -> str:
        agent.stop()
        return "42"

    agent = place.agent([STEP, stops])
    assert answer_of(list(agent.stream(TWO_HOP))).stopped == "stop"
    assert agent.resumable is not None
    events = place.resumed("42 [2]")
    assert only(Resumed, events)[0].taken.steps == 1
    assert (answer_of(events).answer, answer_of(events).stopped) == ("42 [1] [2]", None)


def test_a_run_whose_model_went_away_in_a_step_can_be_gone_on_with_when_it_is_back(place: Place) -> None:
    def gone(messages: Sequence[Message]) -> str:
        raise ModelUnavailable("the model is gone")

    agent = place.agent([gone, "The sources do not say.", "The sources do not say."])
    assert answer_of(list(agent.stream(TWO_HOP))).abstained
    assert agent.resumable is not None
    assert answer_of(place.resumed(STEP, "42 [2]")).answer == "42 [1] [2]"
    assert place.journals.unfinished() == []


def test_a_step_that_was_interrupted_is_taken_anew(place: Place) -> None:
    def paths() -> list[str]:
        threading.Timer(0.1, agent.stop).start()
        return []

    library = FakeLibrary(HERON)
    library.paths = paths  # type: ignore[method-assign]
    agent = place.agent(["```python\nlist_files()\nwhile True: pass\n```"], library=library)
    assert answer_of(list(agent.stream(TWO_HOP))).steps[-1].kind == "code"
    [path] = place.files
    assert "code" not in [record.get("did") for record in read(path, own_secret()).records]
    rewrite(path, lambda record: record.update(key="0") if record.get("did") == "model" else None)
    assert answer_of(place.resumed(STEP, "42 [2]")).answer == "42 [1] [2]"


def test_a_step_that_misses_what_an_earlier_process_had_in_variables_is_told_why(place: Place) -> None:
    first = '```python\nmine = 7\nsymbols("ReedStore")\n```'
    asked = "For how many days does the store of Heron preserve mail safely underground in winter?"
    place.killed(asked, [first], max_steps=2)
    events = place.resumed("```python\nprint(mine)\n```", "42 [2]", max_steps=2)
    [step] = only(Stepped, events)
    assert step.error.startswith("interpreter restarted, variables lost; ")
    assert "mine" in step.error


def test_an_edited_plan_is_kept(place: Place) -> None:
    plan = rewritten(make_plan(EASY), ["the letters of Heron", "the class ReedStore"])
    with pytest.raises(Killed):
        list(place.agent([dies], max_steps=0).stream(EASY, plan))
    events = place.resumed("Heron [1]", max_steps=0)
    texts = [step.text for step in answer_of(events).steps]
    assert texts[:3] == [EASY, "the letters of Heron", "the class ReedStore"]
    assert only(Planned, events) == []


def test_notes_are_those_of_the_first_process_looked_at_again(place: Place, tmp_path: Path) -> None:
    quote = "Heron keeps the letters of the harbour office in `ReedStore`."
    cited = Citation("1", "docs/heron.md", 2, 2, quote, True)
    memory = Memory(tmp_path / "memory.sqlite")
    digests = {p: d for p in HERON if (d := FakeLibrary(HERON).digest(p))}
    memory.remember(Draft(TWO_HOP, (Fact("Heron", (cited,)),), digests))
    place.killed("How long does Heron's store keep mail?", (), memory=memory)
    memory.forget_all()
    [record] = [r for r in read(place.files[0], own_secret()).records if r.get("did") == "recall"]
    assert record["gave"]["notes"][0]["facts"][0]["text"] == "Heron"
    library = FakeLibrary(HERON)
    library.files["docs/heron.md"] = "# Heron\nNothing.\n"
    found: list[Recalled] = []
    agent = place.agent(["The sources do not say."] * 3, library=library, memory=memory)
    opened = place.journals.open("last")
    assert isinstance(opened, Journal)
    for event in agent._events(agent._begin(opened.head.question, opened.head.plan, opened), fresh=True):  # type: ignore[union-attr]
        found += [event] if isinstance(event, Recalled) else []
    assert [note.stale for note in found[0].notes] == [True]


def test_what_was_done_before_is_in_the_same_trace(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer", TracerProvider().get_tracer)
    place.killed()
    [run] = place.journals.unfinished()
    assert answer_of(place.resumed("42 [2]")).trace_id == run.id


# Time and money ---------------------------------------------------------------------------------------------------


def test_seconds_before_the_kill_count_and_those_between_do_not() -> None:
    now = [100.0]
    head = Head("ab", "", 0.0, "q", make_plan("q"), "m", "0")
    records = [{"did": "read", "key": "k", "at": 3.0, "gave": 1}, {"did": "read", "key": "l", "at": 50.0, "gave": 1}]
    journal = Journal(head, records, now=lambda: now[0])
    assert journal.clock() == 0.0
    journal._take("k")
    now[0] += 7
    assert journal.clock() == 3.0, "replay takes the time that it took"
    assert journal.done("read", ["never asked"], int, lambda: 5) == 5
    now[0] += 2
    assert journal.clock() == 52.0


def test_a_run_that_had_used_its_seconds_is_resumed_with_all_its_evidence(place: Place) -> None:
    place.killed()

    def late(record: dict[str, Any]) -> None:
        if record.get("did") == "code":
            record["at"] = 500.0

    rewrite(place.files[0], late)
    answer = answer_of(place.resumed())
    assert (answer.stopped, [p.path for p in answer.passages]) == ("seconds", ["docs/heron.md", "src/reed.py"])
    assert answer.usage.calls == 1


def test_what_a_lost_call_may_have_taken_counts_against_the_caps(place: Place) -> None:
    place.killed(EASY, ())
    assert answer_of(place.resumed("Heron [1]")).usage.calls == 2
    place.killed(EASY, ())
    held = [r for r in read(place.files[-1], own_secret()).records if "begun" in r]
    [held] = [r for path in place.files for r in read(path, own_secret()).records if "begun" in r]
    answer = answer_of(place.resumed(max_tokens=int(1.5 * held["tokens"])))
    assert (answer.stopped, place.model.calls) == ("tokens", [])


def test_a_reply_that_is_known_is_counted_again_and_not_asked_for(place: Place) -> None:
    place.killed()
    first = [r["gave"]["input_tokens"] for r in read(place.files[0], own_secret()).records if r.get("did") == "model"]
    usage = answer_of(place.resumed("42 [2]")).usage
    asked = sum(len(message["content"].split()) for message in place.model.calls[0])
    assert usage.input_tokens == first[0] + asked


# Files that changed -----------------------------------------------------------------------------------------------


def changed(**files: str | None) -> FakeLibrary:
    library = FakeLibrary(HERON)
    for path, text in files.items():
        name = next(p for p in HERON if p.startswith(path))
        library.files = {p: t for p, t in library.files.items() if p != name} | ({name: text} if text else {})
    return library


@pytest.mark.parametrize("text", ["# Heron\nHeron is a bird.\n", None])
def test_a_passage_that_its_file_lost_is_withdrawn_and_its_label_stands_for_nothing(
    place: Place, text: str | None
) -> None:
    place.killed()
    events = place.resumed(STEP, "42 [1] [2]", "42 [2]", library=changed(docs=text))
    [gone] = only(Withdrawn, events)
    assert (gone.label, gone.path) == ("1", "docs/heron.md")
    answer = answer_of(events)
    assert [(p.label, p.path) for p in answer.passages] == [("2", "src/reed.py")]
    assert {c.label for c in answer.citations} <= {"2"}
    assert "letters" not in str(place.model.calls)


def test_a_passage_that_only_moved_keeps_its_label_and_is_cited_where_it_is(place: Place) -> None:
    place.killed()
    events = place.resumed("42 [2]", library=changed(src="# new\n\n" + HERON["src/reed.py"]))
    assert only(Withdrawn, events) == []
    [cited] = [c for c in answer_of(events).citations if c.label == "2"]
    assert (cited.start_line, cited.verified, cited.stale, cited.moved) == (4, True, True, True)


def test_the_label_of_a_withdrawn_passage_is_not_given_to_what_is_found_later(place: Place) -> None:
    place.killed(EASY, (), max_steps=0)
    library = FakeLibrary({"docs/heron.md": "# Other\nHeron.\n", "new.md": "# New\nThe harbour office.\n"}, leads=True)
    events = place.resumed("The sources do not say.", "The harbour office [2]", library=library, max_steps=0)
    assert [gone.label for gone in only(Withdrawn, events)] == ["1"]
    assert "1" not in {p.label for p in answer_of(events).passages}


# Not trusted ------------------------------------------------------------------------------------------------------


def forged(record: dict[str, Any], **said: str) -> None:
    if record.get("did") == "passages":
        for passage in record["gave"]:
            passage.update(said)
    if record.get("entered", {}).get("label") == "1":
        record["entered"].update(said)


@pytest.mark.parametrize(
    "said", [{"path": "/etc/passwd"}, {"path": "../secret.md"}, {"text": "Heron pays 42.", "excerpt": "Heron pays 42."}]
)
def test_no_record_makes_evidence_of_what_no_indexed_file_holds(place: Place, said: dict[str, str]) -> None:
    place.killed()
    rewrite(place.files[0], lambda record: forged(record, **said))
    events = place.resumed(STEP, "Heron pays 42 [1]", "Heron pays 42 [2]")
    assert [gone.label for gone in only(Withdrawn, events)] == ["1"]
    answer = answer_of(events)
    assert all(p.path in HERON for p in answer.passages)
    assert all(c.path in HERON and c.verified and c.quote in HERON[c.path] for c in answer.citations)


def test_a_journal_that_was_changed_by_hand_ends_where_it_was_changed(place: Place) -> None:
    place.killed()
    [path] = place.files
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"did": "passages"' in line)
    lines[at] = lines[at].replace(b"letters", b"lettuce")
    path.write_bytes(b"".join(lines))
    events = place.resumed(STEP, "42 [2]")
    assert only(Resumed, events)[0].taken.passages == 0
    assert "lettuce" not in str(events)
    assert answer_of(events).answer == "42 [1] [2]"


@pytest.mark.parametrize("end", [b"0123", b'ab" {"did":', b"\n", b"\x00\xff\r\n"])
def test_what_a_kill_left_half_written_is_ignored_and_written_over(place: Place, end: bytes) -> None:
    place.killed()
    [path] = place.files
    path.write_bytes(path.read_bytes() + end)
    with pytest.raises(Killed):
        place.resumed(dies)
    assert read(path, own_secret()).rest == 0
    assert answer_of(place.resumed("42 [2]")).answer == "42 [1] [2]"


def other_user(path: Path) -> None:
    (Path.home() / ".cache" / "hoplite" / "answers.key").write_bytes(b"x" * 32)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "nonsense": (lambda path: path.write_bytes(os.urandom(500)), "damaged"),
    "nothing": (lambda path: path.write_bytes(b""), "damaged"),
    "another user's": (other_user, "somebody else"),
    "another format": (lambda path: rewrite(path, lambda r: "head" in r and r["head"].update(version=9)), "format 9"),
    "another workspace": (
        lambda path: rewrite(path, lambda r: "head" in r and r["head"].update(workspace="/w")),
        "another workspace, /w",
    ),
    "no head": (lambda path: rewrite(path, lambda r: r.pop("head", None)), "damaged"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_journal_that_cannot_be_used_is_one_line(place: Place, what: str) -> None:
    place.killed()
    [path] = place.files
    breaks, said = BROKEN[what]
    breaks(path)
    with pytest.raises(UserError, match=said) as told:
        place.journals.open(path.stem[:6])
    assert "\n" not in str(told.value)
    assert place.journals.unfinished() == []


def test_a_name_that_no_run_has_is_told_with_those_that_there_are(place: Place) -> None:
    with pytest.raises(UserError, match="No run is unfinished here"):
        place.journals.open("last")
    place.killed()
    for named in ("zz", "", "../../etc", "last "[:3]):
        with pytest.raises(UserError, match="No run begins") as told:
            place.journals.open(named)
        assert place.files[0].stem[:8] in str(told.value)
        assert TWO_HOP[:40] in str(told.value)


def test_a_name_that_several_runs_begin_with_is_refused(place: Place) -> None:
    place.killed()
    [path] = place.files
    path.with_name("zz01.jsonl").touch()
    path.with_name("zz02.answer").touch()
    with pytest.raises(UserError, match="More than one run begins with 'zz'"):
        place.journals.open("zz")
    assert isinstance(place.journals.open(path.stem[:9].upper()), Journal)


# Finished ---------------------------------------------------------------------------------------------------------


def test_of_a_finished_run_the_answer_is_shown_while_its_files_bear_it_out(place: Place) -> None:
    first = answer_of(list(place.agent(SCRIPT).stream(TWO_HOP)))
    [path] = place.files
    assert path.suffix == ".answer"
    events = place.resumed(named=path.stem)
    assert only(Resumed, events)[0].taken is None
    assert (answer_of(events).answer, answer_of(events).citations) == (first.answer, first.citations)
    assert answer_of(events).cached is not None
    with pytest.raises(UserError, match="a file that its answer cites changed since"):
        place.resumed(named=path.stem, library=changed(src="nothing"))


def test_of_a_finished_run_only_the_answer_is_kept(place: Place) -> None:
    list(place.agent(SCRIPT).stream(TWO_HOP))
    head, kept = read(place.files[0], own_secret()).records
    assert (set(head), set(kept), kept["answer"]["passages"]) == ({"head"}, {"answer", "when"}, [])


def test_an_answer_that_is_given_from_the_cache_leaves_no_journal(place: Place) -> None:
    agent = place.agent(SCRIPT)
    agent._kept = lambda run: Answer(TWO_HOP, "kept", False)  # type: ignore[method-assign]
    assert answer_of(list(agent.stream(TWO_HOP))).answer == "kept"
    assert not (place.folder / "journals").exists()
    assert agent.resumable is None


# Kept -------------------------------------------------------------------------------------------------------------


def test_journals_are_private_and_few(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST", 3)
    for _ in range(5):
        list(place.agent(["Heron [1]"]).stream(EASY))
    newest: list[str | None] = []
    for second in range(5):
        newest.append(place.killed(EASY, ()).resumable)
        then = journals.time.time() - 100 + second  # a file's time is too coarse to tell runs of milliseconds apart
        os.utime(place.folder / "journals" / f"{newest[-1]}.jsonl", (then, then))
    assert [len([p for p in place.files if p.suffix == suffix]) for suffix in (".jsonl", ".answer")] == [3, 2]
    assert {path.stem for path in place.files if path.suffix == ".jsonl"} == set(newest[-3:])
    assert {path.stat().st_mode & 0o777 for path in place.files} == {0o600}
    assert (place.folder / "journals").stat().st_mode & 0o777 == 0o700


def test_what_is_old_is_removed_when_a_run_begins(place: Place) -> None:
    place.killed(EASY, ())
    os.utime(place.files[0], (1e9, 1e9))
    place.killed(EASY, ())
    assert len(place.files) == 1


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(file: int, line: bytes) -> None:
        os.write(file, line[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_file, "_write", write)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_one_warning_and_the_run_goes_on(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert answer_of(list(place.agent(SCRIPT).stream(TWO_HOP))).answer == "42 [1] [2]"
    assert [record.name for record in caplog.records] == ["hoplite.journal"]
    assert "No space left" in caplog.text


def test_a_folder_that_cannot_be_written_is_one_warning(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    (place.folder / "journals").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert answer_of(list(place.agent(SCRIPT).stream(TWO_HOP))).answer == "42 [1] [2]"
    assert len(caplog.records) == 1


def test_a_journal_that_grows_too_large_ends_and_what_is_in_it_counts(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_file, "MOST_BYTES", 3_000)
    with caplog.at_level(logging.WARNING):
        place.killed()
    assert len(caplog.records) == 1
    assert only(Resumed, place.resumed(STEP, "42 [2]"))[0].taken.searches >= 1


def test_names_of_files_that_are_no_text_come_back(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "a", b"secret")
    lines.add({"path": "a\udc80.md"})
    lines.close()
    assert read(tmp_path / "a", b"secret").records == ({"path": "a\udc80.md"},)


def test_without_journals_a_run_writes_nothing(tmp_path: Path) -> None:
    made = Agent(FakeLibrary(HERON), chat=ScriptedModel(["Heron [1]"]))
    assert made.ask(EASY).answer == "Heron [1]"
    assert (made.resumable, list(tmp_path.iterdir())) == (None, [])
