"""What a user names is told apart before anything is asked, and what is no address for us is refused."""

from __future__ import annotations

import pytest

from ingest.errors import UserError
from ingest.fetching.address import GitAddress, WebAddress, parse


@pytest.mark.parametrize(
    ("word", "url", "name", "ref"),
    [
        ("https://github.com/owner/repo", "https://github.com/owner/repo", "github.com/owner/repo", ""),
        ("https://GitHub.com/owner/repo/", "https://github.com/owner/repo", "github.com/owner/repo", ""),
        ("https://github.com/owner/repo@v1.2", "https://github.com/owner/repo", "github.com/owner/repo", "v1.2"),
        ("https://github.com/o/r@feature/x", "https://github.com/o/r", "github.com/o/r", "feature/x"),
        ("https://h.example/a/b/c.git@abc123", "https://h.example/a/b/c.git", "h.example/a/b/c", "abc123"),
        ("git+https://h.example/a/b@main", "https://h.example/a/b", "h.example/a/b", "main"),
        ("https://h.example:8443/a/b.git", "https://h.example:8443/a/b.git", "h.example_8443/a/b", ""),
        ("ssh://git@h.example/a/b.git@v1", "ssh://git@h.example/a/b.git", "h.example/a/b", "v1"),
        ("git@h.example:a/b@v2", "git@h.example:a/b", "h.example/a/b", "v2"),
        ("git@h.example:a/b.git", "git@h.example:a/b.git", "h.example/a/b", ""),
    ],
)
def test_a_repository_is_told_by_its_address(word: str, url: str, name: str, ref: str) -> None:
    assert parse(word) == GitAddress(url, name, ref)


@pytest.mark.parametrize(
    "url",
    [
        "https://h.example/page.html",
        "http://h.example/",
        "https://github.com/owner",
        "https://github.com/owner/repo/wiki/Page",
        "https://h.example/@someone/post",
        "https://h.example/search?q=x.git",
    ],
)
def test_any_other_web_address_is_a_page(url: str) -> None:
    assert parse(url) == WebAddress(url)


@pytest.mark.parametrize("word", [".", "docs", "notes.md", "-x", "a@b", "C:x"])
def test_a_path_is_no_address(word: str) -> None:
    assert parse(word) is None


@pytest.mark.parametrize(
    "word",
    [
        "ext::sh -c id",
        "EXT::sh",
        "fd::17",
        "file:/etc/passwd",
        "file:///etc/passwd",
        "git://h.example/a/b.git",
        "ftp://h.example/x",
        "git+file:///srv/x",
        "git+ext://h.example/a/b",
        "https://",
        "https:///a/b.git",
        "https://h.example:x/",
        "https://[::1",
        "https://h.example/a/../b.git",
        "https://h.example/a/%2e%2e/b.git",
        "https://h.example/-a/b.git",
        "https://h.example/a/b%00.git",
        "https://h.example/a b/c.git",
        "https://-oProxyCommand=x/a/b.git",
        "ssh://-oProxyCommand=x/a/b.git",
        "ssh://-oProxyCommand=x@h.example/a/b.git",
        "git@-oProxyCommand=x:a/b",
        "git@h.example:../../b",
        "https://h.example/a/b.git@--upload-pack=touch x",
        "https://h.example/a/b.git@-x",
        "https://h.example/a/b.git@a:b",
        "https://h.example/a/b.git@+a",
        "https://h.example/a/b.git@a..b",
        "https://h.example/a/b.git@a@{1}",
        "https://h.example/a/b.git@a%0ab",
        "https://h.example/a/b.git@^a",
        "https://name:secret@h.example/page.html",
    ],
)
def test_what_is_an_address_and_no_safe_one_is_refused(word: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(word)
    assert "secret" not in str(refused.value)


def test_a_password_goes_into_a_header_that_is_not_shown() -> None:
    found = parse("https://name:s%40cret@h.example/a/b.git@v1")
    assert isinstance(found, GitAddress)
    assert (found.url, found.ref) == ("https://h.example/a/b.git", "v1")
    assert found.login == "Authorization: Basic bmFtZTpzQGNyZXQ="
    assert "bmFtZ" not in repr(found)
