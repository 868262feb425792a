"""Models that others serve: where they are, how they are asked, and how each of their failures ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from provider import Provider, answers, begun, fails, sent, serving, text

from agent import retries
from agent.models import FREE, LONGEST_REPLY, Completion, Message, Price, StreamedChat, make_chat
from agent.remote_models import is_remote, litellm_stream, price_of, where
from ingest.errors import ModelUnavailable

# LiteLLM's classes make pydantic warn while they are completed, at the first answer: nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

ASKED = [Message(role="system", content="Be brief."), Message(role="user", content="Where do herons nest?")]


@pytest.mark.parametrize("name", ["local", "local:/models/some.gguf", "none", "ollama/llama3.2"])
def test_models_of_this_machine_are_not_remote(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_API_BASE", raising=False)
    assert not is_remote(name)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("openai/gpt-x", "api.openai.com"),
        ("huggingface/org/name", "router.huggingface.co"),
        ("huggingface/together/org/name", "the provider of huggingface/together/org/name"),
        ("anthropic/claude-x", "the provider of anthropic/claude-x"),
        ("mistral-x", "the provider of mistral-x"),
    ],
)
def test_other_models_are_remote_and_the_place_is_named(name: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("HUGGINGFACE_API_BASE", raising=False)
    assert is_remote(name)
    assert where(name) == place


@pytest.mark.parametrize(
    ("base", "remote"),
    [("http://10.0.0.7:11434", True), ("http://127.0.0.1:1", False), ("http://[::1]:1", False), ("garbage", True)],
)
def test_where_a_server_listens_decides_whether_it_is_remote(
    base: str, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", base)
    assert is_remote("ollama/llama3.2") is remote


def test_of_several_models_one_that_is_remote_makes_them_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert is_remote("local, openai/gpt-x")
    assert not is_remote("local, local:/x.gguf")


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with serving() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        monkeypatch.setattr(retries, "FIRST_WAIT", 0.01)
        yield server


def drops(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(2)
    handler.close_connection = True


def drops_after_a_piece(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    text(handler, "In ")
    time.sleep(0.1)  # Else the piece may be lost with the connection.
    drops(handler)


def drops_in_the_answer(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    drops(handler)


def ends_early(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    text(handler, "In ")
    handler.wfile.write(b"0\r\n\r\n")


def a_page(handler: BaseHTTPRequestHandler) -> None:
    body = b"<html><body>Sign in</body></html>\n"
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def two_megabytes(handler: BaseHTTPRequestHandler) -> None:
    begun(handler)
    for _ in range(32):
        text(handler, "x" * (1 << 16))
    handler.wfile.write(b"0\r\n\r\n")


def ask(**options: Any) -> Completion:
    return make_chat("openai/gpt-4o-mini").complete(ASKED, max_tokens=16, **options)


def unavailable() -> str:
    """The message with which a call fails, one line that names the model and the next step."""
    with pytest.raises(ModelUnavailable) as failed:
        ask()
    message = str(failed.value)
    assert "\n" not in message
    assert "openai/gpt-4o-mini did not" in message
    assert "--model" in message
    return message


def test_litellm_streams_an_answer_with_its_tokens(provider: Provider) -> None:
    answer = ask(stop=["<end>"])
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("In reeds.", 9, 2)
    assert answer.model == "openai/gpt-4o-mini"
    assert provider.asked[0]["messages"] == ASKED
    assert (provider.asked[0]["max_tokens"], provider.asked[0]["stop"]) == (16, ["<end>"])


def test_hugging_face_is_asked_in_openais_form_with_its_token(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    keys: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        keys.append(handler.headers["Authorization"])
        answers(handler)

    provider.script = [answer]
    monkeypatch.setenv("HUGGINGFACE_API_BASE", f"http://127.0.0.1:{provider.server_port}/v1")
    monkeypatch.setenv("HF_TOKEN", "hf-key")
    said = make_chat("huggingface/org/name:fast").complete(ASKED, max_tokens=16)
    assert (said.text, said.input_tokens, said.output_tokens) == ("In reeds.", 9, 2)
    assert (provider.asked[0]["model"], provider.asked[0]["messages"], keys) == (
        "org/name:fast",
        ASKED,
        ["Bearer hf-key"],
    )
    assert capfd.readouterr() == ("", "")


def test_ollama_is_asked_in_its_own_form(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        begun(handler)
        if handler.path == "/api/show":  # LiteLLM asks for the model's capabilities first.
            sent(handler, b'{"template": "", "model_info": {}}')
            handler.wfile.write(b"0\r\n\r\n")
            return
        for piece in ("In ", "reeds."):
            said = {"model": "m", "message": {"role": "assistant", "content": piece}, "done": False}
            sent(handler, f"{json.dumps(said)}\n".encode())
        counts = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 2}
        last = {"model": "m", "message": {"role": "assistant", "content": ""}} | counts
        sent(handler, f"{json.dumps(last)}\n".encode())
        handler.wfile.write(b"0\r\n\r\n")

    provider.script = [answer]
    monkeypatch.setenv("OLLAMA_API_BASE", f"http://127.0.0.1:{provider.server_port}")
    said = make_chat("ollama/llama3.2").complete(ASKED, max_tokens=16)
    assert (said.text, said.input_tokens, said.output_tokens, said.dollars) == ("In reeds.", 9, 2, 0)
    (body,) = [body for body in provider.asked if "messages" in body]
    assert [(turn["role"], turn["content"]) for turn in body["messages"]] == [
        (turn["role"], turn["content"]) for turn in ASKED
    ]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_one_line_and_asked_once(
    status: int, provider: Provider, capfd: pytest.CaptureFixture[str]
) -> None:
    provider.script = [fails(status)]
    assert "not now" in unavailable()
    assert len(provider.asked) == 1
    assert capfd.readouterr() == ("", "")


def test_a_rate_limit_is_waited_for_as_long_as_it_asks(provider: Provider) -> None:
    provider.script = [fails(429, Retry_After="0.4"), answers]
    started = time.perf_counter()
    assert ask().text == "In reeds."
    assert time.perf_counter() - started >= 0.4
    assert len(provider.asked) == 2


def test_a_wait_beyond_the_deadline_is_not_begun(provider: Provider) -> None:
    provider.script = [fails(429, Retry_After="3600"), answers]
    started = time.perf_counter()
    unavailable()
    assert (len(provider.asked), time.perf_counter() - started < 5) == (1, True)


@pytest.mark.parametrize("failure", [fails(500), fails(503), drops, drops_in_the_answer])
def test_what_passes_is_asked_again(failure: Callable[[BaseHTTPRequestHandler], None], provider: Provider) -> None:
    provider.script = [failure, failure, answers]
    pieces: list[str] = []
    assert ask(on_token=pieces.append).text == "In reeds."
    assert "".join(pieces) == "In reeds."
    assert len(provider.asked) == 3


def test_what_does_not_pass_is_given_up(provider: Provider) -> None:
    provider.script = [fails(500)]
    unavailable()
    assert len(provider.asked) == retries.ATTEMPTS


def test_nothing_is_asked_again_once_text_was_shown(provider: Provider) -> None:
    provider.script = [drops_after_a_piece, answers]
    unavailable()
    assert len(provider.asked) == 1


def test_nothing_is_asked_again_once_the_call_was_stopped(provider: Provider) -> None:
    provider.script = [fails(500), answers]

    def stop(piece: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(on_token=stop)
    assert len(provider.asked) == 1


def test_nobody_listening_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "right")
    monkeypatch.setattr(retries, "FIRST_WAIT", 60.0)
    assert "127.0.0.1:9" in unavailable()


def test_half_an_answer_is_what_there_is(provider: Provider) -> None:
    provider.script = [ends_early]
    assert ask().text == "In "


def test_a_page_for_people_is_no_answer(provider: Provider) -> None:
    provider.script = [a_page]
    assert "neither text nor a count of tokens" in unavailable()


def test_a_silent_provider_is_left_at_the_deadline(provider: Provider) -> None:
    done = threading.Event()

    def says_nothing(handler: BaseHTTPRequestHandler) -> None:
        begun(handler)
        done.wait(10)

    provider.script = [says_nothing]
    started = time.perf_counter()
    with pytest.raises(ModelUnavailable, match="did not finish within 0 seconds"):
        StreamedChat("slow", litellm_stream("openai/gpt-4o-mini"), call_seconds=0.3).complete(ASKED, max_tokens=16)
    done.set()
    assert time.perf_counter() - started < 5


def test_an_endless_answer_is_cut(provider: Provider) -> None:
    provider.script = [two_megabytes]
    pieces: list[str] = []
    assert ask(on_token=pieces.append).text == "x" * LONGEST_REPLY == "".join(pieces)


def test_a_price_is_known_from_the_list_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    for variable in ("OPENAI_BASE_URL", "OLLAMA_API_BASE"):
        monkeypatch.delenv(variable, raising=False)
    one = {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}
    listed = {
        "heron-1": one | {"litellm_provider": "openai", "cache_read_input_token_cost": 5e-7},
        "groq/heron-2": one,
        "anthropic/free": {"input_cost_per_token": 0, "output_cost_per_token": 0},
    }
    monkeypatch.setattr(litellm, "model_cost", listed)
    assert price_of("openai/heron-1") == price_of("heron-1") == Price(2e-6, 5e-7, 8e-6)
    assert price_of("groq/heron-2") == Price(2e-6, 2e-6, 8e-6)
    assert [price_of(name) for name in ("anthropic/heron-1", "anthropic/free", "openai/unheard")] == [None] * 3
    assert price_of("ollama/llama3.2") == FREE
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example/v1")
    assert price_of("openai/heron-1") is None


def test_the_list_that_is_shipped_has_prices() -> None:
    price = price_of("anthropic/claude-sonnet-4-5")
    assert price is not None
    assert 0 < price.cached < price.input < price.output
