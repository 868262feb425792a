"""What is taken from a package as a pair, and what is not."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from retrieval.training.pairs import Archive, Pair, is_permissive, of_code, of_docs, opened, pairs_of

SOURCE = '''
class Marsh:
    def count_herons(self, year):
        """Count the herons of one year. Chicks are not counted.

        :param year: four digits
        """
        # Only the reports that somebody has signed are read here.
        found = self.reports(year)
        return sum(report.herons for report in found)
'''


def kinds(pairs: list[Pair]) -> dict[str, Pair]:
    return {pair.kind: pair for pair in pairs}


def test_a_function_pairs_with_what_is_said_of_it_and_does_not_hold_it() -> None:
    found = kinds(list(of_code(SOURCE)))
    brief, whole = found["first sentence, function"], found["docstring, function"]
    assert brief.left == "Count the herons of one year."
    assert whole.left == "Count the herons of one year. Chicks are not counted."
    assert "sum(report.herons" in brief.right
    assert "Count the herons" not in brief.right
    assert "Chicks" not in whole.right


def test_a_name_pairs_with_the_body_without_its_signature() -> None:
    pair = kinds(list(of_code(SOURCE)))["name, body"]
    assert pair.left == "count herons"
    assert "def " not in pair.right


def test_a_comment_pairs_with_the_lines_below_it() -> None:
    pair = kinds(list(of_code(SOURCE)))["comment"]
    assert pair.left == "Only the reports that somebody has signed are read here."
    assert pair.right.startswith("found = ")


def test_what_does_not_parse_gives_nothing() -> None:
    assert list(of_code("def broken(:\n")) == []


def test_a_section_pairs_with_its_heading_and_does_not_hold_it() -> None:
    body = "The station keeps every report for ten years and then it burns them in the yard behind the boats."
    found = kinds(list(of_docs("a.md", f"# Station\n\n## Data retention\n\n{body}\n", "markdown")))
    assert found["heading"] == Pair("heading", "Data retention", body)
    assert found["headings"].left == "Station Data retention"


@pytest.mark.parametrize("licence", ["MIT", "BSD-3-Clause", "Apache Software License", "ISC License (ISCL)"])
def test_permissive_licences_are_read(licence: str) -> None:
    assert is_permissive(licence)


@pytest.mark.parametrize("licence", ["", "GPL-3.0-or-later", "LGPL", "MIT AND GPL-2.0", "MPL-2.0", "Mozilla Public"])
def test_other_licences_are_not(licence: str) -> None:
    assert not is_permissive(licence)


METADATA = b"Metadata-Version: 2.1\nName: heron\nVersion: 1.0\nLicense: MIT\n"


def test_a_wheel_gives_its_code_and_a_source_archive_its_pages(tmp_path: Path) -> None:
    page = ("# Marsh\n\n" + "The marsh lies behind the dunes and is flooded by each spring tide. " * 3).encode()
    with zipfile.ZipFile(tmp_path / "heron-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("heron/a.py", SOURCE)
        wheel.writestr("heron-1.0.dist-info/METADATA", METADATA)
    with tarfile.open(tmp_path / "heron-1.0.tar.gz", "w:gz") as tar:
        for name, data in {"PKG-INFO": METADATA, "a.py": SOURCE.encode(), "docs/b.md": page, "list.txt": page}.items():
            member = tarfile.TarInfo(f"heron-1.0/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    archives = [opened(path) for path in sorted(tmp_path.iterdir())]
    assert [(a.name, a.version, a.licence) for a in archives] == [("heron", "1.0", "MIT")] * 2
    files = {path.suffix: [name for name, _ in opened(path).files] for path in tmp_path.iterdir()}
    assert files == {".whl": ["heron/a.py"], ".gz": ["heron-1.0/docs/b.md"]}


def test_tests_and_what_is_not_the_packages_own_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "heron.whl", "w") as wheel:
        for name in ("heron/tests/a.py", "heron/_vendor/a.py", "heron-1.0.dist-info/METADATA"):
            wheel.writestr(name, METADATA)
    assert list(opened(tmp_path / "heron.whl").files) == []


def test_a_pair_with_a_side_that_says_nothing_is_left_out() -> None:
    assert list(pairs_of(Archive("heron", "1", "MIT", [("a.py", b'def f():\n    "It."\n    return 1\n')]))) == []
