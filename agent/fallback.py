"""Several language models as one: the next is asked where one is unavailable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from agent.models import ChatModel, Completion, Message, Price
from ingest.errors import ModelUnavailable

REST = 60.0
"""Seconds for which a model that was unavailable is not asked again while another one is there."""


class Fallback:
    """ChatModel that asks its models in their order until one answers.

    Text that was shown cannot be taken back: after the first piece the next model is not asked.
    """

    def __init__(self, chats: Sequence[ChatModel]) -> None:
        """`chats` are at least one, the preferred first."""
        self._chats = tuple(chats)
        self._rested = [0.0] * len(chats)  # When each may be asked again, on the monotonic clock.

    @property
    def name(self) -> str:
        """The names, with commas."""
        return ", ".join(chat.name for chat in self._chats)

    @property
    def price(self) -> Price | None:
        """What a token costs at most, None where one model's price is not known."""
        prices = [chat.price for chat in self._chats]
        known = [price for price in prices if price is not None]
        if len(known) < len(prices):
            return None
        return Price(*(max(column) for column in zip(*((p.input, p.cached, p.output) for p in known), strict=True)))

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        on_token: Callable[[str], None] | None = None,
    ) -> Completion:
        """Return the next turn of the first model that is there. See `ChatModel.complete`.

        Raises ModelUnavailable with every model's reason where none is there.
        """
        begun = False

        def heard(piece: str) -> None:
            nonlocal begun
            begun = begun or bool(piece)
            if on_token is not None:
                on_token(piece)

        reasons: list[str] = []
        for number in self._order():
            if reasons:
                heard("")  # Whoever stopped the call is asked before another model is.
            try:
                return self._chats[number].complete(
                    messages, max_tokens=max_tokens, stop=stop, temperature=temperature, on_token=heard
                )
            except ModelUnavailable as error:
                if begun:
                    raise
                self._rested[number] = monotonic() + REST
                reasons.append(str(error))
        raise ModelUnavailable(f"None of {self.name} is there. {' '.join(reasons)}")

    def _order(self) -> list[int]:
        """Those that may be asked, in their order, then those that rest."""
        now = monotonic()
        return sorted(range(len(self._chats)), key=lambda number: self._rested[number] > now)
