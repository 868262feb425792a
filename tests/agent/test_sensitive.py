"""What counts as a secret or as personal data, and what only looks like it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from masked_values import values

from agent.prompts import conversation, prompt
from agent.sensitive import SECRETS, Found, Kind, distinctive, find, from_environment, merged

ROOT = Path(__file__).parents[2]
BODY = "MIIEpAIBAAKCAQEA7f3K" + "q9Zt/aB3" * 5 + "\n" + "Xy7+" * 16 + "\nQ9==\n"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


def said(text: str, kind: Kind | None = None) -> list[str]:
    return [text[f.start : f.end] for f in find(text) if kind in (None, f.kind)]


@pytest.mark.parametrize(
    "key",
    [
        "AKIA" + "Q3EGRYH2XK7MNB4T",
        "ghp_" + "x7Kd02mfQpTz81LsVbN4cYwEr6HjUgAi95oS",
        "github_pat_" + "11ABCDEFG0x7Kd02mfQpTz_81LsVbN4cYw",
        "glpat-" + "x7Kd02mfQpTz81LsVbN4",
        "xoxb-" + "214673214-x7Kd02mfQpTz81Ls",
        "sk-" + "proj-x7Kd02mfQpTz81LsVbN4cYwEr6HjUgAi",
        "sk-" + "ant-api03-x7Kd02mfQpTz81LsVbN4cY",
        "sk_" + "live_x7Kd02mfQpTz81LsVbN4cYwE",
        "AIza" + "SyD02mfQpTz81LsVbN4cYwEr6HjUgAi95o",
        "hf_" + "xKdmfQpTzLsVbNcYwErHjUgAioSqW",
        "npm_" + "x7Kd02mfQpTz81LsVbN4cYwEr6HjUgAi95oS",
        "SG." + "x7Kd02mfQpTz81LsVbN4cY.wEr6HjUgAi95oSx7Kd02mfQpTz81LsVbN4cYwEr6HjU",
        JWT,
        f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{BODY}-----END PRIVATE KEY-----",
    ],
)
def test_keys_are_known_by_their_shape_whatever_stands_around_them(key: str) -> None:
    for text in (key, f"Use {key}, and no other.", f'call("{key}")', f"x={key}\nnext"):
        assert said(text, "secret") == [key]
    cut = key[: max(24, len(key) * 3 // 4)]  # as where an excerpt ends
    assert cut.rstrip("\n-").startswith(said(f"{cut} …", "secret")[0].rstrip("\n-"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('password = "hunter2"', "hunter2"),
        ('create(name="x", password="mypassword")', "mypassword"),
        ('password = "correct horse battery staple"', "correct horse battery staple"),
        ("DB_PASSWORD=postgres\nDB_NAME=x", "postgres"),
        ("db:\n  password: postgres\n  name: x", "postgres"),
        ("password: s3cr-et, and the name is x", "s3cr-et"),
        ('config["password"] = "tide9"', "tide9"),
        ('{"password": "tide9", "name": "x"}', "tide9"),
        ("if (password === 'tide9') {", "tide9"),
        ("The password is gull77.", "gull77"),
        ('api_key: str | None = "abCD1234efgh"', "abCD1234efgh"),
        ("AWS_SECRET_ACCESS_KEY=wJalr7XUtnFEMI/K7MDENG/bPxRfiCY", "wJalr7XUtnFEMI/K7MDENG/bPxRfiCY"),
        ('SECRET_KEY = "django-insecure-#7x9$kq"', "django-insecure-#7x9$kq"),
        ("GET /x?user=1&token=4f9a1c77e02b&y=2", "4f9a1c77e02b"),
        ("curl --token 4f9a1c77e02b https://x.example", "4f9a1c77e02b"),
        ("Authorization: Bearer 4f9a1c77e02b8810aa", "4f9a1c77e02b8810aa"),
        ("postgres://joe:pa55@db.example:5432/x", "pa55"),
        ("https://x7Kd02mfQpTz81LsVbN4@github.example/a.git", "x7Kd02mfQpTz81LsVbN4"),
    ],
)
def test_a_value_beside_a_telling_name_is_a_secret(text: str, value: str) -> None:
    assert [text[f.start : f.end] for f in find(text, SECRETS)] == [value]


@pytest.mark.parametrize(
    "text",
    [
        "password: str",
        "self.password = password",
        "password = get_password(user)",
        'password = request.POST["password"]',
        'password = os.environ["DB_PASSWORD"]',
        "password = settings.DATABASE_PASSWORD2",
        'old_password = "old_password"',
        'password: "newPassword", passwd: "DB_PASSWORD"',
        "Password: required",
        'password = "Enter the old one", "password": "your new password"',
        "Enter the password: it has to be long.",
        "tool --password PASSWORD --token TOKEN",
        "password=${DB_PASSWORD}",
        'password = "<your password>"',
        'password = f"{name}1"',
        "password = ********",
        "https://{user}:{password}@host/x",
        "https://$USER:$PASS1@host/x",
        "max_tokens = 160",
        'tokenizer = "cl100k_base"',
        'token_url = "https://oauth2.example/token"',
        'CSRF_TOKEN = "csrfmiddlewaretoken"',
        "the token is 32 characters long",
        '<input type="password" autocomplete="new-password2">',
        "if line == '-----BEGIN PRIVATE KEY-----': # the key follows in lines of base64",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "sk-learn-estimator-doc-link-class",
        "commit 29851e0bd6f1f6f25e7c3d9c41b9e0d6c7f4f0a1",
    ],
)
def test_what_only_speaks_of_secrets_is_none(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("email", "Write to jane.roe+a@harbour-office.example.", "jane.roe+a@harbour-office.example"),
        ("email", "mailto:jörg@häfen.example?subject=x", "jörg@häfen.example"),
        ("phone", "Call +49 30 901820 now", "+49 30 901820"),
        ("phone", "Call (650) 253-0000 now", "(650) 253-0000"),
        ("phone", "Tel.: 030 901820", "030 901820"),
        ("iban", "to DE89 3704 0044 0532 0130 00 please", "DE89 3704 0044 0532 0130 00"),
        ("iban", "BE68 5390 0754 7034 BANK", "BE68 5390 0754 7034"),
        ("iban", "GB82WEST12345698765432", "GB82WEST12345698765432"),
        ("card", "card 4111 1111 1111 1111, 12/30", "4111 1111 1111 1111"),
        ("card", "card 378282246310005", "378282246310005"),
        ("ip", "from 203.0.113.9: refused", "203.0.113.9"),
        ("ip", "from 2001:db8::1 refused", "2001:db8::1"),
    ],
)
def test_personal_data_is_found_with_its_kind(kind: Kind, text: str, value: str) -> None:
    assert said(text) == said(text, kind) == [value]
    assert find(text, SECRETS) == []


@pytest.mark.parametrize(
    "text",
    [
        "@app.route and jane at harbour dot example",
        "pip install heron@1.2.3",
        "git@github.com:heron/reeds.git",
        "DE89 3704 0044 0532 0130 01",
        "order 4111 1111 1111 1112",
        "at 1700000000000 and 1700000000000000 since 1970",
        "localhost is 127.0.0.1, everywhere 0.0.0.0, mask 255.255.255.0",
        "version 1.2.3 of 2026-11-22 at 12:30:00",
        "std::vec::Vec and a[1:2:3]",
        "x = +1 + 2 - 3 * 45678",
        "333-4444",
    ],
)
def test_what_only_looks_like_personal_data_is_none(text: str) -> None:
    assert said(text) == []


def test_values_that_overlap_are_one() -> None:
    assert merged([Found(5, 9, "email"), Found(0, 7, "secret"), Found(9, 12, "ip"), Found(0, 3, "ip")]) == [
        Found(0, 9, "secret"),
        Found(9, 12, "ip"),
    ]
    assert said("https://jane:pw@12@mail.harbour.example/x") == ["pw@12@mail.harbour.example"]


def test_a_secret_is_one_everywhere_only_where_it_is_no_word() -> None:
    assert distinctive("tide-9-Gull-77")
    assert not any(map(distinctive, ["postgres", "abc123", "password1", "11111111", "aaaaaaa1"]))


def test_the_environments_secrets_are_those_that_its_names_tell() -> None:
    environ = {
        "OPENAI_API_KEY": "our-own-key-4Tf81",
        "HF_TOKEN": " x7Kd02mfQ\n",
        "DB_PASSWORD": "correct-horse",
        "SSH_KEY": "/home/me/.ssh/id_ed25519",
        "SECRET": "short1",
        "APP_SECRET": "development",
        "PATH": "/usr/bin:/bin",
    }
    assert from_environment(environ) == ["our-own-key-4Tf81", "x7Kd02mfQ", "correct-horse"]


def test_nothing_is_found_in_our_own_prompts() -> None:
    for profile in ("compact", "full"):
        texts = [text for _, text in conversation(f"answer_{profile}")] + [prompt(f"gather_{profile}")]
        assert [find(text) for text in texts] == [[] for _ in texts]


def test_no_secret_is_found_in_this_repository_and_no_personal_data_in_its_documents() -> None:
    found = [
        (path, text[each.start : each.end])
        for folder in ("docs", "agent", "ingest/fetching", "ui")
        for path, text, each in values(ROOT / folder)
        if each.kind in SECRETS or folder == "docs"
    ]
    assert found == []


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            "-",
            "--a",
            "password",
            "password=",
            "password: [a",
            "PASSWORDA",
            "eyJ",
            "a.",
            "x@",
            "sk-",
            "AB12",
            "1 ",
        ),
        *("+1", "a:", "://", "://a:", "://a@", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nAAAA"),
        *("\\n", " \n", '"', "1.1."),
    ],
)
def test_hostile_text_takes_no_longer_than_other_text(unit: str) -> None:
    began = time.perf_counter()
    find(unit * (100_000 // len(unit)))
    assert time.perf_counter() - began < 2.0
