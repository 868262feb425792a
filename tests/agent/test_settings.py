"""Settings: five layers, one winner each, and no key that nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import Settings, load_settings, user_file
from ingest.errors import UserError


@pytest.fixture
def workspace(tmp_path: Path, private_home: Path) -> Path:
    (private_home / ".config" / "hoplite").mkdir(parents=True)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def test_defaults_hold_where_nothing_is_set(workspace: Path) -> None:
    resolved = load_settings(workspace, {}, {})
    assert resolved.settings == Settings()
    assert set(resolved.origins.values()) == {"default"}


def test_each_layer_overrides_the_one_before(workspace: Path) -> None:
    write(user_file({}), 'model = "none"\nmax_steps = 7\npassages = 4\nbreadth = 6')
    write(workspace / "config.toml", "max_steps = 5\npassages = 5\nbreadth = 7")
    environ = {"HOPLITE_PASSAGES": "6", "HOPLITE_BREADTH": "8"}
    resolved = load_settings(workspace, {"breadth": 9, "model": None}, environ)
    settings, origins = resolved.settings, resolved.origins
    assert (settings.model, settings.max_steps, settings.passages, settings.breadth) == ("none", 5, 6, 9)
    assert origins["model"] == str(user_file({}))
    assert origins["max_steps"] == str(workspace / "config.toml")
    assert (origins["passages"], origins["breadth"]) == ("HOPLITE_PASSAGES", "command line")


def test_an_unknown_key_is_refused_with_its_file_and_the_nearest_key(workspace: Path) -> None:
    write(workspace / "config.toml", "max_step = 3")
    with pytest.raises(UserError, match=r"'max_step' in .*config\.toml\. Did you mean max_steps\?"):
        load_settings(workspace, {}, {})


def test_an_unknown_variable_is_refused_and_those_that_are_no_settings_pass() -> None:
    load_settings(None, {}, {"HOPLITE_MODELS": "/weights", "HOPLITE_TEST_QDRANT_URL": "http://localhost", "PATH": "/"})
    load_settings(None, {}, {"HOPLITE_QDRANT_API_KEY": "secret"})
    with pytest.raises(UserError, match="HOPLITE_COLOUR"):
        load_settings(None, {}, {"HOPLITE_COLOUR": "red"})


@pytest.mark.parametrize("line", ["max_steps = -1", 'max_seconds = "soon"', 'sandbox = "maybe"', "passages = 0"])
def test_a_wrong_value_is_refused_with_its_key_and_place(workspace: Path, line: str) -> None:
    write(workspace / "config.toml", line)
    with pytest.raises(UserError, match=rf"{line.split()[0]} = .*config\.toml"):
        load_settings(workspace, {}, {})


def test_a_file_that_is_not_toml_is_refused(workspace: Path) -> None:
    write(workspace / "config.toml", "model: none")
    with pytest.raises(UserError, match="not valid TOML"):
        load_settings(workspace, {}, {})


@pytest.mark.parametrize("level", ["auto", "interpreter", "off"])
def test_a_workspace_may_ask_for_the_strongest_sandbox_and_nothing_less(workspace: Path, level: str) -> None:
    write(workspace / "config.toml", f'sandbox = "{level}"')
    with pytest.raises(UserError, match=r"config\.toml\): a workspace may only ask for strong\. Remove it there"):
        load_settings(workspace, {"sandbox": "strong"}, {})
    write(workspace / "config.toml", 'sandbox = "strong"')
    assert load_settings(workspace, {}, {}).settings.sandbox == "strong"


@pytest.mark.parametrize("level", ["secrets", "off"])
def test_a_workspace_may_ask_for_the_fullest_mask_and_nothing_less(workspace: Path, level: str) -> None:
    write(workspace / "config.toml", f'mask = "{level}"')
    with pytest.raises(
        UserError, match=r"config\.toml\): a workspace may only ask for all\. .* --mask or HOPLITE_MASK"
    ):
        load_settings(workspace, {}, {})
    write(workspace / "config.toml", 'mask = "all"')
    assert load_settings(workspace, {}, {}).settings.mask == "all"
    write(workspace / "config.toml", "")
    write(user_file({}), 'mask = "off"')
    assert load_settings(workspace, {}, {}).settings.mask == "off"


def test_off_is_typed_and_stands_in_no_file(workspace: Path) -> None:
    write(user_file({}), 'sandbox = "off"')
    with pytest.raises(UserError, match="no file may say so"):
        load_settings(workspace, {}, {})
    write(user_file({}), 'sandbox = "interpreter"')
    assert load_settings(workspace, {}, {}).settings.sandbox == "interpreter"
    assert load_settings(workspace, {}, {"HOPLITE_SANDBOX": "off"}).settings.sandbox == "off"
    assert load_settings(workspace, {"sandbox": "off"}, {}).settings.sandbox == "off"
