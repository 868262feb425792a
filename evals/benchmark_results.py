"""A measurement as it is committed in `evals/results/`: what was measured, how, where and when, and its numbers.

Numbers come from a run folder or from what a measuring command printed as JSON, and are never typed.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from evals.compare import compare
from evals.estimates import Estimate
from evals.machine import Machine, this_machine
from evals.report import heading_of, summary_of
from evals.run_summary import percentiles
from ingest.errors import UserError

Section = Literal["retrieval", "code", "answers", "speed", "sets"]
Unit = Literal["%", "s", "ms", "tokens"]

_ABSOLUTE = re.compile(r"(^|[\s='\"])[/~]")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")

# What could begin a table cell, code or a tag in Markdown.
Word = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^|`<>\n\r]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Value(_Strict):
    """A mean over `count` questions, from 0 to 1 where the unit is %, with its 95 % interval where one was measured."""

    mean: float
    low: float | None = None
    high: float | None = None
    count: int = Field(ge=0)
    unit: Unit = "%"


class Ahead(_Strict):
    """How far Hoplite lies above, on the same questions, with the 95 % interval of that difference."""

    mean: float
    low: float
    high: float


class Row(_Strict):
    """One system, or one stage of one."""

    label: Word
    metrics: dict[Word, Value]
    ahead: dict[Word, Ahead] = {}


class Result(_Strict):
    """One measurement over one set of `n` questions, of which `failed` ended in an error and are in no mean."""

    format: Literal[1] = 1
    section: Section
    set: Word
    label: Word
    command: str = Field(min_length=1, max_length=500, pattern=r"^[^`\n\r]+$")
    date: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    machine: Machine
    n: int = Field(ge=1)
    failed: int = Field(ge=0)
    versions: dict[Word, Word]
    rows: list[Row] = Field(min_length=1)

    @field_validator("command")
    @classmethod
    def _no_place_of_one_machine(cls, command: str) -> str:
        if _ABSOLUTE.search(command):
            raise ValueError("names a folder of this machine; write it as somebody else would run it, such as DIR")
        return command

    @property
    def file(self) -> str:
        """The name of its file: a further measurement of the same takes its place."""
        return "-".join(_NOT_SLUG.sub("-", part.lower()).strip("-") for part in (self.section, self.set, self.label))


class _Named(_Strict):
    mean: float
    low: float
    high: float


class _Estimated(_Named):
    count: int


class _System(_Strict):
    metrics: dict[str, _Estimated]
    ahead: dict[str, _Named]


class _SideBySide(_Strict):
    """What `evals.peer_llamaindex retrieval --out` writes."""

    dataset: str
    questions: int
    date: str
    systems: dict[str, _System]
    seconds: dict[str, dict[str, float]]
    versions: dict[str, str]


class _Retrieval(_Strict):
    """What `hoplite eval retrieval --json` prints."""

    dataset: str
    questions: int
    stages: dict[str, dict[str, float]]
    timings: dict[str, float]


class _CodeRow(_Strict):
    ndcg: float
    first_five: float
    ndcg_ahead: tuple[float, float, float]
    first_five_ahead: tuple[float, float, float]


class _CodeSearch(_Strict):
    """What `evals.code_search --json` prints."""

    questions: int
    reports: dict[str, dict[str, _CodeRow]]
    versions: dict[str, str] = {}


class _Took(_Strict):
    median: float
    longest: float
    processor: float


class _Speed(_Strict):
    """What `evals.speed --json` prints, in seconds."""

    queries: int
    rounds: dict[str, _Took]


def recorded(source: Path, section: Section, label: str, set_: str, command: str, beside: Path | None) -> Result:
    """Return a run folder, or the JSON that a measuring command printed, as a result of this machine.

    `beside` is the run of Hoplite over the same questions, to tell how far it is ahead.
    Raises UserError where the source is neither, or what is said beside it does not fit the format.
    """
    try:
        if source.is_dir():
            return _of_run(source, section, label, set_, command, beside)
        if beside is not None:
            raise UserError("--beside compares two run folders. Leave it out for a file of JSON.")
        return _of_json(source, section, label, set_, command)
    except ValidationError as error:
        raise UserError(f"{source}: {_first(error)}") from error


def load(folder: Path) -> list[Result]:
    """Return the results in a folder, by file name. Raises UserError for one of another format or name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = Result.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise UserError(f"{path}: {_first(error)}. Record it again.") from error
        if path.stem != result.file:
            raise UserError(f"{path} holds what belongs in {result.file}.json. Rename it.")
        found.append(result)
    return found


