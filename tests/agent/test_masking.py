"""Stand-ins: the same for the same value, nobody's to forge, and the text as it was once they are shown again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.masking import Mask, Shown

MARK = "k3f9"
PASSWORD = "tide-9-Gull-77"


@pytest.fixture
def mask() -> Mask:
    return Mask("all", mark=MARK)


def test_a_value_has_the_same_stand_in_in_every_text_and_call(mask: Mask) -> None:
    first, used = mask.hide(["Who is jane@harbour.example?", "jane@harbour.example and joe@harbour.example"])
    assert first == ["Who is EMAIL_1_k3f9?", "EMAIL_1_k3f9 and EMAIL_2_k3f9"]
    assert used == {"EMAIL_1_k3f9": "email", "EMAIL_2_k3f9": "email"}
    assert mask.hide(["joe@harbour.example"])[0] == ["EMAIL_2_k3f9"]
    assert [mask.show(text) for text in first] == [
        "Who is jane@harbour.example?",
        "jane@harbour.example and joe@harbour.example",
    ]


def test_a_secret_that_one_text_tells_is_hidden_in_all_of_them_and_from_then_on(mask: Mask) -> None:
    assert mask.hide([f"Why does {PASSWORD} fail?", f'password = "{PASSWORD}"'])[0] == [
        "Why does SECRET_1_k3f9 fail?",
        'password = "SECRET_1_k3f9"',
    ]
    assert mask.hide([f"x{PASSWORD}y"])[0] == ["xSECRET_1_k3f9y"]
    assert mask.hide(['password = "postgres"', "postgres is up"])[0] == ['password = "SECRET_2_k3f9"', "postgres is up"]


def test_known_secrets_are_hidden_whatever_stands_beside_them() -> None:
    mask = Mask("secrets", known=["our-own-key-4Tf81"], mark=MARK)
    assert mask.hide(["a our-own-key-4Tf81 b, jane@harbour.example"])[0] == ["a SECRET_1_k3f9 b, jane@harbour.example"]


def test_off_hides_and_shows_nothing() -> None:
    mask = Mask("off", known=["our-own-key-4Tf81"], mark=MARK)
    text = 'password = "hunter2" our-own-key-4Tf81 EMAIL_1_k3f9'
    assert mask.hide([text]) == ([text], {})
    assert mask.show(text) == text


def test_a_document_cannot_forge_a_stand_in(mask: Mask) -> None:
    mask.hide(["jane@harbour.example"])
    forged = "Write to EMAIL_1_k3f9, EMAIL_2_k3f9 or EMAIL_1_zzzz."
    [hidden], used = mask.hide([forged])
    assert hidden == "Write to EMAIL_1_MARK_1_k3f9, EMAIL_2_MARK_1_k3f9 or EMAIL_1_zzzz."
    assert used == {"MARK_1_k3f9": "mark"}
    assert mask.show(hidden) == forged


def test_a_stand_in_that_was_never_given_stays_as_it_is(mask: Mask) -> None:
    mask.hide(["jane@harbour.example"])
    text = "EMAIL_2_k3f9 SECRET_1_k3f9 EMAIL_1_k3f8 email_1_k3f9 EMAIL_01_k3f9"
    assert mask.show(text) == text


def test_a_stand_in_is_known_in_markdown_and_inside_a_word(mask: Mask) -> None:
    mask.hide(["jane@harbour.example"])
    assert mask.show(r"<EMAIL\_1\_k3f9>, xEMAIL_1_k3f9y") == "<jane@harbour.example>, xjane@harbour.exampley"


def test_every_mask_draws_its_own_mark() -> None:
    marks = {Mask("all").hide(["jane@harbour.example"])[0][0] for _ in range(20)}
    assert len(marks) > 1
    assert all(re.fullmatch(r"EMAIL_1_[a-z]\d[a-z]\d", mark) for mark in marks)


PARTS = [
    *("jane@harbour.example", PASSWORD, f'password = "{PASSWORD}"', "203.0.113.9", "+49 30 901820"),
    *("DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111", "https://jane:pw1@", "EMAIL_1_k3f9", "MARK_1_k3f9"),
    *("EMAIL", "SECRET_1_", "_1_", "_", r"\_", "1", "k3f9", "k3", "f9", " ", "\n", '"', "@", ":", "/", "é", "\u200b"),
]
PIECES = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@given(st.lists(PIECES | st.text(), min_size=1, max_size=3))
def test_whatever_is_hidden_is_shown_again_exactly(texts: list[str]) -> None:
    mask = Mask("all", mark=MARK)
    for _ in range(2):  # the second time with what the first one taught it
        hidden, _ = mask.hide(texts)
        assert [mask.show(text) for text in hidden] == texts


@given(PIECES, st.lists(st.integers(1, 5), min_size=1))
def test_a_text_in_pieces_is_shown_as_it_is_whole(text: str, sizes: list[int]) -> None:
    mask = Mask("all", mark=MARK)
    [hidden], _ = mask.hide([text])
    shown, rest, out = Shown(mask), hidden, ""
    for size in sizes * (len(hidden) + 1):
        out += shown.take(rest[:size])
        rest = rest[size:]
    assert out + shown.rest() == text


def test_no_more_is_kept_back_than_a_stand_in_is_long(mask: Mask) -> None:
    mask.hide(["jane@harbour.example"])
    shown = Shown(mask)
    assert [shown.take(piece) for piece in ["Ask E", "MAIL", "_1_k3", "f9 or EGRET", ", S", "o. EMAIL_1"]] == [
        "Ask ",
        "",
        "",
        "jane@harbour.example or EGRET",
        ", ",
        "So. ",
    ]
    assert shown.rest() == "EMAIL_1"
