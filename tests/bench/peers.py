"""A tracer, another or ours, as a command that writes a line for each event."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

START_SECONDS = 30
_POLL = 0.0002
_SETTLE_SECONDS = 0.3
# Most tools attach through tracefs; it is mounted for them alone, so that the host stays as it is.
_WITH_TRACEFS = (
    "unshare", "-m", "sh", "-ec", 'mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"', "sh",
)  # fmt: skip
_COMPLAINTS = ("unable", "cannot", "no such", "error", "exception", "not ")


class UnavailableError(Exception):
    """A tool does not run on this host; the text is the reason, in its own words."""


class Peer:
    """A running tool. ``marker``: what its line for the watched event holds; ``cause`` makes one such event.

    Raises UnavailableError when no such line comes.
    """

    def __init__(self, command: tuple[str, ...], folder: Path, marker: bytes, cause: Callable[[], None]) -> None:
        if shutil.which(command[0]) is None:
            raise UnavailableError(f"{command[0]} is not installed")
        self.marker, self._cause = marker, cause
        self._output, self._complaints = folder / "peer.out", folder / "peer.err"
        began = time.monotonic()
        with self._output.open("wb") as output, self._complaints.open("wb") as complaints:
            self.process = subprocess.Popen([*_WITH_TRACEFS, *command], stdout=output, stderr=complaints)
        self._usage = psutil.Process(self.process.pid)
        self._reader = self._output.open("rb")
        self._tail = b""
        try:
            self._await_first(began + START_SECONDS)
        except BaseException:
            self.end()
            raise
        self.start_seconds = time.monotonic() - began

    def _await_first(self, deadline: float) -> None:
        while not self._seen():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise UnavailableError(_reason(self._complaints.read_text(errors="replace")))
            self._cause()
            time.sleep(_POLL)

    def _seen(self) -> int:
        """Marked lines since the last look."""
        text = self._tail + self._reader.read()
        whole, _, self._tail = text.rpartition(b"\n")
        return sum(self.marker in line for line in whole.split(b"\n"))

    def latency_ms(self) -> float:
        """From a cause to its line, on a host that is otherwise quiet."""
        while self._seen():
            time.sleep(0.1)
        began = time.monotonic()
        self._cause()
        while not self._seen():
            if time.monotonic() > began + START_SECONDS:
                raise UnavailableError("it stopped writing")
            time.sleep(_POLL)
        took = (time.monotonic() - began) * 1000
        time.sleep(0.05)  # a quiet host is what is measured
        return took

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return sum(self._usage.cpu_times()[:2])

    def resident_mb(self) -> float:
        """What ``ps`` says, in MB."""
        return float(self._usage.memory_info().rss) / 1e6

    def end(self) -> bytes:
        """Stop it once it has written what it still holds; all that it has written."""
        size = -1
        while self.process.poll() is None and size < (size := self._output.stat().st_size):
            time.sleep(_SETTLE_SECONDS)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        self._reader.close()
        return self._output.read_bytes()


def _reason(complaints: str) -> str:
    """The line of what a tool has complained that says most."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    telling = (line for word in _COMPLAINTS for line in lines if word in line.lower())
    return next(telling, "it wrote nothing")[:150]
