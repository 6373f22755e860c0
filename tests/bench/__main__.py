"""`make bench`: the figures of this host, each beside its target, measured in one run."""

from __future__ import annotations

import importlib
import sys
import time

MODULES = ("rules", "reload", "hunt", "start", "storm", "syscalls", "peers", "export", "console", "endurance")


def main() -> None:
    """Print the rows of every module, or of those named, and how many miss their target: a finding, not a failure."""
    began, missed = time.monotonic(), 0
    for name in sys.argv[1:] or MODULES:
        for row in importlib.import_module(f"tests.bench.bench_{name}").rows():
            missed += row.verdict == "MISSED"
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{missed} figures miss their target; {time.monotonic() - began:.0f} s\n")


main()
