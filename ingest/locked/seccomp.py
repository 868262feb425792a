"""A seccomp filter that knows what Python needs and refuses the rest (seccomp(2), in classic BPF).

Runs inside the child: standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

# Linux's numbers on x86_64 and on aarch64 (asm/unistd_64.h, asm-generic/unistd.h); None where the call does not exist.
# The most frequent come first, because the filter compares one after the other.
CALLS: dict[str, tuple[int, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "futex": (202, 98),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "brk": (12, 214),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "openat": (257, 56),
    "newfstatat": (262, 79),
    "fstat": (5, 80),
    "stat": (4, None),
    "lstat": (6, None),
    "statx": (332, 291),
    "close": (3, 57),
    "lseek": (8, 62),
    "pread64": (17, 67),
    "getdents64": (217, 61),
    "ioctl": (16, 29),
    "fcntl": (72, 25),
    "getcwd": (79, 17),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "restart_syscall": (219, 128),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrandom": (318, 278),
    "sysinfo": (99, 179),  # glibc's qsort asks how much memory there is
    "uname": (63, 160),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "rseq": (334, 293),
    "exit": (60, 93),
    "exit_group": (231, 94),
}

# fcntl and ioctl can make the kernel signal another process when a descriptor is ready (F_SETOWN, FIOSETOWN), so only
# the commands with which Python opens a file pass: F_GETFD, F_SETFD, F_GETFL; TCGETS, FIONCLEX, FIOCLEX.
COMMANDS: dict[str, tuple[int, ...]] = {"fcntl": (1, 2, 3), "ioctl": (0x5401, 0x5450, 0x5451)}

# Opening is for reading: O_ACCMODE, O_CREAT, O_TRUNC, __O_TMPFILE. Landlock before ABI 3 does not see O_TRUNC.
WRITING = 0o3 | 0o100 | 0o1000 | 0o20000000

# uname's machine: its column in CALLS, and its AUDIT_ARCH.
MACHINES: dict[str, tuple[int, int]] = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_X32 = 0x40000000  # x86_64's second ABI reaches the same calls under other numbers

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


def program(machine: str) -> bytes:
    """Return the filter for one of `MACHINES`: 8 bytes an instruction.

    A call outside the list fails with EPERM; a call of a foreign architecture kills the process.
    """
    column, arch = MACHINES[machine]
    code = [_op(_LOAD, _ARCH), _op(_EQUAL, arch, 1, 0), _op(_RETURN, _KILL)]
    code += [_op(_LOAD, _NUMBER), _op(_AT_LEAST, _X32, 0, 1), _op(_RETURN, _KILL)]
    for name, numbers in CALLS.items():
        number = numbers[column]
        if number is not None:
            body = _body(name)
            code += [_op(_EQUAL, number, 0, len(body)), *body]
    code.append(_op(_RETURN, _REFUSE))
    return b"".join(code)


def install(libc: ctypes.CDLL) -> str:
    """Put the filter on this process, for good, and return "ok" or what stopped it. Needs no_new_privs."""
    machine = os.uname().machine
    if machine not in MACHINES:
        return f"no list of system calls for {machine}"
    code = program(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the count, padding to a pointer's alignment, the address.
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        return os.strerror(ctypes.get_errno())
    return "ok"


def _body(name: str) -> list[bytes]:
    """The instructions that decide about one call; every path through them ends in a return."""
    if name == "openat":
        flags = _op(_LOAD, _ARGUMENTS + 8 * 2)
        return [flags, _op(_ANY_BIT, WRITING, 0, 1), _op(_RETURN, _REFUSE), _op(_RETURN, _ALLOW)]
    if name in COMMANDS:
        code = [_op(_LOAD, _ARGUMENTS + 8 * 1)]
        for command in COMMANDS[name]:
            code += [_op(_EQUAL, command, 0, 1), _op(_RETURN, _ALLOW)]
        return [*code, _op(_RETURN, _REFUSE)]
    return [_op(_RETURN, _ALLOW)]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One struct sock_filter. The jumps say how many instructions to skip."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
