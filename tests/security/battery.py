"""Every attack in turn at the level that is named, as a program, so that it can run as another user: prints one JSON
object."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from attacks import ATTACKS, INTERPRETER
from ground import faults

if __name__ == "__main__":
    outcome = {}
    level = "interpreter" if sys.argv[1:] == ["interpreter"] else "strong"
    for attack in [*ATTACKS, *(INTERPRETER if level == "interpreter" else [])]:
        with tempfile.TemporaryDirectory() as folder:
            outcome[attack.name] = faults(attack, Path(folder), level)
    json.dump({"uid": os.getuid(), "outcome": outcome}, sys.stdout)
