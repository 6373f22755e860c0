"""`make bench`: the figures of this host, each beside its target, measured in one run."""

from __future__ import annotations

import importlib
import sys
from typing import Any

MODULES = ("tests.bench.bench_rules", "tests.bench.bench_collector")


def main() -> None:
    """Print every module's rows, and how many miss their target: that is a finding, not a failure of the command."""
    missed = 0
    for name in MODULES:
        for row in importlib.import_module(name).rows():
            missed += not _print(row)
    sys.stdout.write(f"{missed} figures miss their target\n")


def _print(row: dict[str, Any]) -> bool:
    target = row.get("target")
    ok = target is None or (row["value"] >= target if row.get("at_least") else row["value"] <= target)
    sign = "" if target is None else f"{'>=' if row.get('at_least') else '<='} {target:g} {row['unit']}"
    figure = f"{row['name']:<58} {row['value']:>10.4g} {row['unit']:<8} {sign:<16}"
    sys.stdout.write(f"{figure} {'' if ok else 'MISSED '}{row.get('note', '')}\n")
    sys.stdout.flush()
    return ok


main()
