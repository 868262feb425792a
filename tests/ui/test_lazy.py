from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from ui.lazy import unseen

ROOT = Path(__file__).parents[2]


def test_a_package_cannot_be_imported_where_it_is_unseen_and_can_be_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heronry.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with unseen("heronry"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("heronry")
    assert importlib.import_module("heronry")
    with unseen("heronry"):  # it is there already, and whoever has it keeps it
        assert importlib.import_module("heronry")


def test_the_page_is_served_without_the_package_of_the_other_protocol() -> None:
    """What a process has imported that is about to open its workspace."""
    code = (
        "import atexit, sys; from ui.commands.serve import serve; from ui.desk import Workdesk; "
        "Workdesk.__enter__ = lambda desk: sys.exit(); "
        "atexit.register(lambda: print('gradio' in sys.modules, 'mcp' in sys.modules)); serve.main([])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.split() == ["True", "False"], ran.stderr
