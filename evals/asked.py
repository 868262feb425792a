"""A run's answers as they are judged and read, and the model that gave them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

from agent.models import members
from evals.run_files import finished, read_run
from evals.types import Finished
from ingest.errors import UserError
from retrieval.weights import LOCAL_MODEL


class _Answering(BaseModel):
    """Of the settings in a run's fingerprint, the two that say who answered; the others are of whatever version."""

    model: str
    answer_model: str | None = None


def answers_of(folder: Path) -> list[Finished]:
    """Return a run's answers, each repeat of a question one, in the order in which they were asked.

    Raises UserError where there is no run, or it is damaged.
    """
    return list(finished(folder))


def name_of(line: Finished) -> str:
    """Return how an answer is named to a person: its question's id, with `#2` behind it for the third repeat."""
    return f"{line.id}#{line.repeat}" if line.repeat else line.id


def answered_by(folder: Path) -> tuple[str, ...] | None:
    """Return the models of the role that answers, in the order in which they were asked; None where the run does not
    say. Raises UserError where there is no run, or it is damaged."""
    try:
        said = _Answering.model_validate_json(read_run(folder).fingerprint.get("settings", ""))
    except ValidationError:
        return None
    return members(said.answer_model or said.model)


def refuse_own(folder: Path, judge: str) -> None:
    """Raise UserError where the judge is a model that answered, or it is not known which one did.

    Models know and prefer what they wrote themselves (Panickssery et al. 2024, arXiv 2404.13076).
    """
    by = answered_by(folder)
    if by is None:
        raise UserError(
            f"{folder}/run.json does not say which model answered, so that {judge} may be judging itself. "
            "--same-model judges all the same."
        )
    if own := next((member for member in by if _bare(member) == _bare(judge)), None):
        raise UserError(
            f"{own} gave the answers in {folder}, and {judge} is that model: it would judge itself. Name another one "
            "with --model, or say --same-model."
        )


def _bare(name: str) -> str:
    """The model's own name, without who serves it: `openai/gpt-4o`, `azure/gpt-4o` and `gpt-4o` are one."""
    if name == "local" or name.startswith("local:"):
        name = name.removeprefix("local").removeprefix(":") or LOCAL_MODEL
    return name.rsplit("/", 1)[-1].lower()
