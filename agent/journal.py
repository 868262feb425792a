"""The journal of a run: what each call of it gave, so that a run that was killed goes on where it was.

The loop between the calls follows from what they give. A run is resumed by running it again with the calls that the
journal knows answered from there: the same ledger and the same prompts come of it, and the first call that is not known
is where the work goes on. Nothing in the loop asks what was done already.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agent.guard import visible
from agent.plan import Plan
from ingest.errors import ToolError
from retrieval.types import Passage

if TYPE_CHECKING:
    from agent.journal_file import Lines
    from agent.types import Answer

VERSION = 1
"""Of the records. A journal of another version is not read: replay takes each value as it was written."""

LOOKS = frozenset({"search", "passages", "leads", "chunk", "read", "grep", "symbols", "callers"})
"""Calls that look something up: what they gave, a run that begins again can use."""

T = TypeVar("T")
_log = logging.getLogger("hoplite.journal")


@dataclass(frozen=True, slots=True)
class Head:
    """What a run began with. `id` is its trace's, `span` its root span's, `began` in seconds since 1970.

    `settings` are those that the run went by, by name; `marker` is the random part of the fence in its prompts.
    """

    id: str
    workspace: str
    began: float
    question: str
    plan: Plan
    marker: str
    span: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Taken:
    """What a journal knows of a run: completed searches, code steps and replies of the model, the passages that were
    entered in the ledger, and the seconds that all this took."""

    searches: int
    steps: int
    replies: int
    passages: int
    seconds: float


class Journal:
    """One run's calls: those that are known from before, and those that are noted as they are completed.

    Without `keep` nothing is written. Any thread may call. `clock` counts the run's seconds, those before a kill too.
    """

    def __init__(
        self,
        head: Head | None = None,
        records: Iterable[Mapping[str, Any]] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`head` and `records` are of the run that is resumed; a new run has none."""
        self.head = head
        self._known: dict[str, deque[Mapping[str, Any]]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._lines: Lines | None = None
        self._opens: Callable[[], Lines] | None = None
        self._finishes: Callable[[Answer], None] | None = None
        self._now = now
        self._since = self._now()
        self._seconds = self._last = 0.0
        self.resumed = head is not None  # the run was begun by another process
        self._replays = self.resumed
        self._written = self._within = False
        self._on_live: list[Callable[[], None]] = []
        self._entered: list[Any] = []
        self._seen: dict[str, list[object]] = defaultdict(list)  # what was looked up, as it was given
        self._ready: dict[str, deque[object]] = {}  # the same of the run before this one
        begun: dict[str, deque[Mapping[str, Any]]] = defaultdict(deque)
        for record in records:
            if "did" in record:
                self._known[record["key"]].append(record)
                self._last = max(self._last, float(record["at"]))
                if begun[record["key"]]:
                    begun[record["key"]].popleft()
            elif "begun" in record:
                begun[record["begun"]].append(record)
            elif "entered" in record:
                self._entered.append(record["entered"])
        self._lost = [(int(r["tokens"]), float(r["dollars"])) for each in begun.values() for r in each]
        kinds = [record["did"] for each in self._known.values() for record in each]
        self.taken = Taken(
            searches=kinds.count("search") + kinds.count("leads"),
            steps=kinds.count("code"),
            replies=kinds.count("model"),
            passages=len(self._entered),
            seconds=self._last,
        )

    @property
    def replays(self) -> bool:
        """Whether all that was asked so far was known: the run is not yet where it was killed."""
        return self._replays

    @property
    def kept(self) -> str | None:
        """The name of the run, where there is a file that it can be resumed from; None where there is none."""
        return self.head.id if self.head and (self._written or self.resumed) else None

    def clock(self) -> float:
        """Return the seconds that the run has taken: while it replays, those at which its last call was over."""
        with self._lock:
            return self._seconds if self._replays else self._seconds + self._now() - self._since

    def keep(self, head: Head, opens: Callable[[], Lines], finishes: Callable[[Answer], None]) -> None:
        """Write what the run does. `opens` makes its file when there is something to write, or goes on with the one
        that is there; `finishes` is given the answer."""
        self.head, self._opens, self._finishes = head, opens, finishes

    def done(
        self,
        kind: str,
        asked: object,
        form: Any,
        work: Callable[[], T],
        *,
        asks: bool = False,
        lasting: bool = True,
    ) -> T:
        """Return what a call gives: what it gave, where it is known, else what `work` returns, noted once it is there.

        `kind` and `asked`, a JSON value, tell calls apart; the same one again is the next that was made. `form` is the
        type of what it gives. `asks`: the work makes calls itself, of which some may be known where it is not. What is
        `lasting` outlives a power cut; with the next that is, all before it does. Raises what `work` raises; ToolError
        is noted as well, and raised again.
        """
        key = _key(kind, asked)
        while (record := self._take(key)) is not None:
            if "refused" in record:
                raise ToolError(str(record["refused"]))
            try:
                return _adapter(form).validate_python(record["gave"])  # type: ignore[no-any-return]
            except (ValueError, KeyError):
                continue  # written by another version of ours, for which this type had another shape
        self._go_on(asks)
        ready = self._ready.get(key)
        within, self._within = self._within, self._within or asks
        try:
            given = cast(T, ready.popleft()) if ready else work()
        except ToolError as refused:
            told = str(refused)
            self._note(lambda: {"did": kind, "key": key, "at": self.clock(), "refused": told})
            raise
        finally:
            self._within = within
        if kind in LOOKS:
            self._seen[key].append(given)
        self._note(
            lambda: {
                "did": kind,
                "key": key,
                "at": self.clock(),
                "gave": _adapter(form).dump_python(given, mode="json"),
            },
            lasting=lasting,
        )
        return given

    def again(self) -> Journal:
        """Return the journal of another run, which need not look up once more what this one did."""
        other = Journal(now=self._now)
        other._ready = {key: deque(given) for key, given in self._seen.items()}
        return other

    def knows(self, kind: str, asked: object) -> bool:
        """Return whether the next such call is answered from the journal."""
        with self._lock:
            return bool(self._known.get(_key(kind, asked)))

    def begin(self, kind: str, asked: object, tokens: int, dollars: float) -> None:
        """Note that a call begins that may take so much: money is gone even where its outcome is lost."""
        if not self.knows(kind, asked):
            self._go_on()
            self._note(lambda: {"begun": _key(kind, asked), "tokens": tokens, "dollars": dollars}, lasting=False)

    def take_lost(self) -> list[tuple[int, float]]:
        """Return, once, the tokens and dollars of calls that had begun when the run was killed."""
        with self._lock:
            lost, self._lost = self._lost, []
        return lost

    def enter(self, passage: Passage) -> None:
        """Note a passage that was entered in the ledger under its label."""
        self._note(lambda: {"entered": _adapter(Passage).dump_python(passage, mode="json")}, lasting=False)

    def entered(self) -> dict[str, Passage]:
        """Return the passages that were entered before, by label."""
        found: dict[str, Passage] = {}
        for said in self._entered:
            with suppress(ValueError):  # of another shape, as in `done`
                passage: Passage = _adapter(Passage).validate_python(said)
                found[passage.label] = passage
        return found

    def when_live(self, then: Callable[[], None]) -> None:
        """Have something done before each call that is not known, unless it is made within another one."""
        self._on_live.append(then)

    def finish(self, answer: Answer) -> None:
        """Keep the answer in the place of what led to it."""
        finishes = self._finishes if self._written or self.resumed else None
        self.close()
        if finishes:
            self._try(lambda: finishes(answer))
            self.head = None

    def close(self) -> None:
        """Write nothing any more. Closing twice is no error."""
        with self._lock:
            lines, self._lines, self._opens = self._lines, None, None
        if lines:
            lines.close()

    def _take(self, key: str) -> Mapping[str, Any] | None:
        with self._lock:
            known = self._known.get(key)
            if not known:
                return None
            record = known.popleft()
            if self._replays:
                self._seconds = max(self._seconds, float(record["at"]))
            return record

    def _go_on(self, asks: bool = False) -> None:
        """From here on the run does what it never did, and its clock runs."""
        with self._lock:
            if self._replays:
                self._replays, self._seconds, self._since = False, self._last, self._now()
        if not (asks or self._within):
            for then in self._on_live:
                then()

    def _note(self, record: Callable[[], Mapping[str, Any]], *, lasting: bool = True) -> None:
        if self._opens or self._lines:
            self._try(lambda: self._write(record(), lasting))

    def _write(self, record: Mapping[str, Any], lasting: bool) -> None:
        with self._lock:
            if self._lines is None and self._opens is not None:
                self._lines, self._opens = self._opens(), None
            if self._lines is not None:
                self._lines.add(record, lasting=lasting)
                self._written = True

    def _try(self, write: Callable[[], None]) -> None:
        """A journal that cannot be written is one warning, and the run goes on without."""
        try:
            write()
        except (OSError, ValueError, TypeError) as error:
            self.close()
            _log.warning(
                "This run goes on without a journal: it cannot be written (%s). Check the disk and its rights.",
                visible(str(error).partition("\n")[0]),
            )


def _key(kind: str, asked: object) -> str:
    return hashlib.sha256(json.dumps([kind, asked]).encode()).hexdigest()


@cache
def _adapter(form: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(form)
