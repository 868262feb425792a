"""What a span says of itself, in words that all floors share.

Names are those of OpenTelemetry's GenAI conventions where there is one, of OpenInference where Phoenix needs one, and
else `hoplite.…`. docs/tracing.md has the whole table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KIND = "openinference.span.kind"  # AGENT, CHAIN, LLM, TOOL, RETRIEVER, RERANKER, EMBEDDING or EVALUATOR
OPERATION = "gen_ai.operation.name"
INPUT = "input.value"
OUTPUT = "output.value"
QUERY = "gen_ai.retrieval.query.text"
ERROR = "error.type"

_DOCUMENT = "retrieval.documents"
_LONGEST_CONTENT = 2_000  # characters of one document

# Text that names a kind, a model, a version or an identity, and never what somebody asked or what a file says.
_NOT_CONTENT = frozenset(
    {
        KIND,
        OPERATION,
        ERROR,
        "gen_ai.agent.name",
        "gen_ai.conversation.id",
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.label",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "hoplite.cached",
        "hoplite.evaluation",
        "hoplite.form",
        "hoplite.note.how",
        "hoplite.price_list",
        "hoplite.prompt",
        "hoplite.stopped",
        "sandbox.attempts",
        "sandbox.level",
        "session.id",
    }
)


def is_content(name: str, value: object) -> bool:
    """Return whether an attribute may say what was asked, answered or read: all text does but for a list of names.

    Who hands spans on leaves these out, or masks them, by this rule; so do the messages of errors and of events.
    """
    parts = value if isinstance(value, list | tuple) else (value,)
    return name not in _NOT_CONTENT and any(isinstance(part, str) for part in parts)


def documents(found: Iterable[tuple[str, float, str]]) -> Mapping[str, str | float]:
    """Return (id, score, content) of each document as attributes, in their order; long content is cut."""
    attributes: dict[str, str | float] = {}
    for number, (name, score, content) in enumerate(found):
        place = f"{_DOCUMENT}.{number}.document"
        attributes[f"{place}.id"] = name
        attributes[f"{place}.score"] = score
        attributes[f"{place}.content"] = content[:_LONGEST_CONTENT]
    return attributes
