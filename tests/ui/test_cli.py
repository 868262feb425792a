"""Names, exit codes and one clear line."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.errors import ToolError, WorkspaceBusy
from tests.ui.conftest import Hoplite
from ui.cli import cli
from ui.commands import status

ROOT = Path(__file__).parents[2]


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.endswith("\n") and "Traceback" not in text


@pytest.mark.parametrize(
    "words", [("search", "x", "--nonsense"), ("nonsense",), ("search",), ("search", "x", "-k", "0")]
)
def test_words_that_mean_nothing_are_one_line_and_exit_code_2(hoplite: Hoplite, words: tuple[str, ...]) -> None:
    result = hoplite(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert one_line(result.stderr)


def test_every_command_and_subcommand_has_help(hoplite: Hoplite) -> None:
    for words in (["demo"], ["models", "pull"], ["eval", "run"], ["eval", "retrieval"], ["memory", "show"], ["serve"]):
        result = hoplite(*words, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage: ")


def test_help_imports_nothing_heavy() -> None:
    code = """
        import sys
        from ui.cli import cli
        try: cli.main(["--help"])
        except SystemExit: pass
        heavy = "numpy torch gradio rich pydantic opentelemetry retrieval agent evals sqlite3"
        print(sorted(set(heavy.split()) & set(sys.modules)))
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.endswith("[]\n"), ran.stderr


@pytest.mark.parametrize(("raised", "code"), [(WorkspaceBusy("held by process 42"), 3), (KeyboardInterrupt(), 130)])
def test_what_was_foreseen_is_one_line_and_its_exit_code(
    hoplite: Hoplite, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int
) -> None:
    def fails(workspace: Path | None, **options: object) -> None:
        raise raised

    monkeypatch.setattr(status, "opened", fails)
    result = hoplite("status")
    assert (result.exit_code, result.stdout) == (code, "")
    assert one_line(result.stderr)


def test_a_bug_leaves_as_its_traceback(hoplite: Hoplite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "opened", lambda workspace, **options: 1 / 0)
    result = hoplite("status")
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_message_with_an_escape_sequence_shows_it_harmless(hoplite: Hoplite, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(workspace: Path | None, **options: object) -> None:
        raise ToolError("bad \x1b[31m name\nsecond line")

    monkeypatch.setattr(status, "opened", fails)
    assert hoplite("status").stderr == "bad \\x1b[31m name second line\n"


@pytest.mark.parametrize("words", [("--workspace", "{}", "status"), ("status", "--workspace", "{}")])
def test_the_workspace_is_named_before_or_after_the_command(
    hoplite: Hoplite, indexed: Path, words: tuple[str, ...]
) -> None:
    result = hoplite(*(word.format(indexed / ".hoplite") for word in words))
    assert result.exit_code == 0
    assert str(indexed / ".hoplite") in result.stdout


def test_an_interrupt_is_one_line_and_exit_code_130() -> None:
    code = "import ui.commands.status as s, time; s.opened = lambda w, **o: (print('up', flush=True), time.sleep(30)); "
    code += "from ui.cli import cli; cli.main(['status'])"
    # A shell's background job ignores the signal, and so would the child of a test run in one.
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {code}"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=20)
    assert child.returncode == 130
    assert one_line(stderr)
    assert "run it again to go on" in stderr


def test_a_reader_that_closes_early_is_no_bug() -> None:
    code = "from ui.cli import cli; import ui.commands.models; cli.main(['models'])"
    child = subprocess.Popen(["bash", "-c", f"{sys.executable} -c \"{code}\" | true; exit ${{PIPESTATUS[0]}}"],
                             cwd=ROOT, stdout=-1, stderr=-1, text=True)  # fmt: skip
    _, stderr = child.communicate(timeout=20)
    assert child.returncode in (0, 141)  # 0 where it had written everything before the reader was gone
    assert "Traceback" not in stderr


@pytest.mark.parametrize(("no_color", "styled"), [("1", False), ("", True)])
def test_no_color_in_the_environment_takes_the_colours_away(indexed: Path, no_color: str, styled: bool) -> None:
    words = ["symbols", "HERON_RETENTION", "--workspace", str(indexed / ".hoplite")]
    result = CliRunner().invoke(cli, words, env={"NO_COLOR": no_color}, color=True)
    assert (result.exit_code, "\x1b[" in result.stdout) == (0, styled)


def test_an_empty_query_is_asked_for(hoplite: Hoplite) -> None:
    result = hoplite("search", "  ")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The query is empty." in result.stderr
