"""How far a judge can be believed: its verdicts beside those of a person who read the same answers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evals.asked import answers_of
from evals.judge import RUBRICS, Rubric, Verdict, unfit, verdicts
from evals.line_file import Key, Line, read
from evals.metrics import wilson
from ingest.errors import UserError

LABELS = "labels.jsonl"
CALIBRATION = "calibration.json"
ENOUGH = 20
"""Labels of a rubric below which its agreement is not given: kappa's interval would be most of its range."""

RESAMPLES = 2000


class Label(Line):
    """A line of `labels.jsonl`: what a person said of one answer by one rubric. `blind`: before seeing the verdict."""

    rubric: Rubric
    label: Literal["pass", "fail"]
    blind: bool = True


class Confusion(BaseModel):
    """How many answers the person and the judge said what of. `false_pass`: the judge passed what the person failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    both_pass: int = Field(ge=0)
    false_pass: int = Field(ge=0)
    false_fail: int = Field(ge=0)
    both_fail: int = Field(ge=0)

    @property
    def count(self) -> int:
        """All of them."""
        return self.both_pass + self.false_pass + self.false_fail + self.both_fail


class Agreement(BaseModel):
    """A judge measured by one rubric against a person's labels.

    `kappa` is Cohen's, with the 95 % interval of a bootstrap; both are None where the two said one and the same of all.
    `false_pass` is the share of the answers that the person failed which the judge passed, `false_fail` that of those
    that the person passed which it failed, each with Wilson's interval; None where there are none of the kind. `seen`
    of the labels were given with the verdict in view.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rubric: Rubric
    judge: str
    prompt: str
    confusion: Confusion
    seen: int = Field(ge=0)
    kappa: float | None
    kappa_interval: tuple[float, float] | None
    false_pass: float | None
    false_pass_interval: tuple[float, float] | None
    false_fail: float | None
    false_fail_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Lacking:
    """A rubric with too few labels of answers that were judged: so many there are, and so many more are needed."""

    rubric: Rubric
    labels: int
    needed: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One rubric of a judged run. `share` is that of `passed` among the `count` with a verdict, with Wilson's interval;
    `unjudged` have none though the judge was asked. `agreement` is None where it was not measured for this judge and
    this version of its prompt."""

    rubric: Rubric
    judge: str
    prompt: str
    passed: int
    count: int
    unjudged: int
    share: float
    interval: tuple[float, float]
    agreement: Agreement | None

    @property
    def beside(self) -> str:
        """What is to be shown beside the number: how the judge agrees with people."""
        return beside(self.agreement)

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {**asdict(self), "agreement": self.agreement.model_dump() if self.agreement else None}


def kappa(confusion: Confusion) -> float | None:
    """Return Cohen's kappa (1960, Educational and Psychological Measurement 20:37, eq. 1): how much more two raters
    agree than they would by chance, of how much more they could. None where they could not, because both said one and
    the same of everything."""
    n = confusion.count
    if n in (confusion.both_pass, confusion.both_fail):
        return None
    person = (confusion.both_pass + confusion.false_fail) / n
    judge = (confusion.both_pass + confusion.false_pass) / n
    agreed = (confusion.both_pass + confusion.both_fail) / n
    chance = person * judge + (1 - person) * (1 - judge)
    return (agreed - chance) / (1 - chance)


def kappa_interval(confusion: Confusion, *, seed: int = 0) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of kappa over resampled answers (Efron and Tibshirani 1993, ch. 13), None
    where kappa is. Samples that have no kappa are left out."""
    if kappa(confusion) is None:
        return None
    counts = [confusion.both_pass, confusion.false_pass, confusion.false_fail, confusion.both_fail]
    # Answers of one cell are alike, so that drawing answers is drawing how many fall into each cell.
    drawn = np.random.default_rng(seed).multinomial(confusion.count, np.array(counts) / confusion.count, RESAMPLES)
    values = [value for row in drawn if (value := kappa(_confusion(row.tolist()))) is not None]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def agreement(rubric: Rubric, given: Sequence[Verdict], labels: Mapping[Key, Label]) -> Agreement | Lacking:
    """Compare verdicts of one judge with a person's labels of the same answers."""
    both = [(labels[v.key], v) for v in given if v.verdict != "unjudged" and v.key in labels]
    if len(both) < ENOUGH:
        return Lacking(rubric, len(both), ENOUGH - len(both))
    cells = [("pass", "pass"), ("fail", "pass"), ("pass", "fail"), ("fail", "fail")]
    confusion = _confusion([sum((label.label, v.verdict) == cell for label, v in both) for cell in cells])
    failed, passed = confusion.false_pass + confusion.both_fail, confusion.false_fail + confusion.both_pass
    return Agreement(
        rubric=rubric,
        judge=given[-1].judge,
        prompt=given[-1].prompt,
        confusion=confusion,
        seen=sum(not label.blind for label, _ in both),
        kappa=kappa(confusion),
        kappa_interval=kappa_interval(confusion),
        false_pass=confusion.false_pass / failed if failed else None,
        false_pass_interval=wilson(confusion.false_pass, failed) if failed else None,
        false_fail=confusion.false_fail / passed if passed else None,
        false_fail_interval=wilson(confusion.false_fail, passed) if passed else None,
    )


