"""Probe the sandbox on a kernel that lacks something: `older_kernel.py landlock|seccomp ERRNO ASKED [without-monty]`.

The lack is real: a seccomp filter on this process makes the kernel itself answer with that error, here and in the
child. Prints the refusal, or the level and what a person is told of it.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from ingest.errors import UserError
from ingest.locked import process
from ingest.locked.levels import line, probe
from ingest.locked.report import SandboxMissing

PRCTL = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
LOAD, EQUAL, RETURN, ALLOW, ERRNO = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000


def forbid(number: int, first_argument: int | None, error: int) -> None:
    """Make this system call fail; where `first_argument` is given, only with that one."""
    code = [(LOAD, 0, 0, 0), (EQUAL, 0, 3 if first_argument is not None else 1, number)]
    if first_argument is not None:
        code += [(LOAD, 0, 0, 16), (EQUAL, 0, 1, first_argument)]
    code += [(RETURN, 0, 0, ERRNO | error), (RETURN, 0, 0, ALLOW)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)), 0, 0) == 0


if __name__ == "__main__":
    lacks, error, asked = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if sys.argv[4:]:

        def absent() -> dict[str, object]:
            raise SandboxMissing("interpreter", "monty: not installed")

        process.monty = absent
    if lacks == "landlock":
        forbid(444, None, error)
    else:
        forbid(PRCTL, 22, error)
    try:
        report = probe(asked)
        sys.stdout.write(f"{report.level}\n{line(report)}")
    except UserError as refusal:
        sys.stdout.write(str(refusal))
