"""Several models as one: the next is asked where one is unavailable, and not once text was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from agent import fallback
from agent.fallback import Fallback
from agent.models import Message, Price, make_chat
from agent.testing import ScriptedModel
from ingest.errors import ModelUnavailable, UserError

ASKED = [Message(role="user", content="Where do herons nest?")]


def away(_: Sequence[Message]) -> str:
    raise ModelUnavailable("It is away.")


def test_the_first_that_is_there_answers() -> None:
    first, second, third = (
        ScriptedModel([away], name="a"),
        ScriptedModel(["b"], name="b"),
        ScriptedModel([], name="c"),
    )
    chain = Fallback([first, second, third])
    answer = chain.complete(ASKED, max_tokens=8)
    assert (answer.text, answer.model, chain.name) == ("b", "b", "a, b, c")


def test_one_that_was_away_rests_and_is_asked_again_after_that(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(fallback, "monotonic", lambda: now[0])
    chain = Fallback([ScriptedModel([away, "a"], name="a"), ScriptedModel(["b", "b"], name="b")])
    answered = []
    for seconds in (0, fallback.REST - 1, 2):
        now[0] += seconds
        answered.append(chain.complete(ASKED, max_tokens=8).model)
    assert answered == ["b", "b", "a"]


def test_those_that_rest_are_asked_before_giving_up() -> None:
    chain = Fallback([ScriptedModel([away, "a"], name="a"), ScriptedModel([away], name="b")])
    with pytest.raises(ModelUnavailable, match=r"^None of a, b is there\. It is away\. It is away\.$"):
        chain.complete(ASKED, max_tokens=8)
    assert chain.complete(ASKED, max_tokens=8).model == "a"


def test_another_error_is_not_anothers_to_answer() -> None:
    def refuse(_: Sequence[Message]) -> str:
        raise UserError("Too long.")

    with pytest.raises(UserError, match="Too long"):
        Fallback([ScriptedModel([refuse]), ScriptedModel([])]).complete(ASKED, max_tokens=8)


def test_after_text_was_shown_the_next_is_not_asked() -> None:
    class Drops(ScriptedModel):
        def complete(  # type: ignore[no-untyped-def, override]
            self, *_: object, on_token: Callable[[str], None] | None = None, **__: object
        ):
            assert on_token is not None
            on_token("In ")
            raise ModelUnavailable("It went away.")

    pieces: list[str] = []
    with pytest.raises(ModelUnavailable, match=r"^It went away"):
        Fallback([Drops([]), ScriptedModel([])]).complete(ASKED, max_tokens=8, on_token=pieces.append)
    assert pieces == ["In "]


def test_the_next_is_not_asked_once_the_call_was_stopped() -> None:
    def stop(piece: str) -> None:
        raise KeyboardInterrupt

    second = ScriptedModel(["b"])
    with pytest.raises(KeyboardInterrupt):
        Fallback([ScriptedModel([away]), second]).complete(ASKED, max_tokens=8, on_token=stop)
    assert second.unspoken == 1


def test_a_name_with_commas_is_a_chain() -> None:
    assert make_chat(" openai/gpt-x ,local, ").name == "openai/gpt-x, local"
    with pytest.raises(UserError, match="has none among its models"):
        make_chat("local, none")


def test_its_price_is_the_dearest_and_unknown_where_one_is() -> None:
    cheap, dear = ScriptedModel([], price=Price(1, 1, 5)), ScriptedModel([], price=Price(2, 0, 4))
    assert Fallback([cheap, dear]).price == Price(2, 1, 5)
    assert Fallback([cheap, ScriptedModel([], price=None)]).price is None
