"""Settings: defaults, the user's file, the workspace's file, the environment and the command line, in that order.

Each layer overrides the one before. An unknown key is refused by name, and every value knows where it came from.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agent.redaction import Content
from agent.sensitive import MaskLevel
from ingest.errors import UserError
from ingest.locked.report import Sandbox

_PREFIX = "HOPLITE_"
# What a workspace's file may say of these, "" being nothing at all.
_STRONGEST = {"sandbox": "strong", "mask": "all", "trace_content": "none", "otlp_endpoint": "", "allowed_roots": ""}
# Variables of ours that are no settings: where weights lie, the page's password, a server's key, what tests are told.
_NOT_SETTINGS = ("HOPLITE_MODELS", "HOPLITE_PASSWORD", "HOPLITE_WORKSPACE", "HOPLITE_QDRANT_", "HOPLITE_TEST_")


class Settings(BaseModel):
    """What can be set, with its default. Keys are the same in a file, on the command line and in the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        "local", min_length=1, description="local, local:FILE.gguf, ollama/NAME, openai/NAME, none; several with commas"
    )
    plan_model: str | None = Field(None, min_length=1, description="the model that plans, where it is another one")
    step_model: str | None = Field(None, min_length=1, description="the model that writes code steps")
    answer_model: str | None = Field(None, min_length=1, description="the model that writes the answer")
    judge_model: str | None = Field(None, min_length=1, description="the model that judges an answer")
    embedder: str | None = Field(None, description="a sentence-transformers model; default: the static one")
    dense: str | None = Field(None, description="a second embedder, filled in behind the first; none forgets it")
    store: str | None = Field(
        None, description="a Qdrant server's address for new workspaces, or embedded, the default"
    )
    store_shards: int | None = Field(None, ge=1, le=1000, description="parts of a new collection on that server")
    store_replicas: int | None = Field(None, ge=1, le=100, description="machines that hold each part of it")
    store_consistency: int | None = Field(None, ge=1, le=100, description="replicas that acknowledge a write")
    store_payload_on_disk: bool | None = Field(None, description="whether its texts and names stay out of memory")
    idle_minutes: float = Field(10.0, gt=0, description="minutes after which the local model, unasked, leaves memory")
    max_steps: int = Field(2, ge=0, le=50, description="code steps a question may take")
    max_seconds: float = Field(120.0, gt=0, le=86_400, description="seconds a question may take")
    max_tokens: int | None = Field(None, ge=1, description="tokens a question may take, read and written together")
    max_cost: float | None = Field(None, gt=0, description="US dollars a question may take")
    passages: int = Field(5, ge=1, le=20, description="passages the answer is written from")
    breadth: int = Field(8, ge=1, le=20, description="passages that a search brings")
    profile: Literal["auto", "compact", "full"] = Field("auto", description="prompts; compact is for small models")
    form: Literal["auto", "short", "paragraph", "report", "table"] = Field(
        "auto", description="of the answer; auto reads it off the question"
    )
    sandbox: Sandbox = Field("auto", description="auto, strong or interpreter; off runs the model's code unisolated")
    mask: MaskLevel = Field(
        "secrets", description="what models elsewhere do not see: secrets, all (personal data too), or off"
    )
    otlp_endpoint: str | None = Field(None, description="an OTLP/HTTP address that traces of questions are sent to")
    trace_content: Content = Field(
        "masked", description="what traces that are sent say: masked, none (no texts) or full (all texts)"
    )
    trace_user: str | None = Field(None, min_length=1, description="whose questions they are, in traces that are sent")
    trace_tags: str = Field("", description="words on all traces that are sent, with commas")
    within: tuple[str, ...] = Field(
        (), max_length=100, description="path globs, with commas; questions are answered from what fits one of them"
    )
    memory: bool = Field(True, description="whether runs leave notes and recall them")
    upload_mb: int = Field(25, ge=1, le=10_000, description="megabytes of a file that is added through the page")
    allowed_roots: str | None = Field(
        None, description="folders that the page may index, with colons; default: the indexed folder's and your home"
    )
    cache: bool = Field(True, description="whether a question that was asked before gets the answer of that time")

    @field_validator("within", mode="before")
    @classmethod
    def _globs(cls, value: object) -> object:
        """Globs with commas between them, as a variable has them, as well as a list."""
        return [part for word in value.split(",") if (part := word.strip())] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings with, for each key, where its value came from: "default", a file, a variable, or "command line"."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(
    workspace: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Resolved:
    """Return the settings in force.

    `workspace` is the workspace's folder; `overrides` what the command line says, None meaning not said; `environ`
    defaults to the process's. Raises UserError, with the key and where it stands, for unknown keys and wrong values.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, object] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, layer in _layers(workspace, overrides or {}, environ):
        for key, value in layer.items():
            name = key.lower().replace("-", "_")
            if name not in Settings.model_fields:
                raise UserError(_unknown(key, origin))
            if name in _STRONGEST:
                _refuse_to_weaken(name, value, origin, workspace)
            values[name] = value
            origins[name] = origin if origin != "environment" else f"{_PREFIX}{name.upper()}"
    try:
        return Resolved(Settings.model_validate(values), origins)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UserError(f"{name} = {values.get(name)!r} ({origins[name]}): {first['msg']}. Correct it there.") from None


def _refuse_to_weaken(name: str, level: object, origin: str, workspace: Path | None) -> None:
    """A workspace can come from somebody else: its file may ask for the strongest sandbox, the fullest mask and the
    emptiest traces, for nothing less, and neither for traces nor for further folders. That the sandbox is off is said
    where it is meant, for one command or one shell, in no file."""
    strongest, theirs = _STRONGEST[name], workspace is not None and origin == str(workspace / "config.toml")
    off = name == "sandbox" and level == "off" and origin not in ("environment", "command line")
    if off or (theirs and level != strongest):
        why = "no file may say so" if off and not theirs else "a workspace may not say that"
        why = f"a workspace may only ask for {strongest}" if theirs and strongest else why
        option = f"--{name} or " if name in ("sandbox", "mask") else ""
        raise UserError(
            f"{name} = {level!r} ({origin}): {why}. Remove it there; say it as {option}{_PREFIX}{name.upper()}."
        )


def user_file(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the user's own settings are looked for."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "hoplite" / "config.toml"


def _layers(
    workspace: Path | None, overrides: Mapping[str, object], environ: Mapping[str, str]
) -> list[tuple[str, Mapping[str, object]]]:
    files = [user_file(environ), *([workspace / "config.toml"] if workspace else [])]
    return [
        *((str(path), _read(path)) for path in files),
        ("environment", _from_environment(environ)),
        ("command line", {k: v for k, v in overrides.items() if v is not None}),
    ]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}. Correct it, or move it away.") from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}. Correct its permissions, or move it away."
        ) from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    return {
        key.removeprefix(_PREFIX): value
        for key, value in environ.items()
        if key.startswith(_PREFIX) and not key.startswith(_NOT_SETTINGS)
    }


def _unknown(key: str, origin: str) -> str:
    shown = f"{_PREFIX}{key}" if origin == "environment" else key
    near = difflib.get_close_matches(key.lower(), Settings.model_fields, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(Settings.model_fields)}."
    return f"Unknown setting {shown!r} in {origin if origin != 'environment' else 'the environment'}. {hint}"
