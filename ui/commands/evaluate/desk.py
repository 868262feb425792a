"""`hoplite eval desk`: reading a run's answers, noting what is wrong with them, and sorting the notes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import UserError
from ui import render
from ui.commands.options import json_option, print_json, workspace_option
from ui.interrupt import interruptible

if TYPE_CHECKING:
    from evals.coding import Coding
    from evals.judge import Rubric
    from evals.types import Finished

_COMMAND = re.compile(r"/([a-z]+|\?)(?:\s+(.*))?")
_WITHOUT = re.compile(r"-\s*(\d{1,6})")


class Desk(click.Group):
    """A group whose own options may stand behind its argument, where none of its commands does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words that come after the command's name."""
        ctx.allow_interspersed_args = not any(word in self.commands for word in args[1:])
        return super().parse_args(ctx, args)


@click.group(cls=Desk, invoke_without_command=True)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--pick",
    type=click.Choice(["random", "worst", "disagreeing", "thumbs-down", "errors"]),
    default="random",
    show_default=True,
    help="Which answers. disagreeing: measures with the judge, or one repeat with another; thumbs-down: `trace rate`.",
)
@click.option("--count", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="Answers at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="What --pick random draws by.")
@workspace_option
@click.pass_context
def desk(ctx: click.Context, run: Path, pick: str, count: int, seed: int, workspace: Path | None) -> None:
    """Read answers of RUN, a folder of `eval run --out`, one after another, and note what is wrong with them.

    Each is shown whole, with its passages and its trace. A line that is typed is noted; Enter goes on. /pass and
    /fail label an answer by the judge's rubrics, before its verdict is shown; /help shows what else there is.
    Everything is kept at once, and a later sitting goes on at the first answer that was not read.
    """
    ctx.obj = run
    if ctx.invoked_subcommand is None:
        Sitting(_coding(run), workspace, pick=pick, count=count, seed=seed).begin()


@desk.command()
@click.option("--assign", multiple=True, metavar="ID=MODE", help="Say that an answer has a failure mode.")
@click.option("--unassign", multiple=True, metavar="ID=MODE", help="Say that it has it not.")
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="Rename a mode, or merge it with one that is there.")
@click.option("--accept", is_flag=True, help="Take the groups of two notes or more that are suggested, names and all.")
@json_option
@click.pass_obj
def modes(
    run: Path, assign: Sequence[str], unassign: Sequence[str], rename: Sequence[str], accept: bool, as_json: bool
) -> None:
    """Sort the notes of RUN into failure modes, and count them.

    Notes that are alike are shown together, with a name: Enter takes it, another one names them otherwise (that of a
    mode adds them to it), `-2` leaves the second note out, /skip goes on, /quit leaves. With an option that changes
    something, and with --json, nothing is asked.
    """
    from evals.failure_groups import suggested
    from evals.judge_tables import modes_table

    coding = _coding(run)
    for text in assign:
        name, mode = _pair(text)
        coding.assign([coding.line(name)], mode)
    for text in unassign:
        name, mode = _pair(text)
        coding.assign([coding.line(name)], mode, has=False)
    for text in rename:
        old, new = _pair(text)
        coding.rename(old, new)
    if accept:
        for group in suggested(coding):
            if len(group.lines) > 1:  # a note that is like no other is no mode yet
                coding.assign([line for line, _ in group.lines], group.name)
    elif not (assign or unassign or rename or as_json):
        _sort(coding)
    if as_json:
        print_json({"modes": [each.as_json() for each in coding.counts()], "not_random": coding.chosen})
    else:
        click.echo(render.block(modes_table(coding.counts(), len(coding.read), coding.chosen)))


@desk.command()
@click.argument("mode")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to write them."
)
@click.pass_obj
def export(run: Path, mode: str, out: Path) -> None:
    """Write the questions of a failure MODE as a question file for `eval run`, tagged with it."""
    count = _coding(run).export(mode, out)
    where = render.visible(str(out))
    click.echo(f"{render.counted(count, 'question')} in {where}. `hoplite eval run {where}` asks them again.")


