"""Collections are kept whole or not at all, and what is no collection is refused with what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.errors import UserError
from retrieval import collections
from retrieval.collections import delete, named, save


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "collections.json"


def test_collections_are_made_renamed_and_deleted(file: Path) -> None:
    assert collections.collections(file) == ()
    save(file, "  The   docs ", ["docs/*", "", " docs/* ", "*.md"])
    save(file, "code", ["src/*"])
    assert [each.name for each in collections.collections(file)] == ["code", "The docs"]
    assert named(file, "the DOCS").globs == ("docs/*", "*.md")
    save(file, "Guides", ["docs/*"], instead_of="The docs")
    assert [each.name for each in collections.collections(file)] == ["code", "Guides"]
    delete(file, "code")
    assert [each.name for each in collections.collections(file)] == ["Guides"]
    assert file.stat().st_mode & 0o077 == 0


def test_saving_a_name_again_replaces_its_globs(file: Path) -> None:
    save(file, "docs", ["docs/*"])
    save(file, "Docs", ["guide.md"])
    assert [(each.name, each.globs) for each in collections.collections(file)] == [("Docs", ("guide.md",))]


def test_renaming_never_takes_the_place_of_another(file: Path) -> None:
    save(file, "docs", ["docs/*"])
    save(file, "code", ["src/*"])
    with pytest.raises(UserError, match="There is a collection docs already"):
        save(file, "docs", ["src/*"], instead_of="code")
    assert [each.name for each in collections.collections(file)] == ["code", "docs"]


@pytest.mark.parametrize(
    ("name", "globs", "wrong"),
    [
        ("", ["*"], "name"),
        ("n" * 61, ["*"], "name"),
        ("a\x1b[31mb", ["*"], "printable"),
        ("everything", ["*"], "no collection"),
        ("docs", [], "globs"),
        ("docs", [f"{n}/*" for n in range(51)], "globs"),
        ("docs", ["x" * 301], "300"),
        ("docs", ["a\nb"], "printable"),
    ],
)
def test_what_is_no_collection_is_refused(file: Path, name: str, globs: list[str], wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        save(file, name, globs)
    assert not file.exists()


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        '{"collections": [{"name": "a", "globs": ["*"], "also": 1}]}',
        '{"collections": [{"name": "a", "globs": ["*"]}, {"name": "A", "globs": ["*"]}]}',
        json.dumps({"collections": [{"name": f"n{n}", "globs": ["*"]} for n in range(51)]}),
    ],
)
def test_a_file_that_says_something_else_is_refused_and_left_alone(file: Path, said: str) -> None:
    file.write_text(said)
    with pytest.raises(UserError, match="holds no collections"):
        collections.collections(file)
    with pytest.raises(UserError, match="holds no collections"):
        save(file, "docs", ["*"])
    assert file.read_text() == said


def test_there_are_no_more_than_may_be(file: Path) -> None:
    for n in range(collections.MOST):
        save(file, f"n{n}", ["*"])
    with pytest.raises(UserError, match="Delete one first"):
        save(file, "one more", ["*"])


def test_an_unknown_name_is_told_which_there_are(file: Path) -> None:
    with pytest.raises(UserError, match="There is none yet"):
        named(file, "docs")
    save(file, "code", ["src/*"])
    with pytest.raises(UserError, match="There are: code"):
        named(file, "docs")
