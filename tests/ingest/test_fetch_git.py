"""A repository becomes files at one commit; nothing in it, and nothing in its address, runs or reaches outside."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.errors import UserError
from ingest.fetching import git as git_module
from ingest.fetching.address import GitAddress
from ingest.fetching.git import Bounds, environment, fetch, head_of

Git = Callable[..., str]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A repository to fetch from, which serves filters and any commit, as the forges do."""
    folder = tmp_path / "remote"
    folder.mkdir()
    at(folder)("init", "-q", "-b", "main")
    at(folder)("config", "uploadpack.allowFilter", "true")
    at(folder)("config", "uploadpack.allowAnySHA1InWant", "true")
    commit(folder, {"a.py": "A = 1\n", "docs/b.md": "# B\n\nBee.\n"})
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "host" / "owner" / "repo"


def at(folder: Path) -> Git:
    """git in a folder, with an author of its own."""
    names = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

    def run(*words: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=os.environ | names, input=stdin, text=True, capture_output=True, check=True
        )
        return done.stdout.strip()

    return run


def commit(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    at(folder)("add", "-A", "-f")
    at(folder)("commit", "-q", "-m", "x")
    return at(folder)("rev-parse", "HEAD")


def fetched(remote: Path, copy: Path, ref: str = "", bounds: Bounds | None = None) -> str:
    return fetch(GitAddress(f"file://{remote}", "host/owner/repo", ref), copy, protocols="file", bounds=bounds)


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if ".git" not in p.parts and not p.is_dir()}


def test_without_a_ref_the_default_branch_is_fetched(remote: Path, copy: Path) -> None:
    assert fetched(remote, copy) == at(remote)("rev-parse", "HEAD")
    assert files(copy) == {"a.py", "docs/b.md"}


@pytest.mark.parametrize("form", ["tag", "annotated", "branch/x", "whole", "short"])
def test_a_tag_a_branch_and_a_hash_lead_to_their_commit(remote: Path, copy: Path, form: str) -> None:
    first = at(remote)("rev-parse", "HEAD")
    at(remote)("tag", "tag")
    at(remote)("tag", "-a", "annotated", "-m", "x")
    at(remote)("branch", "branch/x")
    commit(remote, {"c.py": "C = 1\n"})
    commit(remote, {"d.py": "D = 1\n"})
    ref = {"whole": first, "short": first[:8]}.get(form, form)
    assert fetched(remote, copy, ref) == first
    assert files(copy) == {"a.py", "docs/b.md"}


def test_fetching_again_moves_on_and_leaves_the_unchanged_untouched(remote: Path, copy: Path) -> None:
    fetched(remote, copy)
    before = (copy / "a.py").stat().st_mtime_ns
    (copy / "stray.md").write_text("not of the repository")
    (remote / "docs" / "b.md").unlink()
    second = commit(remote, {"c.py": "C = 1\n"})
    assert fetched(remote, copy) == second
    assert files(copy) == {"a.py", "c.py"}
    assert (copy / "a.py").stat().st_mtime_ns == before


def test_a_rewritten_history_is_followed(remote: Path, copy: Path) -> None:
    fetched(remote, copy)
    at(remote)("commit", "-q", "--amend", "-m", "other")
    assert fetched(remote, copy) == at(remote)("rev-parse", "HEAD")


def test_many_fetches_do_not_pile_up(remote: Path, copy: Path) -> None:
    for number in range(git_module._MOST_PACKS + 3):
        commit(remote, {f"{number}.py": f"X = {number}\n" * 50})
        fetched(remote, copy)
    assert len(list((copy / ".git" / "objects" / "pack").glob("*.pack"))) <= git_module._MOST_PACKS + 1
    assert f"{number}.py" in files(copy)