class Sitting:
    """One person reading answers one after another."""

    def __init__(self, coding: Coding, workspace: Path | None, *, pick: str, count: int, seed: int) -> None:
        self._coding = coding
        self._traces = _traces(coding.folder, workspace)
        self._pick = pick
        self._lines = self._picked(count, seed)
        self._at = 0
        self._revealed: set[tuple[str, int]] = set()
        self._commands: Mapping[str, tuple[str, str, Callable[[str], None]]] = {
            "help": ("/help", "Show this.", self._help),
            "pass": ("/pass RUBRIC...", "The answer passes: correct, grounded, relevant (c, g, r).", self._passes),
            "fail": ("/fail RUBRIC...", "It fails.", self._fails),
            "judge": ("/judge", "Show what the judge says; labels given after that are marked so.", self._judge),
            "mode": ("/mode NAME", "Say that it has this failure mode.", self._mode),
            "back": ("/back", "Go back to the answer before.", self._back),
            "show": ("/show", "Show it again.", self._show),
            "quit": ("/quit", "Leave.", lambda rest: None),
        }

    def begin(self) -> None:
        """Show the answers from the first that was not read, and do what is typed, until it is /quit or the end."""
        known = {(line.id, line.repeat) for line in self._coding.read}
        unread = (number for number, line in enumerate(self._lines) if (line.id, line.repeat) not in known)
        self._at = next(unread, 0)
        self._show("")
        while (typed := _typed("Note")) not in ("/quit", None):
            try:
                if command := _COMMAND.fullmatch(typed):
                    self._do(command[1], (command[2] or "").strip())
                elif typed:
                    self._coding.note(self._line, typed, pick=self._pick)
                    click.echo("Noted. Enter goes on.")
                elif not self._next():
                    break
            except UserError as error:
                click.echo(render.visible(str(error)), err=True)
        notes = render.counted(len(self._coding.notes), "note")
        read = render.counted(len(self._coding.read), "answer")
        sort = f"`hoplite eval desk {render.visible(str(self._coding.folder))} modes` sorts them"
        click.echo(f"{notes} on {read} that were read; {sort}.")

    @property
    def _line(self) -> Finished:
        return self._lines[self._at]

    def _picked(self, count: int, seed: int) -> list[Finished]:
        from evals.sampling import picked

        coding = self._coding
        lines: list[Finished] = picked(
            coding.lines,
            self._pick,  # type: ignore[arg-type]  # one of its words: click has seen to it
            count,
            seed=seed,
            verdicts=coding.verdicts,
            disliked=self._disliked() if self._pick == "thumbs-down" else (),
        )
        if not lines:
            raise UserError(
                f"{coding.folder} has no answers for --pick {self._pick}. Take another one, such as random."
            )
        return lines

    def _disliked(self) -> frozenset[str]:
        """The traces that a person rated as bad."""
        from agent.scores import disliked

        if self._traces is None:
            raise UserError("There are no traces here to have been rated. Name their workspace with --workspace DIR.")
        return disliked(self._traces)

    def _do(self, name: str, rest: str) -> None:
        known = self._commands.get("help" if name == "?" else name)
        if known is None:
            there = ", ".join(usage.split()[0] for usage, _, _ in self._commands.values())
            raise UserError(f"There is no /{name}. There are {there}.")
        known[2](rest)

    def _help(self, rest: str) -> None:
        for usage, does, _ in self._commands.values():
            click.echo(f"{usage:<18}{does}")
        click.echo("Anything else is noted, in the place of what was noted before. Enter goes on to the next answer.")

    def _next(self) -> bool:
        """Go on; what was looked at and not noted was read all the same. False after the last one."""
        if self._coding.note_of(self._line) is None:
            self._coding.note(self._line, "", pick=self._pick)
        if self._at + 1 == len(self._lines):
            return False
        self._at += 1
        self._show("")
        return True

    def _back(self, rest: str) -> None:
        if self._at == 0:
            raise UserError("This is the first one.")
        self._at -= 1
        self._show("")

    def _passes(self, rest: str) -> None:
        self._label(rest, passes=True)

    def _fails(self, rest: str) -> None:
        self._label(rest, passes=False)

    def _label(self, rest: str, *, passes: bool) -> None:
        rubrics = _rubrics(rest.split())
        key = (self._line.id, self._line.repeat)
        self._coding.label(self._line, rubrics, passes=passes, blind=key not in self._revealed)
        click.echo(f"{', '.join(rubrics)}: {'pass' if passes else 'fail'}.")

    def _judge(self, rest: str) -> None:
        from ui.reading import verdict

        self._revealed.add((self._line.id, self._line.repeat))
        said = [verdict(each) for each in self._verdicts()]
        click.echo("\n".join(said) if said else "The judge said nothing of it.")

    def _mode(self, rest: str) -> None:
        self._coding.assign([self._line], rest)
        click.echo(f"Modes: {', '.join(map(render.visible, self._coding.modes_of(self._line)))}.")

    def _show(self, rest: str) -> None:
        from evals.asked import name_of
        from ui.reading import page

        line, coding = self._line, self._coding
        labels = coding.labels_of(line)
        verdicts = self._verdicts()
        # A verdict that is in view moves the hand that labels: each is shown once the person has said their own.
        open_ = (line.id, line.repeat) in self._revealed
        shown = [verdict for verdict in verdicts if open_ or verdict.rubric in labels]
        click.echo(
            page(
                line,
                at=f"\n{render.visible(name_of(line))}  {self._at + 1} of {len(self._lines)}, {self._pick}",
                note=coding.note_of(line),
                modes=coding.modes_of(line),
                labels=list(labels.values()),
                verdicts=shown,
                hidden=len(verdicts) - len(shown),
                trace=self._trace(),
            )
        )

    def _verdicts(self) -> list[Any]:
        return [
            verdict
            for given in self._coding.verdicts.values()
            for verdict in given
            if verdict.key == (self._line.id, self._line.repeat)
        ]

    def _trace(self) -> str:
        """The trace of the answer as a tree, or why there is none."""
        from agent.tracing import trace
        from ui.traced import tree

        if not self._line.trace_id or not self._line.trace_id.strip("0"):
            return "none was written"
        if self._traces is None:
            return "not here: no workspace was found; --workspace names it"
        try:
            return tree(trace(self._traces, self._line.trace_id))
        except UserError as error:
            return f"not here: {render.visible(str(error))}"