def _of_run(source: Path, section: Section, label: str, set_: str, command: str, beside: Path | None) -> Result:
    summary, heading = summary_of(source), heading_of(source)
    metrics = {name: _value(found) for name, found in summary.metrics.items()}
    for name, seconds in percentiles(summary.seconds).items():
        metrics[f"seconds {name}"] = Value(mean=seconds, count=summary.answered, unit="s")
    if summary.answered and any(summary.tokens):
        metrics["tokens"] = Value(mean=sum(summary.tokens) / summary.answered, count=summary.answered, unit="tokens")
    ahead = {}
    if beside is not None:
        ahead = {
            name: Ahead(mean=found.difference.mean, low=found.difference.low, high=found.difference.high)
            for name, found in compare(source, beside).metrics.items()
        }
    return Result(
        section=section,
        set=set_,
        label=label,
        command=command,
        date=heading.ended[:10],
        machine=this_machine(),
        n=summary.questions,
        failed=summary.failed,
        versions=_versions(heading.fingerprint) | {"fingerprint": heading.short},
        rows=[Row(label=label, metrics=metrics, ahead=ahead)],
    )


def _of_json(source: Path, section: Section, label: str, set_: str, command: str) -> Result:
    try:
        data = json.loads(source.read_bytes())
        date = time.strftime("%Y-%m-%d", time.localtime(source.stat().st_mtime))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{source} cannot be read as JSON ({error}). Give a run folder or a file of `--json`."
        ) from error
    n, versions, rows = _rows(source, data, section)
    return Result(
        section=section,
        set=set_,
        label=label,
        command=command,
        date=data.get("date", date),
        machine=this_machine(),
        n=n,
        failed=0,
        versions={"hoplite": version("hoplite"), **versions},
        rows=rows,
    )


def _rows(source: Path, data: object, section: Section) -> tuple[int, Mapping[str, str], list[Row]]:
    """The number of questions, the versions and the rows of a measurement, whose keys say which command made it."""
    keys = set(data) if isinstance(data, dict) else set()
    if "systems" in keys:
        both = _SideBySide.model_validate(data)
        if section == "speed":
            took = {name: each for name, each in both.seconds.items() if "index" in each}
            return both.questions, both.versions, [_times(name, each, both.questions) for name, each in took.items()]
        return both.questions, both.versions, [_system(name, each) for name, each in both.systems.items()]
    if "stages" in keys:
        found = _Retrieval.model_validate(data)
        if section == "speed":
            return found.questions, {}, [_times("hoplite", found.timings, found.questions)]
        return (
            found.questions,
            {},
            [
                Row(
                    label=stage, metrics={name: Value(mean=mean, count=found.questions) for name, mean in means.items()}
                )
                for stage, means in found.stages.items()
            ],
        )
    if "reports" in keys:
        code = _CodeSearch.model_validate_json(source.read_bytes())
        if "all" not in code.reports:
            raise UserError(f"{source} has no report over all questions. Give the JSON of `evals.code_search`.")
        return (
            code.questions,
            code.versions,
            [_code(name, each, code.questions) for name, each in code.reports["all"].items()],
        )
    if "rounds" in keys:
        speed = _Speed.model_validate(data)
        return (
            speed.queries,
            {},
            [
                Row(
                    label=name,
                    metrics={
                        what: Value(mean=1000 * seconds, count=speed.queries, unit="ms")
                        for what, seconds in took.model_dump().items()
                    },
                )
                for name, took in speed.rounds.items()
            ],
        )
    raise UserError(f"{source} is no measurement that is known. Give a run folder or a file of `--json`.")


def _system(name: str, found: _System) -> Row:
    return Row(
        label=name,
        metrics={metric: Value(**each.model_dump()) for metric, each in found.metrics.items()},
        ahead={metric: Ahead(**each.model_dump()) for metric, each in found.ahead.items()},
    )


def _times(name: str, seconds: Mapping[str, float], questions: int) -> Row:
    return Row(
        label=name,
        metrics={
            "index all": Value(mean=seconds["index"], count=1, unit="s"),
            "a query, median": Value(mean=1000 * seconds["query_median"], count=questions, unit="ms"),
        },
    )


def _code(name: str, found: _CodeRow, questions: int) -> Row:
    def ahead(values: tuple[float, float, float]) -> Ahead:
        return Ahead(mean=values[0], low=values[1], high=values[2])

    return Row(
        label=name,
        metrics={
            "ndcg@10": Value(mean=found.ndcg, count=questions),
            "in first 5": Value(mean=found.first_five, count=questions),
        },
        ahead={"ndcg@10": ahead(found.ndcg_ahead), "in first 5": ahead(found.first_five_ahead)},
    )


def _value(found: Estimate) -> Value:
    return Value(mean=found.mean, low=found.low, high=found.high, count=found.count)


def _versions(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Hoplite's version, and the model and the agent where the run names them; not a path of this machine."""
    try:
        settings = json.loads(fingerprint.get("settings", "{}"))
    except ValueError:
        settings = {}
    model = fingerprint.get("model") or (settings.get("model") if isinstance(settings, dict) else None)
    named = {"model": model, "agent": fingerprint.get("agent"), "code": fingerprint.get("code")}
    said = {name: str(value) for name, value in named.items() if value}
    if said.get("model", "").startswith("local:"):
        said["model"] = f"local:{Path(said['model']).name}"
    return {"hoplite": version("hoplite")} | said


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