def test_nothing_that_a_copys_own_configuration_names_runs(remote: Path, copy: Path, tmp_path: Path) -> None:
    fetched(remote, copy)
    mark = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    evil.chmod(0o700)
    (copy / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (copy / ".git" / "objects" / "info" / "alternates").write_text(f"{remote}/.git/objects\n")
    for key in ("core.alternateRefsCommand", "filter.evil.smudge", "gc.recentObjectsHook", "credential.helper"):
        at(copy)("config", key, str(evil))
    (copy / ".git" / "info" / "attributes").write_text("* filter=evil\n")
    commit(remote, {"c.py": "C = 1\n"})
    fetched(remote, copy)
    assert files(copy) == {"a.py", "c.py", "docs/b.md"}
    assert not mark.exists()


@pytest.mark.parametrize("part", [".git", ".git/config", ".git/info", ".git/info/attributes"])
def test_nothing_is_written_through_a_link_in_a_copy(remote: Path, copy: Path, tmp_path: Path, part: str) -> None:
    fetched(remote, copy)
    outside = tmp_path / "outside"
    (copy / part).rename(outside)
    (copy / part).symlink_to(outside)
    before = {p: p.read_bytes() for p in (outside, *outside.rglob("*")) if p.is_file()}
    commit(remote, {"c.py": "C = 1\n"})
    fetched(remote, copy)
    assert before == {p: p.read_bytes() for p in (outside, *outside.rglob("*")) if p.is_file()}
    assert "c.py" in files(copy)


def test_a_lock_that_a_killed_git_left_does_not_stop_the_next(remote: Path, copy: Path) -> None:
    fetched(remote, copy)
    (copy / ".git" / "index.lock").touch()
    (copy / ".git" / "shallow.lock").touch()
    assert fetched(remote, copy)


@pytest.mark.parametrize("ref", ["nosuch", "0" * 40, "abcdef1"])
def test_a_ref_that_is_not_there_is_said_and_leaves_nothing(remote: Path, copy: Path, ref: str) -> None:
    with pytest.raises(UserError, match=f"owner/repo@{ref}"):
        fetched(remote, copy, ref)
    assert not copy.exists()


def test_a_failure_leaves_the_earlier_copy(remote: Path, copy: Path) -> None:
    fetched(remote, copy)
    with pytest.raises(UserError):
        fetched(remote, copy, "nosuch")
    assert files(copy) == {"a.py", "docs/b.md"}


def test_links_become_files_that_hold_their_targets(remote: Path, copy: Path) -> None:
    (remote / "passwd.md").symlink_to("/etc/passwd")
    (remote / "up").symlink_to("../..")
    commit(remote, {})
    fetched(remote, copy)
    assert not any(path.is_symlink() for path in copy.rglob("*"))
    assert (copy / "passwd.md").read_text() == "/etc/passwd"


def test_no_submodule_is_fetched_whatever_its_address_says(remote: Path, copy: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    modules = f'[submodule "x"]\n\tpath = x\n\turl = "--upload-pack=touch {mark}"\n'
    modules += f'[submodule "y"]\n\tpath = y\n\turl = {remote}\n'
    (remote / ".gitmodules").write_text(modules)
    at(remote)("update-index", "--add", "--cacheinfo", f"160000,{at(remote)('rev-parse', 'HEAD')},y")
    at(remote)("add", ".gitmodules")
    at(remote)("commit", "-q", "-m", "x")
    fetched(remote, copy)
    assert not mark.exists()
    assert files(copy) == {".gitmodules", "a.py", "docs/b.md"}


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "git~1", ".g\u200cit"])
def test_a_tree_with_a_name_that_leads_elsewhere_is_refused(remote: Path, copy: Path, name: str) -> None:
    blob = at(remote)("hash-object", "-w", "--stdin", stdin="[core]\n\tfsmonitor = touch /nonexistent/ran\n")
    inner = at(remote)("mktree", stdin=f"100644 blob {blob}\tconfig\n")
    outer = at(remote)("mktree", stdin=f"040000 tree {inner}\t{name}\n")
    at(remote)("update-ref", "refs/heads/evil", at(remote)("commit-tree", outer, "-m", "x"))
    with pytest.raises(UserError, match="could not be fetched"):
        fetched(remote, copy, "evil")
    assert not copy.exists()
    assert not (copy.parent / "config").exists()


def test_neither_hooks_nor_filters_of_the_users_configuration_run(
    remote: Path, copy: Path, tmp_path: Path, private_home: Path
) -> None:
    mark = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (hooks / "post-checkout").chmod(0o700)
    commit(remote, {".gitattributes": "*.py filter=evil text eol=crlf ident\n", "i.py": "# $Id$\n"})
    (private_home / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {hooks}\n[filter "evil"]\n\tsmudge = touch {mark}\n\trequired = true\n'
    )
    fetched(remote, copy)
    assert not mark.exists()
    assert ((copy / "a.py").read_bytes(), (copy / "i.py").read_bytes()) == (b"A = 1\n", b"# $Id$\n")


