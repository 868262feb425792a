"""Landlock: this process may read below a few folders and do nothing else with files (landlock(7)).

Runs inside the child: standard library only. The system calls have the same numbers on every architecture.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3


def abi(libc: ctypes.CDLL) -> int:
    """Return the kernel's Landlock version, or -1 with errno set where there is none."""
    return _call(libc, _CREATE_RULESET, None, 0, _ASK_VERSION)


def restrict(libc: ctypes.CDLL, readable: Iterable[str]) -> str:
    """Leave this process only reading at and below `readable`; return "ok" or what stopped it.

    From ABI 4 on TCP is closed too, from ABI 6 on signals and abstract sockets of other processes. Needs no_new_privs.
    """
    version = abi(libc)
    if version < 1:
        return _why()
    attributes = _handled(version)
    rules = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return _why()
    try:
        for path in readable:
            if not _allow_reading(libc, rules, path):
                return f"{path}: {_why()}"
        return "ok" if _call(libc, _RESTRICT_SELF, rules, 0) == 0 else _why()
    finally:
        os.close(rules)


def _handled(version: int) -> bytes:
    """struct landlock_ruleset_attr: every right this version knows, so that what no rule grants is refused."""
    rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # how many rights over files there are
    files = (1 << rights) - 1
    if version < 4:
        return struct.pack("=Q", files)
    bind_and_connect = 0b11
    if version < 6:
        return struct.pack("=QQ", files, bind_and_connect)
    abstract_sockets_and_signals = 0b11
    return struct.pack("=QQQ", files, bind_and_connect, abstract_sockets_and_signals)


def _allow_reading(libc: ctypes.CDLL, rules: int, path: str) -> bool:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE
        rule = struct.pack("=Qi", rights, descriptor)
        return _call(libc, _ADD_RULE, rules, _PATH_BENEATH, rule, 0) == 0
    finally:
        os.close(descriptor)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    # syscall(2) takes its arguments as longs, and ctypes would pass a bare int as 32 bits.
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return int(libc.syscall(ctypes.c_long(number), *words))


def _why() -> str:
    return os.strerror(ctypes.get_errno())
