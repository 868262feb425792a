"""The values of one run: what was asked, what happened, what is answered, and what the agent asks of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agent.sensitive import MaskLevel
from ingest.types import Document
from retrieval.types import Hit, Passage, Place, Scope, SearchResult, Source

if TYPE_CHECKING:
    from agent.reflect import Reflection
    from ingest.types import Chunk

_LONGEST_CONCLUSION = 300  # characters

# What the agent asks of others --------------------------------------------------------------------------------------


class SymbolsLike(Protocol):
    """Who defines a name and who mentions it."""

    @property
    def defined(self) -> tuple[Chunk, ...]: ...
    @property
    def mentioned(self) -> tuple[Chunk, ...]: ...


class DefinitionLike(Protocol):
    """One thing that a name can mean, and who calls it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def callers(self) -> tuple[Chunk, ...]: ...
    @property
    def possible(self) -> tuple[Chunk, ...]: ...


class Library(Protocol):
    """An open workspace, as far as the agent needs it. Everything in it only reads."""

    def search(
        self, query: str, *, k: int = 8, hops: int | None = None, scope: Scope | None = None, rerank: bool = True
    ) -> SearchResult:
        """Return the best chunks for the query, hops included."""
        ...

    def passages(self, result: SearchResult, *, query: str, limit: int = 3, first_label: int = 1) -> list[Passage]:
        """Return the hits merged and trimmed for the query, labelled from `first_label` on."""
        ...

    def leads(self, query: str, hits: Sequence[Hit], *, k: int = 6) -> SearchResult:
        """Return the best chunks of other documents that the names in these hits lead to."""
        ...

    def chunk_with(self, path: str, line: int, quote: str) -> Chunk | None:
        """Return the chunk of a document that holds a quote, else the one at a line of it; None where neither is."""
        ...

    def read(self, path: str, start_line: int, end_line: int) -> Passage:
        """Return lines of an indexed file. Raises ToolError for a path or lines that are not there."""
        ...

    def grep(self, pattern: str, path_glob: str | None = None, limit: int = 20) -> list[tuple[str, int, str]]:
        """Return (path, line, text) where the regular expression matches. Raises ToolError for a bad pattern."""
        ...

    def symbols(self, name: str, limit: int = 10) -> SymbolsLike:
        """Return the chunks that define a name and those that mention it."""
        ...

    def callers(self, name: str) -> Sequence[DefinitionLike]:
        """Return everything in code that a name can mean, each with the chunks that call it."""
        ...

    def meanings(self, name: str) -> list[str]:
        """Return everything in code that a name can mean, as `path:name`, tests left out where others are left."""
        ...

    def paths(self) -> list[str]:
        """Return every indexed document's path, sorted."""
        ...

    def resolve(self, path: str) -> Document | None:
        """Return the file as it is now, loaded as it was for the index; None where it cannot be read."""
        ...

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 that a document's file had when it was indexed; None where it is not indexed."""
        ...

    def source_of(self, path: str) -> Source | None:
        """Return where a document came from and when; None where that is not known."""
        ...

    @property
    def version(self) -> str | None:
        """What changes with every index run that changed something; None where that cannot be known."""
        ...

    @property
    def place(self) -> Place:
        """Where the store is that a search asks."""
        ...


Form = Literal["short", "paragraph", "report", "table"]
"""How long an answer is, and what it looks like."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take. `passages` is how many the answer is written from, `breadth` how many a search brings.

    `max_tokens`, read and written, and `max_cost`, in US dollars, are over all model calls; None is no cap.
    `form` is the answer's; `auto` reads it off the question. `judge`: the model is asked, once for each part of a
    longer form, whether the sources say what words alone do not settle.
    """

    max_steps: int = 2
    max_seconds: float = 120.0
    max_tokens: int | None = None
    max_cost: float | None = None
    passages: int = 5
    breadth: int = 8
    profile: Literal["compact", "full"] = "compact"
    form: Form | Literal["auto"] = "auto"
    judge: bool = False


