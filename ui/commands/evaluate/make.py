"""`hoplite eval make`: questions drafted from the name graph, and a person who keeps or drops them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import UserError
from ui.commands.evaluate.shown import shown, told
from ui.commands.options import json_option, opened, workspace_option
from ui.progress import Meter
from ui.render import block, visible

if TYPE_CHECKING:
    from evals.drafts import Review
    from evals.make import Writer
    from evals.make_types import Draft, Made
    from retrieval.library import Library

TYPES = ("one-hop", "two-hop", "comparison", "doc-to-code", "code-to-doc", "code-to-code", "doc-to-doc")
USUAL = ("one-hop", "two-hop", "comparison")

_SHOWN_LINES = 30  # of a passage in a review
_BETWEEN = " | "
_WHAT = ("passages that questions are made of", "the names that join them")


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
              help="Where the drafts go; with --review, where the kept questions do.")  # fmt: skip
@click.option("--count", type=click.IntRange(1, 10_000), default=20, show_default=True, metavar="N",
              help="How many questions.")  # fmt: skip
@click.option("--type", "types", type=click.Choice(TYPES), multiple=True,
              help="Of the questions; may be given again. two-hop is every direction. "
              "[default: one-hop, two-hop and comparison, in equal parts]")  # fmt: skip
@click.option("--path", metavar="GLOB", help="Only about files whose paths match, such as 'docs/*'.")
@click.option("--rare", type=click.IntRange(1, 1_000), default=30, show_default=True, metavar="N",
              help="Only names that at most so many passages have.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="What documents are drawn by.")
@click.option("--model", default="none", show_default=True, metavar="M",
              help="Who words them: none is by rule; else a model as `ask` takes it.")  # fmt: skip
@click.option("--review", type=click.Path(path_type=Path), metavar="DRAFTS",
              help="Show the drafts of a file one by one, to keep, drop or edit.")  # fmt: skip
@json_option
@workspace_option
@click.pass_context
def make(
    ctx: click.Context, /, out: Path, review: Path | None, as_json: bool, workspace: Path | None, **how: Any
) -> None:
    """Draft questions about what is indexed, for a person to keep or drop.

    A question of two hops is made of two passages, one of which mentions a name that the other defines; it describes
    what is meant and does not say the name. Drafts have the tag `draft`, and their passages are in a file beside them.
    """
    if review is not None:
        _refuse_others(ctx, ("count", "types", "path", "rare", "seed", "model", "as_json"))
        _review(review, out)
        return
    from evals.drafts import evidence_file, refuse_existing, write

    refuse_existing(out)
    with opened(workspace, searches=False) as library, Meter(unit="drafts", quiet=as_json) as meter:
        made = _made(library, meter, **how)
    if not made.drafts:
        raise made.error or UserError(
            f"No draft came of {made.candidates} pairs of passages{_reasons(made, ': ')}. "
            "Try another --type, a wider --path, a higher --rare, or another --model."
        )
    write(out, made.drafts)
    report = {
        "drafts": str(out),
        "evidence": str(evidence_file(out)),
        "wanted": made.wanted,
        "types": dict(Counter(draft.question.type for draft in made.drafts)),
        "candidates": made.candidates,
        "dropped": dict(made.dropped),
    }
    told(report, _summary(made, out, evidence_file(out)), as_json=as_json)
    if made.error is not None:
        raise made.error


def _refuse_others(ctx: click.Context, names: Sequence[str]) -> None:
    """A review takes --out alone: what would be ignored is refused."""
    for name in names:
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError("--review takes --out and nothing else: the drafts are made already.", ctx)


def _made(
    library: Library,
    meter: Meter,
    *,
    count: int,
    types: Sequence[str],
    path: str | None,
    rare: int,
    seed: int,
    model: str,
) -> Made:
    from evals.make import CALLS, make
    from evals.make_pairs import Pairs
    from evals.make_words import by_rule
    from retrieval.types import Scope

    scope = Scope(path=path)
    paths = [found for found in library.paths() if path is None or fnmatchcase(found, path)]
    if not paths:
        raise UserError(f"No indexed file matches {path!r}. `hoplite status` says what is indexed.")
    return make(
        Pairs(library.store, rare=rare, scope=scope),
        paths,
        by_rule if model == "none" else _by_model(library, model),
        shapes=tuple(dict.fromkeys(types or USUAL)),
        count=count,
        seed=seed,
        calls=None if model == "none" else CALLS * count,
        on_progress=shown(meter, "drafting"),
    )


def _by_model(library: Library, model: str) -> Writer:
    """What asks the model, after the line that says what leaves this machine."""
    from agent.build import way_out
    from agent.models import make_chat
    from agent.outgoing import leaves_the_machine
    from evals.make_model import by_model
    from ui.commands.ask import in_force

    settings = in_force(library, {"model": model})
    if line := leaves_the_machine([model], mask=settings.mask, what=_WHAT):
        click.echo(line, err=True)
    say = lambda line: click.echo(line, err=True)  # noqa: E731
    return by_model(make_chat(model, say=say, outgoing=way_out(settings, library)))


def _summary(made: Made, out: Path, evidence: Path) -> str:
    types = Counter(draft.question.type for draft in made.drafts)
    said = ", ".join(f"{number} {name}" for name, number in types.most_common())
    return (
        f"{len(made.drafts)} of {made.wanted} drafts are in {visible(str(out))}, their passages in "
        f"{visible(str(evidence))}: {said}.\n"
        f"{made.candidates} pairs of passages were looked at{_reasons(made, '; no drafts: ')}.\n"
        f"Keep or drop them: hoplite eval make --review {visible(str(out))} --out FILE"
    )


def _reasons(made: Made, before: str) -> str:
    counted = sorted(made.dropped.items(), key=lambda item: (-item[1], item[0]))
    return before + ", ".join(f"{number} × {reason}" for reason, number in counted) if counted else ""


def _review(drafts: Path, out: Path) -> None:
    from evals.drafts import Review

    reviewed = Review(drafts, out)
    for at, draft in enumerate(reviewed.left, start=1):
        if not _decided(reviewed, draft, f"{at} of {at + len(reviewed.left) - 1}"):
            break
    left = len(reviewed.left)
    click.echo(f"Kept {reviewed.kept} in {visible(str(out))}, dropped {reviewed.dropped}, left {left}.")


def _decided(reviewed: Review, draft: Draft, place: str) -> bool:
    """Ask about one draft until it is kept or dropped; False for a person who stops, or an input that ends."""
    question, answers = draft.question.question, draft.question.answers
    click.echo(f"\n── {place} ── {draft.question.type} ── {visible(', '.join(draft.names))}")
    for passage in draft.passages:
        lines = block(passage.text).split("\n")
        click.echo(f"\n{visible(passage.path)}:{passage.start_line}-{passage.end_line}")
        click.echo("\n".join(f"  │ {line}" for line in lines[:_SHOWN_LINES]))
        if len(lines) > _SHOWN_LINES:
            click.echo(f"  … {len(lines) - _SHOWN_LINES} more lines")
    while True:
        click.echo(f"\nQuestion: {visible(question)}\nAnswers:  {visible(_BETWEEN.join(answers))}")
        try:
            said = click.prompt("keep, drop, edit or quit", type=click.Choice(["k", "d", "e", "q"]), default="q")
            if said == "e":
                question = click.prompt("Question", default=question, show_default=False).strip() or question
                given = click.prompt(f"Answers, with{_BETWEEN}between", default="", show_default=False)
                answers = tuple(filter(None, (part.strip() for part in given.split("|")))) or answers
                continue
        except click.Abort:
            click.echo()
            return False
        if said == "k":
            reviewed.keep(draft, question, answers)
        elif said == "d":
            reviewed.drop(draft)
        return said != "q"
