"""Public question sets become dataset folders: passages once, gold by title and text, nothing dropped unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evals.convert import Converted, from_hipporag, from_swe_qa, from_wikihop, write_dataset
from evals.datasets import Question, Record, load_dataset, load_questions
from ingest.errors import UserError
from ui.cli import cli
from ui.commands.index import run as index

HERON, HERON_BIRD, REED = ("Heron", "A ship."), ("Heron", "A bird."), ("Reed", "A plant. It bends.")


def musique(*passages: tuple[str, str, bool], **changed: Any) -> dict[str, Any]:
    paragraphs = [{"idx": 0, "title": a, "paragraph_text": b, "is_supporting": c} for a, b, c in passages]
    asked = {"id": "2hop__1_2", "question": "What wades?", "answer": "heron", "answer_aliases": ["a heron"]}
    return {**asked, "paragraphs": paragraphs, "answerable": True, **changed}


def hotpot(context: list[Any], supporting: list[Any], **changed: Any) -> dict[str, Any]:
    asked = {"_id": "h1", "question": "What bends?", "answer": "reed", "type": "bridge", "level": "easy"}
    return {**asked, "context": context, "supporting_facts": supporting, **changed}


def saved(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def saved_lines(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), encoding="utf-8")
    return path


def entries(*passages: tuple[str, str]) -> list[dict[str, str]]:
    return [{"title": title, "text": text} for title, text in passages]


def test_musique_gold_is_the_passage_of_that_title_and_that_text(tmp_path: Path) -> None:
    asked = musique((*HERON, False), (*REED, True), (*HERON_BIRD, True))
    questions = saved(tmp_path / "q.json", [asked])
    converted = from_hipporag(questions, saved(tmp_path / "c.json", entries(HERON, HERON_BIRD, HERON, REED)))
    assert converted.records == (Record("d00000", *HERON), Record("d00001", *HERON_BIRD), Record("d00002", *REED))
    expected = Question("2hop__1_2", "What wades?", ("heron", "a heron"), ("d00002", "d00001"), "2hop")
    assert converted.questions == (expected,)


def test_hotpotqa_sentences_are_joined_as_they_are_and_gold_keeps_the_context_s_order(tmp_path: Path) -> None:
    sentences = {"Heron": ["A bird."], "Mud": ["Wet."], "Reed": ["A plant.", " It bends."]}
    asked = hotpot([list(item) for item in sentences.items()], [["Reed", 1], ["Heron", 0], ["Reed", 0]])
    converted = from_hipporag(saved(tmp_path / "q.json", [asked]), saved(tmp_path / "c.json", sentences))
    assert converted.records[2] == Record("d00002", *REED)
    assert converted.questions == (Question("h1", "What bends?", ("reed",), ("d00000", "d00002"), "bridge"),)


def test_wikihop_pools_each_passage_once_and_names_the_questions_without_context(tmp_path: Path) -> None:
    reed = ["Reed", ["A plant.", "It\u2028bends."]]
    bare = hotpot([], [["Reed", 0]], _id="bare")
    del bare["context"]
    asked = [
        hotpot([["Mud", ["Wet."]], reed, reed], [["Reed", 0]], _id="a"),
        bare,
        hotpot([reed, ["Heron", ["A bird."]]], [["Reed", 0], ["Heron", 0]], _id="b"),
    ]
    converted = from_wikihop(saved_lines(tmp_path / "w.json", *asked))
    assert [each.title for each in converted.records] == ["Mud", "Reed", "Heron"]
    assert converted.records[1].text == "A plant. It\u2028bends."
    assert {each.id: each.supporting for each in converted.questions} == {"a": ("d00001",), "b": ("d00001", "d00002")}
    assert converted.dropped == ("bare",)


@pytest.mark.parametrize(
    ("rows", "corpus", "message"),
    [
        ("[{", [], r"q\.json: Invalid JSON"),
        ([7], [], r"q\.json: 0.*object.*\(got 7\)"),
        ([musique((*REED, True), answer=3)], [], r"q\.json: 0\.MuSiQue\.answer: .* \(got 3\)"),
        ([musique((*REED, True), answerable=False)], entries(REED), r"q\.json: 0.MuSiQue.answerable: .* \(got False\)"),
        ([musique((*REED, False))], entries(REED), r"q\.json: question '2hop__1_2' has no supporting passage"),
        ([musique((*REED, True))] * 2, entries(REED), r"q\.json: question id '2hop__1_2' comes twice"),
        ([musique()], entries(REED), r"q\.json has no question with passages"),
        ([musique((*HERON_BIRD, True))], entries(HERON), r"c\.json: 'Heron', which supports question '2hop__1_2'"),
        ([hotpot([["Mud", ["Wet."]]], [["Reed", 0]])], {}, r"q\.json: question 'h1' is supported by 'Reed', which"),
        ([], {"Reed": "A plant."}, r"c\.json: dict\.Reed: .* \(got 'A plant\.'\)"),
        ([], [{"title": "Reed"}], r"c\.json: list\.0\.text: Field required"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_file(tmp_path: Path, rows: Any, corpus: Any, message: str) -> None:
    questions = saved(tmp_path / "q.json", rows)
    if isinstance(rows, str):
        questions.write_text(rows)
    with pytest.raises(UserError, match=message) as error:
        from_hipporag(questions, saved(tmp_path / "c.json", corpus))
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_wrong_wikihop_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = saved_lines(tmp_path / "w.json", hotpot([["Reed", ["A plant."]]], [["Reed", 0]]), {"_id": "x"})
    with pytest.raises(UserError, match=r"w\.json:2: question: Field required"):
        from_wikihop(path)


def test_a_written_folder_loads_as_it_was_and_is_not_written_over(tmp_path: Path) -> None:
    records = (Record("d00000", "Röhricht", "A plant.\u2028It bends."),)
    converted = Converted(records, (Question("q", "What?", ("reed",), ("d00000",), "bridge"),), ())
    write_dataset(tmp_path / "made" / "set", converted)
    loaded = load_dataset(tmp_path / "made" / "set")
    assert (loaded.records, loaded.questions) == (converted.records, converted.questions)
    with pytest.raises(UserError, match=r"corpus\.jsonl is there already\. Give another --out"):
        write_dataset(tmp_path / "made" / "set", converted)


def test_the_command_counts_what_it_wrote(tmp_path: Path) -> None:
    path = saved_lines(tmp_path / "w.json", hotpot([["Reed", ["A plant."]]], [["Reed", 0]]), hotpot([], [], _id="b"))
    result = CliRunner().invoke(cli, ["eval", "import", "wikihop", str(path), "--out", str(tmp_path / "out")])
    assert result.output.strip().endswith("out: 1 passages, 1 questions, 1 dropped for having no passage")
    assert len(load_dataset(tmp_path / "out").questions) == 1


def test_a_missing_file_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["eval", "import", "wikihop", str(tmp_path / "none.json"), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{tmp_path / 'none.json'} cannot be read (No such file")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_a_format_is_made_of(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["eval", "import", "hipporag", "one.json", "--out", str(tmp_path / "out")])
    assert (result.exit_code, "hipporag is made of QUESTIONS CORPUS; 1 were given" in result.output) == (2, True)


def test_sentences_are_joined_with_spaces_where_the_corpus_has_them_so(tmp_path: Path) -> None:
    asked = hotpot([["Reed", ["A plant.", "It bends."]]], [["Reed", 0]])
    converted = from_hipporag(saved(tmp_path / "q.json", [asked]), saved(tmp_path / "c.json", entries(REED)))
    assert converted.questions[0].supporting == ("d00000",)


def test_a_cited_file_counts_where_one_indexed_file_alone_ends_so(tmp_path: Path) -> None:
    lines = [
        {"id": "1", "question": "one", "type": "how", "files_in_answer": ["json/tag.py"], "bare_files_in_answer": []},
        {
            "id": "2",
            "question": "two",
            "type": "how",
            "files_in_answer": ["app.py"],
            "bare_files_in_answer": ["gone.py"],
        },
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    questions = from_swe_qa(path, ["src/json/tag.py", "src/app.py", "src/sans/app.py", "src/jsontag.py"])
    assert [(question.id, question.supporting) for question in questions] == [("1", ("src/json/tag.py",))]


def test_swe_qa_s_questions_become_a_file_about_the_workspace_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.py").write_text("KEEP = 1\n")
    index([tmp_path])
    monkeypatch.chdir(tmp_path)
    asked = {"id": "1", "question": "one", "type": "how", "files_in_answer": ["app.py"], "bare_files_in_answer": []}
    questions, out = saved_lines(tmp_path / "swe.jsonl", {**asked, "answers": ["long"]}), tmp_path / "out" / "q.jsonl"
    ran = CliRunner().invoke(cli, ["eval", "import", "swe-qa", str(questions), "--out", str(out)])
    assert (ran.exit_code, "1 questions" in ran.output) == (0, True)
    assert load_questions(out) == (Question("1", "one", (), ("app.py",), "how"),)
    saved_lines(questions, {"id": "1"})
    with pytest.raises(UserError, match=r"swe\.jsonl:1: "):
        from_swe_qa(questions, [])
