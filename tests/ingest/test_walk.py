"""What is read, what is skipped, and what it is called."""

from __future__ import annotations

import errno
import inspect
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from ingest.errors import UserError
from ingest.walk import _spec, folders, open_plain, shown, walk

Tree = Callable[[dict[str, str | bytes]], Path]


def paths(root: Path, **options: object) -> list[str]:
    return [file.path for file in walk(root, **options).files]  # type: ignore[arg-type]


def test_files_come_in_the_order_of_their_paths(tree: Tree) -> None:
    root = tree({"b.md": "b", "a/z.py": "z", "a.md": "a", "c/d/e.txt": "e"})
    assert paths(root) == ["a.md", "a/z.py", "b.md", "c/d/e.txt"]


def test_a_nested_gitignore_speaks_for_its_folder_and_the_nearest_one_wins(tree: Tree) -> None:
    root = tree({
        ".gitignore": "*.log.txt\n/top.md\n", "sub/.gitignore": "!keep.log.txt\nsecret/\n", "top.md": "",
        "a.log.txt": "", "sub/keep.log.txt": "", "sub/other.log.txt": "", "sub/top.md": "",
        "sub/secret/x.md": "",
    })  # fmt: skip
    assert paths(root) == [".gitignore", "sub/.gitignore", "sub/keep.log.txt", "sub/top.md"]


def test_a_gitignore_above_the_path_given_is_not_read(tree: Tree) -> None:
    root = tree({".gitignore": "*\n", "inside/a.md": "a"})
    assert paths(root / "inside") == ["a.md"]


def test_a_pattern_that_git_would_not_understand_spoils_no_other(tree: Tree) -> None:
    root = tree({".gitignore": "!\n\\\nout.md\n", "out.md": "", "in.md": ""})
    assert paths(root) == [".gitignore", "in.md"]


@pytest.mark.parametrize(
    "name", [".git/config", ".env", "deploy/id_rsa", "tls/server.key", "tls/SERVER.PEM", ".hoplite/x.md"]
)
def test_secrets_and_state_are_not_read_even_where_a_gitignore_asks_for_them(tree: Tree, name: str) -> None:
    root = tree({name: "x", ".gitignore": f"!{name}\n!{name.split('/')[0]}\n"})
    assert paths(root) == [".gitignore"]
    assert walk(root).skipped == {"ignored": 1}


@pytest.mark.parametrize("name", ["node_modules/x.js", "dist/x.js", "lib.min.js", "uv.lock", "__pycache__/x.py"])
def test_what_tools_generate_is_skipped_unless_a_gitignore_takes_it_back(tree: Tree, name: str) -> None:
    root = tree({name: "x"})
    assert paths(root) == []
    (root / ".gitignore").write_text(f"!{name.split('/')[0]}\n")
    assert name in paths(root)


def test_a_folder_that_is_asked_for_is_walked_whatever_its_name(tree: Tree) -> None:
    root = tree({"node_modules/a.js": "let a"})
    assert paths(root / "node_modules") == ["a.js"]


def test_binary_files_are_counted_and_utf16_is_text(tree: Tree) -> None:
    root = tree({"a.md": b"\x00\x01\x02binary", "b.png": "text", "c.md": "héllo wörld".encode("utf-16"), "d.md": "x"})
    assert paths(root) == ["c.md", "d.md"]
    assert walk(root).skipped == {"binary": 2}


def test_a_file_above_the_limit_is_counted_and_a_notebook_may_be_ten_times_larger(tree: Tree) -> None:
    root = tree({"a.md": "x" * 101, "b.md": "x" * 100, "c.ipynb": "x" * 1000, "d.ipynb": "x" * 1001})
    assert paths(root, max_bytes=100) == ["b.md", "c.ipynb"]
    assert walk(root, max_bytes=100).skipped == {"too_large": 2}


def test_a_link_is_read_only_where_its_target_lies_inside_and_is_no_secret(tree: Tree, tmp_path: Path) -> None:
    root = tree({"a.md": "a", ".env": "KEY=1"})
    (tmp_path / "outside.md").write_text("o")
    for name, target in {
        "in.md": root / "a.md",
        "out.md": tmp_path / "outside.md",
        "loop": root,
        "env.md": root / ".env",
    }.items():
        (root / name).symlink_to(target)
    found = walk(root)
    assert [(f.path, f.source) for f in found.files] == [("a.md", str(root / "a.md")), ("in.md", str(root / "a.md"))]
    assert found.skipped == {"ignored": 2, "symlink_outside": 1, "symlink_folder": 1}


