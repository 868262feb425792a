"""The agent: one question at a time, from recall to memory, as a stream of events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from agent.answer import MAX_TOKENS, STOP, answer_messages, finished, nothing_found
from agent.answer_cache import AnswerCache, still_stands
from agent.budget import Budget, BudgetSpent, MeteredChat
from agent.citations import Claim, check, denies, support, traced, without_labels
from agent.extract import extract, quoted
from agent.gather import Gatherer, StepExecutor
from agent.memory import Memory
from agent.models import ChatModel
from agent.plan import make_plan
from agent.reflect import Reflection, reflect
from agent.run import Run
from agent.types import (
    Answer,
    Answered,
    AnswerToken,
    Event,
    Library,
    Limits,
    Planned,
    Recalled,
    Reflected,
    Remembered,
    Searched,
    Step,
    Usage,
)
from agent.units import units
from ingest.errors import UserError
from ingest.names import identifiers, unique
from retrieval.types import Passage, SearchResult

_LEADS = 6  # documents that the names in the first passages lead to
_SECOND_DRAFT = 0.5  # share of a run's seconds after which no second draft begins
_NAMES_PURSUED = 2  # names of the question that its search missed, each given a search of its own
_LONGEST_QUESTION = 4000  # characters


class Agent:
    """Answers questions over a library. One run at a time; `stop` may be called from any thread.

    Without a `chat` it answers extractively. `executor` makes the place where code steps run, when one is needed;
    without it there are none.
    """

    def __init__(
        self,
        library: Library,
        *,
        chat: ChatModel | None,
        memory: Memory | None = None,
        executor: Callable[[], StepExecutor] | None = None,
        limits: Limits | None = None,
        answers: AnswerCache | None = None,
    ) -> None:
        self._library = library
        self._chat = chat
        self._answers = answers
        self._memory = memory
        self._limits = limits or Limits()
        self._gatherer = Gatherer(executor, self._limits) if executor and chat else None
        self._budget: Budget | None = None
        self._busy = threading.Lock()

    @property
    def chat(self) -> ChatModel | None:
        """The model that answers."""
        return self._chat

    def ask(self, question: str) -> Answer:
        """Return the checked answer. Raises as `stream` does."""
        return next(event.answer for event in list(self.stream(question)) if isinstance(event, Answered))

    def stream(self, question: str, *, fresh: bool = False) -> Iterator[Event]:
        """Yield what happens; `Answered` comes once and `Remembered` last. An answer that was kept comes alone, unless
        a `fresh` one is asked for.

        Raises UserError for an empty question, for a second run at the same time, and where the model is unavailable.
        """
        run = self._begin(question)
        try:
            if not fresh and (kept := self._kept(run)) is not None:
                yield Answered(kept)
                return
            yield self._recall(run)
            yield Planned(run.plan.line)
            reflection = yield from self._search(run)
            yield from self._gather(run, reflection)
            answer = yield from self._answer(run)
            self._keep(run, answer)
            yield Answered(answer)
            yield self._remember(run, answer)
        finally:
            self._end(run)

    def stop(self) -> None:
        """End the run under way, if there is one: it still gives the best cited answer so far."""
        if (budget := self._budget) is not None:
            budget.stop()
        if self._gatherer is not None:
            self._gatherer.interrupt()

    def _begin(self, question: str) -> Run:
        question = question.strip()
        if not question:
            raise UserError('The question is empty. Ask one, as in: hoplite ask "Which module opens the store?"')
        if len(question) > _LONGEST_QUESTION:
            raise UserError(
                f"The question has {len(question)} characters; {_LONGEST_QUESTION} are the most. Shorten it."
            )
        if not self._busy.acquire(blocking=False):
            raise UserError("This agent is answering another question. Wait for it, or stop it first.")
        self._budget = Budget(self._limits.max_seconds)
        chat = MeteredChat(self._chat, self._budget) if self._chat else None
        return Run(question, make_plan(question), self._budget, chat, self._library)

    def _kept(self, run: Run) -> Answer | None:
        """Return what this question was answered before, where that still stands."""
        found = self._answers.find(run.question) if self._answers else None
        kept = still_stands(found, self._library) if found else None
        if kept is None:
            return None
        run.note("hoplite.cached", kept.cached or "")
        timings = {"total": run.budget.seconds}
        return replace(kept, question=run.question, usage=Usage(), timings=timings, trace_id=run.trace_id)

    def _keep(self, run: Run, answer: Answer) -> None:
        """Keep the answer for the same question. Notes are in no key, and they reach the code steps alone: an answer
        that both were behind may be another one when the notes are."""
        hinted = run.notes and any(step.kind == "code" for step in run.steps)
        if self._answers is not None and not hinted:
            self._answers.keep(run.question, answer)

    def _recall(self, run: Run) -> Recalled:
        """Find notes of earlier runs. They hint at where to look; no answer is written from them."""
        with run.stage("recall"):
            run.notes = self._memory.recall(run.question) if self._memory else ()
            stale = frozenset(n.id for n in run.notes if any(_digest(run, p) != d for p, d in n.digests.items()))
        return Recalled(run.notes, stale)

    def _search(self, run: Run) -> Generator[Event, None, Reflection]:
        """Search for the question, then for names of it that this did not reach. Returns the reflection."""
        yield self._searched(run, run.question)
        reflection = reflect(run.question, run.plan, list(run.ledger))
        for name in reflection.lacking_names[:_NAMES_PURSUED]:
            if run.budget.spent is None:
                yield self._searched(run, " ".join([name, *reflection.lacking_words]))
        reflection = reflect(run.question, run.plan, list(run.ledger))
        yield Reflected(reflection.line, reflection.enough)
        if not reflection.enough and run.budget.spent is None:
            yield self._led(run)
            reflection = reflect(run.question, run.plan, list(run.ledger))
            yield Reflected(reflection.line, reflection.enough)
        return reflection

    def _searched(self, run: Run, query: str) -> Searched:
        """Search, and enter the best passages in the ledger."""
        before, breadth = run.budget.seconds, self._limits.breadth
        with run.stage("search"):
            result = self._library.search(query, k=2 * breadth)  # hits that touch become one passage
            labels = self._enter(run, result, breadth)
            shown = {passage.path for passage in run.ledger}
            run.found = run.found or tuple(hit for hit in result.hits if hit.chunk.path in shown)[:breadth]
        run.toolbox.note_search(query, labels)
        run.steps.append(Step("search", query, labels))
        return Searched(query, run.shown(labels), run.budget.seconds - before)

    def _led(self, run: Run) -> Searched:
        """Open the documents that the names in the first search's hits lead to."""
        before = run.budget.seconds
        with run.stage("leads"):
            result = self._library.leads(run.question, run.found, k=_LEADS)
            labels = self._enter(run, result, _LEADS)
        run.leads_followed = True
        names = unique(via.removeprefix("hop: ") for hit in result.hits for via in hit.via)
        query = f"what these name: {', '.join(names) or 'nothing new'}"
        run.steps.append(Step("search", query, labels))
        return Searched(query, run.shown(labels), run.budget.seconds - before)

    def _enter(self, run: Run, result: SearchResult, limit: int) -> tuple[str, ...]:
        first = run.ledger.next_label
        found = self._library.passages(result, query=result.query, limit=limit, first_label=first)
        return tuple(added.label for added in run.ledger.add(found))

    def _gather(self, run: Run, reflection: Reflection) -> Iterator[Event]:
        """Let the model look for what is lacking. Evidence that covers the question needs no step."""
        if self._gatherer and run.chat and not reflection.enough and self._limits.max_steps > 0:
            yield from self._gatherer.gather(run, run.chat, reflection)

    def _answer(self, run: Run) -> Generator[Event, None, Answer]:
        """Write a draft and check it. Where nothing supports it and time remains, go back once: open what the passages
        name, and write from the passages that the first draft was not written from."""
        wanted = identifiers(run.question)
        draft = yield from self._write(run, run.ledger.best(self._limits.passages, wanted))
        answer = self._verify(run, draft)
        if run.chat is None or not answer.abstained or not run.budget.has_share(_SECOND_DRAFT):
            return answer
        yield Reflected("these passages do not answer it: on to what they name, and to the others", enough=False)
        if not run.leads_followed:
            yield self._led(run)
        others = run.ledger.others(self._limits.passages, run.answered_from, wanted)
        draft = yield from self._write(run, others)
        return self._verify(run, draft) if draft else answer

    def _write(self, run: Run, passages: Sequence[Passage]) -> Generator[Event, None, str]:
        """Write a draft in one call from these passages. Returns it, "" where there is none."""
        if run.chat is None or not passages:
            return ""
        run.answered_from |= {passage.label for passage in passages}
        messages = answer_messages(run.question, passages, run.marker, self._limits.profile)
        stage = run.open("answer")
        try:
            with stage.current():
                call = run.chat.begin(messages, max_tokens=MAX_TOKENS, stop=STOP)
            for piece in call:
                yield AnswerToken(piece)
        except BudgetSpent:
            return ""
        finally:
            stage.close()
        return finished(call.text, cut=call.cut is not None)

    def _verify(self, run: Run, draft: str) -> Answer:
        """Check the draft; where a cap, or no model, left none, check the best sentences of the sources instead."""
        with run.stage("verify") as span:
            quotable = [unit for passage in run.ledger for unit in units(passage, run.kind(passage.path))]
            if not draft:
                claims = [Claim(quoted(u, run.kind(u.passage.path)), (u,)) for u in extract(run.question, quotable)]
            else:
                claims = [] if denies(draft) else support(run.question, draft, quotable)
            checked = check(claims, run.document)
            source_of = self._library.source_of
            cited = tuple(traced(c, stale=run.changed(c.path), source=source_of(c.path)) for c in checked.citations)
            paths = unique([c.path for c in cited] if checked.supported else [p.path for p in run.ledger])
            stale = tuple(path for path in paths if run.changed(path))
            span.set_attribute("hoplite.citations", len(checked.citations))
            span.set_attribute("hoplite.supported", checked.supported)
        return Answer(
            question=run.question,
            answer=checked.text if checked.supported else nothing_found(run.toolbox.queries),
            abstained=not checked.supported,
            citations=cited if checked.supported else (),
            steps=tuple(run.steps),
            usage=run.chat.usage if run.chat else Usage(),
            timings={**run.timings, "total": run.budget.seconds},
            trace_id=run.trace_id,
            stopped=run.budget.spent,
            passages=tuple(run.ledger),
            stale=stale,
        )

    def _remember(self, run: Run, answer: Answer) -> Remembered:
        """Write a note of a supported answer. An abstention makes none: it would hint at nothing."""
        if self._memory is None:
            return Remembered(None, "there is no memory")
        if answer.abstained:
            return Remembered(None, "nothing was concluded")
        with run.stage("remember"):
            verified = tuple(c for c in answer.citations if c.verified)
            digests = {c.path: digest for c in verified if (digest := _digest(run, c.path))}
            try:
                note = self._memory.remember(run.question, without_labels(answer.answer), verified, digests)
            except UserError as error:  # the answer is given already; it does not fall with its note
                return Remembered(None, str(error))
        return Remembered(note)

    def _end(self, run: Run) -> None:
        run.end()
        run.budget.stop()  # a reader that left early must not leave a model writing
        self._budget = None
        self._busy.release()


def _digest(run: Run, path: str) -> str | None:
    document = run.document(path)
    return document.digest if document else None
