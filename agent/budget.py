"""What a run may take, and the model calls that take it: counted, ended on time, stopped from any thread."""

from __future__ import annotations

import contextvars
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent.models import ChatModel, Completion, Message
from agent.types import Usage
from ingest.errors import HopliteError, UserError

Reason = Literal["seconds", "tokens", "dollars", "stop"]

_GLANCE = 0.1  # seconds between looks at the clock and the stop request while a model is silent
_TURN = 16  # tokens that a turn takes beside its text


class BudgetSpent(HopliteError):
    """A cap of the run is reached, or someone stopped it; `reason` says which."""

    def __init__(self, reason: Reason) -> None:
        said = {
            "seconds": "the time for this run is over",
            "tokens": "the tokens for this run are used up",
            "dollars": "the dollars for this run are used up",
            "stop": "the run was stopped",
        }
        super().__init__(said[reason])
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hold:
    """What a call may take at most: kept aside until it is over."""

    tokens: int
    dollars: float


class Budget:
    """What one run may take, from the moment it is made, and has taken. `stop` may be called from any thread.

    `max_tokens` and `max_cost`, in US dollars, are over all calls. They are kept by not beginning a call that could go
    beyond them; time and a stop also end a call that is under way.
    """

    def __init__(
        self,
        max_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_tokens: int | None = None,
        max_cost: float | None = None,
    ) -> None:
        self._clock = clock
        self._began = clock()
        self._max_seconds = max_seconds
        self._max_tokens = math.inf if max_tokens is None else max_tokens
        self._max_cost = math.inf if max_cost is None else max_cost
        self._stopped = threading.Event()
        self._counting = threading.Lock()
        self._tokens = 0  # taken, and held by calls under way or never finished
        self._dollars = 0.0
        self._refused: Reason | None = None
        self._usage = Usage()
        self._models: dict[str, None] = {}

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    @property
    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._max_seconds - self.seconds)

    @property
    def usage(self) -> Usage:
        """The calls so far, and the tokens and dollars of those that ended by themselves."""
        return self._usage

    @property
    def models(self) -> tuple[str, ...]:
        """The models that answered, in the order in which they first did."""
        return tuple(self._models)

    @property
    def has_cost_cap(self) -> bool:
        """Whether dollars are limited: then every call needs a price."""
        return self._max_cost < math.inf

    @property
    def spent(self) -> Reason | None:
        """Why nothing more may begin, or None. Without tokens or dollars a search may, and perhaps a smaller call."""
        if self._stopped.is_set():
            return "stop"
        return None if self.left > 0 else "seconds"

    @property
    def ended_by(self) -> Reason | None:
        """Why the run has done less than it would have, or None."""
        return self.spent or self._refused

    def has_share(self, share: float) -> bool:
        """Return whether less than this share of each cap has gone: what remains is kept for the answer."""
        return (
            self.spent is None
            and self.seconds < share * self._max_seconds
            and self._tokens < share * self._max_tokens
            and self._dollars < share * self._max_cost
        )

    def hold(self, tokens: int, dollars: float) -> Hold:
        """Count a call and keep aside what it may take at most. Raises BudgetSpent where that much is not left."""
        reason = self.spent
        with self._counting:
            if reason is None and self._tokens + tokens > self._max_tokens:
                reason = self._refused = "tokens"
            elif reason is None and self._dollars + dollars > self._max_cost:
                reason = self._refused = "dollars"
            if reason is not None:
                raise BudgetSpent(reason)
            self._tokens += tokens
            self._dollars += dollars
            self._usage = replace(self._usage, calls=self._usage.calls + 1)
        return Hold(tokens, dollars)

    def settle(self, held: Hold, done: Completion) -> None:
        """Count what a finished call took. Of one whose model counted no tokens all that was held stays taken."""
        with self._counting:
            used = self._usage
            if done.input_tokens:
                self._tokens += done.input_tokens + done.output_tokens - held.tokens
            if done.dollars is not None:
                self._dollars += done.dollars - held.dollars
            self._usage = Usage(
                used.calls,
                used.input_tokens + done.input_tokens,
                used.cached_tokens + done.cached_tokens,
                used.output_tokens + done.output_tokens,
                None if used.dollars is None or done.dollars is None else used.dollars + done.dollars,
                used.seconds + done.seconds,
                used.first_token_seconds + done.first_token_seconds,
            )
            self._models[done.model] = None

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
        """Raises UserError where dollars are limited and nobody knows what the model costs."""
        self._chat = chat
        self._budget = budget
        self.price = chat.price if budget.has_cost_cap else None
        if budget.has_cost_cap and self.price is None:
            raise UserError(
                f"What {chat.name} costs is not known, so that no dollars can be counted. Leave out --max-cost "
                "(max_cost), set max_tokens instead, or choose a model with a known price."
            )

    @property
    def name(self) -> str:
        """The model's name."""
        return self._chat.name

    def begin(
        self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = (), temperature: float = 0.0
    ) -> Call:
        """Start a call. Raises BudgetSpent where there is not enough left for one."""
        held = self._hold(messages, max_tokens)

        def work(on_token: Callable[[str], None]) -> Completion:
            done = self._chat.complete(
                messages, max_tokens=max_tokens, stop=stop, temperature=temperature, on_token=on_token
            )
            self._budget.settle(held, done)
            return done

        return Call(work, self._budget)

    def _hold(self, messages: Sequence[Message], max_tokens: int) -> Hold:
        """Keep aside what a call takes at most. Prose and code have some four bytes a token, so two is safe."""
        read = sum(len(message["content"].encode("utf-8", "replace")) // 2 + _TURN for message in messages)
        return self._budget.hold(read + max_tokens, self.price.of(read, 0, max_tokens) if self.price else 0.0)

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
