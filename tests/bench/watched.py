"""A running `sentinel-tui watch`, seen from outside."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

COMMAND = str(Path(sys.executable).with_name("sentinel-tui"))


class Watched:
    """`sentinel-tui watch` with the full rule pack; its sessions go into ``folder``."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        began = time.monotonic()
        self.process = subprocess.Popen(
            [COMMAND, "watch", "--session-dir", str(folder / "sessions"), *arguments],
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

    def resident_mb(self) -> float:
        """What ``ps`` says, in MB."""
        return float(self._usage.memory_info().rss) / 1e6

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


def lost(summary: dict[str, Any], *kinds: str) -> int:
    """Events lost on their way to the rules, of these kinds or of all."""
    stages = (summary["lost"][stage] for stage in ("kernel", "ring"))
    return sum(n for counts in stages for kind, n in counts.items() if not kinds or kind in kinds)
