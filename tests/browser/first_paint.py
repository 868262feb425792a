"""How long `hoplite serve` takes from its start to the first paint, and until the page can be used.

    python -m tests.browser.first_paint FOLDER [TIMES]

FOLDER holds a workspace. A browser waits already; what is measured is the process and the page.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM, QUIET

_PAINTED = """() => new Promise((give) => {
  const done = () => performance.getEntriesByName("first-contentful-paint")[0];
  const look = () => done() ? give(performance.timeOrigin + done().startTime) : setTimeout(look, 5);
  look();
})"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds from the start of the process."""

    listening: float
    painted: float
    usable: float


def measure(browser: Browser, folder: Path) -> Measured:
    """Serve the folder's workspace and open the page as soon as its address is told."""
    page = browser.new_page()
    begun = time.time()
    command = [
        sys.executable,
        "-c",
        "from ui.cli import main; main()",
        "serve",
        "--port",
        "0",
        "--model",
        "none",
        "--workspace",
        str(folder),
    ]
    with subprocess.Popen(command, stderr=-1, text=True) as server:
        try:
            assert server.stderr is not None
            address = next(line.split()[1] for line in server.stderr if line.startswith("Open "))
            listening = time.time() - begun
            page.goto(address, wait_until="commit")
            painted = page.evaluate(_PAINTED) / 1000 - begun
            page.locator("body[data-ready]").wait_for(timeout=60_000)
            return Measured(listening, painted, time.time() - begun)
        finally:
            page.close()
            server.terminate()


def main(folder: Path, times: int) -> None:
    """Print each measurement on a line."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for _ in range(times):
            took = measure(browser, folder)
            click.echo(f"listening {took.listening:.2f} s, painted {took.painted:.2f} s, usable {took.usable:.2f} s")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
