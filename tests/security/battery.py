"""Every attack in turn, as a program, so that it can run as another user: prints one JSON object."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from attacks import ATTACKS
from ground import faults

if __name__ == "__main__":
    outcome = {}
    for attack in ATTACKS:
        with tempfile.TemporaryDirectory() as folder:
            outcome[attack.name] = faults(attack, Path(folder))
    json.dump({"uid": os.getuid(), "outcome": outcome}, sys.stdout)