def test_a_large_repository_is_cut_off_while_it_comes(remote: Path, copy: Path) -> None:
    (remote / "big.bin").write_bytes(os.urandom(8_000_000))
    commit(remote, {})
    with pytest.raises(UserError, match="more than 1,000,000 bytes"):
        fetched(remote, copy, bounds=Bounds(bytes=1_000_000))
    assert not copy.exists()


@pytest.mark.parametrize("bounds", [Bounds(bytes=4_000_000), Bounds(files=20)])
def test_a_small_pack_that_unfolds_to_much_is_refused_before_it_is_written(
    remote: Path, copy: Path, bounds: Bounds
) -> None:
    commit(remote, {f"{number}.txt": "0" * 1_000_000 for number in range(30)})
    with pytest.raises(UserError, match="nothing of it was written"):
        fetched(remote, copy, bounds=bounds)
    assert not copy.exists()


def test_a_server_that_never_answers_is_left(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: Path
) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(slow.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(slow))
    begun = time.monotonic()
    with pytest.raises(UserError, match="took longer than 1 s"):
        fetch(GitAddress("git@h.example:a/b", "h.example/a/b"), copy, bounds=Bounds(seconds=1))
    assert time.monotonic() - begun < 10
    assert not copy.exists()


@pytest.mark.parametrize("url", ["file:///etc", "ext::touch ran", "git://127.0.0.1/a", "http://127.0.0.1:9/a", "/etc"])
def test_git_itself_speaks_only_https_and_ssh(copy: Path, url: str) -> None:
    with pytest.raises(UserError, match=r"not allowed|not permitted|not fetched"):
        fetch(GitAddress(url, "host/owner/repo"), copy)


def test_a_git_that_knows_too_few_limits_is_refused(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: Path
) -> None:
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho git version 2.31.9\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    with pytest.raises(UserError, match=r"2\.31\.9 does not know"):
        fetched(remote, copy)
    assert not copy.exists()


def test_no_variable_of_a_calling_git_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_CONFIG_PARAMETERS", "GIT_PROXY_COMMAND", "GIT_TRACE"):
        monkeypatch.setenv(name, "x")
    assert not {"GIT_DIR", "GIT_CONFIG_PARAMETERS", "GIT_PROXY_COMMAND", "GIT_TRACE"} & set(environment("https"))


def test_a_password_is_in_no_file_of_the_copy(remote: Path, copy: Path) -> None:
    address = GitAddress(f"file://{remote}", "host/owner/repo", login="Authorization: Basic c2VjcmV0")
    fetch(address, copy, protocols="file")
    assert not any(b"c2VjcmV0" in path.read_bytes() for path in copy.rglob("*") if path.is_file())


def test_a_folder_is_at_its_head_and_dirty_by_what_changed_below_it(remote: Path) -> None:
    (remote / "lïnk").symlink_to("a.py")
    head = commit(remote, {})
    assert head_of(remote) == git_module.Head(head, dirty=False)
    (remote / "docs" / "new.md").write_text("x")
    assert head_of(remote) == git_module.Head(head, dirty=True)
    (remote / "docs" / "new.md").unlink()
    (remote / "a.py").write_text("A = 2000\n")
    assert head_of(remote) == git_module.Head(head, dirty=True)
    assert head_of(remote / "docs") == git_module.Head(head, dirty=False)
    at(remote)("add", "a.py")
    assert head_of(remote) == git_module.Head(head, dirty=True)


def test_a_folder_without_a_commit_has_no_head(tmp_path: Path) -> None:
    assert head_of(tmp_path) is None
    at(tmp_path)("init", "-q")
    assert head_of(tmp_path) is None


def test_looking_at_a_folder_runs_nothing_that_its_configuration_names(remote: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    evil.chmod(0o700)
    commit(remote, {".gitattributes": "*.py filter=evil diff=evil\n"})
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "diff.external"):
        at(remote)("config", key, str(evil))
    (remote / "a.py").write_text("A = 9\n")  # as long as before: only its content would tell
    found = head_of(remote)
    assert found is not None
    assert found.dirty
    assert not mark.exists()
