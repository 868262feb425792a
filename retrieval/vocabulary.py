"""Numbers for words, in the order in which they are first asked for."""

from __future__ import annotations


class Vocabulary(dict[str, int]):
    """`vocabulary[word]` numbers a new word. Through `map` that is a third of the time that `setdefault` takes."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number