# What a run gives ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a cited file came from, and when it was read (UTC, ISO 8601).

    `url` is a page's or a repository's address, None for a file of this machine; `commit` is None where there is none.
    `dirty`: the folder had changes that are in no commit, or the file changed since, so the commit need not hold this
    text.
    """

    url: str | None
    commit: str | None
    fetched_at: str
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote that supports a claim. `start_line` and `end_line` are the quote's, lines of the file counted from 1.

    `verified`: the file was read again and the quote stands at these lines, up to white space. `stale`: the file is not
    the one that was indexed any more, whether or not the quote still stands in it. `source` is None for a file of this
    machine that no commit holds. `page` is the page or slide on which the quote begins, None where the format has
    neither. `moved`: the quote stands outside the lines where it stood when the file was indexed. `judged`: that the
    quote says what cites it is the judgement of a model; words alone did not settle it.
    """

    label: str
    path: str
    start_line: int
    end_line: int
    quote: str
    verified: bool
    stale: bool = False
    source: Origin | None = None
    page: int | None = None
    moved: bool = False
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report.

    `text` carries labels, `labels` names them, each once; "" and () where the sources say nothing of it. `follow_up` is
    the question that asks for this part alone, in a run of its own.
    """

    title: str
    text: str
    labels: tuple[str, ...]
    follow_up: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two sources that say the same of the same thing, but for one value: `values` as each of them writes it."""

    about: str
    values: tuple[str, str]
    citations: tuple[Citation, Citation]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the run did to gather evidence. `labels` are the passages it brought that were not shown before; of
    "memory", where what earlier runs cited was opened, all of them."""

    kind: Literal["search", "code", "memory"]
    text: str
    labels: tuple[str, ...] = ()
    observation: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Model calls, their tokens and their times, over one run. `dollars` is None where a call's price is not known.

    `seconds` are those of the calls that ended by themselves, `first_token_seconds` what of them went by before the
    first piece of text.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    dollars: float | None = 0.0
    seconds: float = 0.0
    first_token_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What left this machine for an answer: to which hosts, or providers where only LiteLLM knows the host. `masked`
    counts, by their kind, the different values that stand-ins took the place of; `mask` is the setting."""

    to: tuple[str, ...]
    mask: MaskLevel
    masked: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a run. `answer` carries labels such as [1]; `citations` resolve them.

    `abstained`: nothing that the sources say supports an answer. `stopped` names the cap or the request that ended the
    run early ("seconds", "tokens", "dollars", "stop"), after which this is the best cited answer so far; None for a run
    that finished. `timings` maps each stage to seconds; `trace_id` is OpenTelemetry's, 32 hexadecimal digits. `stale`
    are the documents behind the answer (behind an abstention, all that were shown) whose file changed or went away
    since it was indexed. `models` are those that were asked and answered. `sections` are a report's, whose
    whole text is `answer`; other forms have none. `disagreements` are values in which the passages that were shown
    contradict each other. `cached` is when the run was that wrote this answer (UTC, ISO 8601), where that is not
    this one. `sandbox` is the level at which the run's code steps were run: strong, interpreter, off, or "no code".
    `sent` is what left this machine for it, None where nothing did.
    """

    question: str
    answer: str
    abstained: bool
    citations: tuple[Citation, ...] = ()
    steps: tuple[Step, ...] = ()
    usage: Usage = Usage()
    timings: Mapping[str, float] = field(default_factory=dict)
    trace_id: str = ""
    stopped: str | None = None
    passages: tuple[Passage, ...] = ()
    stale: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    form: Form = "short"
    sections: tuple[Section, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    cached: str | None = None
    sandbox: str = ""
    sent: Sent | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what `hoplite ask --json` prints: everything but the passages."""
        shown = asdict(self)
        del shown["passages"]
        return shown


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a run concluded: a sentence of its checked answer, or a quote, with all that it rests on."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """A fact that a note said until `ended`, and why it does not any more. Times are in seconds since 1970."""

    fact: Fact
    noted: float
    ended: float
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """What earlier runs concluded on one question: a hint where to look, never evidence.

    `facts` are those whose quotes stood when they were last looked at, `history` those that fell or were replaced,
    oldest first. `also` are other questions that came to the same, `names` what it is about, `digests` maps each cited
    path to the SHA-256 its file had. `created` and `checked` are in seconds since 1970. `untrusted`: text that is not
    known to be the user's own was in view when a fact was noted.
    """

    id: int
    question: str
    facts: tuple[Fact, ...]
    names: tuple[str, ...]
    digests: Mapping[str, str]
    created: float
    checked: float
    untrusted: bool = True
    also: tuple[str, ...] = ()
    history: tuple[Past, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether nothing that it said stands any more: all that is left is where that stood."""
        return not self.facts

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What its facts rest on, each once; of a stale note, where the facts stood that it had."""
        facts = self.facts or tuple(past.fact for past in reversed(self.history))
        return tuple(dict.fromkeys(c for fact in facts for c in fact.citations))

    @property
    def conclusion(self) -> str:
        """What it says in short: its first facts, whole, as far as 300 characters go; "" of a stale note."""
        said = list(dict.fromkeys(fact.text for fact in self.facts))
        short = said[:1]
        for text in said[1:]:
            if len(" ".join([*short, text])) > _LONGEST_CONCLUSION:
                break
            short.append(text)
        return " ".join(short)[:_LONGEST_CONCLUSION]

    def as_json(self) -> dict[str, Any]:
        """Return what `hoplite memory --json` prints of a note."""
        return {**asdict(self), "conclusion": self.conclusion, "stale": self.stale}


# What happens on the way: one union, rendered by a terminal and by a page ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A follow-up of a conversation, and the question that is asked in its place because it stands alone.

    `by` says what wrote it: the rules, or the model within what the rules accept.
    """

    asked: str
    question: str
    by: Literal["rules", "model"]


