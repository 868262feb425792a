"""`hoplite eval`: how good retrieval and answers are, in numbers."""

from __future__ import annotations

import click

from ui.lazy import LazyGroup


@click.group(
    "eval",
    cls=LazyGroup,
    places={
        "retrieval": "ui.commands.evaluate.retrieval:retrieval",
        "import": "ui.commands.evaluate.import_:import_",
        "make": "ui.commands.evaluate.make:make",
        "run": "ui.commands.evaluate.run:run",
        "compare": "ui.commands.evaluate.compare:compare",
        "prefer": "ui.commands.evaluate.prefer:prefer",
        "report": "ui.commands.evaluate.report:report",
        "judge": "ui.commands.evaluate.judge:judge",
        "desk": "ui.commands.evaluate.desk:desk",
        "injection": "ui.commands.evaluate.injection:injection",
    },
)
def evaluate() -> None:
    """Measure retrieval and answers over question sets."""
