"""The agent: one question at a time, from recall to memory, as a stream of events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.answer_cache import AnswerCache, still_stands
from agent.budget import Budget, MeteredChat
from agent.citations import without_labels
from agent.clarify import clarify
from agent.forms import read_form
from agent.gather import Gatherer, StepExecutor
from agent.journal import Journal
from agent.journaled import JournaledLibrary
from agent.memory import Memory
from agent.models import ChatModel
from agent.notes import Draft, facts_of
from agent.outgoing import Outgoing
from agent.plan import Plan, owes_a_number
from agent.plan_edit import announced
from agent.reflect import Reflection, reflect, reflected
from agent.roles import Roles, one_for_all
from agent.run import Run, refused
from agent.scores import score
from agent.types import (
    Answer,
    Answered,
    Clarify,
    Event,
    Library,
    Limits,
    Recalled,
    Reflected,
    Remembered,
    Resumed,
    Searched,
    Step,
    Usage,
    Withdrawn,
)
from agent.writer import Writer
from ingest.errors import UserError
from ingest.languages.recognise import document_format
from ingest.names import identifiers, unique
from retrieval.types import Hit, SearchResult

if TYPE_CHECKING:
    from agent.journals import Finished, Journals

_MOST_OPENED = 6  # passages that notes of earlier runs cite
_LEADS = 6  # documents that the names in the first passages lead to
_SECOND_DRAFT = 0.5  # share of a run's seconds after which no second draft begins
_HOP = 3  # passages that say what a thing is called which the question describes
_NAMES_PURSUED = 2  # names of the question that its search missed, each given a search of its own
_LONGEST_QUESTION = 4000  # characters


class Agent:
    """Answers questions over a library. One run at a time; `stop` may be called from any thread.

    `chat` is one model for all roles, or each role's; without one for the answer it answers extractively. `executor`
    makes the place where code steps run, when one is needed; without it there are none. `sandbox` is its level, for
    the trace and the answer; `outgoing` knows what leaves this machine. `journals` is where runs are written down as
    they go, so that one that was killed can be resumed.
    """

    def __init__(
        self,
        library: Library,
        *,
        chat: ChatModel | Roles[ChatModel] | None,
        memory: Memory | None = None,
        executor: Callable[[], StepExecutor] | None = None,
        limits: Limits | None = None,
        answers: AnswerCache | None = None,
        sandbox: str = "no code",
        outgoing: Outgoing | None = None,
        journals: Journals | None = None,
    ) -> None:
        self._library = JournaledLibrary(library)
        self._journals = journals
        self._chats = chat if isinstance(chat, Roles) else one_for_all(chat)
        self._answers = answers
        self._memory = memory
        self._limits = limits or Limits()
        self.sandbox = sandbox
        self._outgoing = outgoing
        self._writer = Writer(self._library, self._limits)
        self._gatherer = Gatherer(executor, self._limits) if executor and self._chats.step else None
        self._budget: Budget | None = None
        self._stopped: Run | None = None  # the last one, where it was stopped
        self._busy = threading.Lock()

    @property
    def chat(self) -> ChatModel | None:
        """The model that answers."""
        return self._chats.answer

    @property
    def resumable(self) -> str | None:
        """The name of the last run, where it was begun and not finished: `Journals.open` knows it."""
        return self._library.journal.kept

    def ask(self, question: str) -> Answer:
        """Return the checked answer. Raises as `stream` does."""
        return next(event.answer for event in list(self.stream(question)) if isinstance(event, Answered))

    def clarify(self, question: str) -> Clarify | None:
        """Return the one thing that the question leaves open, or None. A run never asks it and never waits for it."""
        return clarify(question, self._library)

    def stream(self, question: str, plan: Plan | None = None, *, fresh: bool = False) -> Iterator[Event]:
        """Yield what happens; `Answered` comes once and `Remembered` last. `plan` is one that a person has seen. An
        answer that was kept comes alone, unless a `fresh` one is asked for. Where the same question was just stopped
        and is asked with a plan, what was looked up for it is not looked up again.

        Raises UserError for an empty question, for a second run at the same time, and where the model is unavailable.
        """
        stopped, self._stopped = self._stopped, None
        again = stopped.journal.again() if stopped and plan and stopped.asked == question.strip() else None
        try:
            run = self._begin(question, plan, again)
        except UserError as error:
            refused(question, error)
            raise
        yield from self._events(run, fresh=fresh)

    def resume(self, found: Journal | Finished) -> Iterator[Event]:
        """Yield `Resumed`, then what happens from where the run was killed on, and what is withdrawn because its file
        does not say it any more. Of a run that was finished the answer.

        Raises as `stream` does, and UserError for an answer that its files do not bear out any more.
        """
        head = found.head
        if head is None:
            raise ValueError("a journal without a head has no run")
        if not isinstance(found, Journal):
            stands = still_stands(found.answer, self._library)
            if stands is None:
                raise UserError(
                    f"The run {head.id} was finished {found.when}, and a file that its answer cites changed since. "
                    "Ask its question again."
                )
            yield Resumed(head.id, head.question, None)
            yield Answered(replace(stands, cached=found.when))
            return
        yield Resumed(head.id, head.question, found.taken)
        run = self._begin(head.question, head.plan, found)
        told: set[str] = set()
        with closing(self._events(run, fresh=True)) as events:
            for event in events:
                for label, passage in run.ledger.withdrawn.items():
                    if label not in told:
                        yield Withdrawn(label, passage.path, passage.start_line, passage.end_line)
                told.update(run.ledger.withdrawn)
                if not found.replays or isinstance(event, Answered | Remembered):
                    yield event

    def _events(self, run: Run, *, fresh: bool) -> Generator[Event, None, None]:
        run.note("sandbox.level", self.sandbox)
        try:
            if not fresh and (kept := self._kept(run)) is not None:
                run.answered(kept)
                yield Answered(kept)
                return
            yield self._recall(run)
            yield announced(run.plan)
            reflection = yield from self._search(run)
            yield from self._gather(run, reflection)
            answer = yield from self._answer(run)
            answer = self._whole(run, answer)
            run.answered(answer)
            if cited := answer.citations:
                score(run.trace_id, "citations_verified", sum(c.verified for c in cited) / len(cited))
            self._keep(run, answer)
            yield Answered(answer)
            remembered = self._remember(run, answer)
            if answer.stopped != "stop" and not run.model_failed:  # these can be gone on with
                run.journal.finish(answer)
            yield remembered
        except BaseException as error:
            run.failed(error)
            raise
        finally:
            self._end(run)

    def _whole(self, run: Run, answer: Answer) -> Answer:
        """Return the answer with what the whole run came to, drafts that were not kept among it."""
        return replace(
            answer,
            steps=tuple(run.steps),
            usage=run.budget.usage,
            timings={**run.timings, "total": run.budget.seconds},
            trace_id=run.trace_id,
            stopped=run.budget.ended_by,
            passages=tuple(run.ledger),
            models=run.budget.models,
            sandbox=self.sandbox,
            sent=self._outgoing.sent if self._outgoing else None,
        )

    def stop(self) -> None:
        """End the run under way, if there is one: it still gives the best cited answer so far."""
        if (budget := self._budget) is not None:
            budget.stop()
        if self._gatherer is not None:
            self._gatherer.interrupt()

    def _begin(self, question: str, plan: Plan | None, journal: Journal | None = None) -> Run:
        question = question.strip()
        if not question:
            raise UserError('The question is empty. Ask one, as in: hoplite ask "Which module opens the store?"')
        if len(question) > _LONGEST_QUESTION:
            raise UserError(
                f"The question has {len(question)} characters; {_LONGEST_QUESTION} are the most. Shorten it."
            )
        if not self._busy.acquire(blocking=False):
            raise UserError("This agent is answering another question. Wait for it, or stop it first.")
        limits = self._limits
        known = journal or Journal()
        budget = self._budget = Budget(
            limits.max_seconds, known.clock, max_tokens=limits.max_tokens, max_cost=limits.max_cost
        )
        try:
            chats = self._chats.map(lambda chat: MeteredChat(chat, budget, known))
        except UserError:
            self._budget = None
            self._busy.release()
            raise
        asked = read_form(question, limits.form)
        subject = asked.subject
        run = Run(
            subject,
            plan,
            budget,
            chats,
            self._library,
            self._memory,
            form=asked.form,
            asked=question,
            journal=known,
        )
        self._library.journal = known
        if self._journals and not known.resumed:
            self._journals.begin(known, run.trace_id, run.span_id, question, run.plan, run.marker.token)
        return run

    def _kept(self, run: Run) -> Answer | None:
        """Return what this question was answered before, where that still stands."""
        found = self._answers.find(run.asked) if self._answers else None
        if found is None:
            return None
        with run.stage("verify", kind="EVALUATOR"):
            kept = still_stands(found, self._library)
        if kept is None:
            return None
        run.note("hoplite.cached", kept.cached or "")
        timings = {"total": run.budget.seconds}
        sent = self._outgoing.sent if self._outgoing else None
        return replace(kept, question=run.asked, usage=Usage(), timings=timings, trace_id=run.trace_id, sent=sent)

    def _keep(self, run: Run, answer: Answer) -> None:
        """Keep the answer for the same question, unless a better one can be had once a model is back. Notes are in no
        key, and they reach the code steps and what was opened from memory: an answer that these were behind may be
        another one when the notes are. A resumed run may have begun with another index."""
        hinted = run.remembered or (run.notes and any(step.kind == "code" for step in run.steps))
        other = hinted or run.plan.edited or run.model_failed or run.journal.resumed
        if self._answers is not None and not other:
            self._answers.keep(run.asked, answer)

    def _recall(self, run: Run) -> Recalled:
        """Find notes of earlier runs and look at their sources again. They hint at where to look; no answer is written
        from them."""
        with run.stage("recall", kind="RETRIEVER") as span:
            found = run.recall(run.question)
            run.notes = found.notes
            there = not any(run.changed(c.path) for note in found.notes[:1] for c in note.citations)
            run.asked_before = found.asked_before and there and run.form == "short" and not run.plan.edited
            span.set_attribute("hoplite.notes", [note.id for note in found.notes])
            span.set_attribute("hoplite.notes.stale", sorted(found.stale))
            span.set_attribute("hoplite.notes.problem", found.problem)
        return Recalled(found.notes, found.stale, found.renewed, found.problem)

    def _search(self, run: Run) -> Generator[Event, None, Reflection]:
        """Search for the question and for each part of an edited plan. Where that does not cover it, open what earlier
        runs cited; unless that was for the same question, look on. Returns the reflection."""
        yield self._searched(run, run.question)
        for part in run.plan.parts if run.plan.edited else ():
            if run.budget.spent is None:
                yield self._searched(run, part.query)
        reflection = reflect(run.question, run.plan, list(run.ledger))
        if run.notes and not reflection.enough:
            yield self._opened(run)
            reflection = reflect(run.question, run.plan, list(run.ledger))
        if self._answerable(run, reflection):
            yield reflected(reflection, over=True)
            return reflection
        return (yield from self._look_on(run, reflection))

    def _answerable(self, run: Run, reflection: Reflection) -> bool:
        """Whether an answer is tried from what bore an earlier one to the same question, before anything else is looked
        for: the names are all there, and the words may well be others."""
        return run.asked_before and bool(run.remembered) and not reflection.lacking_names and not reflection.enough

    def _look_on(self, run: Run, reflection: Reflection) -> Generator[Event, None, Reflection]:
        """Search for names that are lacking, then open what the found passages name. Returns the reflection."""
        missed = reflection.lacking_names[:_NAMES_PURSUED]
        for name in missed:
            if run.budget.spent is None:
                yield self._searched(run, " ".join([name, *reflection.lacking_words]))
        if missed:
            reflection = reflect(run.question, run.plan, list(run.ledger))
        yield reflected(reflection)
        if not reflection.enough and run.budget.spent is None:
            yield self._led(run)
            reflection = reflect(run.question, run.plan, list(run.ledger))
            yield reflected(reflection)
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

    def _opened(self, run: Run) -> Searched:
        """Open the passages that notes of earlier runs cite, as they are indexed: evidence like any other. Files that
        are not as they were indexed are left to the search."""
        before = run.budget.seconds
        with run.stage("memory", kind="RETRIEVER") as span:
            cited = [c for note in run.notes for c in note.citations if not run.changed(c.path)]
            places = dict.fromkeys((c.path, c.start_line, c.quote) for c in cited)
            chunks = [self._library.chunk_with(*place) for place in list(places)[:_MOST_OPENED]]
            found = {chunk.id: Hit(chunk, 0.0, ("memory",)) for chunk in chunks if chunk is not None}
            labels = self._enter(run, SearchResult(run.question, tuple(found.values())), _MOST_OPENED)
            span.set_attribute("hoplite.notes", [note.id for note in run.notes])
            span.set_attribute("hoplite.labels", list(labels))
        run.remembered = tuple(sorted(labels, key=int))
        query = f"from memory: {'; '.join(note.question for note in run.notes)}"
        run.steps.append(Step("memory", query, labels))
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
        chat = run.chats.step
        tried = self._answerable(run, reflection)
        if self._gatherer and chat and not reflection.enough and not tried and self._limits.max_steps > 0:
            yield from self._gatherer.gather(run, chat, reflection)

    def _answer(self, run: Run) -> Generator[Event, None, Answer]:
        """Write a draft and check it. Where nothing supports it and time remains, go back once: open what the passages
        name, and write from the passages that the first draft was not written from."""
        if run.form != "short" and (longer := (yield from self._writer.longer(run))) is not None:
            return longer
        wanted = identifiers(run.question)
        asked = len(run.plan.parts) if run.plan.edited else 0
        best = run.ledger.best(self._limits.passages, wanted, asked, run.remembered)
        answer = (yield from self._writer.short(run, best)) or self._writer.extracted(run)
        answer = yield from self._number(run, answer)
        if answer.abstained and run.asked_before and run.remembered and run.budget.has_share(_SECOND_DRAFT):
            run.asked_before = False
            yield Reflected("what earlier runs cited does not answer it: on to the rest", enough=False, then="back up")
            reflection = reflect(run.question, run.plan, list(run.ledger))
            if not reflection.enough:
                reflection = yield from self._look_on(run, reflection)
                yield from self._gather(run, reflection)
            return (yield from self._answer(run))
        if run.chat is None or not answer.abstained or not run.budget.has_share(_SECOND_DRAFT):
            return answer
        line = "these passages do not answer it: on to what they name, and to the others"
        yield Reflected(line, enough=False, then="back up")
        if run.notes and not run.remembered:
            yield self._opened(run)
        answer = (yield from self._hop(run)) or answer
        if not answer.abstained:
            return answer
        if not run.leads_followed:
            yield self._led(run)
        others = run.ledger.others(self._limits.passages, run.answered_from, wanted)
        return (yield from self._writer.short(run, others)) or answer

    def _number(self, run: Run, answer: Answer) -> Generator[Event, None, Answer]:
        """Where a number is owed and a name was given, look at what that name leads to. The name stays the answer where
        no number comes of it."""
        able = run.chat is not None and run.plan.kind != "comparison" and run.budget.has_share(_SECOND_DRAFT)
        hop = self._writer.number(run, answer) if able else None
        if hop is None:
            return answer
        yield Reflected(f"{hop.name} is no number: on to what it stands for", enough=False)
        found = self._searched(run, hop.question)
        yield found
        number = yield from self._writer.short(run, found.passages[: self._limits.passages], hop)
        if number is None or number.abstained or owes_a_number(run.question, without_labels(number.answer)):
            return answer
        return number

    def _hop(self, run: Run) -> Generator[Event, None, Answer | None]:
        """Find what the question describes inside it, then ask it again with the name of that in its place. None where
        it describes nothing, or the sources do not say what that is called."""
        parts = run.plan.parts
        if len(parts) != 2 or parts[1].after != (1,) or not run.budget.has_share(_SECOND_DRAFT):
            return None
        found = self._searched(run, parts[0].query)
        yield found
        hop = yield from self._writer.hop(run, parts[0].text, parts[1].text, found.passages[:_HOP])
        if hop is None or not run.budget.has_share(_SECOND_DRAFT):
            return None
        yield Reflected(f"{parts[0].text}: {hop.name}", enough=False)
        found = self._searched(run, hop.question)
        yield found
        return (yield from self._writer.short(run, found.passages[: self._limits.passages], hop))

    def _remember(self, run: Run, answer: Answer) -> Remembered:
        """Note what the sources bear out of an answer. An abstention makes no note: it would hint at nothing."""
        if run.memory is None:
            return Remembered(None, "there is no memory" if self._memory is None else "the memory cannot be used")
        facts = () if answer.abstained else facts_of(run.question, answer)
        if not facts:
            return Remembered(None, "nothing was concluded")
        with run.stage("remember") as span:
            digests = {c.path: digest for fact in facts for c in fact.citations if (digest := _digest(run, c.path))}
            draft = Draft(run.question, facts, digests, untrusted=any(self._foreign(p.path) for p in run.ledger))
            try:
                note, how = run.memory.remember(draft)
            except UserError as error:  # the answer is given already; it does not fall with its note
                return Remembered(None, str(error))
            span.set_attribute("hoplite.note", note.id)
            span.set_attribute("hoplite.note.how", how)
        return Remembered(note, how=how)

    def _foreign(self, path: str) -> bool:
        """Whether a document is not known to be the user's own text: fetched, handed over by a program, or of a format
        that is parsed in the locked child."""
        source = self._library.source_of(path)
        return source is None or source.kind != "folder" or document_format(path) is not None

    def _end(self, run: Run) -> None:
        if self._outgoing is not None:
            run.note_sent(self._outgoing.sent)
            self._outgoing.forget()
        run.end()
        run.journal.close()
        self._stopped = run if run.budget.spent == "stop" else None
        run.budget.stop()  # a reader that left early must not leave a model writing
        self._budget = None
        self._busy.release()


def _digest(run: Run, path: str) -> str | None:
    document = run.document(path)
    return document.digest if document else None
