"""No attack gets out of the locked child, and every one leaves the parent well."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from attacks import ATTACKS, INTERPRETER, Attack
from ground import attempt, faults, ground

from ingest.locked.process import interpreter, monty

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_ends_as_foreseen_and_reaches_nothing(attack: Attack, tmp_path: Path) -> None:
    assert faults(attack, tmp_path) == []


@pytest.mark.parametrize("attack", [*ATTACKS, *INTERPRETER], ids=lambda attack: attack.name)
def test_an_attack_on_the_interpreter_reaches_nothing(attack: Attack, tmp_path: Path) -> None:
    assert faults(attack, tmp_path, "interpreter") == []


def test_attacks_have_names_of_their_own() -> None:
    everything = [*ATTACKS, *INTERPRETER]
    assert len({attack.name for attack in everything}) == len(everything)
    assert len(ATTACKS) >= 52


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("tcp", "connected by TCP"),
        ("udp", "sent by UDP"),
        ("abstract socket", "connected to an abstract socket"),
        ("a secret file", "read the secret"),
        ("write a file", "wrote a file"),
        ("truncate while reading", "changed the secret"),
        ("unlink", "changed the secret"),
        ("chmod", "changed the secret"),
        ("signal the parent", "signalled the parent"),
        ("have the kernel signal the parent", "signalled the parent"),
        ("the same by ioctl", "signalled the parent"),
    ],
)
def test_the_traps_catch_the_same_attack_without_the_lock(name: str, trace: str, tmp_path: Path) -> None:
    (attack,) = (attack for attack in ATTACKS if attack.name == name)
    with ground(tmp_path) as attacked:
        assert trace in attacked.traces(attempt(attack, attacked, level="off"))


@pytest.mark.parametrize(
    ("level", "attacks"),
    [("strong", ATTACKS), ("interpreter", [*ATTACKS, *INTERPRETER])],
    ids=["strong", "interpreter"],
)
def test_no_attack_succeeds_for_an_ordinary_user_either(level: str, attacks: list[Attack]) -> None:
    if os.getuid() != 0:
        pytest.skip("the tests already run as an ordinary user")
    run = as_nobody([str(Path(__file__).with_name("battery.py")), level])
    assert run.stderr == ""
    report = json.loads(run.stdout)
    assert report["uid"] == NOBODY
    assert report["outcome"] == {attack.name: [] for attack in attacks}


def as_nobody(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a Python that the user nobody may read, or skip where there is none."""
    refusals = []
    for python in dict.fromkeys([interpreter(), "/usr/bin/python3"]):
        try:
            if run(python, ["-c", "import ingest.locked.process"]).returncode == 0:
                return run(python, arguments)
            refusals.append(f"{python} cannot import this repository")
        except OSError as error:
            refusals.append(str(error))
    pytest.skip(f"uid {NOBODY} can run no Python of version 3.11 here: {'; '.join(refusals)}")


def run(python: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-B", *arguments],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={"PYTHONPATH": os.pathsep.join((str(ROOT), *map(str, monty()["path"]))), "HOME": "/tmp"},  # type: ignore[call-overload]
        capture_output=True,
        text=True,
        timeout=120,
    )
