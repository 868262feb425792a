"""What a run may take, and the model calls that take it: counted, ended on time, stopped from any thread."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from agent.models import ChatModel, Completion, Message
from agent.types import Usage
from ingest.errors import HopliteError

Reason = Literal["seconds", "stop"]

_GLANCE = 0.1  # seconds between looks at the clock and the stop request while a model is silent


class BudgetSpent(HopliteError):
    """The run's time is over, or someone stopped it; `reason` says which."""

    def __init__(self, reason: Reason) -> None:
        super().__init__({"seconds": "the time for this run is over", "stop": "the run was stopped"}[reason])
        self.reason = reason


class Budget:
    """The time of one run, from the moment it is made. `stop` may be called from any thread."""

    def __init__(self, max_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._max_seconds = max_seconds
        self._stopped = threading.Event()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._max_seconds - self.seconds)

    @property
    def spent(self) -> Reason | None:
        """Why nothing more may begin, or None."""
        if self._stopped.is_set():
            return "stop"
        return None if self.left > 0 else "seconds"

    def has_share(self, share: float) -> bool:
        """Return whether less than this share of the time has gone: what remains is kept for the answer."""
        return self.spent is None and self.seconds < share * self._max_seconds

    def check(self) -> None:
        """Raise BudgetSpent where nothing more may begin."""
        if (reason := self.spent) is not None:
            raise BudgetSpent(reason)

    def stop(self) -> None:
        """End the run at its next glance at the budget, at most a tenth of a second into a model call."""
        self._stopped.set()


class Call:
    """One model call under way in a thread of its own. Iterate it for the pieces of text as they come.

    Afterwards `text` holds what came, `completion` the model's account of it, and `cut` the reason where the budget
    ended the call. An error of the model is raised by the iteration.
    """

    def __init__(self, begin: Callable[[Callable[[str], None]], Completion], budget: Budget) -> None:
        self.text = ""
        self.completion: Completion | None = None
        self.cut: Reason | None = None
        self._budget = budget
        self._pieces: queue.SimpleQueue[str | Completion | BaseException] = queue.SimpleQueue()
        # The model's span must find its parent: a new thread starts without the context.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work, begin), daemon=True, name="model-call")
        self._thread.start()

    def _work(self, begin: Callable[[Callable[[str], None]], Completion]) -> None:
        try:
            self._pieces.put(begin(self._on_token))
        except BaseException as error:  # carried to the thread that iterates, which raises it
            self._pieces.put(error)

    def _on_token(self, piece: str) -> None:
        if self.cut or (reason := self._budget.spent):
            raise BudgetSpent(self.cut or reason or "stop")  # ends the call inside the model
        if piece:
            self._pieces.put(piece)

    def __iter__(self) -> Iterator[str]:
        while True:
            try:
                piece = self._pieces.get(timeout=_GLANCE)
            except queue.Empty:
                if (reason := self._budget.spent) is not None:
                    self.cut = reason  # the thread ends at its next token; nobody waits for it
                    return
                continue
            if isinstance(piece, BudgetSpent):
                self.cut = piece.reason
                return
            if isinstance(piece, BaseException):
                raise piece
            if not isinstance(piece, str):
                self.completion = piece
                self.text = piece.text
                return
            self.text += piece
            yield piece


class MeteredChat:
    """A chat model within a run's budget: each call is checked before it starts, counted, and ended on time."""

    def __init__(self, chat: ChatModel, budget: Budget) -> None:
        self._chat = chat
        self._budget = budget
        self._usage = Usage()

    @property
    def name(self) -> str:
        """The model's name."""
        return self._chat.name

    @property
    def usage(self) -> Usage:
        """The calls so far, and the tokens of those that ended by themselves."""
        return self._usage

    def begin(
        self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = (), temperature: float = 0.0
    ) -> Call:
        """Start a call. Raises BudgetSpent where there is no time for one."""
        self._budget.check()
        used = self._usage
        self._usage = Usage(used.calls + 1, used.input_tokens, used.cached_tokens, used.output_tokens)

        def work(on_token: Callable[[str], None]) -> Completion:
            done = self._chat.complete(
                messages, max_tokens=max_tokens, stop=stop, temperature=temperature, on_token=on_token
            )
            self._count(done)
            return done

        return Call(work, self._budget)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        on_token: Callable[[str], None] | None = None,
    ) -> Completion:
        """Return the finished reply, as any chat does. Raises BudgetSpent where the budget ended it."""
        call = self.begin(messages, max_tokens=max_tokens, stop=stop, temperature=temperature)
        for piece in call:
            if on_token is not None:
                on_token(piece)
        if call.completion is None:
            raise BudgetSpent(call.cut or "stop")
        return call.completion

    def _count(self, done: Completion) -> None:
        used = self._usage
        self._usage = Usage(
            used.calls,
            used.input_tokens + done.input_tokens,
            used.cached_tokens + done.cached_tokens,
            used.output_tokens + done.output_tokens,
        )
