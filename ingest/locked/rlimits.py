"""Ceilings of the kernel's that hold with and without the lock (setrlimit(2)).

Runs inside the child: standard library only. Processor time is not here: RLIMIT_CPU counts a process's whole life and a
hard limit cannot be raised again, so the parent reads the child's clock step by step.
"""

from __future__ import annotations

import resource


def apply(memory_mb: int, *, processes: bool = True) -> str:
    """Set every ceiling and return "ok" or the first refusal. Without `processes` more of them may be started."""
    ceilings = [
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ]
    if processes:
        ceilings.append((resource.RLIMIT_NPROC, 0))  # root is exempt: there it is seccomp that stops fork
    try:
        for which, ceiling in ceilings:
            resource.setrlimit(which, (ceiling, ceiling))
    except (OSError, ValueError) as error:
        return f"{which}: {error}"
    return "ok"
