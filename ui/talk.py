"""One conversation of the page, and its run: asked in a thread of its own, watched by whichever tab shows it.

A run belongs to its conversation and not to a tab: a tab that is closed or loaded again in the middle leaves the run to
its end, its caps and its stop button, and what it came to is kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from agent.clarify import clarified
from agent.conversation import Asked, Conversation
from agent.follow_up import standalone
from agent.forms import read_form
from agent.plan import Plan, make_plan
from agent.plan_edit import difference, rewritten
from agent.scores import FEEDBACK, score
from agent.types import Answered, Clarify, Event, Rewritten
from ingest.errors import HopliteError, UserError
from ui.chat import Turn
from ui.line import Line, turn_in
from ui.sessions import MOST_TURNS
from ui.steps import ShownStep

if TYPE_CHECKING:
    from agent.types import Form

Phase = Literal["waiting", "unclear", "planned", "running", "stopping"]
_LOOK = 0.1  # seconds between looks at a stop while a place in the line is held
STOPPED, EDITED, REGENERATED = "stopped", "edited", "regenerated"
"""Names of scores: a run was stopped, an answer's question was asked in other words, or once more as it was."""

T = TypeVar("T")

_log = logging.getLogger("hoplite.page")


class Answers(Asked, Protocol):
    """What a conversation of the page needs of an agent."""

    def clarify(self, question: str) -> Clarify | None:
        """Return the one thing that a question leaves open, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `first`: the plan is shown before the work. `again`: the last question is asked another time,
    perhaps in other words, and its answer is replaced. `fresh`: no answer that was kept will do. `plan`: it is to go by
    these sub-questions. `collection` is what it is asked in, "" for everything."""

    question: str
    form: Form | Literal["auto"] = "auto"
    first: bool = False
    again: bool = False
    fresh: bool = False
    plan: tuple[str, ...] | None = None
    collection: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """The question under way. `ahead` are questions of others that come before it; `plan` is what it goes by."""

    wish: Wish
    turn: Turn
    phase: Phase = "waiting"
    ahead: int = 0
    plan: Plan | None = None
    clarify: Clarify | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A conversation at one moment. `version` grows with every change. `failed` is why the last question, `lost`, has
    no answer, "" where it has one."""

    version: int
    turns: tuple[Turn, ...]
    live: Live | None = None
    failed: str = ""
    lost: Turn | None = None


class _Stopped(Exception):
    """The person stopped it before there was a run."""


class Talk:
    """One conversation. Its methods may be called from any thread, and none of them waits for a run."""

    def __init__(
        self,
        id: str,
        turns: Sequence[Turn] = (),
        *,
        make: Callable[[Form | Literal["auto"], str], Answers],
        line: Callable[[str | None], Line | None],
        keep: Callable[[str, Sequence[Turn]], None],
    ) -> None:
        """`make` gives an agent for one question, its answer's form and what collection it is asked in being named;
        `line` gives the line before a model, and `keep` is called with its id and its turns after each answer."""
        self.id = id
        self._make, self._line, self._keep = make, line, keep
        self._conversation = Conversation()
        self._conversation.restore([told for turn in turns if (told := turn.told)])
        self._state = State(0, tuple(turns))
        self._changed = threading.Condition()
        self._keeping = threading.Lock()
        self._stop = False
        self._go: Plan | None = None  # the plan that was started, while one waits
        self._reply: str | None = None
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> State:
        """How it stands."""
        return self._state

    @property
    def resting(self) -> bool:
        """Whether nothing is under way, and all that was is kept."""
        return self._thread is None or not self._thread.is_alive()

    def ask(self, wish: Wish) -> None:
        """Begin with a question. Raises UserError while another is under way."""
        with self._changed:
            if self._state.live is not None:
                raise UserError("This conversation is answering a question. Stop it, or wait for its answer.")
            self._stop, self._go, self._reply = False, None, None
            self._set(live=Live(wish, Turn(wish.question)), failed="", lost=None)
            self._thread = threading.Thread(target=self._work, args=(wish,), name="hoplite-question", daemon=True)
            self._thread.start()

    def stop(self) -> bool:
        """End what is under way with the best answer so far; return whether anything was."""
        with self._changed:
            live = self._state.live
            if live is None:
                return False
            self._stop, self._go = True, None
            self._set(live=replace(live, phase="stopping"))
        self._conversation.stop()
        return True

    def reply(self, words: str) -> None:
        """Say what an unclear question means; "" leaves it open."""
        with self._changed:
            if self._state.live and self._state.live.phase == "unclear":
                self._reply = words
                self._changed.notify_all()

    def plan(self, texts: Sequence[str]) -> None:
        """Go by these sub-questions: begin with them where the plan waits, begin again with them where the run is under
        way. Raises UserError for a plan that cannot be followed, and where nothing is under way."""
        with self._changed:
            live = self._state.live
            if live is None or live.plan is None or live.phase == "stopping":
                raise UserError("No run is under way. Ask the question, with the plan shown first.")
            edited = rewritten(live.plan, texts)
            self._go = edited
            begins_again = live.phase in ("running", "waiting")
            self._set(live=replace(live, plan=edited))
        if begins_again:
            self._conversation.stop()

    def rate(self, number: int, value: int) -> Turn | None:
        """Note what the person thinks of an answer; return its turn, None where there is none."""
        with self._changed:
            turns = list(self._state.turns)
            if not 0 <= number < len(turns):
                return None
            turns[number] = replace(turns[number], rating=value)
            self._set(turns=tuple(turns))
        self.remark(number, "")
        self._note()
        return turns[number]

    def remark(self, number: int, reason: str) -> None:
        """Note why an answer that was rated is good or bad."""
        rated = self._state.turns[number] if 0 <= number < len(self._state.turns) else None
        if rated and rated.answer and rated.rating is not None:
            score(rated.answer.trace_id, FEEDBACK, float(rated.rating), reason)

    def join(self, seconds: float) -> None:
        """Wait for the run to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    # In the run's own thread ------------------------------------------------------------------------------------------

    def _work(self, wish: Wish) -> None:
        failed = ""
        try:
            self._answer(wish)
        except _Stopped:
            failed = "Stopped before there was anything to answer from."
        except HopliteError as error:
            failed = str(error)
        except Exception:
            _log.exception("A question of the page failed.")
            failed = "Something went wrong here; the terminal that serves this page shows what. Ask again."
        with self._changed:
            live = self._state.live
            if live is not None and live.wish is wish:  # the next question may be under way by now
                self._set(live=None, failed=failed, lost=live.turn if failed else None)

    def _answer(self, wish: Wish) -> None:
        known = self._conversation.turns
        after = len(known) - 1 if wish.again and known else len(known)
        agent = self._make(wish.form, wish.collection)
        line = self._line(agent.chat.name if agent.chat else None)
        asked, plan = wish.question, None
        # By the rules alone: what is unclear in a follow-up may be told by the turn before it.
        if open_point := agent.clarify(self._by_rules(asked, after)):
            self._update(phase="unclear", clarify=open_point)
            asked = clarified(asked, open_point, self._waited_for(lambda: self._reply))
            self._update(phase="waiting", clarify=None)
        if wish.first or wish.plan is not None:
            asked, plan = self._with_plan(wish, agent, asked, line, after)
        begun = time.monotonic()
        self._run(wish, agent, asked, plan, line, after)
        self._over(wish, time.monotonic() - begun, after)

    def _with_plan(self, wish: Wish, agent: Answers, asked: str, line: Line | None, after: int) -> tuple[str, Plan]:
        """Write a follow-up out and make the plan for it: the one that is wished for, or the one that is started once
        it was seen. Return both."""
        with turn_in(line, _LOOK, self._waits):
            written = self._conversation.standalone(agent, asked, after=after)
        if written.by != "asked":
            self._happened(Rewritten(asked, written.question, written.by))
        plan = _planned(written.question)
        if wish.plan is not None:
            plan = rewritten(plan, wish.plan)
        else:
            self._update(phase="planned", ahead=0, plan=plan)
            plan, self._go = self._waited_for(lambda: self._go), None
        self._update(phase="waiting", plan=plan)
        return written.question, plan

    def _run(self, wish: Wish, agent: Answers, asked: str, plan: Plan | None, line: Line | None, after: int) -> None:
        """Run, and where the plan is edited meanwhile, stop and run again with that one."""
        if plan is None:  # what needs no model is shown while the question waits for its turn
            self._update(plan=_planned(self._by_rules(asked, after)))
        with turn_in(line, _LOOK, self._waits):
            while True:
                if self._stop:
                    raise _Stopped
                if self._go is not None:
                    asked = self._by_rules(asked, after) if plan is None else asked
                    plan, self._go = self._go, None
                self._update(phase="running", ahead=0)
                for event in self._conversation.stream(
                    agent, asked, plan, fresh=wish.fresh or plan is not None, after=after
                ):
                    self._happened(event)
                    if (self._stop or self._go) and not isinstance(event, Answered):
                        self._conversation.stop()  # it may have been asked before there was anything to stop
                if not self._begins_again():
                    return

    def _begins_again(self) -> bool:
        """Whether the plan was edited while a run was under way; its steps stay, and what it wrote goes."""
        with self._changed:
            live = self._state.live
            if self._go is None or self._stop or live is None:
                return False
            said = "edited: the run begins again with it; what was looked up is kept"
            told = ShownStep("plan", said, items=difference(self._go))
            again = replace(live.turn, steps=(*live.turn.steps, told), draft="", answer=None)
            self._set(live=replace(live, turn=again))
            return True

    def _over(self, wish: Wish, seconds: float, after: int) -> None:
        """Show that the run is over, and then note it: a disk may be slow."""
        live, before, replaced = self._state.live, self._state.turns[:after], self._state.turns[after:]
        if live is None or live.turn.answer is None:
            return
        parts = tuple(part.text for part in live.plan.parts) if live.plan else ()
        turns = (*before, replace(live.turn, seconds=seconds, parts=parts))[-MOST_TURNS:]
        with self._changed:
            self._set(turns=turns, live=None)
        if self._stop:
            score(live.turn.answer.trace_id, STOPPED, 1.0)
        for turn in replaced:
            name = REGENERATED if turn.question == wish.question else EDITED
            score(turn.answer.trace_id if turn.answer else None, name, 1.0)
        self._note()

    def _note(self) -> None:
        """Keep the turns as they are now, one writer at a time, so that nothing older takes their place."""
        with self._keeping:
            self._keep(self.id, self._state.turns)

    def _happened(self, event: Event) -> None:
        with self._changed:
            if self._state.live is not None:
                self._set(live=replace(self._state.live, turn=self._state.live.turn.after(event)))

    def _waits(self, ahead: int) -> None:
        """Show how many are before this question. Raises _Stopped."""
        if self._stop:
            raise _Stopped
        if self._state.live and self._state.live.ahead != ahead:
            self._update(ahead=ahead)

    def _waited_for(self, said: Callable[[], T | None]) -> T:
        """Return what the person says, once they do. Raises _Stopped."""
        with self._changed:
            while (reply := said()) is None:
                if self._stop:
                    raise _Stopped
                self._changed.wait()
            return reply

    def _by_rules(self, question: str, after: int) -> str:
        """The question with what it refers to written out, as far as no model is needed for that."""
        return standalone(question, self._conversation.turns[:after]).question

    def _update(self, **changes: Any) -> None:
        with self._changed:
            if self._state.live is not None:
                self._set(live=replace(self._state.live, **changes | ({"phase": "stopping"} if self._stop else {})))

    def _set(self, **changes: Any) -> None:
        """Change the state, with the lock held."""
        self._state = replace(self._state, version=self._state.version + 1, **changes)
        self._changed.notify_all()


def _planned(question: str) -> Plan:
    """The plan that a run makes of a question."""
    return make_plan(read_form(question).subject)
