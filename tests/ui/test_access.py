"""Who may reach the page, and the password that others need."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import UserError
from tests.ui.conftest import Hoplite
from ui.access import Access, access, told

GOOD = "correct horse battery"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.org"])
def test_a_host_that_others_can_reach_needs_a_password(host: str) -> None:
    with pytest.raises(UserError, match=r"HOPLITE_PASSWORD.*--password-file"):
        access(host, [], None, {})
    assert access(host, [], None, {"HOPLITE_PASSWORD": GOOD}).password is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_loopback_host_needs_none_and_says_nothing(host: str) -> None:
    assert access(host, [], None, {}) == Access(host)
    assert told(Access(host)) == ()


def test_a_further_name_means_that_others_reach_it_and_needs_a_password() -> None:
    with pytest.raises(UserError, match="password"):
        access("127.0.0.1", ["hoplite.example.org"], None, {})


def test_the_password_leaves_the_environment() -> None:
    environ = {"HOPLITE_PASSWORD": GOOD}
    assert access("127.0.0.1", [], None, environ).password is not None
    assert environ == {}


def test_a_password_matches_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{GOOD}\nmore\n")
    password = access("127.0.0.1", [], tmp_path / "password", {}).password
    assert password is not None
    assert [password.matches(said) for said in (GOOD, f"{GOOD}\n", GOOD[:-1], "", "\udc80")] == [True] + [False] * 4
    assert GOOD not in repr(vars(password))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"short\n", "has 5 characters; it needs 12"), (b"\xff" * 20, "UTF-8")],
)
def test_a_password_file_that_is_none_says_so(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=said):
        access("0.0.0.0", [], file, {})


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(GOOD)
    with pytest.raises(UserError, match="Leave one of them out"):
        access("0.0.0.0", [], tmp_path / "password", {"HOPLITE_PASSWORD": GOOD})


@pytest.mark.parametrize("name", ["http://example.org", "a b", "*", "", "example.org/x"])
def test_a_further_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="--allow-host"):
        access("127.0.0.1", [name], None, {"HOPLITE_PASSWORD": GOOD})


def test_serve_without_a_password_for_others_exits_with_2_and_never_shows_one(
    hoplite: Hoplite, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = hoplite("serve", "--host", "0.0.0.0")
    assert (result.exit_code, "HOPLITE_PASSWORD" in result.stderr) == (2, True)
    monkeypatch.setenv("HOPLITE_PASSWORD", "tooshort")
    result = hoplite("serve", "--host", "0.0.0.0")
    assert (result.exit_code, "tooshort" in result.output) == (2, False)


def test_the_address_is_one_that_a_browser_here_can_open() -> None:
    shown = [Access(host).address(1) for host in ("127.0.0.1", "0.0.0.0", "::1", "192.168.1.4")]
    assert shown == ["http://127.0.0.1:1/", "http://127.0.0.1:1/", "http://[::1]:1/", "http://192.168.1.4:1/"]
