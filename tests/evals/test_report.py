"""The page is one file that loads nothing, says what it leaves out, and shows hostile content as text."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evals.judge import Verdict
from evals.report import markdown, write
from evals.run_summary import DETAILS
from evals.types import Cited, Finished, Shown
from ingest.errors import UserError
from tests.evals import long_run

ROOT = Path(__file__).parents[2]
TAGS = set(
    "html head meta title style body header h1 h2 h3 p div b span nav a details summary dl dt dd main table tr th td i "
    "figure figcaption svg desc g text rect path line footer code ul li br blockquote pre".split()
)
HOSTILE = (
    '</pre></td><script>alert(1)</script><img src=http://127.0.0.1/x onerror=alert(1)>" onclick="x\' \u202e\x1b[2J'
)


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(run: Path, tree_of: Callable[[str], str | None] = lambda trace: None, against: Path | None = None) -> str:
    write(run, run / "report.html", tree_of, against=against)
    return (run / "report.html").read_text(encoding="utf-8")


def run_of(folder: Path, *lines: Finished) -> Path:
    long_run.write(folder, 0)
    (folder / "answers.jsonl").write_text("".join(json.dumps(asdict(line)) + "\n" for line in lines))
    return folder


def test_nothing_in_a_page_can_run_or_load(tmp_path: Path) -> None:
    line = replace(
        long_run.line(0),
        id=HOSTILE,
        question=HOSTILE,
        answer=HOSTILE,
        note=HOSTILE,
        type=HOSTILE,
        tags=(HOSTILE,),
        answers=(HOSTILE,),
        supporting=(HOSTILE,),
        trace_id=HOSTILE,
        usage={HOSTILE: 1.0},
        scores={HOSTILE: 0.5, "f1": 0.5},
        citations=(Cited(HOSTILE, HOSTILE, 1, 2, HOSTILE, False),),
        passages=(Shown(HOSTILE, HOSTILE, 1, 2, HOSTILE),),
    )
    run = run_of(tmp_path / "run", line, replace(line, id="other", error=HOSTILE, scores={}))
    (run / "run.json").write_text(json.dumps({"run": "run", "fingerprint": {HOSTILE: HOSTILE}}))
    found = page(run, lambda trace: HOSTILE)
    parsed = Page(found)
    assert {tag for tag, _ in parsed.tags} <= TAGS
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on") or name == "src"]
    assert all(a["href"].startswith("#") for tag, a in parsed.tags if tag == "a" and a.get("href"))
    assert "\u202e" not in found
    assert "\x1b" not in found
    assert parsed.text.count("<script>alert(1)</script>") > 10  # it is shown, as text


def test_the_policy_lets_a_browser_run_and_fetch_nothing(tmp_path: Path) -> None:
    found = page(long_run.write(tmp_path / "run", 3))
    policies = [a["content"] for tag, a in Page(found).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert "<script" not in found
    assert "url(" not in found
    assert "@import" not in found


def test_a_small_run_is_shown_whole_with_marks_passages_and_traces(tmp_path: Path) -> None:
    right, wrong = long_run.line(0), replace(long_run.line(1), trace_id="1f2e")
    citation = Cited("1", "docs/a.md", 3, 4, "kept for 45 days", True)
    right = replace(right, scores={"f1": 1.0}, citations=(citation, replace(citation, verified=False)), trace_id="gone")
    wrong = replace(wrong, scores={"f1": 0.0})
    found = page(run_of(tmp_path / "run", right, wrong), {"1f2e": "0.000 invoke_agent"}.get)
    assert found.index(wrong.question) < found.index(right.question)  # the worst first
    text = Page(found).text
    assert "✓ verified [1] docs/a.md:3-4kept for 45 days" in text
    assert "✗ not verified [1] docs/a.md:3-4" in text
    assert "0.000 invoke_agent" in text
    assert "Trace gone: not in the workspace any more." in text
    assert right.passages[0].text in text
    assert "a line each" not in text


def test_beyond_the_shown_ones_every_answer_has_a_line_and_the_page_says_so(tmp_path: Path) -> None:
    count = DETAILS + 40
    found = page(long_run.write(tmp_path / "run", count))
    failed = count // 50
    assert found.count('<details class="question">') == DETAILS
    assert f"The {DETAILS} of {count - failed} answers with the lowest f1" in Page(found).text
    rows = found[found.index('<table class="rows">') :]
    assert len(re.findall(r"<tr><td>q\d+", rows)) == count - failed


def test_failures_stand_apart_with_their_denominator(tmp_path: Path) -> None:
    text = Page(page(long_run.write(tmp_path / "run", 60))).text
    assert "1 of 60 ended in an error instead of an answer" in text
    assert "TimeoutError: the model said nothing for 120 seconds" in text
    assert "59 of 60answered" in text


def test_another_run_stands_beside_it_with_the_difference(tmp_path: Path) -> None:
    one = run_of(tmp_path / "one", *(replace(long_run.line(n), scores={"f1": 0.0}) for n in range(8)))
    two = run_of(tmp_path / "two", *(replace(long_run.line(n), scores={"f1": 1.0}) for n in range(8)))
    text = Page(page(two, against=one)).text
    assert "+100.0 [+100.0, +100.0]0.008–better" in text  # all 8 signs alike: 2 of 2 ** 8
    assert "Fixed, by f1: 8" in text
    assert "Broken, by f1: 0" in text
    assert "No question was repeated" in text
    shown = markdown(two, against=one)
    assert "by `f1`, 8 fixed and 0 broken" in shown
    assert "+100.0 [+100.0, +100.0] | better |" in shown
    assert "| `f1` | 100.0 [100.0, 100.0] | 8 |" in shown


def test_what_a_model_judged_stands_beside_its_agreement_with_people(tmp_path: Path) -> None:
    run = long_run.write(tmp_path / "run", 4)
    said = [("pass", f"q0000{n}") for n in range(3)] + [("fail", "q00003")]
    verdicts = [
        Verdict(id=id_, rubric="correct", verdict=verdict, reason="x", judge="openai/judge", prompt="grade 1")  # type: ignore[arg-type]
        for verdict, id_ in said
    ]
    assert "Judged by a model" not in page(run)
    (run / "judged.jsonl").write_text("".join(each.model_dump_json() + "\n" for each in verdicts))
    text = Page(page(run)).text
    assert "correct75.0 [30.1, 95.4]40not calibratedopenai/judge, grade 1" in text
    assert "| `correct` | 75.0 [30.1, 95.4] | 4 | `not calibrated` |" in markdown(run)


def test_declining_is_told_where_some_questions_have_no_answer(tmp_path: Path) -> None:
    lines = [replace(long_run.line(n), unanswerable=n < 2, abstained=n in (0, 3), error=None) for n in range(4)]
    assert "precision50.02" in "".join(Page(page(run_of(tmp_path / "run", *lines))).text.split())
    plain = [replace(line, unanswerable=False) for line in lines]
    assert "declining" not in page(run_of(tmp_path / "plain", *plain))


def test_markdown_is_short_and_nothing_in_it_is_markup(tmp_path: Path) -> None:
    name = "`|<img src=x>@someone"
    lines = [replace(long_run.line(n), type=(name, "plain")[n % 2], scores={name: 1.0, "f1": 0.5}) for n in range(6)]
    shown = markdown(run_of(tmp_path / "run", *lines))
    assert len(shown.splitlines()) < 20
    assert "| `'¦<img src=x>@someone` | 100.0 [100.0, 100.0] | 6 |" in shown
    assert "6 questions, none failed" in shown


def test_the_page_is_its_owners_alone_and_an_old_one_is_replaced_whole(tmp_path: Path) -> None:
    run = long_run.write(tmp_path / "run", 3)
    (run / "report.html").write_text("old")
    page(run)
    assert stat.S_IMODE((run / "report.html").stat().st_mode) == 0o600
    assert sorted(path.name for path in run.iterdir()) == ["answers.jsonl", "report.html", "run.json"]


def test_a_folder_without_a_run_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run\.json cannot be read"):
        write(tmp_path, tmp_path / "report.html", lambda trace: None)
    run = long_run.write(tmp_path / "run", 2)
    (run / "run.json").write_text("[]")
    with pytest.raises(UserError, match=r"run\.json is damaged"):
        markdown(run)
    long_run.write(tmp_path / "empty", 0)
    (tmp_path / "empty" / "answers.jsonl").unlink()
    with pytest.raises(UserError, match=r"answers\.jsonl cannot be read"):
        markdown(tmp_path / "empty")


def test_a_damaged_line_leaves_the_old_page(tmp_path: Path) -> None:
    run = long_run.write(tmp_path / "run", 2)
    (run / "report.html").write_text("old")
    with (run / "answers.jsonl").open("a") as file:
        file.write('{"id": 3}\n')
    with pytest.raises(UserError, match=r"answers\.jsonl:3"):
        page(run)
    assert (run / "report.html").read_text() == "old"
    assert not (run / "report.html.new").exists()


CHILD = """
import resource, sys, pathlib
from evals.report import write
run = pathlib.Path(sys.argv[1])
write(run, run / "report.html", lambda trace: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_passages_of_a_run(tmp_path: Path) -> None:
    """8,000 further questions bring 60 MB of passages, of which a report holds none."""

    def peak(count: int) -> int:
        run = long_run.write(tmp_path / str(count), count)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(run)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert (run / "report.html").stat().st_size < 10_000_000
        return int(done.stdout)

    assert peak(10_000) - peak(2_000) < 30_000