def calibrate(folder: Path, labels: Path | None = None) -> list[Agreement | Lacking]:
    """Compare a run's verdicts with labels, those of the desk where no other file is named, and keep what came out
    beside the run. Raises UserError where the run was not judged, there are no labels, or a file is damaged."""
    given = verdicts(folder)
    if not given:
        raise UserError(f"{folder} was not judged yet. `hoplite eval judge grade {folder} --model M` does.")
    path = labels or folder / LABELS
    said = read(path, Label)
    if not said:
        raise UserError(
            f"There are no labels at {path}. `hoplite eval desk {folder}` makes them, or name them: --labels."
        )
    found = [
        agreement(rubric, each, {label.key: label for label in said if label.rubric == rubric})
        for rubric, each in given.items()
    ]
    _keep(folder / CALIBRATION, [each for each in found if isinstance(each, Agreement)])
    return found


def judged_with_agreement(folder: Path) -> list[Judged]:
    """Return each rubric that a run was judged by, with how its judge agrees with people; none where it was not judged.

    Raises UserError where a file is damaged.
    """
    known = {(each.rubric, each.judge, each.prompt): each for each in _kept(folder / CALIBRATION)}
    rows = []
    for rubric, given in verdicts(folder).items():
        passed, count = (sum(v.verdict in kinds for v in given) for kinds in (("pass",), ("pass", "fail")))
        judge, prompt = given[-1].judge, given[-1].prompt
        rows.append(
            Judged(
                rubric,
                judge,
                prompt,
                passed,
                count,
                len(given) - count,
                passed / count if count else 0.0,
                wilson(passed, count),
                known.get((rubric, judge, prompt)),
            )
        )
    return rows


def unfit_counts(folder: Path) -> dict[Rubric, dict[str, int]]:
    """Return how many of a run's answers each rubric does not judge, by the reason."""
    counts: dict[Rubric, dict[str, int]] = {rubric: {} for rubric in RUBRICS}
    for line in answers_of(folder):
        for rubric in RUBRICS:
            if reason := unfit(rubric, line):
                counts[rubric][reason] = counts[rubric].get(reason, 0) + 1
    return counts


def beside(measured: Agreement | None) -> str:
    """Return a judge's agreement in a few words: `kappa 0.62 (0.31 to 0.86), 40 labels`, or `not calibrated`."""
    if measured is None:
        return "not calibrated"
    labels = f"{measured.confusion.count} labels"
    if measured.kappa is None or measured.kappa_interval is None:
        return f"kappa undefined, {labels}"
    low, high = measured.kappa_interval
    return f"kappa {measured.kappa:.2f} ({low:.2f} to {high:.2f}), {labels}"


def _confusion(cells: Sequence[int]) -> Confusion:
    both_pass, false_pass, false_fail, both_fail = cells
    return Confusion(both_pass=both_pass, false_pass=false_pass, false_fail=false_fail, both_fail=both_fail)


_KEPT = TypeAdapter(list[Agreement])


def _kept(path: Path) -> list[Agreement]:
    try:
        return _KEPT.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValidationError) as error:
        raise UserError(
            f"{path} is damaged. Remove it, and run `hoplite eval judge calibrate {path.parent}` again."
        ) from error


def _keep(path: Path, measured: Sequence[Agreement]) -> None:
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text(json.dumps([each.model_dump() for each in measured], indent=1) + "\n", encoding="utf-8")
        os.replace(fresh, path)  # as one, so that no kill leaves half of it
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}). Check the disk and its rights.") from error
