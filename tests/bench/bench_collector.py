"""The collector and the whole pipeline on this kernel: storms, pace, latency, start, size."""

from __future__ import annotations

import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

COMMAND = Path(sys.executable).with_name("sentinel-tui")
STORM_SECONDS = 20
STARTS = 5
PACES = (200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 800_000)


class Watched:
    """A running `sentinel-tui watch` with the full rule pack."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        began = time.monotonic()
        self.process = subprocess.Popen(
            [str(COMMAND), "watch", "--session-dir", str(folder / "sessions"), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        assert self.process.stderr.readline().startswith("watching")
        self.start_seconds = time.monotonic() - began
        self._usage = psutil.Process(self.process.pid)
        # Lines are taken at once: a reader that lags would hold the rules up, and the kernel's ring would overflow.
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._take, daemon=True)
        self._reader.start()

    def _take(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return sum(self._usage.cpu_times()[:2])

    def alert_on(self, path: str) -> None:
        """Wait for the alert about this path."""
        while json.loads(self._lines.get(timeout=30)).get("event", {}).get("path") != path:
            pass

    def end(self) -> dict[str, Any]:
        """Stop it; its summary."""
        self.process.terminate()
        self.process.wait(60)
        self._reader.join()
        last = ""
        while not self._lines.empty():
            last = self._lines.get()
        return dict(json.loads(last))


@contextmanager
def _prepared() -> Iterator[tuple[Path, Path]]:
    """A folder of our own, and the load generator compiled into it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "opens"
        source = Path(__file__).with_name("opens.c")
        subprocess.run(["gcc", "-O2", "-o", str(program), str(source)], check=True)
        yield folder, program


def _opens(program: Path, seconds: float, rate: int = 0) -> tuple[int, float]:
    """How many opens were done, and how many a second."""
    command = [str(program), str(seconds), "1", *([str(rate)] if rate else [])]
    done, speed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(done), float(speed)


def rows() -> Iterator[dict[str, Any]]:
    """Each figure as it is measured."""
    with _prepared() as (folder, program):
        yield from _start(folder)
        yield from _storm(folder, program)
        yield from _pace(folder, program)
        yield from _latency(folder)


def _start(folder: Path) -> Iterator[dict[str, Any]]:
    for loader, target in (("core", 0.3), ("bcc", 1.0)):
        runs = []
        for _ in range(STARTS):
            watched = Watched(folder, "--loader", loader)
            runs.append(watched.start_seconds)
            watched.end()
        yield _row(f"start to watching, {loader}", statistics.median(runs), "s", target)


def _storm(folder: Path, program: Path) -> Iterator[dict[str, Any]]:
    _, before = _opens(program, 3)
    watched = Watched(folder)
    cpu = watched.cpu_seconds()
    done, traced = _opens(program, STORM_SECONDS)
    cpu = (watched.cpu_seconds() - cpu) / STORM_SECONDS
    summary = watched.end()
    _, after = _opens(program, 3)
    untraced = (before + after) / 2
    yield _row(f"open storm, {STORM_SECONDS} s: lost", _lost(summary), "events", 0, note=f"of {done}")
    yield _row("open storm: traced speed, of untraced", traced / untraced, "", 0.55, at_least=True)
    yield _row("open storm: reader and rules, of one core", cpu * 100, "%", 60)
    yield _row("resident memory after the storm", summary["rss_bytes"] / 1e6, "MB")


def _pace(folder: Path, program: Path) -> Iterator[dict[str, Any]]:
    _, most = _opens(program, 1)
    kept = 0
    for rate in (rate for rate in PACES if rate < most):
        watched = Watched(folder)
        _, reached = _opens(program, 4, rate)
        summary = watched.end()
        if _lost(summary) or reached < 0.97 * rate:
            break
        kept = rate
    yield _row(
        "largest paced rate without loss", kept / most, "", note=f"of the untraced {most:.0f} opens/s: {kept} opens/s"
    )


def _latency(folder: Path) -> Iterator[dict[str, Any]]:
    watched = Watched(folder)
    took = []
    for number in range(30):
        path = folder / f"home{number}" / ".ssh" / "id_rsa"
        path.parent.mkdir(parents=True)
        path.touch()
        watched.alert_on(str(path))
        time.sleep(0.1)  # a quiet host is what is measured
        path = folder / f"home{number}" / ".ssh" / "id_ed25519"
        began = time.monotonic()
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
        watched.alert_on(str(path))
        took.append((time.monotonic() - began) * 1000)
    watched.end()
    took.sort()
    yield _row("open to alert line, quiet host, p50", statistics.median(took), "ms", 2)
    yield _row("open to alert line, quiet host, p95", took[int(len(took) * 0.95)], "ms", 5)


def _lost(summary: dict[str, Any]) -> int:
    return sum(sum(kinds.values()) for stage, kinds in summary["lost"].items() if stage != "history")


def _row(name: str, value: float, unit: str, target: float | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "target": target, **more}
