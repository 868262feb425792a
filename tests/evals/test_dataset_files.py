from __future__ import annotations

from pathlib import Path

from evals.dataset_files import dataset_files
from evals.datasets import Dataset, Record

RECORDS = (Record("../a", "Herons", "They wait."), Record("b", "sweep", "def sweep(readings):\n    return readings"))


def test_each_record_is_a_file_named_by_its_number(tmp_path: Path) -> None:
    files = dataset_files(Dataset("herons", RECORDS, (), digest="ab" * 32), tmp_path)
    assert files.records == {"000000.md": "../a", "000001.py": "b"}
    assert (files.folder / "000000.md").read_text() == "# Herons\n\nThey wait."
    assert (files.folder / "000001.py").read_text() == RECORDS[1].text


def test_files_that_are_there_are_not_written_again(tmp_path: Path) -> None:
    dataset = Dataset("herons", RECORDS, (), digest="ab" * 32)
    kept = dataset_files(dataset, tmp_path).folder / "000000.md"
    kept.write_text("kept")
    assert dataset_files(dataset, tmp_path).records["000000.md"] == "../a"
    assert kept.read_text() == "kept"
