"""The page indexes below its roots alone, whatever a link or a workspace says."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import Settings, load_settings
from ingest.errors import UserError
from retrieval.workspace import create
from ui.roots import allowed, roots


def test_the_roots_are_the_indexed_folder_and_home_unless_the_settings_say_others(
    tmp_path: Path, private_home: Path
) -> None:
    workspace = create(tmp_path / "station" / ".hoplite", tmp_path / "station")
    assert roots(Settings(), workspace) == (tmp_path / "station", private_home.resolve())
    assert roots(Settings(allowed_roots="/srv/a:~/b"), workspace) == (Path("/srv/a"), private_home.resolve() / "b")
    assert roots(Settings(allowed_roots=""), workspace) == ()


def test_what_is_inside_is_allowed_with_its_links_followed(tmp_path: Path) -> None:
    (tmp_path / "root" / "docs").mkdir(parents=True)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root" / "docs")
    assert allowed(tmp_path / "root" / "link", [tmp_path / "root"]) == tmp_path / "root" / "docs"
    assert allowed(str(tmp_path / "root"), [tmp_path / "root"]) == tmp_path / "root"


def test_what_is_outside_is_refused_with_the_roots_named(tmp_path: Path) -> None:
    for name in ("root", "root2", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    for path in ("root/link", "root2", "root/../secret", "."):
        with pytest.raises(UserError, match=r"outside .* which is .*root\. .*allowed_roots"):
            allowed(tmp_path / path, [tmp_path / "root"])


@pytest.mark.parametrize("path", ["nowhere", "a\0b", "x" * 5000])
def test_what_is_not_there_is_said_to_be_missing(tmp_path: Path, path: str) -> None:
    with pytest.raises(UserError, match="cannot be found"):
        allowed(path, [tmp_path])


def test_a_workspace_may_not_widen_the_roots(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('allowed_roots = "/"\n')
    with pytest.raises(UserError, match="a workspace may not say that"):
        load_settings(tmp_path, environ={})
