"""What a run's answers depend on is named: the index, the prompts, the models, the settings and the code."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from agent.settings import load_settings
from evals.fingerprint import PACKAGES, code, fingerprint
from retrieval.indexing import index
from retrieval.library import Library
from retrieval.workspace import find
from tests.ui import station


def git(folder: Path, *arguments: str) -> str:
    told = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *arguments]
    return subprocess.run(told, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "one.py").write_text("ONE = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_code_is_the_version_and_the_commit_of_its_packages(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")[:12]
    assert code(repository) == f"hoplite {version('hoplite')}, commit {commit}"
    (repository / "runs").mkdir()
    (repository / "runs" / "answers.jsonl").touch()  # a run's own folder makes nothing dirty
    assert not code(repository).endswith("dirty")
    (repository / "ui" / "one.py").write_text("ONE = 2  # changed\n")
    assert code(repository).endswith(" dirty")


def test_code_in_no_repository_is_the_version_alone(tmp_path: Path) -> None:
    assert code(tmp_path) == f"hoplite {version('hoplite')}"


def test_a_fingerprint_changes_with_the_index_and_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    station.without_weights(monkeypatch)
    folder = station.write(tmp_path / "station")

    def made(**chosen: object) -> dict[str, str]:
        index([folder], workers=1)
        settings = load_settings(overrides={"model": "none", **chosen}, environ={}).settings
        with Library(find(folder)) as library:
            return fingerprint(library, settings, sandbox="strong", with_memory=False, similarity="none")

    first = made()
    assert first == made()
    assert (first["models"], first["sandbox"], first["with_memory"]) == ("none", "strong", "no")
    other = made(breadth=5)
    assert [key for key in first if first[key] != other[key]] == ["settings"]
    (folder / "new.md").write_text("# New\n\nA page.\n")
    assert [key for key in first if first[key] != made()[key]] == ["index"]
