"""Citations: which passage supports each sentence of a draft, and whether its quote stands in the file it names.

The draft is untrusted. What leaves here cites only passages that were shown, quotes only what the file holds, and marks
what nothing supports.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from opentelemetry import trace

from agent.terms import content, numbers, stem
from agent.types import Citation, Origin
from agent.units import Unit, squeeze
from ingest import spans
from ingest.names import SHORTEST_NAME, fold, identifiers, phrases, words
from ingest.sentences import sentences
from ingest.types import Document
from retrieval.types import Passage, Source

UNSUPPORTED = "[no source]"
"""What stands after a sentence that no passage supports."""

SUPPORT = 0.6
"""Share of a claim's words that its quotes must hold."""

_tracer = trace.get_tracer("hoplite.agent")
_LONGEST_DRAFT = 4000
_MOST_QUOTES = 3  # of one sentence: a comparison has two sides, a chain three links
_BRACKETED = re.compile(
    r"\s*[\[【]\s*(?:(?:passage|source|sources)\s*)?(\d+(?:\s*(?:,|;|and|&)\s*\d+)*)\s*[\]】]", re.I
)
_LABELS_AFTER_STOP = re.compile(r"([.!?])((?:\s*\[\d+(?:\s*,\s*\d+)*\])+)")
_DENIES = re.compile(
    r"\b(?:sources?|passages?|documents?|texts?|evidence|context)\b[^.]{0,30}\b(?:do|does|did)(?: not|n['’]t)\s+"
    r"(?:\w+\s+)?(?:say|mention|provide|contain|specify|state|include|give|answer)"
    r"|\b(?:not|n['’]t) (?:specified|mentioned|stated|provided|given) in the (?:sources?|passages?|documents?|text)"
    r"|^\W*(?:i do(?: not|n['’]t) know|unknown|n/?a|none|not (?:specified|mentioned|stated|provided|given))\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the draft with the units that support it, one a passage; none means unsupported."""

    text: str
    quotes: tuple[Unit, ...]
    judged: bool = False


def without_labels(text: str) -> str:
    """Return an answer without its labels and marks: what is compared with an expected answer."""
    return squeeze(_BRACKETED.sub("", text).replace(f" {UNSUPPORTED}", ""))


def labels_inside(draft: str) -> str:
    """Return a draft with the labels that stand behind a sentence's stop before it, so that they stay with it."""
    return _LABELS_AFTER_STOP.sub(r"\2\1", draft)


def labels_of(sentence: str) -> list[str]:
    """Return the labels that a sentence cites, in order, forged ones as well."""
    return [label for m in _BRACKETED.finditer(sentence) for label in re.findall(r"\d+", m.group(1))]


def unlabelled(sentence: str) -> str:
    """Return a sentence without its labels."""
    return _BRACKETED.sub("", sentence).strip()


def denies(draft: str) -> bool:
    """Return whether the draft itself says that the sources do not say."""
    return bool(_DENIES.search(_BRACKETED.sub("", draft)))


def support(question: str, draft: str, quotable: Sequence[Unit]) -> list[Claim]:
    """Return the draft's sentences, each with the units that support it, the passages it cites tried first.

    Numbers and names that the question does not have must stand in the quotes word for word; of the other words, a
    share of `SUPPORT`. With their headers, or through a name that leads to them, the quotes must be about
    something that the question is about.
    """
    draft = labels_inside(draft[:_LONGEST_DRAFT])
    claims = []
    for sentence in sentences(squeeze(draft)):
        labels = labels_of(sentence)
        text = unlabelled(sentence)
        if not any(c.isalnum() for c in text):
            continue
        claims.append(Claim(text, supporting(question, text, labels, quotable)))
    return claims


def supporting(question: str, claim: str, labels: Sequence[str], quotable: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the units that support one claim, those of the passages that it cites tried first; () for none."""
    cited = [u for u in quotable if u.passage.label in labels]
    return _supporting(question, claim, cited, quotable) or _supporting(question, claim, quotable, quotable)


@dataclass(frozen=True, slots=True)
class _Need:
    """What a claim must be shown: `said` is what it adds to the question, `about` what it repeats of it."""

    said: frozenset[str]
    about: frozenset[str]
    exact: frozenset[str]


def _need(question: str, claim: str) -> _Need:
    asked = set(content(question))
    terms = set(content(claim))
    said = terms - asked
    if not said:  # "Yes", "Both are directors": the claim is the question's own statement
        return _Need(frozenset(terms or asked), frozenset(), frozenset(numbers(claim)))
    names = {stem(w) for phrase in phrases(claim) for w in words(phrase)} & said
    return _Need(frozenset(said), frozenset(asked), frozenset({*numbers(claim)} - {*numbers(question)} | names))


def _supporting(question: str, claim: str, quotable: Sequence[Unit], others: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the fewest units, one a passage, that together hold what the claim says, and the one of the others that
    leads to them; () where they cannot, or where neither is about what the question is about."""
    need = _need(question, claim)
    chosen: list[Unit] = []
    held: set[str] = set()
    for _ in range(_MOST_QUOTES):
        rest = [u for u in quotable if all(u.passage.label != c.passage.label for c in chosen)]
        best = max(rest, key=lambda u: _worth(u, need, held), default=None)
        if best is None or not (_held(best) & need.said) - held:
            break
        chosen.append(best)
        held |= _held(best)
        if need.said <= held:
            break
    exact = need.exact <= held | {n for u in chosen for n in numbers(u.text)}
    share = len(need.said & held) / len(need.said) if need.said else 0.0
    if not chosen or not exact or share < SUPPORT:
        return ()
    bridge = _bridge(question, chosen, others)
    # A bare "3" stands in many sentences: the one that holds it must say more of the question than a single word.
    least = max(1, len(need.about) // 4) if all(term.isdigit() for term in need.said) else 1
    related = bool(bridge) or len(need.about & _about(chosen)) >= min(least, len(need.about))
    return (*chosen, *bridge) if related else ()


def _bridge(question: str, quotes: Sequence[Unit], quotable: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the unit that leads from the question to the quotes: the hop before the last one, where there is one.

    It is in another passage and holds what the question says and the quotes do not. One of the two mentions a name that
    the other's passage defines, or both say the same phrase. So "42" is quoted from the code, and with it the page that
    names this code.
    """
    missing = set(content(question)) - _about(quotes)
    starts = {stem(w) for name in (*phrases(question), *identifiers(question)) for w in words(name)} & missing
    mentioned, defined = _mentioned(quotes), _defined(quotes)
    said = fold(" ".join(u.text for u in quotes)).lower()

    def gain(unit: Unit) -> int:
        here = _mentioned([unit])
        linked = mentioned & _defined([unit]) or defined & here or any(" " in name and name in said for name in here)
        gained = missing & _about([unit])
        leads = bool(gained & starts) or len(gained) >= max(1, len(missing) // 2)
        return len(gained) if linked and leads else 0

    elsewhere = [u for u in quotable if all(u.passage.label != q.passage.label for q in quotes)]
    best = max(elsewhere, key=lambda u: (gain(u), -len(u.text)), default=None)
    return (best,) if best and gain(best) else ()


def _about(quotes: Sequence[Unit]) -> set[str]:
    return {term for u in quotes for term in (*content(u.text), *content(u.passage.header))}


def _mentioned(quotes: Sequence[Unit]) -> set[str]:
    return _folded(name for u in quotes for name in (*phrases(u.text), *identifiers(u.text)))


def _defined(quotes: Sequence[Unit]) -> set[str]:
    return _folded(name for u in quotes for name in u.passage.names)


def _folded(spelled: Iterable[str]) -> set[str]:
    return {name for spelling in spelled if len(name := " ".join(words(spelling))) >= SHORTEST_NAME}


def _worth(unit: Unit, need: _Need, held: set[str]) -> tuple[float, int]:
    terms = _held(unit)
    gained = len((terms & need.said) - held)
    context = len((terms | set(content(unit.passage.header))) & need.about) / (len(need.about) or 1)
    return gained + 0.9 * context, -len(unit.text)


def _held(unit: Unit) -> set[str]:
    return set(content(unit.text)) | {stem(w) for w in words(unit.text)}


# Resolving ----------------------------------------------------------------------------------------------------------


def resolve(unit: Unit, document: Document | None) -> Citation:
    """Return the citation of a quoted unit, verified against the file as it is now.

    The quote is looked for at the passage's lines, then in the whole file: text that only moved is cited where it is.
    """
    attributes = {spans.KIND: "EVALUATOR", "gen_ai.evaluation.name": "quote stands", "hoplite.path": unit.passage.path}
    with _tracer.start_as_current_span("verify citation", attributes=attributes) as span:
        citation = _resolved(unit, document)
        span.set_attribute("hoplite.lines", [citation.start_line, citation.end_line])
        span.set_attribute("gen_ai.evaluation.score.value", float(citation.verified))
    return citation


def _resolved(unit: Unit, document: Document | None) -> Citation:
    passage = unit.passage
    found = _find(unit.text, document, passage.start_line, passage.end_line) or _find(unit.text, document, 1, None)
    if found is not None:
        page = document.pages[found[0] - 1] if document and document.pages else None
        moved = not passage.start_line <= found[0] <= passage.end_line
        return Citation(passage.label, passage.path, *found, verified=True, page=page, moved=moved)
    start, end = (min(passage.start_line + line, passage.end_line) for line in (unit.start, unit.end))
    return Citation(passage.label, passage.path, start, end, unit.text, verified=False, page=passage.page or None)


def _find(quote: str, document: Document | None, start_line: int, end_line: int | None) -> tuple[int, int, str] | None:
    """Return the lines of the file, counted from 1, on which the quote stands between two lines, and the quote.

    White space is compared as single spaces; a quote that stands on one line comes back as that line spells it.
    """
    if document is None or not quote:
        return None
    lines = document.text.split("\n")
    places = document.source_lines or range(1, len(lines) + 1)
    within = [
        (place, line, squeezed)
        for place, line in zip(places, lines, strict=False)
        if place >= start_line and (end_line is None or place <= end_line) and (squeezed := squeeze(line))
    ]
    at = " ".join(squeezed for _, _, squeezed in within).find(quote)
    if at < 0:
        return None
    starts = [0, *accumulate(len(squeezed) + 1 for _, _, squeezed in within)]
    first = bisect_right(starts, at) - 1
    last = bisect_right(starts, at + len(quote) - 1) - 1
    if first == last:
        spelled = re.search(r"\s+".join(map(re.escape, quote.split())), within[first][1])
        quote = spelled.group() if spelled else quote
    return within[first][0], within[last][0], quote


def stands(passage: Passage, document: Document | None) -> bool:
    """Return whether a file holds every line of a passage, in their order, white space aside; False without a file."""
    if document is None:
        return False
    there = iter(squeeze(line) for line in document.text.split("\n"))
    here = ""
    for wanted in filter(None, map(squeeze, passage.text.split("\n"))):
        while wanted not in here:  # a long line may be several of a passage's
            if (following := next(there, None)) is None:
                return False
            here = following
    return True


# Writing ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """A checked answer: its text with labels, its citations, and whether anything supports it."""

    text: str
    citations: tuple[Citation, ...]
    supported: bool


def check(claims: Iterable[Claim], documents: Callable[[str], Document | None]) -> Checked:
    """Return the answer rewritten from its claims: labels only of passages whose quote was found in the file.

    A claim whose quotes cannot be verified keeps its citation, shown as not verified, and is marked.
    """
    texts: list[str] = []
    citations: dict[tuple[str, str], Citation] = {}
    resolved: dict[str, Document | None] = {}
    supported = False
    for claim in claims:
        found = []
        for unit in claim.quotes:
            if unit.passage.path not in resolved:
                resolved[unit.passage.path] = documents(unit.passage.path)
            found.append(replace(resolve(unit, resolved[unit.passage.path]), judged=claim.judged))
        citations.update({(c.label, c.quote): c for c in found})
        verified = bool(found) and all(c.verified for c in found)
        supported = supported or verified
        marks = " ".join(f"[{label}]" for label in sorted({c.label for c in found}, key=int))
        texts.append(_labelled(claim.text, marks if verified else f"{marks} {UNSUPPORTED}".strip()))
    return Checked(" ".join(texts), tuple(citations.values()), supported)


def changed(document: Document | None, digest: str | None) -> bool:
    """Return whether a file is not the one that was indexed any more: its bytes are others, or it is gone."""
    return document is None or (digest is not None and document.digest != digest)


def traced(citation: Citation, *, stale: bool, source: Source | None) -> Citation:
    """Return the citation with where its file came from, and whether the file changed since it was indexed.

    The quote of a file that changed since is not said to be the commit's: the commit was read before.
    """
    origin = None
    if source is not None and (source.kind != "folder" or source.commit):
        url = None if source.kind == "folder" else source.url
        origin = Origin(url, source.commit or None, source.fetched_at, source.dirty or stale)
    return replace(citation, stale=stale, source=origin)


def _labelled(text: str, marks: str) -> str:
    end = text[-1] if text[-1] in ".!?" else ""
    return f"{text[: len(text) - len(end)].rstrip()} {marks}{end}"
