"""The console on a terminal of its own: what it costs, what it sends, how soon a key is answered."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator

import psutil

from tests.bench.loads import CPU, Loads, prepared
from tests.bench.table import Row
from tests.system.conftest import COMMAND
from tests.system.link import Link

_RATE = 10_000
_SECONDS = 20.0
_PRESSES = 60


def rows() -> Iterator[Row]:
    """Idle, under a paced load, and over a slow link, at 120x40."""
    with prepared() as loads, tempfile.TemporaryDirectory() as folder:
        link = Link([COMMAND, "--session-dir", folder])
        try:
            link.until(lambda screen: b"LIVE" in screen)
            yield from _idle(link)
            yield from _busy(link, loads)
        finally:
            link.close()


def _share(process: psutil.Process, work: float, link: Link) -> tuple[float, float]:
    """Percent of a core, and bytes a second."""
    before = sum(process.cpu_times()[:2])
    sent = link.measure(work)
    return 100 * (sum(process.cpu_times()[:2]) - before) / work, sent / work


def _idle(link: Link) -> Iterator[Row]:
    process = psutil.Process(link.pid)
    link.measure(3)
    percent, sent = _share(process, _SECONDS / 2, link)
    yield Row("console, idle host: of a core", percent, "%", 3.0)
    yield Row("console, idle host: sent", sent / 1000, "kB/s", 20.0)


def _busy(link: Link, loads: Loads) -> Iterator[Row]:
    process = psutil.Process(link.pid)
    load = loads.start("opens", 3 * _SECONDS + 30, CPU, _RATE)
    link.measure(3)
    percent, sent = _share(process, _SECONDS, link)
    yield Row("console, 10k opens/s: of a core", percent, "%", 25.0)
    yield Row("console, 10k opens/s: sent", sent / 1000, "kB/s", 20.0)
    waits = sorted(1000 * _press(link) for _ in range(_PRESSES))
    yield Row("console, 10k opens/s: key to screen, median", statistics.median(waits), "ms", 100.0)
    yield Row("console, 10k opens/s: key to screen, p99", waits[-1 - _PRESSES // 100], "ms", 100.0)
    yield Row("console, 10k opens/s: resident", process.memory_info().rss / (1 << 20), "MB", 150.0)
    link.rate = 20_000
    link.measure(3)
    link.measure(_SECONDS)
    yield Row("console, 10k opens/s over 20 kB/s: behind at most", link.behind, "s", 1.0)
    load.kill()
    load.communicate()


def _press(link: Link) -> float:
    """Seconds from the key for the help to its page; closed again."""
    link.forget()
    link.type("?")
    waited = link.until(lambda screen: b"Keys" in screen)
    link.forget()
    link.type("q")
    link.until(lambda screen: b"Rules" in screen)
    time.sleep(0.05)  # so that keys do not fall into step with the frames
    return waited
