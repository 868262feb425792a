"""Files made to be in the way: each has its typed outcome, the others are indexed, and nothing outside is read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from ingest import pipeline, reading
from ingest.errors import ToolError
from ingest.load import load
from ingest.pipeline import PATIENCE
from ingest.types import Document
from ingest.walk import walk
from retrieval import indexing, library
from retrieval.library import GREP_SECONDS, Library
from retrieval.workspace import find
from tests.retrieval.made import HashEmbedder
from tests.security.hostile_files import CANARY, CASES, Case, canary, hidden_word, make, shorten
from tests.security.hostile_run import Ran, run
from ui import markup, render

REPOSITORY = Path(__file__).parents[2]
GOOD = "heronneighbour"
MEGABYTES = 512


@pytest.fixture(autouse=True)
def hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (indexing, library):
        monkeypatch.setattr(module, "embedder_named", lambda name: HashEmbedder())


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder with one good file, left so that pytest can remove it."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "good.md").write_text(f"# {GOOD}\n\nA good file among bad ones.\n")
    yield root
    shorten(root)


def apart(root: Path, *words: str, patience: float = PATIENCE, before: Sequence[str] = ()) -> Ran:
    """Index in a process of its own, so that its memory can be measured and that it may die."""
    command = [*before, sys.executable, "-m", "tests.security.hostile_run", str(root), str(patience), *words]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return Ran(**json.loads(ran.stdout))


def assert_holds(ran: Ran, wanted: Mapping[str, str], root: Path) -> None:
    """Each file has its outcome and is counted, the good one is found, and the canary is nowhere in the workspace."""
    assert ran.outcomes == {**wanted, "good.md": "indexed"}
    reasons = Counter(outcome.removeprefix("skipped:") for outcome in wanted.values() if outcome[:8] == "skipped:")
    assert ran.skipped == reasons
    assert ran.found[GOOD] == ["good.md"]
    kept = [path for path in (root / ".hoplite").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("case", [case for case in CASES if not case.heavy], ids=lambda case: case.name)
def test_a_case_has_its_outcome_and_spoils_no_other_file(case: Case, root: Path) -> None:
    wanted = make(root, case)
    ran = run(root, [GOOD, hidden_word(case.name)])
    assert_holds(ran, wanted, root)
    assert bool(ran.found[hidden_word(case.name)]) == case.found


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=case.name, marks=[pytest.mark.xfail(strict=True, reason=case.wrong)] if case.wrong else []
        )
        for case in CASES
        if case.heavy
    ],
)
def test_a_heavy_case_stays_within_time_and_memory(case: Case, root: Path) -> None:
    wanted = make(root, case)
    ran = apart(root, GOOD, hidden_word(case.name), patience=case.patience)
    assert_holds(ran, wanted, root)
    assert bool(ran.found[hidden_word(case.name)]) == case.found
    assert ran.peak_mb < MEGABYTES
    assert ran.seconds < case.seconds


def test_all_light_cases_in_one_tree_have_the_outcomes_they_have_alone(root: Path) -> None:
    """More files than are read without workers: what came back through a pipe is what came back directly."""
    light = [case for case in CASES if not case.heavy]
    wanted = {path: outcome for case in light for path, outcome in make(root, case).items()}
    assert sum(outcome == "indexed" for outcome in wanted.values()) > pipeline.FEW
    ran = apart(root, GOOD)
    assert_holds(ran, wanted, root)
    assert ran.peak_mb < MEGABYTES


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_hundred_thousand_files_in_one_folder_are_indexed(root: Path) -> None:
    names = [f"{number:06}.md" for number in range(200_000)]
    folder = os.open(root, os.O_DIRECTORY)
    for name in names:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    ran = apart(root, GOOD)
    assert_holds(ran, dict.fromkeys(names, "indexed"), root)
    assert ran.peak_mb < MEGABYTES


# While it is read -----------------------------------------------------------------------------------------------------


def gone(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    os.truncate(path, 5)


def grown(path: Path) -> None:
    os.truncate(path, 60_000_000)


def made_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def made_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(canary(path.parent))


def folder_made_a_link(path: Path) -> None:
    (canary(path.parent).parent / path.name).write_text(CANARY)
    shutil.rmtree(path.parent)
    path.parent.symlink_to(canary(path.parent).parent)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (gone, "failed:gone"),
        (cut_short, "indexed"),
        (grown, "failed:too_large"),
        (made_a_pipe, "failed:special"),
        (made_a_link, "failed:unreadable"),
        pytest.param(
            folder_made_a_link,
            "failed:unreadable",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_changes_between_the_walk_and_the_reading(
    change: Callable[[Path], None], outcome: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = root / "sub" / "victim.md"
    victim.parent.mkdir()
    victim.write_text("heron and more")

    def changing(source: Path | str, shown_path: str) -> Document:
        if shown_path == "sub/victim.md":
            change(victim)
        return load(source, shown_path)

    monkeypatch.setattr(reading, "load", changing)
    assert_holds(run(root, [GOOD]), {"sub/victim.md": outcome}, root)


def test_what_may_not_be_read_is_skipped(root: Path) -> None:
    """As a process without the superuser's right to read everything."""
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if without and not shutil.which("setpriv"):
        pytest.skip("the superuser reads everything, and there is no setpriv to drop that right with")
    (root / "closed.md").write_text(CANARY)
    (root / "closed.md").chmod(0)
    (root / "shut").mkdir()
    (root / "shut" / "in.md").write_text(CANARY)
    (root / "shut").chmod(0)
    wanted = {"closed.md": "skipped:unreadable", "shut/": "skipped:unreadable"}
    ran = apart(root, GOOD, before=without)
    (root / "shut").chmod(0o700)
    assert_holds(ran, wanted, root)


