"""Settings: what is in force and where it came from, changed in the user's own file; models and sandbox tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, get_args

import gradio as gr

from agent import destinations
from agent.build import way_out
from agent.models import ChatModel, Message, make_chat, members
from agent.redaction import Content
from agent.roles import names
from agent.sensitive import MaskLevel
from agent.settings import Resolved, Settings, load_settings, user_file
from agent.settings_file import kept, save
from ingest.errors import HopliteError, UserError
from ingest.locked.levels import probe
from ui import markup, settings_page
from ui.commands.ask import leaving
from ui.commands.doctor import checks
from ui.line import Lines, turn_in
from ui.views.frame import EVENTS, Frame, shown

if TYPE_CHECKING:
    from retrieval.library import Library
    from retrieval.workspace import Workspace

MODELS = ("model", "plan_model", "step_model", "answer_model", "judge_model")
LEVELS = ("auto", "strong", "interpreter")
"""What can be chosen here of the sandbox: that it is off has to be typed where it is meant."""

FIELDS = (
    *MODELS, "max_steps", "max_seconds", "max_tokens", "max_cost", "passages", "breadth", "form", "profile", "memory",
    "cache", "sandbox", "mask", "otlp_endpoint", "trace_content", "trace_user", "trace_tags",
)  # fmt: skip
"""The settings that can be changed here. The others belong to an index, and are said when it is made."""

_WHOLE = ("max_steps", "max_tokens", "passages", "breadth")
_TRIED = "Reply with one word: ready"
_PATIENCE = 30.0  # seconds that a trial waits for a model that answers somebody's question

Shown = dict[str, Any]


class Desk(Protocol):
    """What the view needs of a workspace."""

    @property
    def lines(self) -> Lines:
        """The lines before the models."""
        ...

    def library(self) -> AbstractContextManager[Library]:
        """Give the open library, which stays as it is until the end. Raises UserError where it cannot be had now."""
        ...

    @property
    def workspace(self) -> Workspace | None:
        """The workspace, if there is one."""
        ...

    @property
    def chosen(self) -> Mapping[str, Any]:
        """The settings as the command line has them."""
        ...


class SettingsView:
    """A form over the user's own file. What it changes holds from the next question on, for which settings are read
    anew; what the workspace, the environment or the command line say comes first, and the page says so."""

    name = "settings"
    title = "Settings"

    def __init__(self, desk: Desk, make: Callable[..., ChatModel] = make_chat) -> None:
        """`make` gives the model that is tried."""
        self._desk = desk
        self._make = make

    def build(self, frame: Frame) -> None:
        """Make the form, the tests and the table."""
        parts: dict[str, Any] = {}
        with gr.Row(elem_id="settings"):
            with gr.Column(scale=5, min_width=300):
                fields = self._form()
                parts |= fields
                parts["leaving"] = shown("settings-leaving")
                store = gr.Button("Save to your own file", variant="primary", elem_id="save")
                parts["said"] = shown("settings-said")
                with gr.Row(elem_classes="filter"):
                    parts["mine"] = gr.Dropdown([], label="In your own file", elem_id="mine", scale=3)
                    back = gr.Button("Take it out", size="sm", elem_id="take-out", min_width=90)
                with gr.Row(elem_classes="filter"):
                    which = gr.Dropdown(
                        [("every role", "model"), *((role, role) for role in ("plan", "step", "answer", "judge"))],
                        value="model", label="Model of", scale=3, elem_id="which-role",
                    )  # fmt: skip
                    trial = gr.Button("Test this model", size="sm", elem_id="test-model", min_width=90)
                parts["tried"] = shown("tried")
                test = gr.Button("Test the sandbox", size="sm", elem_id="test-sandbox")
                parts["sandboxed"] = shown("sandboxed")
            with gr.Column(scale=7, min_width=320):
                parts["table"] = shown("settings-table")
                look = gr.Button("Check this machine", size="sm", elem_id="doctor")
                parts["checks"] = shown("checks")
        values = list(fields.values())
        everything = list(parts.values())

        def on(event: Any, handler: Callable[..., Shown], inputs: list[Any], **extra: Any) -> None:
            def handled(*words: Any) -> dict[Any, Any]:
                return {parts[name]: value for name, value in handler(*words).items()}

            event(handled, inputs, everything, **(EVENTS | extra))

        on(store.click, self.save, values)
        on(back.click, self.take_out, [parts["mine"]])
        on(trial.click, self.tried, [which, *values])
        on(test.click, self.sandboxed, [fields["sandbox"]])
        on(look.click, self.checked, [])
        for name in (*MODELS, "mask", "otlp_endpoint", "trace_content"):
            on(fields[name].change, self.preview, values)
        frame.on_load(lambda: {parts[name]: value for name, value in self.fresh().items()}, everything)

    def _form(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        about = {name: field.description for name, field in Settings.model_fields.items()}

        def number(name: str, label: str) -> None:
            made[name] = gr.Number(
                label=label, info=about[name], minimum=0, precision=0 if name in _WHOLE else None,
                elem_id=f"set-{name}", min_width=130,
            )  # fmt: skip

        def choice(name: str, label: str, choices: tuple[str, ...]) -> None:
            made[name] = gr.Radio(list(choices), label=label, info=about[name], elem_id=f"set-{name}")

        def text(name: str, label: str) -> None:
            made[name] = gr.Textbox(label=label, info=about[name], max_length=500, elem_id=f"set-{name}")

        with gr.Accordion("Models", open=True):
            for name in MODELS:
                made[name] = gr.Dropdown(
                    ["local", "none"], label=name.replace("_", " ").capitalize(), info=about[name],
                    allow_custom_value=True, elem_id=f"set-{name}",
                )  # fmt: skip
        with gr.Accordion("Budgets of a question", open=True):
            with gr.Row():
                number("max_steps", "Code steps")
                number("max_seconds", "Seconds")
            with gr.Row():
                number("max_tokens", "Tokens (0: any)")
                number("max_cost", "US dollars (0: any)")
        with gr.Accordion("Answers", open=False):
            with gr.Row():
                number("passages", "Passages")
                number("breadth", "Breadth")
            choice("form", "Form", _choices("form"))
            choice("profile", "Prompts", _choices("profile"))
            for name, label in (("memory", "Memory"), ("cache", "Kept answers")):
                made[name] = gr.Checkbox(label=label, info=about[name], elem_id=f"set-{name}")
        with gr.Accordion("Sandbox and masking", open=False):
            choice("sandbox", "Sandbox of the model's code", LEVELS)
            choice("mask", "Masked before models elsewhere", get_args(MaskLevel))
        with gr.Accordion("Traces that are sent", open=False):
            text("otlp_endpoint", "Receiver")
            choice("trace_content", "Content", get_args(Content))
            text("trace_user", "User")
            text("trace_tags", "Tags")
        return {name: made[name] for name in FIELDS}

    # What a person does -------------------------------------------------------------------------------------------

    def fresh(self) -> Shown:
        """Return the page as it is: the form filled in, the table, what leaves this machine."""
        try:
            resolved = self._resolved()
            mine = sorted(kept())
        except HopliteError as error:
            return {"said": _bad(error)}
        form = {name: _in_form(name, getattr(resolved.settings, name)) for name in FIELDS}
        return {
            **form,
            "table": settings_page.table(resolved, self._places()),
            "leaving": self._leaving(resolved.settings),
            "mine": gr.update(choices=mine, value=None),
        }

    def preview(self, *values: Any) -> Shown:
        """Return what would leave this machine with what the form says now."""
        try:
            return {"leaving": self._leaving(self._as_said(values))}
        except HopliteError as error:
            return {"leaving": _bad(error)}

    def save(self, *values: Any) -> Shown:
        """Write what the form says otherwise than what is in force to the user's own file."""
        try:
            changes = self._changes(values)
            if not changes:
                return {"said": "<p class=note>Nothing is different from what is in force.</p>"}
            path = save(changes)
            now = self._resolved()
        except HopliteError as error:
            return {"said": _bad(error)}
        said = [f"Saved to {path}. It holds from the next question on."]
        for name, value in changes.items():
            if value is not None and getattr(now.settings, name) != value:
                shown_value = settings_page.value(getattr(now.settings, name))
                place = settings_page.origin(now.origins[name], self._places())
                said.append(f"{name} stays {shown_value} all the same: {place} says so, and that comes first.")
        lines = "".join(
            f"<p class={'bad' if at else 'good'}>{markup.escaped(line)}</p>" for at, line in enumerate(said)
        )
        return {**self.fresh(), "said": lines}

    def take_out(self, name: str | None) -> Shown:
        """Remove a setting from the user's own file, so that what comes before it holds again."""
        try:
            if not name or name not in kept():
                raise UserError("Choose one of the settings in your own file.")
            save({name: None})
        except HopliteError as error:
            return {"said": _bad(error)}
        return {**self.fresh(), "said": f"<p class=good>{markup.escaped(name)} is not in your file any more.</p>"}

    def tried(self, role: str, *values: Any) -> Shown:
        """Make one short call to the chosen model, and return what it answered or what to do."""
        try:
            settings = self._as_said(values)
            name = settings.model if role == "model" else getattr(names(settings), str(role), None)
            if name is None:
                raise UserError(f"There is no role {role!r}. Choose one of the list.")
            if name == "none":
                return {"tried": "<p class=note>none is no model: answers are quotes of the passages.</p>"}
            with self._library() as library:
                outgoing = way_out(settings, library)
            chat = self._make(name, idle_seconds=60 * settings.idle_minutes, outgoing=outgoing)
            with turn_in(self._desk.lines.before(", ".join(members(name))), 0.5, _patient()):
                found = chat.complete([Message(role="user", content=_TRIED)], max_tokens=32)
            return {"tried": settings_page.tried(name, found)}
        except HopliteError as error:
            return {"tried": _bad(error)}
        except Exception as error:  # whatever a provider raises is what was to be found out
            return {"tried": f"<p class=bad>{markup.escaped(f'{type(error).__name__}: {error}'[:500])}</p>"}

    def sandboxed(self, level: str | None) -> Shown:
        """Have the sandbox test itself at the chosen level."""
        try:
            report = probe(level if level in LEVELS else "auto")  # type: ignore[arg-type]  # one of its words
        except HopliteError as error:
            return {"sandboxed": _bad(error)}
        return {"sandboxed": settings_page.sandbox(report)}

    def checked(self) -> Shown:
        """Return what `hoplite doctor` finds."""
        with self._library() as library:
            folder = self._desk.workspace.folder if self._desk.workspace else None
            return {"checks": settings_page.checks(checks(folder, library, self._desk.chosen))}

    # ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _library(self) -> Iterator[Library | None]:
        """Give the library; None while it cannot be had: settings can be set all the same."""
        with ExitStack() as held:
            library = None
            with suppress(UserError):
                library = held.enter_context(self._desk.library())
            yield library

    def _resolved(self, overrides: Mapping[str, object] | None = None) -> Resolved:
        workspace = self._desk.workspace
        folder = workspace.folder if workspace else None
        return load_settings(folder, {**self._desk.chosen, **(overrides or {})})

    def _places(self) -> dict[str, str]:
        workspace = self._desk.workspace
        places = {str(user_file()): "your own config.toml"}
        if workspace:
            places[str(workspace.folder / "config.toml")] = "the workspace's config.toml"
        return places

    def _changes(self, values: tuple[Any, ...]) -> dict[str, object | None]:
        """What the form says otherwise than what is in force; None takes a key out of the user's file."""
        now = self._resolved().settings
        said = {name: _said(name, value) for name, value in zip(FIELDS, values, strict=True)}
        if values[FIELDS.index("sandbox")] not in (None, *LEVELS):
            raise UserError(
                "That the sandbox is off can be said on the command line alone: `hoplite serve --sandbox off`."
            )
        changed = {
            name: value
            for name, value in said.items()
            if value != _said(name, _in_form(name, getattr(now, name)))
            and not (value is None and name in ("model", "sandbox", "mask"))
        }
        mine = kept()
        if cannot := [name for name, value in changed.items() if value is None and name not in mine]:
            place = settings_page.origin(self._resolved().origins[cannot[0]], self._places())
            raise UserError(f"{cannot[0]} is set by {place}, and can be emptied there alone.")
        return changed

    def _as_said(self, values: tuple[Any, ...]) -> Settings:
        """The settings that the form would give, whatever comes first otherwise."""
        changes = {name: value for name, value in self._changes(values).items() if value is not None}
        return self._resolved(changes).settings

    def _leaving(self, settings: Settings) -> str:
        with self._library() as library:
            line = leaving(library, settings) if library else ""
        problems = destinations.destinations(settings).problems
        bad = "".join(f"<p class=bad>{markup.escaped(each)}</p>" for each in problems)
        return f"<p class=note>{markup.escaped(line or 'Nothing leaves this machine.')}</p>{bad}"


def _patient() -> Callable[[int], None]:
    """What a model that is tried waits by: a while, and no longer."""
    until = time.monotonic() + _PATIENCE

    def waiting(ahead: int) -> None:
        if time.monotonic() > until:
            raise UserError("The model is answering somebody's question. Try again when that is over.")

    return waiting


def _choices(name: str) -> tuple[str, ...]:
    return get_args(Settings.model_fields[name].annotation)


def _in_form(name: str, value: object) -> object:
    """A value as the form has it."""
    if name == "sandbox" and value not in LEVELS:
        return None
    if name in ("max_tokens", "max_cost"):
        return value or 0
    if name == "otlp_endpoint" and isinstance(value, str):
        return settings_page.value(value)  # a login in it is not shown
    return "" if value is None else value


def _said(name: str, value: object) -> object:
    """A value of the form as a setting has it, None for an empty one."""
    if isinstance(value, str):
        value = value.strip()
        return value if value or name == "trace_tags" else None
    if name in ("max_tokens", "max_cost") and not value:
        return None
    return int(value) if name in _WHOLE and isinstance(value, int | float) and not isinstance(value, bool) else value


def _bad(error: HopliteError) -> str:
    return f"<p class=bad>{markup.escaped(str(error))}</p>"
