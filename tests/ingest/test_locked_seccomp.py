"""The filter, instruction by instruction, for both machines: one of them is not at hand."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from ingest.locked.seccomp import CALLS, MACHINES, program

ALLOW, KILL, EPERM = 0x7FFF0000, 0x80000000, 0x00050001
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def verdict(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """Run the filter as the kernel does: classic BPF over struct seccomp_data."""
    own = MACHINES[machine][1]
    data = struct.pack("<IIQ6Q", number, own if arch is None else arch, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("=HBBI", program(machine)))
    at = loaded = 0
    while True:
        operation, if_true, if_false, value = code[at]
        if operation == 0x06:
            return int(value)
        if operation == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
            at += 1
            continue
        holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[operation]
        at += 1 + (if_true if holds else if_false)


def number(machine: str, name: str) -> int:
    found = CALLS[name][MACHINES[machine][0]]
    assert found is not None
    return found


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip(f"no {HEADERS[machine]} to compare with (package linux-libc-dev)")
    text = HEADERS[machine].read_text()
    kernel = {
        name.replace("fstatat", "newfstatat") if machine == "aarch64" else name: int(value)
        for name, value in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)
    }
    ours = {name: numbers[MACHINES[machine][0]] for name, numbers in CALLS.items()}
    assert {name: kernel.get(name) for name in ours} == ours


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_not_listed_fails_and_what_is_listed_passes(machine: str) -> None:
    listed = {numbers[MACHINES[machine][0]] for numbers in CALLS.values()} - {None}
    passed = {n for n in range(600) if verdict(machine, n, 0, 1) == ALLOW}
    assert passed == listed - {number(machine, "ioctl")}  # whose command 1 is none of the three
    assert {verdict(machine, n) for n in range(600) if n not in listed} == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_is_killed(machine: str) -> None:
    assert verdict(machine, 0, arch=0x40000003) == KILL
    assert verdict(machine, 0x40000000) == KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("flags", "expected"),
    [(0, ALLOW), (0o2000000, ALLOW), (0o1, EPERM), (0o2, EPERM), (0o100, EPERM), (0o1000, EPERM), (0o20200000, EPERM)],
)
def test_a_file_is_opened_for_reading_only(machine: str, flags: int, expected: int) -> None:
    assert verdict(machine, number(machine, "openat"), 0, 0, flags) == expected


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("call", "command", "expected"),
    [("fcntl", 3, ALLOW), ("fcntl", 4, EPERM), ("fcntl", 8, EPERM), ("ioctl", 0x5401, ALLOW), ("ioctl", 0x8901, EPERM)],
)
def test_descriptors_cannot_be_made_to_signal(machine: str, call: str, command: int, expected: int) -> None:
    assert verdict(machine, number(machine, call), 3, command) == expected
