"""A judge's agreement with people: kappa and its errors, against numbers worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.agreement import (
    CALIBRATION,
    LABELS,
    Agreement,
    Confusion,
    Label,
    Lacking,
    agreement,
    calibrate,
    judged_with_agreement,
    kappa,
    kappa_interval,
)
from evals.judge import FILE, Verdict
from evals.line_file import append
from evals.metrics import wilson
from ingest.errors import UserError
from tests.evals.made_run import finished, write_run


def confusion(both_pass: int, false_pass: int, false_fail: int, both_fail: int) -> Confusion:
    return Confusion(both_pass=both_pass, false_pass=false_pass, false_fail=false_fail, both_fail=both_fail)


def verdict(number: int, said: str, *, judge: str = "judge", prompt: str = "grade_correct@1") -> Verdict:
    return Verdict(id=f"q{number}", rubric="correct", verdict=said, reason="x", judge=judge, prompt=prompt)  # type: ignore[arg-type]


def label(number: int, said: str, *, blind: bool = True) -> Label:
    return Label(id=f"q{number}", rubric="correct", label=said, blind=blind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Of 50, agreed 35: 0.7. The person passes 25 of 50, the judge 30: by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
        ((20, 10, 5, 15), (0.7 - 0.5) / 0.5),
        ((10, 0, 0, 10), 1.0),
        ((0, 10, 10, 0), -1.0),
        ((5, 5, 5, 5), 0.0),
        # The judge passes all: whatever it agrees on is chance.
        ((15, 5, 0, 0), 0.0),
    ],
)
def test_kappa_worked_by_hand(counts: tuple[int, int, int, int], expected: float) -> None:
    assert kappa(confusion(*counts)) == pytest.approx(expected)


@pytest.mark.parametrize("counts", [(9, 0, 0, 0), (0, 0, 0, 9), (0, 0, 0, 0)])
def test_kappa_of_one_word_about_everything_is_undefined(counts: tuple[int, int, int, int]) -> None:
    assert kappa(confusion(*counts)) is None
    assert kappa_interval(confusion(*counts)) is None


def test_kappas_interval_holds_it_is_reproducible_and_narrows_with_labels() -> None:
    few, many = confusion(8, 4, 2, 6), confusion(80, 40, 20, 60)
    low, high = kappa_interval(few) or (0, 0)
    assert low < (kappa(few) or 0) < high
    assert kappa_interval(few) == (low, high)
    narrow = kappa_interval(many) or (0, 0)
    # Cohen's standard error (1960): sqrt(0.7 * 0.3 / (200 * 0.5 * 0.5)) = 0.065; 1.96 of it to each side.
    assert narrow == pytest.approx((0.4 - 0.127, 0.4 + 0.127), abs=0.02)
    assert narrow[1] - narrow[0] < high - low


def test_false_passes_and_false_fails_are_shares_of_what_the_person_said() -> None:
    said = [("pass", "pass")] * 12 + [("fail", "pass")] * 2 + [("pass", "fail")] * 3 + [("fail", "fail")] * 8
    found = agreement(
        "correct",
        [verdict(n, judge) for n, (_, judge) in enumerate(said)],
        {(f"q{n}", 0): label(n, person, blind=n > 0) for n, (person, _) in enumerate(said)},
    )
    assert isinstance(found, Agreement)
    assert found.confusion == confusion(12, 2, 3, 8)
    assert (found.false_pass, found.false_fail) == (2 / 10, 3 / 15)
    assert (found.false_pass_interval, found.false_fail_interval) == (wilson(2, 10), wilson(3, 15))
    assert found.seen == 1


def test_rates_of_what_did_not_occur_are_none() -> None:
    labels = {(f"q{n}", 0): label(n, "pass") for n in range(20)}
    found = agreement("correct", [verdict(n, "fail" if n else "pass") for n in range(20)], labels)
    assert isinstance(found, Agreement)
    assert (found.false_pass, found.false_pass_interval, found.kappa) == (None, None, 0.0)


def test_too_few_labels_say_how_many_more_are_needed() -> None:
    given = [verdict(n, "unjudged" if n == 0 else "pass") for n in range(19)]
    labels = {(f"q{n}", 0): label(n, "pass") for n in range(40)}
    assert agreement("correct", given, labels) == Lacking("correct", labels=18, needed=2)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = write_run(tmp_path / "run", [finished(f"q{n}") for n in range(24)])
    append(folder / FILE, *(verdict(n, "pass" if n % 2 else "fail") for n in range(24)))
    append(folder / LABELS, *(label(n, "pass" if n % 2 or n == 0 else "fail") for n in range(24)))
    return folder


def test_a_calibration_stands_beside_the_numbers_of_its_judge(run: Path) -> None:
    assert [row.beside for row in judged_with_agreement(run)] == ["not calibrated"]
    calibrate(run)
    (row,) = judged_with_agreement(run)
    assert row.agreement is not None
    assert row.agreement.confusion == confusion(12, 0, 1, 11)
    # Agreed 23 of 24; the person passes 13, the judge 12.
    assert row.agreement.kappa == pytest.approx((23 / 24 - 0.5) / 0.5)
    assert row.beside.startswith("kappa 0.92 (")
    assert row.beside.endswith("), 24 labels")


@pytest.mark.parametrize("other", [{"judge": "another"}, {"prompt": "grade_correct@2"}])
def test_another_judge_or_prompt_is_not_calibrated_by_it(run: Path, other: dict[str, str]) -> None:
    calibrate(run)
    append(run / FILE, verdict(0, "pass", **other))
    (row,) = judged_with_agreement(run)
    assert (row.agreement, row.beside) == (None, "not calibrated")


def test_the_last_label_of_an_answer_counts(run: Path) -> None:
    append(run / LABELS, label(0, "fail"))
    (found,) = calibrate(run)
    assert isinstance(found, Agreement)
    assert found.kappa == 1.0


def test_labels_may_come_from_another_file(run: Path, tmp_path: Path) -> None:
    append(other := tmp_path / "theirs.jsonl", *(label(n, "pass") for n in range(3)))
    assert calibrate(run, other) == [Lacking("correct", 3, 17)]
    assert judged_with_agreement(run)[0].beside == "not calibrated"


def test_what_is_missing_is_said_with_the_command(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [finished("q0")])
    with pytest.raises(UserError, match="judge grade"):
        calibrate(folder)
    append(folder / FILE, verdict(0, "pass"))
    with pytest.raises(UserError, match="eval desk"):
        calibrate(folder)


@pytest.mark.parametrize("damage", ["[", "{}", '[{"rubric": "correct"}]'])
def test_a_damaged_calibration_is_one_line_with_the_repair(run: Path, damage: str) -> None:
    (run / CALIBRATION).write_text(damage)
    with pytest.raises(UserError, match=r"calibration\.json is damaged.*judge calibrate"):
        judged_with_agreement(run)


def test_unknown_keys_of_a_label_are_refused_with_the_line(run: Path) -> None:
    with (run / LABELS).open("a") as file:
        file.write('{"id": "q0", "rubric": "correct", "label": "pass", "sure": true}\n')
    with pytest.raises(UserError, match=r"labels\.jsonl:25 is damaged: unknown key 'sure'"):
        calibrate(run)
