"""A dataset's corpus as files in the user's cache, to be indexed and asked as any folder is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evals.dataset_store import as_document
from evals.datasets import Dataset
from ingest.languages.recognise import looks_like_code

_SUFFIX = {
    "python": ".py",
    "javascript": ".js",
    "typescript": ".ts",
    "go": ".go",
    "rust": ".rs",
    "java": ".java",
    "c": ".c",
    "cpp": ".cpp",
}


@dataclass(frozen=True, slots=True)
class DatasetFiles:
    """The folder, and each file's record: shown paths, relative to the folder, mapped to record ids."""

    folder: Path
    records: Mapping[str, str]


def dataset_files(dataset: Dataset, root: Path) -> DatasetFiles:
    """Write each record to a file below `root` unless that was done, and return where they are.

    Files are named by the record's number, since an id may hold anything. A folder appears whole or not at all.
    """
    folder = root / f"{dataset.name}-{dataset.digest[:12]}-files"
    records: dict[str, str] = {}
    texts: dict[str, str] = {}
    for number, record in enumerate(dataset.records):
        document = as_document(record, looks_like_code)
        name = f"{number:06d}{_SUFFIX.get(document.language, '.md')}"
        records[name], texts[name] = record.id, document.text
    if not folder.exists():
        fresh = folder.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        for name, text in texts.items():
            (fresh / name).write_text(text, encoding="utf-8", errors="replace")
        fresh.rename(folder)
    return DatasetFiles(folder, records)
