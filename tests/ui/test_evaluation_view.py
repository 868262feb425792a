"""Evaluation on the page: sets are asked and resumed, runs shown, compared and read; a run's folder is untrusted."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evals import batch
from evals.datasets import Question
from evals.run_asked import Asked, Conduct
from evals.run_files import answers
from evals.types import RunAnswer
from tests import loops
from tests.evals.made_run import finished, write_run
from ui.batches import Batches
from ui.desk import Workdesk
from ui.line import Lines

if TYPE_CHECKING:
    from ui.views.evaluation import EvaluationView

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def desk(indexed: Path) -> Iterator[Workdesk]:
    lines = [
        {"id": f"q{n}", "question": "How many days are readings kept?", "answers": ["45"], "supporting": ["guide.md"],
         "type": f"t{n % 2}"}
        for n in range(3)
    ]  # fmt: skip
    (indexed / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Workdesk(indexed / ".hoplite", {"model": "none"}) as desk:
        yield desk


@pytest.fixture
def view(desk: Workdesk) -> EvaluationView:
    from ui.views.evaluation import EvaluationView

    return EvaluationView(desk)


@pytest.fixture
def runs(desk: Workdesk) -> Path:
    return desk.home().runs


def test_a_set_is_asked_in_a_thread_and_its_run_opened(view: EvaluationView, runs: Path) -> None:
    assert "mine.jsonl" in str(view.fresh()["set"])
    begun = view.start("mine.jsonl", limit=2)
    assert "mine.jsonl" in begun["batch"]
    view.batches.join(30)
    stood = loops.run(_last(view))
    assert "2 of 2" in stood["batch"]
    (folder,) = runs.iterdir()
    shown = view.opened(f"run/{folder.name}")
    assert "citation&#95;recall" in shown["numbers"]
    assert '<svg width="380"' in shown["numbers"]
    assert shown["questions"].count("details class=") >= 2
    assert "#open/traces/" in shown["questions"]
    assert folder.name in shown["list"]
    assert shown["resume"]["visible"] is False


async def _last(view: EvaluationView) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async for values in view.watch(""):
        found = values
    return found


@pytest.mark.parametrize(
    ("said", "problem"),
    [("", "Choose a question set"), ("no.jsonl", "no question set"), ("/etc/passwd", "outside of"),
     ("src", "is a folder"), ("guide.md", "guide.md")],
)  # fmt: skip
def test_what_is_no_set_says_what_to_do(view: EvaluationView, said: str, problem: str) -> None:
    assert problem in view.start(said)["batch"]
    assert not view.batches.under_way


def test_a_run_that_ended_early_is_resumed_from_the_page(view: EvaluationView, runs: Path) -> None:
    view.start("mine.jsonl")
    view.batches.join(30)
    (folder,) = runs.iterdir()
    whole = (folder / "answers.jsonl").read_text().splitlines(keepends=True)
    (folder / "answers.jsonl").write_text(whole[0] + whole[1][:20])  # killed in the middle of a line
    shown = view.opened(f"run/{folder.name}")
    assert "2 of 3 have no answer yet" in shown["head"]
    assert shown["resume"]["visible"] is True
    view.resume(folder.name)
    view.batches.join(30)
    assert sorted(line.id for line in answers(folder)) == ["q0", "q1", "q2"]
    assert "says what" not in view.resume("nowhere")["batch"]


def test_a_batch_lets_a_persons_question_go_first_and_is_stopped_while_it_waits(
    desk: Workdesk, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go = threading.Event(), threading.Event()

    def answer(question: Question) -> RunAnswer:
        asked.set()
        assert go.wait(10)
        return RunAnswer("45")

    monkeypatch.setattr(batch, "_agents", lambda *words: ([batch.Worker(answer)], "no code"))
    lines = Lines()
    batches = Batches(lines)
    settings = batch.Settings(model="ollama/small")
    questions = tuple(Question(f"q{n}", "?", ("45",), (), "") for n in range(3))
    batches.start(desk.library, settings, Asked("mine", questions, Conduct()), runs / "slow")
    assert asked.wait(20)
    line = lines.before("ollama/small")
    assert line is not None
    with line.join() as person:
        assert not person.wait(0.01)
        go.set()
        assert person.wait(5)  # after one question of the batch, and before its next
        while batches.going is None or not batches.going.ahead:
            person.wait(0.01)
        batches.close()
    assert not batches.under_way
    assert batches.going is not None
    assert "was stopped" in batches.going.problem
    assert len(answers(runs / "slow")) == 1


def test_one_batch_at_a_time_and_one_that_cannot_be_asked_says_why(
    view: EvaluationView, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    make = batch.make_batch
    monkeypatch.setattr(batch, "make_batch", lambda *words, **more: (held.wait(10), make(*words, **more))[1])
    view.start("mine.jsonl", model="none, none")
    assert "under way already" in view.start("mine.jsonl")["batch"]
    held.set()
    view.batches.join(30)
    assert view.batches.going is not None
    assert "none" in view.batches.going.problem


def test_runs_from_elsewhere_are_escaped_and_a_damaged_one_is_named(view: EvaluationView, runs: Path) -> None:
    line = finished(
        "q<b>", question=EVIL, answer=f"$x$ ![]({EVIL}) [a](javascript:1)", type=EVIL, tags=(EVIL,), note=EVIL,
        trace_id=EVIL, scores={"f1": 0.5, EVIL: 1.0},
    )  # fmt: skip
    write_run(runs / "evil_*name*", [line, finished("q2", error=EVIL, scores={})], model=EVIL)
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("{")
    (runs / "link").symlink_to(runs / "broken")
    shown = view.opened("run/evil_*name*")
    listed = view.fresh()["list"]
    everything = str({**shown, "list": listed})
    assert "<img" not in everything
    assert "![" not in everything
    assert "broken/run.json is damaged" in listed
    assert "link</a>" not in listed
    for what in ("run/broken", "run/../..", "run/link", "compare/x/y", "read/none", "run/a/b/c/d", "", "x"):
        assert "<h2" not in str(view.opened(what).get("numbers"))


def test_questions_come_a_page_at_a_time_and_failed_ones_alone(view: EvaluationView, runs: Path) -> None:
    lines = [finished(f"q{n:02}", scores={"f1": n / 100}) for n in range(45)]
    write_run(runs / "long", [*lines, finished("bad", error="E: no", scores={})])
    first = view.opened("run/long")["questions"]
    assert "1 to 20 of 46" in first
    assert first.index("q00") < first.index("q01")
    last = view.opened("run/long/worst/99")["questions"]
    assert "41 to 46 of 46" in last
    assert "1 to 1 of 1" in view.opened("run/long/failed/0")["questions"]


def test_two_runs_are_compared(view: EvaluationView, runs: Path) -> None:
    write_run(runs / "one", [finished(f"q{n}", scores={"contains": 0.0}) for n in range(12)])
    write_run(runs / "two", [finished(f"q{n}", scores={"contains": 1.0}) for n in range(12)], passages="7")
    shown = view.opened("compare/one/two")["numbers"]
    for part in ("better", "Fixed, by contains&#58; 12", "Broken, by contains&#58; 0", "settings (passages)"):
        assert part in shown
    assert "#open/evaluation/compare%2Fone%2Ftwo" in view.opened("run/one")["list"]


def test_reports_are_attached_and_never_opened_here(view: EvaluationView, runs: Path) -> None:
    write_run(runs / "o n.e", [finished("q", question=EVIL)])
    head = view.opened("run/o n.e")["head"]
    key = head.partition('href="/evaluation/')[2].partition("/")[0]
    assert key.isalnum()
    for response, kind in ((view.page(key), "text/html"), (view.lines(key), "text/markdown")):
        assert response.headers["content-type"].startswith(kind)
        assert response.headers["content-disposition"].startswith("attachment")
        assert b"<img" not in bytes(response.body)
    assert view.page("../one").status_code == view.lines("x").status_code == view.file("../one").status_code == 404


def test_answers_are_read_labelled_and_sorted_into_modes(view: EvaluationView, runs: Path) -> None:
    part = view._failures
    write_run(runs / "one", [finished(f"q{n}", answer=f"{EVIL} {n}") for n in range(4)])
    verdict = {"id": "q0", "rubric": "correct", "verdict": "fail", "reason": "SEEN", "judge": "j", "prompt": "p@1"}
    (runs / "one" / "judged.jsonl").write_text(json.dumps(verdict) + "\n")
    assert view.opened("read/one")["reading"]["run"] == "one"
    shown = part.draw("one", "worst", 4, 0)
    sat = shown["sitting"]
    assert sat.names == ("q0", "q1", "q2", "q3")
    assert "<img" not in shown["answer"]
    assert "SEEN" not in shown["answer"]
    assert "1 verdict of the judge" in shown["answer"]
    shown = part.label("one", sat, ["correct"], passes=False)
    assert "SEEN" in shown["answer"]
    for note in ("names the wrong person", "the wrong person is named", "no citation for the date", ""):
        shown = part.note("one", sat, note)
        if note:
            sat = part.go_on("one", sat, note)["sitting"]
    assert "4 answers read" in shown["modes"]
    group = part.suggest("one")
    taken = part.take("one", sat, group["members"]["value"], "wrong person")
    assert "wrong person" in taken["modes"]
    part.assign("one", sat, "cut short", has=True)
    part.rename("one", sat, "cut short", "too short")
    made = part.export("one", "wrong person")["said"]
    assert "wrong-person.jsonl" in made
    assert view.file("wrong-person").status_code == 200
    assert "wrong-person.jsonl" in str(view.fresh()["set"])
    labels = [json.loads(line) for line in (runs / "one" / "labels.jsonl").read_text().splitlines()]
    assert labels == [{"id": "q0", "repeat": 0, "rubric": "correct", "label": "fail", "blind": True}]


def test_the_desk_says_what_cannot_be(view: EvaluationView, runs: Path) -> None:
    from ingest.errors import UserError

    part = view._failures
    write_run(runs / "one", [finished("q")])
    sat = part.draw("one", "random", 1, 0)["sitting"]
    for wrong, said in (
        (lambda: part.note("one", None, "x"), "Draw some"),
        (lambda: part.draw("one", "errors", 1, 0), "no answers of this kind"),
        (lambda: part.draw("one", "best", 1, 0), "no way to pick"),
        (lambda: part.back("one", sat, ""), "first one"),
        (lambda: part.go_on("one", sat, ""), "last one"),
        (lambda: part.label("one", sat, [], passes=True), "which rubric"),
        (lambda: part.assign("one", sat, "a=b", has=True), "cannot be called"),
        (lambda: part.export("one", "none"), "no failure mode"),
    ):
        with pytest.raises(UserError, match=said):
            wrong()
    shutil.rmtree(runs / "one")
    with pytest.raises(UserError, match="no run"):
        part.open("one")
