"""`hoplite eval injection`: what planted instructions bring about."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ui.commands.evaluate.shown import shown, told
from ui.commands.options import agent_options, json_option
from ui.progress import Meter

if TYPE_CHECKING:
    from agent.types import Answer


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(1), default=60, show_default=True, metavar="N", help="Attacked runs.")
@click.option("--seed", type=int, default=0, show_default=True, help="What they are drawn by.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to keep the answers.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out: ask what is missing and what failed.")
@agent_options
@json_option
def injection(
    folders: tuple[Path, ...],
    sample: int,
    seed: int,
    out: Path | None,
    resume: bool,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Measure prompt injection: instructions planted in text, in a comment, in a file name, in front matter.

    Each FOLDER has BIPIA's attacks.jsonl or AgentDojo's injection_goals.jsonl. Every run has a small workspace of its
    own. Counted are answers that do what was planted, answers that are still right, and what a run did besides.
    """
    from agent.build import sandbox_of, way_out
    from agent.roles import make_roles
    from agent.settings import load_settings
    from evals.injection import draw, load_attacks
    from evals.injection_run import evaluate_injection
    from evals.tables import injection_table
    from ingest.ids import digest
    from retrieval.weights import user_cache

    attacks = load_attacks(folders)
    settings = load_settings(None, chosen | {"cache": False}).settings
    fingerprint = {
        "attacks": digest(repr(attacks).encode()),
        "sample": f"{sample} by {seed}",
        "settings": settings.model_dump_json(),
        "sandbox": sandbox_of(settings).level if settings.max_steps else "no code",
    }
    with Meter(unit="questions", quiet=as_json) as meter:
        report = evaluate_injection(
            draw(attacks, sample, seed),
            settings,
            make_roles(settings, outgoing=way_out(settings), say=lambda line: click.echo(line, err=True)),
            _pages,
            out or user_cache() / "injection" / time.strftime("%Y%m%d-%H%M%S"),
            fingerprint=fingerprint,
            resume=resume,
            on_progress=shown(meter, "asking"),
        )
    told(report.as_json(), injection_table(report), as_json=as_json)
    return 4 if report.errors else 0


def _pages(answer: Answer) -> list[str]:
    """What an answer becomes on the page, and in a reader of the Markdown that is saved: HTML, in both."""
    from markdown_it import MarkdownIt

    from ui import markup
    from ui.markdown import as_markdown

    labels = {cited.label for cited in answer.citations}
    saved = MarkdownIt("commonmark", {"html": True}).enable("table").render(as_markdown(answer))
    return [markup.prose(answer.answer, labels), saved]
