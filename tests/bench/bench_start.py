"""From the command to watching, and what the process is made of when nothing happens."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from tests.bench.loads import Loads, prepared
from tests.bench.table import Row
from tests.bench.watched import Watched

STARTS = 5
IDLE_SECONDS = 3  # after which all that a start leaves behind has been given back


def rows() -> Iterator[Row]:
    """Each figure as it is measured."""
    with prepared() as loads:
        for loader, target in (("core", 0.3), ("bcc", 1.0)):
            yield from _start(loads, loader, target)


def _start(loads: Loads, loader: str, target: float) -> Iterator[Row]:
    runs = []
    for number in range(STARTS):
        watched = Watched(loads.folder, "--loader", loader)
        runs.append(watched.start_seconds)
        if number == 0:
            time.sleep(IDLE_SECONDS)
            idle = watched.resident_mb()
        watched.end()
    yield Row(f"start to watching, {loader}", statistics.median(runs), "s", target)
    yield Row(f"resident memory of an idle watch, {loader}", idle, "MB", 60)
