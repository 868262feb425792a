"""The machine that something was measured on, as far as it says what the numbers are worth: no name, no address."""

from __future__ import annotations

import os
import platform

from pydantic import BaseModel, ConfigDict, Field


class Machine(BaseModel):
    """Cores that this process may use, memory in gigabytes, the operating system and Python's version."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    cores: int = Field(ge=1)
    memory_gb: int = Field(ge=1)
    processor: str
    system: str
    python: str

    def __str__(self) -> str:
        return (
            f"{self.cores} cores ({self.processor}), {self.memory_gb} GB of memory, {self.system}, Python {self.python}"
        )


def this_machine() -> Machine:
    """Return the machine that this runs on."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory_gb=max(1, round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)),
        processor=_processor(),
        system=_system(),
        python=platform.python_version(),
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return " ".join(value.split()) or platform.machine()
    except OSError:
        pass  # no such file on this system: the architecture is what is known
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return f"{platform.system()} {platform.release()}"