@dataclass(frozen=True, slots=True)
class Recalled:
    """Notes of earlier runs that may help, looked at again.

    `stale` holds the ids of those that their sources do not bear out any more, whole or in part, `renewed` of those
    whose sources changed and still do. `problem` tells why notes could not be read, "" where they could.
    """

    notes: tuple[Note, ...]
    stale: frozenset[int] = frozenset()
    renewed: frozenset[int] = frozenset()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Clarify:
    """What the question leaves open, asked once before the work; a run goes on without a reply.

    `choices` are what it can mean, `path:name` each; () where the reply is free.
    """

    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan line. `parts` are the sub-questions, each with what would answer it; () for a simple question.

    `changes` are lines of a difference to the parts that were made first; () where nobody changed them.
    """

    line: str
    parts: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Searched:
    """The system's own search and the passages that it brought."""

    query: str
    passages: tuple[Passage, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Stepped:
    """A code step: what the model wrote, and what came of it. `passages` were not shown before."""

    number: int
    code: str
    observation: str
    passages: tuple[Passage, ...]
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Reflected:
    """What is known and what is lacking, as the system counts it, and what follows from it.

    `seen` says it for each sub-question; None where the run turned back for another reason, which `line` tells.
    """

    line: str
    enough: bool
    seen: Reflection | None = None
    then: Literal["continue", "back up", "stop"] = "continue"


@dataclass(frozen=True, slots=True)
class AnswerToken:
    """A piece of the draft as the model writes it. The draft is not yet checked: `Answered` replaces it."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The checked answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Remembered:
    """The note that was written, or None with the reason why not. `how` tells whether it was new, said the same as one
    that was there, or took the place of what that one said."""

    note: Note | None
    reason: str = ""
    how: Literal["new", "merged", "replaced"] = "new"


Event = Rewritten | Recalled | Clarify | Planned | Searched | Stepped | Reflected | AnswerToken | Answered | Remembered
