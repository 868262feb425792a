"""What is read, what is skipped, and what it is called."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import UserError
from ingest.walk import folders, shown, walk

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


@pytest.mark.parametrize("name", [".git/config", ".env", "deploy/id_rsa", "tls/server.key", ".hoplite/x.md"])
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


def test_a_pipe_is_counted_and_never_opened(tree: Tree) -> None:
    root = tree({"a.md": "a"})
    os.mkfifo(root / "pipe.md")
    assert paths(root) == ["a.md"]
    assert walk(root).skipped == {"special": 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_what_may_not_be_read_is_counted(tree: Tree) -> None:
    root = tree({"a.md": "a", "closed.md": "c"})
    (root / "closed.md").chmod(0)
    assert walk(root).skipped == {"unreadable": 1}


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
    assert walk(root).skipped == {"unreadable": 1}


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
