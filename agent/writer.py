"""Writing: the drafts of a run, each checked against the sources before it is given as an answer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from agent.answer import MAX_TOKENS, STOP, answer_messages, finished, nothing_found
from agent.budget import BudgetSpent
from agent.citations import Checked, Claim, check, denies, resolve, support, traced, without_labels
from agent.comparison import Decided, decide, own_answer, readings
from agent.compose import Line, checked_prose, checked_table, doubtful, prose, report, section, settled, table, whole
from agent.contradictions import contradictions
from agent.extract import extract, quoted
from agent.forms import Part, form_messages, max_tokens, parts
from agent.judge import MAX_TOKENS as VERDICTS
from agent.judge import MOST, judge_messages, judged
from agent.plan import owes_a_number, question_names
from agent.reflect import unheard
from agent.run import Run
from agent.types import Answer, AnswerToken, Citation, Disagreement, Event, Form, Library, Limits, Reflected, Section
from agent.units import Unit, units
from ingest.errors import UserError
from ingest.names import prose_name, unique
from retrieval.types import Passage

_LONGEST_NAME = 60  # characters of what a thing is called
_LONGEST_DENIAL = 120  # characters of a draft that says nothing but that the sources do not say


@dataclass(frozen=True, slots=True)
class Hop:
    """What the question describes is called `name`, as the `quotes` bear out; `question` has it in its place."""

    name: str
    question: str
    quotes: tuple[Unit, ...]


class Writer:
    """Writes what a run found into an answer. Nothing leaves it unchecked."""

    def __init__(self, library: Library, limits: Limits) -> None:
        self._library = library
        self._limits = limits

    def short(
        self, run: Run, passages: Sequence[Passage], hop: Hop | None = None
    ) -> Generator[Event, None, Answer | None]:
        """Write a short answer from these passages and check it; None where no draft came of it. After a `hop` it
        answers what is asked then, and rests on the hop too."""
        draft = yield from self._write(run, passages, question=hop.question if hop else "")
        if not draft:
            return None
        with run.stage("verify", kind="EVALUATOR") as span:
            quotable = self._quotable(run)
            decided = self._decided(run, draft, quotable)
            if decided is not None:
                claims = [Claim(decided.answer, decided.quotes)]
                span.set_attribute("hoplite.compared", decided.line)
            else:
                said = (self._compares(run) and own_answer(draft)) or draft
                claims = [] if denies(draft) else support(hop.question if hop else run.question, said, quotable)
                if hop:
                    claims = [replace(c, quotes=(*hop.quotes, *c.quotes)) if c.quotes else c for c in claims]
            checked = check(claims, run.document)
            missed = self._missed(run, checked)
            if missed:
                checked = Checked("", (), supported=False)
                span.set_attribute("hoplite.missed", missed)
            span.set_attribute("hoplite.citations", len(checked.citations))
            span.set_attribute("hoplite.supported", checked.supported)
        if decided is not None and checked.supported:
            yield Reflected(f"compared: {decided.line}", enough=True, then="stop")
        return self._given(run, checked, missed=missed)

    def hop(
        self, run: Run, described: str, asked: str, passages: Sequence[Passage]
    ) -> Generator[Event, None, Hop | None]:
        """Ask the passages what a thing is called that the question describes; None where they do not say. `asked` has
        [1] in its place."""
        question = f"What is {described}?"
        draft = yield from self._write(run, passages, question=question)
        with run.stage("verify"):
            claims = [] if denies(draft) else support(question, draft, self._quotable(run))
        return self._hop(run, claims, asked)

    def number(self, run: Run, answer: Answer) -> Hop | None:
        """Return the way on where a number is asked for and what the sources gave in its place is a name: of a constant
        to what it is set to, of a person to when they were born. None where nothing is owed."""
        said = without_labels(answer.answer).strip(" .").removeprefix("the ")
        named = question_names(said) == (said,)
        if answer.abstained or answer.form != "short" or not named or not owes_a_number(run.question, said):
            return None
        claims = support(run.question, said, self._quotable(run))
        return self._hop(run, claims, f"[1]: {run.question}")

    def _hop(self, run: Run, claims: Sequence[Claim], asked: str) -> Hop | None:
        name = claims[0].text.strip(" .") if claims else ""
        named = len(claims) == 1 and claims[0].quotes and 0 < len(name) <= _LONGEST_NAME
        if not named or name.lower() in run.question.lower():
            return None
        return Hop(name, asked.replace("[1]", name, 1), claims[0].quotes)

    def extracted(self, run: Run) -> Answer:
        """Answer with the sources' best sentences, checked: where a cap, or no model, left no draft."""
        with run.stage("verify", kind="EVALUATOR") as span:
            claims = [
                Claim(quoted(u, run.kind(u.passage.path)), (u,)) for u in extract(run.question, self._quotable(run))
            ]
            checked = check(claims, run.document)
            span.set_attribute("hoplite.citations", len(checked.citations))
            span.set_attribute("hoplite.supported", checked.supported)
        return self._given(run, checked)

    def longer(self, run: Run) -> Generator[Event, None, Answer | None]:
        """Write a longer form, one call for each of its parts, and check it; None where nothing in it is supported."""
        form = run.form
        sections: list[Section] = []
        found: list[Checked] = []
        for part in parts(form, run.question, run.plan, run.ledger, self._limits.passages):
            if part.title:
                yield AnswerToken(f"\n\n## {part.title}\n\n")
            draft = yield from self._write(run, part.passages, part)
            checked, form = self._read(run, part, draft)
            if checked.text and checked.text in {each.text for each in found}:
                continue  # a small model writes a section once more under another title
            found.append(checked)
            sections.append(section(part, checked))
        if not any(each.supported for each in found):
            return None
        if form != "report":
            return self._given(run, found[0], form)
        return self._given(run, report(sections, found), form, tuple(sections))

    def _write(
        self, run: Run, passages: Sequence[Passage], part: Part | None = None, *, question: str = ""
    ) -> Generator[Event, None, str]:
        """Write a draft in one call from these passages, a short answer or a part of a longer one; `question` is asked
        in the place of the run's. Returns it, "" where there is none."""
        if run.chat is None or not passages:
            return ""
        run.answered_from |= {passage.label for passage in passages}
        if part is None:
            kind = "compare" if self._compares(run) else "answer"
            asked = question or run.question
            messages = answer_messages(asked, passages, run.marker, f"{kind}_{self._limits.profile}")
        else:
            messages = form_messages(run.form, part, run.asked, run.marker, self._limits.profile)
        tokens = MAX_TOKENS if part is None else max_tokens(run.form)
        stage = run.open("answer")
        try:
            with stage.current():
                call = run.chat.begin(messages, max_tokens=tokens, stop=STOP)
            for piece in call:
                yield AnswerToken(piece)
        except BudgetSpent:
            return ""
        finally:
            stage.close()
        return finished(call.text, cut=call.cut is not None) if part is None else whole(call.text)

    def _read(self, run: Run, part: Part, draft: str) -> tuple[Checked, Form]:
        """Check the draft of a part of a longer form, and return it with the form that it has: a table that is none is
        read as a paragraph. Without a draft the best sentences of its passages stand for it."""
        with run.stage("verify", kind="EVALUATOR"):
            quotable = self._quotable(run)
            denied = denies(draft) and len(draft) < _LONGEST_DENIAL
            # A small model often denies what a section's own passages say.
            if not draft or (denied and run.form == "report" and self._limits.profile == "compact"):
                here = [u for u in quotable if u.passage in part.passages and not u.text.startswith("#")]
                best = extract(f"{part.title} {run.question}", here) or extract(part.title, here)
                claims = [Claim(quoted(u, run.kind(u.passage.path)), (u,)) for u in best]
                return check(claims, run.document), "paragraph" if run.form == "table" else run.form
            if denied:
                return Checked("", (), supported=False), run.form
            if run.form == "table" and (cells := table(draft, quotable)) is not None:
                return checked_table(cells, run.document), "table"
            lines = prose(draft, quotable)
        lines = self._judged(run, lines, quotable)
        with run.stage("verify"):
            return checked_prose(lines, run.document), "paragraph" if run.form == "table" else run.form

    def _judged(self, run: Run, lines: list[Line], quotable: Sequence[Unit]) -> list[Line]:
        """Ask a model that can judge about the sentences that words do not settle, all in one call."""
        unsettled = doubtful(lines, quotable)[:MOST] if self._limits.judge and run.chats.judge else []
        if not unsettled or run.chats.judge is None:
            return lines
        with run.stage("judge", kind="EVALUATOR"):
            try:
                reply = run.chats.judge.complete(judge_messages(unsettled, run.marker), max_tokens=VERDICTS)
            except BudgetSpent:
                return lines
            except UserError:  # of the model: what it does not judge stays as it is
                run.model_failed = True
                return lines
        return settled(lines, judged(unsettled, reply.text))

    def _quotable(self, run: Run) -> list[Unit]:
        return [unit for passage in run.ledger for unit in units(passage, run.kind(passage.path))]

    def _compares(self, run: Run) -> bool:
        """Whether a small model is asked to read out what is compared, and the comparing is done here."""
        return run.plan.kind == "comparison" and self._limits.profile == "compact" and run.form == "short"

    def _decided(self, run: Run, draft: str, quotable: Sequence[Unit]) -> Decided | None:
        pair = readings(run.question, draft) if self._compares(run) else None
        if pair is None:
            return None

        def about(name: str) -> list[Unit]:
            folded = prose_name(name)
            return [unit for unit in quotable if folded in unit.passage.names]

        return decide(run.question, pair, quotable, about)

    def _missed(self, run: Run, checked: Checked) -> tuple[str, ...]:
        """Return the question's names that stand in no passage which the draft was written from or is supported by.

        A small model answers "When was the maker of X founded?" from any page with a founding: of questions whose
        passages are gone from the corpus, those with such a name are most.
        """
        labels = run.answered_from | {citation.label for citation in checked.citations}
        return unheard(run.plan.names, [p for p in run.ledger if p.label in labels])

    def _given(
        self,
        run: Run,
        checked: Checked,
        form: Form = "short",
        sections: tuple[Section, ...] = (),
        missed: tuple[str, ...] = (),
    ) -> Answer:
        """Return what is answered: with where its citations came from, what the sources contradict each other in, and
        where there is none, which names of the question were `missed`."""
        with run.stage("verify", kind="EVALUATOR"):
            cited = tuple(self._traced(run, c) for c in checked.citations)
            found = contradictions(list(run.ledger), run.plan.names, run.kind) if checked.supported else ()
            differ = tuple(
                Disagreement(
                    each.about,
                    each.values,
                    (
                        self._traced(run, resolve(each.units[0], run.document(each.units[0].passage.path))),
                        self._traced(run, resolve(each.units[1], run.document(each.units[1].passage.path))),
                    ),
                )
                for each in found
            )
            paths = unique([c.path for c in cited] if checked.supported else [p.path for p in run.ledger])
            stale = tuple(path for path in paths if run.changed(path))
        return Answer(
            question=run.asked,
            answer=checked.text if checked.supported else nothing_found(run.toolbox.queries, missed),
            abstained=not checked.supported,
            citations=cited if checked.supported else (),
            stale=stale,
            form=form,
            sections=sections,
            disagreements=tuple(d for d in differ if all(c.verified for c in d.citations)),
        )

    def _traced(self, run: Run, citation: Citation) -> Citation:
        return traced(citation, stale=run.changed(citation.path), source=self._library.source_of(citation.path))
