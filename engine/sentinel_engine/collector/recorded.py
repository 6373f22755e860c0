"""A recording played as a source: same batches, same order, paced by the events' own times."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sentinel_engine.cgroups import Cgroups, Names
from sentinel_engine.collector.framer import Framer
from sentinel_engine.collector.scope import EVERYBODY, Scope, ScopeError
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.recording import RecordingError, Resume
from sentinel_engine.records import Batch, Clock
from sentinel_engine.segments import SegmentReader


class RecordedSource:
    """Plays the recording at ``path``, or the segments of one; ``speed`` 1.0 is real time, None as fast as it is taken.

    Raises RecordingError when the file is no recording; a cut one ends early with ``problem`` set.
    """

    live = False
    scope = EVERYBODY

    def __init__(self, path: Path | list[Path], speed: float | None = 1.0, name: str | None = None) -> None:
        paths = [path] if isinstance(path, Path) else path
        self._reader = SegmentReader(paths)
        self._speed = speed
        self.name = name or paths[0].name
        self.first = self._reader.header.first
        self.clock = Clock(self._reader.header.clock_offset_ns)
        self.processes: list[BootProcess] = self._reader.header.processes
        self.cgroups = Cgroups()
        self.problem = ""
        self._framer = Framer(self.first)
        self._batches = self._frames()
        self._next = next(self._batches, None)
        self._first_ns = _time_of(self._next) if self._next else 0
        self._began: float | None = None
        self._reached = 0
        self._closed = threading.Event()

    def _frames(self) -> Iterator[Batch]:
        try:
            for found in self._reader.batches():
                if isinstance(found, Names):
                    self.cgroups.learn(found)
                elif isinstance(found, Resume):
                    self._framer.resume(found.resume)
                else:
                    yield self._framer.split(found)
        except (RecordingError, ValueError) as error:
            self.problem = f"{self.name} ends early: {error}"
            return
        if self._reader.trailer is None:
            self.problem = f"{self.name} ends early: it was cut short"

    def read(self, timeout: float) -> list[Batch]:
        """The batches that are due now; waits at most ``timeout`` seconds for the next one."""
        if self._next is None:
            self._closed.wait(timeout)
            return []
        now = time.monotonic()
        if self._began is None:
            self._began = now
        wait = self._due(self._next) - now
        if wait > 0 and self._closed.wait(min(wait, timeout)):
            return []
        due: list[Batch] = []
        now = time.monotonic()
        while self._next is not None and len(due) < 64 and self._due(self._next) <= now:
            due.append(self._next)
            self._reached = _time_of(self._next)
            self._next = next(self._batches, None)
        return due

    def _due(self, batch: Batch) -> float:
        if self._speed is None or self._began is None:
            return 0.0
        return self._began + (_time_of(batch) - self._first_ns) / 1e9 / self._speed

    def ended(self) -> bool:
        """Whether everything was played, or it was stopped."""
        return self._next is None

    def set_mask(self, mask: int) -> None:
        """Nothing: what was recorded costs nothing more."""

    def set_scope(self, scope: Scope) -> None:
        """Refused: a recording has what it has."""
        raise ScopeError(f"not {scope or 'everybody'}: a recording cannot be narrowed; filter the events with /")

    def filtered(self) -> dict[str, int]:
        """Not known of a recording."""
        return {}

    def suppressed(self) -> dict[str, int]:
        """Not known of a recording but from its events."""
        return {}

    def stop(self) -> None:
        """Play no more."""
        self._closed.set()
        self._next = None

    def now(self) -> int:
        """See Source: of the last record played."""
        return self._reached

    def lost(self) -> dict[str, int]:
        """Events the recorded session lost, known once the end was reached."""
        return self._reader.trailer.lost if self._reader.trailer else {}

    def refused(self) -> dict[str, int]:
        """Records the recorded session could not frame, known once the end was reached."""
        return self._reader.trailer.refused if self._reader.trailer else {}

    def gaps(self) -> int | None:
        """None: a recording may be a selection, as the demo's is."""
        return None

    def close(self) -> None:
        """Stop waiting and close the file."""
        self._closed.set()
        self._reader.close()


def _time_of(batch: Batch) -> int:
    """Boot time of the batch's last record: a batch is due when it was complete."""
    return batch.at(len(batch) - 1).boot_ns
