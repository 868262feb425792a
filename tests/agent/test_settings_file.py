"""The user's own file is changed a key at a time, and never loses what somebody wrote into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.settings import load_settings, user_file
from agent.settings_file import kept, save
from ingest.errors import UserError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def written(environ: dict[str, str], text: str) -> Path:
    path = user_file(environ)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_a_file_is_made_private_and_says_where_a_value_came_from(environ: dict[str, str]) -> None:
    path = save({"max_steps": 4, "model": "none", "cache": False}, environ)
    assert path.stat().st_mode & 0o777 == 0o600
    found = load_settings(environ=environ)
    assert (found.settings.max_steps, found.settings.cache) == (4, False)
    assert (found.origins["max_steps"], found.origins["max_seconds"]) == (str(path), "default")
    assert os.listdir(path.parent) == ["config.toml"]


def test_comments_order_and_spelling_stay(environ: dict[str, str]) -> None:
    path = written(environ, "# mine\nmax-steps = 3  # few\n\nmodel = 'none'\n")
    save({"max_steps": 5, "passages": 7}, environ)
    assert path.read_text() == "# mine\nmax-steps = 5  # few\n\nmodel = 'none'\npassages = 7\n"
    save({"model": None, "max_steps": None}, environ)
    assert kept(environ) == {"passages": 7}
    assert "# mine" in path.read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sandbox": "off"}, "no file may say so"),
        ({"max_steps": 99}, "max_steps"),
        ({"mask": "some"}, "mask"),
        ({"api_key": "sk-1"}, "Unknown setting"),
    ],
)
def test_what_may_not_be_said_is_not_written(environ: dict[str, str], changes: dict[str, object], said: str) -> None:
    path = written(environ, "max_steps = 3\n")
    with pytest.raises(UserError, match=said):
        save(changes, environ)
    assert path.read_text() == "max_steps = 3\n"


@pytest.mark.parametrize(("text", "said"), [("spleen = 1\nmax_steps = 3\n", "spleen"), ("max_steps = = 3", "TOML")])
def test_a_file_with_what_is_not_understood_is_left_alone(environ: dict[str, str], text: str, said: str) -> None:
    path = written(environ, text)
    with pytest.raises(UserError, match=said):
        save({"max_steps": 4}, environ)
    assert path.read_text() == text


def test_a_link_stays_one_and_a_folder_that_cannot_be_written_is_said(environ: dict[str, str], tmp_path: Path) -> None:
    path = user_file(environ)
    path.parent.mkdir(parents=True)
    (tmp_path / "dotfiles.toml").write_text("max_steps = 1\n")
    path.symlink_to(tmp_path / "dotfiles.toml")
    save({"max_steps": 2}, environ)
    assert path.is_symlink()
    assert (tmp_path / "dotfiles.toml").read_text() == "max_steps = 2\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be"):
        save({"max_steps": 2}, {"XDG_CONFIG_HOME": str(tmp_path / "file")})