def _sort(coding: Coding) -> None:
    """Show the groups of notes without a mode, and do with each what is typed."""
    from evals.failure_groups import suggested

    for group in suggested(coding):
        lines = list(group.lines)
        while lines:
            click.echo("\n".join(_numbered(lines)))
            typed = _typed(f"Failure mode [{render.visible(group.name)}]")
            if typed in ("/quit", None):
                return
            if typed == "/skip":
                break
            try:
                if out := _WITHOUT.fullmatch(typed):
                    _left_out(lines, int(out[1]))
                    continue
                coding.assign([line for line, _ in lines], typed or group.name)
            except UserError as error:
                click.echo(render.visible(str(error)), err=True)
                continue
            break


def _left_out(lines: list[tuple[Finished, str]], number: int) -> None:
    if not 0 < number <= len(lines):
        raise UserError(f"There is no note {number}; there are 1 to {len(lines)}.")
    del lines[number - 1]


def _numbered(lines: Iterable[tuple[Finished, str]]) -> Iterator[str]:
    from evals.asked import name_of

    for number, (line, note) in enumerate(lines, 1):
        yield f"{number:>3}. {render.visible(name_of(line))}: {render.visible(' '.join(note.split()))}"


def _rubrics(words: Sequence[str]) -> list[Rubric]:
    """The rubrics that words name, by their beginnings. Raises UserError for none and for one that there is not."""
    from evals.judge import RUBRICS

    found = [next((rubric for rubric in RUBRICS if rubric.startswith(word.lower())), None) for word in words]
    if not found or None in found:
        raise UserError(f"By which rubric? There are {', '.join(RUBRICS)}; c, g and r will do.")
    return [rubric for rubric in found if rubric]


def _pair(text: str) -> tuple[str, str]:
    """What stands before and after the last `=`; a question's id may have some itself."""
    left, sign, right = text.rpartition("=")
    if not (left and sign and right):
        raise UserError(f"{text!r} is no pair. Write both sides, as in q17=wrong person.")
    return left, right


def _coding(run: Path) -> Coding:
    from evals.coding import Coding

    return Coding(run)


def _traces(run: Path, chosen: Path | None) -> Path | None:
    """The trace file of the workspace that is named, that the run lies in, or that is found from here."""
    from retrieval.workspace import find

    if chosen is not None:
        return find(Path.cwd(), chosen).traces
    for start in (run.resolve(), Path.cwd()):
        with suppress(UserError):
            return find(start).traces
    return None


def _typed(prompt: str) -> str | None:
    """A line that is typed, None at the end of them."""
    try:
        with interruptible():
            typed: str = click.prompt(prompt, default="", show_default=False, err=True)
    except click.Abort:
        click.echo(err=True)
        return None
    return typed.strip()
