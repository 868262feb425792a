"""Scores, question sets, runs and prompts as Langfuse's API gets them, and what is said where it does not take them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from receiver import Receiver, attributes, black_hole, closed_port, receiving
from sent_traces import FILED, PUBLIC, SECRET, no_receivers, traced, use_langfuse

from agent import langfuse
from agent.build import langfuse as configured
from agent.langfuse_api import Item, Langfuse
from agent.prompts import every
from agent.scores import FEEDBACK, Score, score, scores
from agent.settings import Settings
from agent.trace_marks import marked
from ingest.errors import UserError

__all__ = ["no_receivers"]
pytestmark = pytest.mark.usefixtures("no_receivers")

tracer = trace.get_tracer("hoplite.agent")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as server:
        use_langfuse(monkeypatch, server.url)
        yield server


def api(content: str = "masked") -> Langfuse:
    made = configured(Settings.model_validate({"trace_content": content}))
    assert made is not None
    return made


def test_one_call_scores_a_trace_here_and_there_and_again_takes_the_place_of_the_last(
    account: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "traces.sqlite"
    with traced(file):
        score(TRACE, "f1", 0.5, f"password = '{FILED}'")
        score(TRACE, "f1", 1.0)
        score("0" * 32, "f1", 1.0)  # a run that is not traced
        score(TRACE, "em", float("nan"))
    sent = [each for batch in account.asked("/api/public/scores") for each in batch]
    assert [(each["traceId"], each["name"], each["value"]) for each in sent] == [(TRACE, "f1", 0.5), (TRACE, "f1", 1.0)]
    assert sent[0]["id"] == sent[1]["id"]
    assert sent[0]["comment"] == "password = '[secret]'"
    assert [(each.name, each.value) for each in scores(file, TRACE)] == [("f1", 1.0)]


def test_without_langfuse_a_score_is_kept_here(tmp_path: Path) -> None:
    with traced(tmp_path / "traces.sqlite"):
        score(TRACE, FEEDBACK, 0.0, "wrong file")
    [kept] = scores(tmp_path / "traces.sqlite", TRACE)
    assert (kept.name, kept.value, kept.comment) == (FEEDBACK, 0.0, "wrong file")


@pytest.mark.parametrize("place", ["closed", "silent"])
def test_a_server_that_is_not_there_costs_a_score_nothing_and_the_end_three_seconds(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with black_hole() as silent:
        use_langfuse(monkeypatch, silent if place == "silent" else closed_port())
        with traced(tmp_path / "traces.sqlite"):
            begun = time.perf_counter()
            score(TRACE, "f1", 0.5)
            assert time.perf_counter() - begun < 2  # to wait for an answer would take five
            begun = time.perf_counter()
        assert time.perf_counter() - begun < 4
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("Scores ")


def test_a_question_set_is_a_data_set_and_a_run_of_it_an_experiment(account: Receiver, tmp_path: Path) -> None:
    items = [Item("q1", f"Who wrote it? My password is {FILED}.", ["Ada"]), Item("q2", "When?", ["1843"])]
    marks = api().experiment("station", items, "run-1")
    assert account.asked("/api/public/v2/datasets") == [{"name": "station"}]
    sent = account.asked("/api/public/dataset-items")
    assert [(each["datasetName"], each["expectedOutput"]) for each in sent] == [
        ("station", ["Ada"]),
        ("station", ["1843"]),
    ]
    assert sent[0]["input"] == "Who wrote it? My password is [secret]."
    with traced(tmp_path / "traces.sqlite"), marked(marks("q2")), tracer.start_as_current_span("invoke_agent hoplite"):
        tracer.start_span("search").end()
    search, root = account.spans
    named = json.dumps(["langfuse-experiment-v1", "project-1", "made-1", "run-1"], separators=(",", ":"))
    for span in (search, root):
        told = attributes(span)
        assert told["langfuse.experiment.id"] == hashlib.sha256(named.encode()).hexdigest()[:16]
        assert told["langfuse.experiment.name"] == "run-1"
        assert told["langfuse.experiment.dataset.id"] == "made-1"
        assert told["langfuse.experiment.item.id"] == sent[1]["id"]
        assert told["langfuse.experiment.item.root_observation_id"] == root.span_id.hex()


def test_a_data_set_brought_up_again_has_the_same_items(account: Receiver) -> None:
    item = Item("q1", "Who wrote it?", ["Ada"])
    assert api().experiment("station", [item], "a")("q1") != api().experiment("station", [item], "b")("q1")
    first, second = account.asked("/api/public/dataset-items")
    assert first == second


def test_without_content_a_data_set_has_no_texts(account: Receiver) -> None:
    api("none").experiment("station", [Item("q1", "Who wrote it?", ["Ada"])], "run-1")
    assert b"Who wrote it" not in account.bytes
    assert b"Ada" not in account.bytes


def test_a_call_is_linked_with_its_prompts_version_once_the_prompts_are_known_there(
    account: Receiver, tmp_path: Path
) -> None:
    prompts = {name: text for name, text in every().items() if name.startswith("answer")}
    [ours] = [name for name in prompts if name.startswith("answer_full@")]
    versions = api().register(prompts)
    assert set(versions) == set(prompts)
    asked = len(account.asked("/api/public/v2/prompts"))
    assert api().register(prompts) == versions
    assert len(account.asked("/api/public/v2/prompts")) == asked == len(versions)
    langfuse._versions.cache_clear()
    with traced(tmp_path / "traces.sqlite"):
        tracer.start_span("chat m", attributes={"gen_ai.request.model": "m", "hoplite.prompt": ours}).end()
    told = attributes(account.spans[0])
    assert told["langfuse.observation.prompt.name"] == "hoplite-answer_full"
    assert told["langfuse.observation.prompt.version"] == versions[ours]


@pytest.mark.parametrize(("status", "said"), [(401, "does not accept the keys"), (500, "did not do what was asked")])
def test_a_refusal_is_one_line_without_a_key(status: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(status) as server:
        use_langfuse(monkeypatch, server.url)
        with pytest.raises(UserError, match=said) as refused:
            api().score([Score(TRACE, "f1", 1.0)])
    assert SECRET not in str(refused.value)
    assert PUBLIC not in str(refused.value)


def test_half_an_account_is_refused_by_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(langfuse.PUBLIC_KEY, PUBLIC)
    with pytest.raises(UserError, match="LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL"):
        configured(Settings())
