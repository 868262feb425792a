"""Settings on the page: where each value comes from, what is written where, and what is tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.settings import load_settings, user_file
from agent.testing import ScriptedModel
from ingest.errors import ModelUnavailable
from ui.desk import Workdesk

if TYPE_CHECKING:
    from ui.views.settings import SettingsView

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Gradio's, when it is imported


@pytest.fixture
def desk(indexed: Path) -> Iterator[Workdesk]:
    with Workdesk(indexed / ".hoplite", {"model": "none", "max_seconds": None}) as desk:
        yield desk


def view_of(desk: Workdesk, model: Any = None) -> SettingsView:
    from ui.views.settings import SettingsView

    return SettingsView(desk, make=lambda name, **more: model or ScriptedModel([], name=name))


def form(view: SettingsView, **changed: Any) -> list[Any]:
    """The form as it is shown, with these fields changed."""
    from ui.views.settings import FIELDS

    shown = view.fresh()
    return [changed.get(name, shown[name]) for name in FIELDS]


def test_every_setting_says_where_it_comes_from(desk: Workdesk, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (indexed / ".hoplite" / "config.toml").write_text("passages = 7\n")
    monkeypatch.setenv("HOPLITE_BREADTH", "9")
    monkeypatch.setenv("HOPLITE_OTLP_ENDPOINT", "http://me:hunter2@127.0.0.1:4318")
    view = view_of(desk)
    fresh = view.fresh()
    table = fresh["table"]
    for cells in (
        "<td>model</td><td>none</td><td>command line</td>",
        "<td>passages</td><td>7</td><td>the workspace&#x27;s config.toml</td>",
        "<td>breadth</td><td>9</td><td>HOPLITE&#95;BREADTH in the environment</td>",
        "<td>max&#95;seconds</td><td>120</td><td>default</td>",
    ):
        assert cells in table
    assert "hunter2" not in str(fresh)
    assert "Nothing is different" in view.save(*form(view))["said"]


def test_what_is_changed_is_in_the_users_file_and_holds_for_the_next_question(desk: Workdesk) -> None:
    view = view_of(desk)
    said = view.save(*form(view, max_steps=4, max_tokens=1000, trace_tags="a, b"))
    assert "holds from the next question on" in said["said"]
    assert user_file().read_text() == 'max_steps = 4\nmax_tokens = 1000\ntrace_tags = "a, b"\n'
    assert "your own config.toml" in said["table"]
    assert load_settings(desk.home().folder, desk.chosen).settings.max_tokens == 1000
    assert "Nothing is different" in view.save(*form(view))["said"]
    assert "not in your file any more" in view.take_out("max_tokens")["said"]
    assert "max_tokens" not in user_file().read_text()
    assert "Choose one" in view.take_out("max_tokens")["said"]


def test_what_comes_before_the_users_file_is_said(desk: Workdesk) -> None:
    view = view_of(desk)
    said = view.save(*form(view, model="local"))["said"]
    assert "model stays none all the same&#58; command line says so" in said


def test_the_sandbox_cannot_be_switched_off_here_and_a_wrong_value_is_not_written(desk: Workdesk) -> None:
    view = view_of(desk)
    assert "command line alone" in view.save(*form(view, sandbox="off"))["said"]
    assert "max&#95;steps = 99" in view.save(*form(view, max_steps=99))["said"]
    assert not user_file().exists()


def test_a_file_with_unknown_keys_is_named_and_left(desk: Workdesk) -> None:
    view = view_of(desk)
    values = form(view, max_steps=4)
    user_file().parent.mkdir(parents=True)
    user_file().write_text("spleen = 1\n")
    assert "spleen" in view.save(*values)["said"]
    assert user_file().read_text() == "spleen = 1\n"
    assert "spleen" in view.fresh()["said"]


def test_a_remote_model_says_what_will_leave_before_it_is_saved(desk: Workdesk) -> None:
    view = view_of(desk)
    assert "Nothing leaves this machine" in view.fresh()["leaving"]
    shown = view.preview(*form(view, answer_model="openai/gpt-4o"))["leaving"]
    assert "api.openai.com (openai/gpt-4o)" in shown
    assert not user_file().exists()


def test_a_model_is_tried_with_one_short_call(desk: Workdesk) -> None:
    model = ScriptedModel(["<b>ready</b>"], name="scripted")
    shown = view_of(desk, model).tried("model", *form(view_of(desk), model="local"))["tried"]
    assert "&lt;b&gt;ready" in shown
    assert "s, 5 tokens in, 1 out, $0.000000" in shown.replace("&#36;", "$")
    assert len(model.calls) == 1


def test_a_model_that_is_not_there_says_what_to_do(desk: Workdesk) -> None:
    class Missing(ScriptedModel):
        def complete(self, *words: Any, **more: Any) -> Any:
            raise ModelUnavailable("There are no weights. Fetch them with `hoplite models pull`.")

    view = view_of(desk, Missing([]))
    assert "hoplite models pull" in view.tried("answer", *form(view, answer_model="local"))["tried"]
    assert "none is no model" in view.tried("model", *form(view))["tried"]
    assert "no role" in view.tried("<b>", *form(view))["tried"]


def test_the_sandbox_tests_itself_and_the_doctor_speaks(desk: Workdesk) -> None:
    view = view_of(desk)
    assert "network blocked" in view.sandboxed("interpreter")["sandboxed"]
    checks = view.checked()["checks"]
    assert "3 documents" in checks
    assert "none, on this machine" in checks  # as the command line says
    assert "hoplite models pull" in checks


def test_settings_are_shown_without_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen: Mapping[str, Any] = {}
    with Workdesk(None, chosen) as desk:
        view = view_of(desk)
        assert "<td>model</td><td>local</td><td>default</td>" in view.fresh()["table"]
        assert "Saved" in view.save(*form(view, max_steps=3))["said"]
