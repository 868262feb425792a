"""What Hoplite's answers are compared with: the same model over the same index, without hops and without an agent."""

from __future__ import annotations

from agent.answer import MAX_TOKENS, STOP, answer_messages, finished
from agent.citations import without_labels
from agent.guard import Marker
from agent.models import ChatModel
from evals.datasets import Question
from evals.types import RunAnswer
from retrieval.library import Library

PASSAGES = 5


def one_call(library: Library, chat: ChatModel, question: Question, *, profile: str) -> RunAnswer:
    """Answer in one call from the five best passages of words and vectors fused, with the agent's own prompt.

    Nothing is checked: what the model says is the answer, and it abstains where it says so itself.
    """
    result = library.search(question.question, k=PASSAGES, hops=0, rerank=False)
    passages = library.passages(result, query=question.question, limit=PASSAGES)
    messages = answer_messages(question.question, passages, Marker(), f"answer_{profile}")
    said = chat.complete(messages, max_tokens=MAX_TOKENS, stop=STOP)
    shown = tuple(dict.fromkeys(passage.path for passage in passages))
    return RunAnswer(
        answer=without_labels(finished(said.text, cut=False)),
        shown=shown,
        usage={
            "calls": 1,
            "input_tokens": said.input_tokens,
            "cached_tokens": said.cached_tokens,
            "output_tokens": said.output_tokens,
            **({} if said.dollars is None else {"dollars": said.dollars}),
            "seconds": said.seconds,
            "first_token_seconds": said.first_token_seconds,
        },
    )
