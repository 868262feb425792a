"""A language model for tests: it answers from a script, so that a test says exactly what the model said."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

from agent.models import FREE, Completion, Message, Piece, Price, Request, StreamedChat

Line = str | Callable[[Sequence[Message]], str]


class ScriptedModel:
    """ChatModel that gives the lines of a script, one a call; a callable line sees the conversation.

    `calls` keeps the conversations it was asked. Tokens are counted in words, and cost what `price` says. A call after
    the last line fails.
    """

    def __init__(self, script: Iterable[Line], *, name: str = "scripted", price: Price | None = FREE) -> None:
        self.name = name
        self.price = price
        self.calls: list[tuple[Message, ...]] = []
        self._script = list(script)

    @property
    def unspoken(self) -> int:
        """How many lines have not been used: a test that expects the whole script asserts 0."""
        return len(self._script) - len(self.calls)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        on_token: Callable[[str], None] | None = None,
    ) -> Completion:
        """Return the script's next line, by the same path as a real model's answer: same span, same stops."""
        chat = StreamedChat(self.name, self._stream, pricing=lambda: self.price)
        return chat.complete(messages, max_tokens=max_tokens, stop=stop, temperature=temperature, on_token=on_token)

    def _stream(self, request: Request) -> Generator[Piece, None, None]:
        if not self.unspoken:
            last = request.messages[-1]["content"] if request.messages else ""
            raise AssertionError(f"The script of {len(self._script)} lines is over, and the model was asked: {last}")
        line = self._script[len(self.calls)]
        self.calls.append(request.messages)
        text = line if isinstance(line, str) else line(request.messages)
        for word in text.splitlines(keepends=True):
            yield Piece(word)
        yield Piece(
            input_tokens=sum(len(message["content"].split()) for message in request.messages),
            output_tokens=len(text.split()),
        )
