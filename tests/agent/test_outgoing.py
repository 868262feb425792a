"""What a model elsewhere gets to see of a run, byte by byte, and what its user gets to see of that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fake_library import FakeLibrary
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from provider import ELSEWHERE, OPENAI_KEY, Provider, Turns, elsewhere, fails, says

from agent import retries
from agent.build import make_agent, way_out
from agent.conversation import Conversation
from agent.loop import Agent
from agent.models import Message, make_chat
from agent.outgoing import Outgoing, leaves_the_machine, store_host
from agent.settings import Settings
from agent.types import Answer, Answered, AnswerToken, Rewritten, Sent, Stepped
from ingest.errors import ModelUnavailable
from retrieval.types import Place
from retrieval.workspace import create

# LiteLLM's classes make pydantic warn while they are completed, at the first answer: nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

MODEL = "openai/gpt-4o-mini"
JANE = "jane.roe@harbour.example"
PASSWORD = "tide-9-Gull-77"
AWS = "AKIA" + "Q3EGRYH2XK7MNB4T"
SECRETS = {PASSWORD, AWS, "pa55-w0rd", OPENAI_KEY}
PERSONAL = {
    JANE,
    "joe@harbour.example",
    "+49 30 901820",
    "DE89 3704 0044 0532 0130 00",
    "4111 1111 1111 1111",
    "203.0.113.9",
}
FILES = {
    "docs/heron.md": f"# Heron\nHeron keeps the letters of the harbour office in `ReedStore`, for {JANE} who pays with "
    "4111 1111 1111 1111.\nOf EMAIL_1_zzzz nothing is known.\n",
    "src/reed.py": f'class ReedStore:\n    KEEP = 42  # ask {JANE}, +49 30 901820\n    password = "{PASSWORD}"\n'
    f'    key = "{AWS}"\n    url = "https://joe:pa55-w0rd@203.0.113.9/x"  # joe@harbour.example\n'
    f'    account = "DE89 3704 0044 0532 0130 00"\n    ours = "{OPENAI_KEY}"\n\ndef unrelated():\n    return 1\n',
}
EASY = "What keeps the letters of the harbour office?"
TWO_HOP = f"For how many days does the store of Heron preserve mail to {JANE} safely underground?"
STAND_IN = re.compile(r"\b(?:SECRET|EMAIL|PHONE|IBAN|CARD|IP)_\d+_[a-z]\d[a-z]\d")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.01)
    with elsewhere(monkeypatch) as server:
        yield server


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Sequence[ReadableSpan]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda *names: provider.get_tracer("tests"))
    return exporter.get_finished_spans


def agent(files: dict[str, str] | None = None, **settings: object) -> Agent:
    chosen = Settings.model_validate({"model": MODEL, "mask": "all", "breadth": 1, "max_steps": 0} | settings)
    return make_agent(FakeLibrary(files or FILES), chosen)


def seen(provider: Provider) -> str:
    """All that the provider was sent."""
    return b"\n".join(provider.bodies).decode()


def told(turns: Turns) -> str:
    return "\n".join(turn["content"] for turn in turns)


def stands_for(before: str) -> Callable[[Turns], str]:
    """The stand-in that follows this text somewhere in the conversation."""
    return lambda turns: re.findall(re.escape(before) + rf"({STAND_IN.pattern})", told(turns))[-1]


def answered(made: Agent, question: str) -> tuple[Answer, str]:
    """The answer, and the draft as it was streamed."""
    events = list(made.stream(question))
    draft = "".join(event.text for event in events if isinstance(event, AnswerToken))
    return next(event.answer for event in events if isinstance(event, Answered)), draft


def test_of_question_passage_step_and_observation_nothing_masked_leaves_and_the_answer_has_it(
    provider: Provider,
) -> None:
    provider.script = [
        says(
            "Look at the class.\n```python\n",
            'symbols("ReedStore")\nprint(grep("',
            stands_for("mail to "),
            '"))\n```\n',
        ),
        says("The ReedStore of Heron preserves mail to ", stands_for("ask "), " with 42 [2]"),
    ]
    events = list(agent(max_steps=1).stream(TWO_HOP))
    [step] = [event for event in events if isinstance(event, Stepped)]
    assert f'grep("{JANE}")' in step.code
    assert JANE in step.observation
    assert PASSWORD in step.observation
    assert (step.error, len(provider.bodies)) == (None, 2)
    assert [value for value in SECRETS | PERSONAL if value in seen(provider)] == []
    assert all(kind in seen(provider) for kind in ("SECRET_", "EMAIL_", "PHONE_", "CARD_", "IP_", "IBAN_"))
    answer = next(event.answer for event in events if isinstance(event, Answered))
    assert "KEEP = 42" in answer.citations[0].quote
    assert answer.citations[0].verified
    assert not STAND_IN.search(repr(events))


def test_a_secret_of_the_question_does_not_leave(provider: Provider) -> None:
    agent().ask(f"What keeps the letters of the harbour office? My password is {PASSWORD}, my key {AWS}.")
    agent().ask(f"Does {PASSWORD} open the ReedStore?")  # which its file tells
    assert len(provider.bodies) >= 2
    assert [value for value in SECRETS | PERSONAL if value in seen(provider)] == []


def test_the_answer_has_the_values_also_where_a_stand_in_comes_in_pieces(provider: Provider) -> None:
    def piece(start: int, end: int | None) -> Callable[[Turns], str]:
        return lambda turns: stands_for("for ")(turns)[start:end]

    provider.script = [says("Heron keeps them for ", *(piece(n, n + 1) for n in range(11)), piece(11, None), " [1]")]
    answer, draft = answered(agent(), EASY)
    assert draft == answer.answer == f"Heron keeps them for {JANE} [1]"
    assert answer.citations[0].verified


def test_a_stand_in_that_a_document_holds_becomes_nobodys_value(provider: Provider) -> None:
    provider.script = [says("Heron keeps the letters of EMAIL_1_zzzz [1]")]
    answer, draft = answered(agent(), EASY)
    assert "EMAIL_1_zzzz" in seen(provider)
    assert draft == "Heron keeps the letters of EMAIL_1_zzzz [1]"
    assert JANE not in answer.answer


def test_secrets_are_masked_by_default_and_personal_data_is_by_choice(provider: Provider) -> None:
    for level, absent in (("secrets", SECRETS), ("all", SECRETS | PERSONAL - {"4111 1111 1111 1111"}), ("off", set())):
        provider.bodies.clear()
        made = agent({"reed.py": FILES["src/reed.py"].replace("unrelated", "letters")}, mask=level)
        made.ask("What is the ReedStore of letters?")
        gone = {value for value in SECRETS | PERSONAL if value not in seen(provider)} - {"4111 1111 1111 1111"}
        assert (level, gone) == (level, absent)
    assert Settings().mask == "secrets"


def test_a_follow_up_is_rewritten_and_answered_without_a_value_leaving(provider: Provider) -> None:
    files = {
        "heron.md": "# Heron\nHeron keeps the letters of the harbour office in `ReedStore`.\n",
        "reed.py": f"class ReedStore:\n    KEEP = 42  # days, of letters to {JANE}\n",
    }
    provider.script = [
        says("42 days, of letters to ", stands_for("letters to "), " [1]"),
        says("Who keeps the letters to ", stands_for("letters to "), "?"),
        says("Heron keeps the letters [1]"),
    ]
    made, conversation = agent(files), Conversation()
    list(conversation.stream(made, "For how many days are letters kept?"))
    events = list(conversation.stream(made, "Who keeps them?"))
    assert events[0] == Rewritten("Who keeps them?", f"Who keeps the letters to {JANE}?", "model")
    assert "You rewrite the last question" in told(provider.asked[1]["messages"])
    assert JANE not in seen(provider)
    assert len(set(STAND_IN.findall(seen(provider)))) == 1
    [answer] = [event.answer for event in events if isinstance(event, Answered)]
    assert answer.sent == Sent((ELSEWHERE,), "all", {"email": 1})


def test_the_model_is_told_of_stand_ins_only_where_there_are_any(provider: Provider) -> None:
    agent({"a.md": "Heron keeps the letters of the harbour office.\n"}).ask(EASY)
    agent().ask(EASY)
    systems = [asked["messages"][0]["content"] for asked in provider.asked]
    assert "stand for values" not in systems[0]
    assert re.search(r"Words such as \w+_1_\w{4} stand for values", systems[1])
    provider.script = [says("yes")]
    out = Outgoing("all")
    make_chat(MODEL, outgoing=out).complete([Message(role="user", content=JANE)], max_tokens=8)
    assert [turn["role"] for turn in provider.asked[-1]["messages"]] == ["system", "user"]


def test_errors_and_traces_of_a_call_hold_no_value(
    provider: Provider, spans: Callable[[], Sequence[ReadableSpan]]
) -> None:
    def echoes(handler: object) -> None:
        body = provider.asked[-1]["messages"][-1]["content"].replace('"', "'").replace("\n", " ")
        fails(503, message=body)(handler)  # type: ignore[arg-type]

    provider.script = [echoes]
    chat = make_chat(MODEL, outgoing=Outgoing("all"))
    with pytest.raises(ModelUnavailable) as failed:
        chat.complete([Message(role="user", content=f"{JANE} {PASSWORD} password={PASSWORD}")], max_tokens=8)
    assert "EMAIL_1_" in str(failed.value)
    [span] = spans()
    events = [(event.name, dict(event.attributes or {})) for event in span.events]
    assert [name for name, _ in events][:1] == ["retry"]
    written = repr((span.name, dict(span.attributes or {}), events, span.status.description))
    assert not any(value in str(failed.value) + written for value in (JANE, PASSWORD))


def test_the_root_span_and_the_answer_say_where_text_went_and_count_what_was_masked(
    provider: Provider, spans: Callable[[], Sequence[ReadableSpan]]
) -> None:
    provider.script = [says("Heron [1]")]
    made = agent()
    answer = made.ask(f"What keeps the letters of the harbour office for {JANE}, {JANE} and joe@harbour.example?")
    counted = {"card": 1, "email": 2}
    assert answer.sent == Sent((ELSEWHERE,), "all", counted)
    assert answer.as_json()["sent"] == {"to": (ELSEWHERE,), "mask": "all", "masked": counted}
    attributes = {span.name: dict(span.attributes or {}) for span in spans()}
    root, call = attributes["ask"], attributes[f"chat {MODEL}"]
    assert (root["hoplite.sent.to"], root["hoplite.mask"]) == ((ELSEWHERE,), "all")
    assert (root["hoplite.masked.email"], root["hoplite.masked.card"]) == (2, 1)
    assert (call["hoplite.sent.to"], call["hoplite.masked.email"]) == (ELSEWHERE, 2)
    assert JANE not in repr(call)
    again = made.ask(EASY)
    assert again.sent == Sent((ELSEWHERE,), "all", {"card": 1, "email": 1})


def test_what_stays_on_this_machine_is_neither_masked_nor_counted(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{provider.server_port}/v1")
    provider.script = [says(f"Heron keeps them for {JANE} [1]")]
    answer = agent().ask(EASY)
    assert JANE in seen(provider)
    assert answer.sent is None
    assert agent(model="none").ask(EASY).sent is None


def test_of_a_chain_each_member_is_masked_by_where_it_is(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", f"http://127.0.0.1:{provider.server_port}")
    provider.script = [fails(401), fails(401)]
    answer_of = make_chat(f"{MODEL}, ollama/x", outgoing=(out := Outgoing("all")))
    with pytest.raises(ModelUnavailable):
        answer_of.complete([Message(role="user", content=JANE)], max_tokens=8)
    asked = [body for body in provider.bodies if b"messages" in body]
    assert (JANE in asked[0].decode(), JANE in asked[-1].decode()) == (False, True)
    assert out.sent == Sent((ELSEWHERE,), "all", {"email": 1})


def test_an_index_elsewhere_gets_every_search_and_is_said_to() -> None:
    library = FakeLibrary(FILES)
    library.place = Place("http://qdrant.example:6333", "x")
    answer = make_agent(library, Settings(model="none")).ask(EASY)
    assert answer.sent == Sent(("qdrant.example",), "secrets", {})
    assert [store_host(url) for url in ("", "http://localhost:6333", "http://[::1]:6333")] == ["", "", ""]


def test_a_kept_answer_sends_nothing(provider: Provider, tmp_path: Path) -> None:
    provider.script = [says("Heron keeps them for ", stands_for("for "), " [1]")]
    settings = Settings(model=MODEL, mask="all", max_steps=0)
    workspace = create(tmp_path / ".hoplite", tmp_path)
    asked = [make_agent(FakeLibrary(FILES), settings, workspace=workspace).ask(EASY) for _ in range(2)]
    assert [answer.sent is None for answer in asked] == [False, True]
    assert asked[1].cached
    assert asked[1].answer == asked[0].answer
    provider.script = [says("Heron [1]")]
    other = Settings(model=MODEL, mask="secrets", max_steps=0)
    assert make_agent(FakeLibrary(FILES), other, workspace=workspace).ask(EASY).cached is None


def test_the_environments_keys_are_hidden_from_whoever_they_are_not_for(provider: Provider) -> None:
    hidden, _ = way_out(Settings()).mask.hide([f"the key {OPENAI_KEY} works"])
    assert OPENAI_KEY not in hidden[0]


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_BASE_URL", "OLLAMA_API_BASE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("addresses")
def test_the_line_names_each_host_once_what_goes_there_and_what_is_masked() -> None:
    line = leaves_the_machine(["openai/gpt-x, local", "anthropic/claude-x", "openai/gpt-x"], mask="secrets")
    assert line == (
        "Leaving this machine: your question, the passages found for it, the agent's steps and recalled notes go to "
        "api.openai.com (openai/gpt-x) and to the provider of anthropic/claude-x (anthropic/claude-x). "
        "Keys and passwords in it are masked, personal data is not (--mask all)."
    )
    assert "Nothing in it is masked" in leaves_the_machine(["openai/gpt-x"], mask="off")
    both = leaves_the_machine(["openai/gpt-x"], mask="all", store="qdrant.example", also="what was said")
    assert "recalled notes and what was said go to api.openai.com" in both
    assert both.endswith("What is searched for goes to the index on qdrant.example, never masked.")


@pytest.mark.usefixtures("addresses")
def test_where_nothing_leaves_there_is_no_line() -> None:
    assert leaves_the_machine(["local", "none", "ollama/x"], mask="secrets") == ""
    line = leaves_the_machine(["none"], mask="secrets", store="qdrant.example")
    assert line == "Leaving this machine: what is searched for goes to the index on qdrant.example, never masked."
