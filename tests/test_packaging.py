"""What is installed is what is here: every package is listed, every file it needs is shipped, the names are ours."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("agent", "evals", "ingest", "retrieval", "ui")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    found = {
        init.parent.relative_to(ROOT).as_posix() for floor in FLOORS for init in (ROOT / floor).rglob("__init__.py")
    }
    assert {name.replace(".", "/") for name in SETUPTOOLS["packages"]} == found


def test_every_file_beside_the_code_is_shipped() -> None:
    shipped = {
        path
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    packages = {ROOT / name.replace(".", "/") for name in SETUPTOOLS["packages"]}
    beside = {
        path
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not (path.suffix == ".py" and path.parent in packages)
    }
    assert beside - shipped == set()


def test_every_pattern_of_shipped_files_matches_something() -> None:
    for package, patterns in SETUPTOOLS["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / package.replace(".", "/")).glob(pattern)), f"{package}: {pattern}"


def test_every_pin_has_its_reason() -> None:
    """A comment on the line, or above the run of lines it stands in."""
    reasoned = False
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip():
            reasoned = False
        reasoned = reasoned or "#" in line
        assert not line.strip() or reasoned, line


def test_the_five_names_mean_this_project_from_another_folder(tmp_path: Path) -> None:
    # All of that name: the folder's own .egg-info, which an editable installation leaves, knows no origin.
    found = [each.read_text("direct_url.json") for each in distributions(name="hoplite")]
    if ROOT.as_uri() not in [json.loads(origin)["url"] for origin in found if origin]:
        pytest.skip("hoplite is not installed from this folder; `make test` installs it")
    code = f"import {', '.join(FLOORS)}; print(*(m.__file__ for m in ({', '.join(FLOORS)})), sep='\\n')"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert [Path(line).parent for line in ran.stdout.splitlines()] == [ROOT / floor for floor in FLOORS]