def test_a_folder_of_virtual_files_without_end_is_read_in_time() -> None:
    """`/proc/PID` has files of no size that never end, that cannot be read, and links to the whole system."""
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        try:
            begun = time.monotonic()
            found = walk(Path(f"/proc/{sleeping.pid}"))
            read = list(pipeline.read(found.files, workers=1))
            assert time.monotonic() - begun < PATIENCE
        finally:
            sleeping.kill()
    assert {"pagemap"} <= set(found.skipped_paths["binary"])
    assert {"mem"} <= set(found.skipped_paths["unreadable"])
    assert {"cwd", "root"} <= set(found.skipped_paths["symlink_folder"])
    assert len(read) == len(found.files)


# Tools ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(root: Path) -> Iterator[Library]:
    canary(root / "sub")
    (root / "as.md").write_text(f"{'a' * 1_500}!\n" * 100)
    (root / "many.md").write_text("heron\n" * 50_000)
    indexing.index([root])
    with Library(find(root)) as opened:
        yield opened


@pytest.mark.parametrize(
    "path",
    [
        "../outside/canary.md",
        "sub/../../outside/canary.md",
        "good.md/../../outside/canary.md",
        "good.md\0",
        ".hoplite/manifest.sqlite",
        "/etc/passwd",
        "file:///etc/passwd",
        "~/.ssh/id_rsa",
        ".",
        "",
        "\ud800",
    ],
)
def test_only_what_was_indexed_can_be_read_whatever_the_path(opened: Library, path: str) -> None:
    assert opened.resolve(path) is None
    with pytest.raises(ToolError, match="no indexed file"):
        opened.read(path, 1, 10)


@pytest.mark.parametrize("glob", ["../*", "/etc/*", "../outside/canary.md", "[", "\0", "\ud800"])
def test_a_glob_reaches_nothing_but_what_was_indexed(opened: Library, glob: str) -> None:
    assert opened.grep(".", glob) == []


def test_a_pattern_that_takes_exponential_time_is_stopped(opened: Library) -> None:
    begun = time.process_time()
    with pytest.raises(ToolError, match="took longer"):
        opened.grep("(a|aa)+(a|aa)+$")
    assert time.process_time() - begun < GREP_SECONDS + 2


def test_a_pattern_that_matches_everything_gives_as_much_as_was_asked_for(opened: Library) -> None:
    matches = opened.grep(".*", limit=20)
    assert len(matches) == 20
    assert max(len(text) for _, _, text in matches) <= library.GREP_SHOWN


@pytest.mark.parametrize("pattern", ["(", "[", "*", "(?P<a>x)(?P<a", "\\", "(?<=a+)(", "x{99999999999}"])
def test_a_pattern_that_is_none_is_told(opened: Library, pattern: str) -> None:
    with pytest.raises(ToolError, match="no regular expression"):
        opened.grep(pattern)


# What is shown --------------------------------------------------------------------------------------------------------

INVISIBLE = {
    "escape": "\x1b[31m",
    "bell": "\x07",
    "override": "\u202e",
    "isolate": "\u2066",
    "zero_width": "\u200b",
    "joiner": "\u200d",
    "non_joiner": "\u200c",
    "tag": "\U000e0041",
    "soft_hyphen": "\xad",
    "word_joiner": "\u2060",
    "mark": "\ufeff",
    "line_separator": "\u2028",
    "selector": "\ufe00",
    "ideograph_selector": "\U000e0101",
    "filler": "\u3164",
    "grapheme_joiner": "\u034f",
}


@pytest.mark.parametrize("hidden", INVISIBLE.values(), ids=INVISIBLE)
@pytest.mark.parametrize(
    "show",
    [render.visible, lambda text: render.excerpt(text, "admin"), lambda text: render.place(text, 1, 2), markup.escaped,
     markup.prose, markup.code, lambda text: markup.lines([(1, text)], range(0))],
    ids=["visible", "excerpt", "place", "escaped", "prose", "code", "lines"],
)  # fmt: skip
def test_what_hides_in_a_text_is_seen_where_it_is_shown(show: Callable[[str], str], hidden: str) -> None:
    shown = show(f"is{hidden}Admin")
    assert hidden[0] not in shown
    assert shown != show("isAdmin")


def test_a_run_of_hidden_characters_behind_a_letter_is_seen() -> None:
    """Selectors and joiners in a row spell nothing, but any text can be written in them."""
    assert render.visible("é\ufe00\ufe01\u200d\ufe02\u200c\u200c") == "é\ufe00\\ufe01\u200d\\ufe02\u200c\\u200c"


@pytest.mark.parametrize(
    "text", ["می\u200cخواهم", "क्\u200dष", "👩\u200d🚀", "❤\ufe0f\u200d🔥", "葛\U000e0101", "naïve", "e\u0301"]
)
def test_what_spells_a_word_is_left_alone(text: str) -> None:
    assert render.visible(text) == text
