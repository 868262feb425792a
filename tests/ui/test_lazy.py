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
    """What a process has imported before it opens its workspace, and when the page is there."""
    code = (
        "import sys, types; from ui import app; from ui.access import access; from ui.desk import Workdesk; "
        "print('gradio' in sys.modules); app.page = lambda *a, **k: None; "
        "app.server = lambda app: types.SimpleNamespace(run=lambda sockets: None); "
        "app.serve(Workdesk(None, {}), access=access('127.0.0.1', (), None, {}), port=0, on_ready=id, at_once=False); "
        "print('gradio' in sys.modules, 'mcp' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.split() == ["False", "True", "False"], ran.stderr
