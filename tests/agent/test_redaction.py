"""What redaction takes out of texts, that it does so once and for all, and how long it takes."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.redaction import Content, Redactor, own_secrets

PASSWORD = "tide-9-Gull-77"
AWS = "AKIA" + "Q3EGRYH2XK7MNB4T"
OWN = "f00d-5ea-ports-2291"
ENVIRON = {"HARBOUR_API_KEY": OWN, "HOME": "/root", "LANG": "C.UTF-8"}


def redactor(content: Content = "masked", *, personal: bool = False) -> Redactor:
    return Redactor(content, personal=personal, environ=ENVIRON)


@pytest.mark.parametrize(
    "text",
    [
        f'password = "{PASSWORD}"',
        f"export API_TOKEN={PASSWORD}",
        f"https://joe:{PASSWORD}@db.example/x",
        f"Authorization: Bearer {PASSWORD}-abcdef",
        f"key {AWS} and more",
        json.dumps({"content": f'say password="{PASSWORD}" twice'}),
        json.dumps({"parts": [json.dumps({"told": f'token: "{PASSWORD}"\n'})]}),
        f"where is {OWN}?",
    ],
)
def test_a_secret_goes_and_the_rest_stays(text: str) -> None:
    redacted = redactor().text(text)
    assert "[secret]" in redacted
    assert not any(secret in redacted for secret in (PASSWORD, AWS, OWN))


@pytest.mark.parametrize("text", [f"the key is {OWN[:9]}… and so on", f"{OWN[:12]} … {OWN[-7:]} and", f"…{OWN[8:]}"])
def test_what_a_cut_has_left_of_our_own_secret_goes_too(text: str) -> None:
    redacted = redactor().text(text)
    assert "[secret]" in redacted
    assert OWN[:9] not in redacted
    assert OWN[-7:] not in redacted


def test_text_without_secrets_is_not_touched() -> None:
    text = json.dumps({"code": 'def token(self):\n    return "the password is asked for below"\n', "n": 3})
    assert redactor().text(text) == text


def test_personal_data_goes_where_that_is_asked() -> None:
    text = "ask jane.roe@harbour.example or +49 30 901820"
    assert redactor().text(text) == text
    assert redactor(personal=True).text(text) == "ask [email] or [phone]"


def test_a_secret_that_a_name_gave_away_is_one_everywhere_from_then_on() -> None:
    it = redactor()
    assert it.text(f"what opens {PASSWORD}?") == f"what opens {PASSWORD}?"
    it.learn([f"password = '{PASSWORD}'"])
    assert it.text(f"what opens {PASSWORD}?") == "what opens [secret]?"


def test_without_content_numbers_and_structure_are_left_and_no_text() -> None:
    attributes = {"hoplite.question": "who?", "gen_ai.request.model": "m", "tokens": 3, "labels": ["a"], "ids": [1, 2]}
    assert redactor("none").attributes(attributes) == {"gen_ai.request.model": "m", "tokens": 3, "ids": [1, 2]}
    assert redactor("none").prose("a message") == ""


def test_full_content_is_all_but_our_own_secrets() -> None:
    text = f"password = '{PASSWORD}' and {OWN}"
    assert redactor("full").text(text) == f"password = '{PASSWORD}' and [secret]"


def test_our_own_secrets_are_found_by_name_by_header_and_by_shape() -> None:
    environ = {
        "HARBOUR_TOKEN": "ab12-cd34-ef56",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=quay-0042,other=abc",
        "DATABASE_URL": f"postgres://joe:{PASSWORD}@db/x",
        "EDITOR": "vi",
    }
    assert set(own_secrets(environ)) == {"ab12-cd34-ef56", "quay-0042", PASSWORD}


PIECES = st.sampled_from(
    ["password", "=", ": ", '"', "\\", "\n", " ", AWS, OWN, PASSWORD, "ghp_", "a1b2c3d4" * 5, "://u:", "@h.example",
     "Bearer ", "{", "}", "[", "]", "[secret]", "[email]", "jo@x.example", "+49 30 901820", "4111 1111 1111 1111",
     "-----BEGIN PRIVATE KEY-----", "eyJ" + "a1" * 20, ".", "token", "secret", "-"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join))
def test_redacting_again_changes_nothing(text: str) -> None:
    it = redactor(personal=True)
    once = it.text(text)
    assert it.text(once) == once
    assert OWN not in once


def test_what_was_made_to_change_for_ever_is_not_sent() -> None:
    text = ("ghp_" + "a1" * 127 + "b") * 9  # each is a key only once the one before it is gone
    redacted = redactor().text(text)
    assert redacted.startswith("[")
    assert redacted.endswith(" characters]")


def test_time_is_in_proportion_to_length() -> None:
    line = (
        f"def keep(self, token: str) -> None:  # the key of harbour {AWS}, password='{PASSWORD}'\n    return self.x\n"
    )
    it = redactor()

    def seconds(text: str) -> float:
        begun = time.process_time()
        it.text(text)
        return time.process_time() - begun

    seconds(line)
    small, large = seconds(line * 300), seconds(line * 2400)
    assert large < 24 * small
