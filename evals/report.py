"""The report of a run: one HTML page, or a few lines of Markdown for a pull request."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from evals import report_beside as beside
from evals import report_page as page
from evals import report_questions as asked
from evals.agreement import judged_with_agreement
from evals.compare import compare
from evals.machine import this_machine
from evals.report_markdown import markdown as as_markdown
from evals.run_files import ANSWERS, finished, read_run
from evals.run_summary import Summary, Tally
from ingest.errors import UserError
from ingest.ids import digest


def heading_of(run: Path) -> page.Heading:
    """Return what a run's report begins with. Raises UserError where the folder holds no run or a damaged one."""
    made = read_run(run)
    try:
        ended = (run / ANSWERS).stat().st_mtime
    except OSError as error:
        raise UserError(
            f"{run / ANSWERS} cannot be read ({error.strerror}). Give the folder of an `eval run`."
        ) from error
    return page.Heading(
        name=made.name,
        ended=time.strftime("%Y-%m-%d %H:%M", time.localtime(ended)),
        machine=str(this_machine()),
        fingerprint=made.fingerprint,
        short=digest(json.dumps(dict(made.fingerprint), sort_keys=True).encode())[:12],
    )


def write(run: Path, out: Path, tree_of: asked.TreeOf, *, against: Path | None = None) -> Summary:
    """Write the page of a run to `out`, whole or not at all and readable by its owner alone, and return its numbers.

    `against` is another run over the same questions, whose difference is shown. The run is read once, line by line:
    the lines of all answers wait in a file until what stands above them is known.
    Raises UserError where a folder holds no run or is damaged, or `out` cannot be written.
    """
    heading = heading_of(run)
    sections = [beside.judged(found)] if (found := judged_with_agreement(run)) else []
    sections += [beside.compared(compare(against, run))] if against else []
    tally = Tally()
    fresh = out.with_name(f"{out.name}.new")
    try:
        with tempfile.TemporaryFile("w+", encoding="utf-8") as rows:
            for line in finished(run):
                tally.add(line)
                if line.error is None:
                    rows.write(asked.row(line))
            summary = tally.summary()
            with open(fresh, "w", encoding="utf-8", opener=_private) as file:
                file.writelines(page.opening(heading, summary, sections))
                file.writelines(page.failures(summary, tally.broken))
                file.writelines(asked.questions(tally.worst, summary, tree_of))
                if summary.answered > len(tally.worst):
                    file.write(asked.rows_opening(summary))
                    rows.seek(0)
                    shutil.copyfileobj(rows, file)
                    file.write(asked.ROWS_CLOSING)
                file.write(page.closing())
        fresh.replace(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}). Name another file with --out.") from error
    finally:
        fresh.unlink(missing_ok=True)
    return summary


def summary_of(run: Path) -> Summary:
    """Return a run's numbers. Raises UserError where the folder holds no run or it is damaged."""
    tally = Tally(details=0)
    for line in finished(run):
        tally.add(line)
    return tally.summary()


def markdown(run: Path, *, against: Path | None = None) -> str:
    """Return a run's numbers as Markdown. Raises UserError as `write` does."""
    compared = compare(against, run) if against else None
    return as_markdown(heading_of(run), summary_of(run), judged_with_agreement(run), compared)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