def test_what_was_skipped_is_listed_by_reason_up_to_a_bound(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.walk.LISTED", 2)
    root = tree({"a.png": "", "b.png": "", "sub/c.png": "", "node_modules/x.js": "", "sub/node_modules/y.js": ""})
    found = walk(root)
    assert found.skipped == {"binary": 3, "ignored": 2}
    assert {why: len(listed) for why, listed in found.skipped_paths.items()} == {"binary": 2, "ignored": 2}
    assert set(found.skipped_paths["ignored"]) == {"node_modules/", "sub/node_modules/"}
    assert set(found.skipped_paths["binary"]) < {"a.png", "b.png", "sub/c.png"}


def test_a_file_that_is_known_and_the_same_is_not_opened(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"a.md": "a", "b.md": "b", "c.md": b"\0\1\2"})
    known = {file.path: (file.size, file.mtime_ns) for file in walk(root).files}
    os.utime(root / "b.md", ns=(1, 1))
    monkeypatch.setattr("ingest.walk._head", lambda source: b"\0")
    found = walk(root, known=known)
    assert [file.path for file in found.files] == ["a.md"]
    assert set(found.skipped_paths["binary"]) == {"b.md", "c.md"}


def test_a_path_that_came_to_lead_through_a_link_is_not_opened(tree: Tree, tmp_path: Path) -> None:
    root = tree({"sub/a.md": "a"})
    found = walk(root).files[0]
    os.close(open_plain(found.source))
    (root / "sub").rename(tmp_path / "elsewhere")
    (root / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        open_plain(found.source)


def test_a_folder_that_became_a_link_after_it_was_seen_is_not_looked_through(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree({"a.md": "a", "sub/deep/b.md": "b"})

    def swapping(path: str, flags: int = os.O_RDONLY) -> int:
        if path.endswith("/deep"):
            (root / "sub").rename(tmp_path / "elsewhere")
            (root / "sub").symlink_to(tmp_path / "elsewhere")
        return open_plain(path, flags)

    monkeypatch.setattr("ingest.walk.open_plain", swapping)
    found = walk(root)
    assert [file.path for file in found.files] == ["a.md"]
    assert found.skipped_paths == {"unreadable": ("sub/deep/",)}


@pytest.mark.parametrize(
    "gitignore",
    ["**/a/**/a/**/a/**/b\n", "".join(f"name{i}\n" for i in range(2_001)), "# " + "x" * 100_000],
    ids=["leaps", "patterns", "bytes"],
)
def test_a_folder_whose_gitignore_is_too_costly_is_left_out_whole(tree: Tree, gitignore: str) -> None:
    root = tree({"a.md": "a", "sub/.gitignore": gitignore, "sub/b.md": "b", "sub/deep/c.md": "c"})
    found = walk(root)
    assert [file.path for file in found.files] == ["a.md"]
    assert found.skipped_paths == {"gitignore": ("sub/",)}


@pytest.mark.parametrize("piece", ["*a", "*[a]", "*?", "*\\a"])
def test_a_pattern_of_many_stars_takes_no_exponential_time(tree: Tree, piece: str) -> None:
    root = tree({".gitignore": f"{piece * 30}b\n", "a" * 250: "a"})
    begun = time.monotonic()
    assert paths(root) == [".gitignore", "a" * 250]
    assert time.monotonic() - begun < 1.0


PIECES = ["a", "b", "*", "?", "/", "[ab]", "[!a]", "\\*", "[*]", "!", "."]
GLOBS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)


@given(st.lists(GLOBS, min_size=1, max_size=3), st.from_regex(r"[ab.*]{1,5}(/[ab.*]{1,5}){0,2}/?", fullmatch=True))
def test_patterns_made_fast_say_what_they_said(globs: list[str], path: str) -> None:
    assume("**" not in "".join(globs) and sound(globs))
    assert _spec(globs).check_file(path).include == GitIgnoreSpec.from_lines(globs).check_file(path).include


def sound(globs: list[str]) -> bool:
    try:
        return bool(GitIgnoreSpec.from_lines(globs))
    except GitIgnorePatternError:
        return False


def test_a_pipe_is_counted_and_never_opened(tree: Tree) -> None:
    root = tree({"a.md": "a"})
    os.mkfifo(root / "pipe.md")
    assert paths(root) == ["a.md"]
    assert walk(root).skipped == {"special": 1}


def test_what_may_not_be_read_is_counted(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by a stand-in for the system, which lets the superuser read everything."""
    root = tree({"a.md": "a", "closed.md": "c", "shut/d.md": "d"})

    def refusing(path: str, flags: int = os.O_RDONLY) -> int:
        if path.endswith(("closed.md", "shut")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_plain(path, flags)

    monkeypatch.setattr("ingest.walk.open_plain", refusing)
    found = walk(root)
    assert [file.path for file in found.files] == ["a.md"]
    assert set(found.skipped_paths["unreadable"]) == {"closed.md", "shut/"}


def nest(folder: Path, name: str, levels: int) -> None:
    """Make folders within folders: one step each, since the whole way may be longer than a path can be."""
    here = os.open(folder, os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_folders_nested_deeper_than_the_stack_are_walked(tree: Tree) -> None:
    """The stack is made small, not the tree large: pytest's own clean-up dies of a thousand levels."""
    root = tree({"a.md": "a", "d/" * 200 + "b.md": "b"})
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        assert paths(root) == ["a.md", "d/" * 200 + "b.md"]
    finally:
        sys.setrecursionlimit(usual)


def test_a_folder_whose_path_is_too_long_to_open_is_counted(tree: Tree) -> None:
    root = tree({"a.md": "a"})
    nest(root, "d" * 200, 30)
    assert paths(root) == ["a.md"]
    assert walk(root).skipped == {"too_deep": 1}


def test_the_longest_path_that_opens_is_read_and_one_byte_more_is_counted(tree: Tree) -> None:
    root = tree({"a.md": "a"})
    here = os.open(root, os.O_DIRECTORY)
    room = 4095 - len(os.fsencode(root)) - 1
    while room > 255:
        name = "d" * min(200, room - 10)
        os.mkdir(name, dir_fd=here)
        here = os.open(name, os.O_DIRECTORY, dir_fd=here)
        room -= len(name) + 1
    for length in (room, room + 1):
        os.close(os.open("f" * (length - 3) + ".md", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    found = walk(root)
    assert [len(os.fsencode(file.source)) for file in found.files[1:]] == [4095]
    os.close(open_plain(found.files[1].source))
    assert found.skipped == {"too_deep": 1}


def test_names_that_are_no_text_are_shown_escaped_and_still_open(tree: Tree) -> None:
    root = tree({})
    for name in (b"a\x1b[31m\n.md", b"bad\xff.md", "\u202eevil.md".encode()):
        (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_text("x")
    found = walk(root).files
    assert [file.path for file in found] == ["\\u202eevil.md", "a\\x1b[31m\\x0a.md", "bad\\xff.md"]
    assert all(Path(file.source).read_text() == "x" for file in found)


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_two_names_are_never_shown_alike(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)
    assert shown(one).encode("utf-8")


def test_one_file_may_be_asked_for_and_base_names_it(tree: Tree) -> None:
    root = tree({"docs/a.md": "a"})
    assert paths(root / "docs" / "a.md") == ["a.md"]
    assert paths(root / "docs" / "a.md", base=root) == ["docs/a.md"]


def test_a_path_with_nothing_there_is_the_users_to_fix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file or folder at .*gone"):
        walk(tmp_path / "gone")


def test_only_what_is_named_is_looked_at_by_the_same_rules(tmp_path: Path) -> None:
    for name in ("a/b/c.md", "a/b/d.md", "a/e.md", "a/skip.md", "f.md", "out/g.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("skip.md\nout/\n")
    real = os.path.realpath(tmp_path)

    def found(*names: str) -> list[str]:
        return [file.path for file in walk(tmp_path, only={os.path.join(real, name) for name in names}).files]

    assert found("a/b") == ["a/b/c.md", "a/b/d.md"]
    assert found("a/e.md", "f.md", "gone.md") == ["a/e.md", "f.md"]
    assert found("a/skip.md", "out/g.md", "out") == []
    assert walk(tmp_path, only={real}) == walk(tmp_path)


def test_the_folders_that_a_walk_looks_into(tmp_path: Path) -> None:
    for name in ("a/b", "out/c", "node_modules/d", ".git", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / ".gitignore").write_text("out/\n")
    real = os.path.realpath(tmp_path)
    assert sorted(os.path.relpath(folder, real) for folder in folders(tmp_path)) == [".", "a", "a/b", "elsewhere"]
    assert folders(tmp_path / ".gitignore") == [real]
