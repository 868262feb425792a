from pathlib import Path

from ui.reference import reference


def test_the_manual_says_what_the_program_says() -> None:
    """Where this fails: `python -m ui.reference > docs/cli.md`."""
    assert (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8") == reference()
