"""A recording played as a source: same batches, same order, paced by the events' own times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sentinel_engine.cgroups import Cgroups, Names
from sentinel_engine.collector.framer import Framer
from sentinel_engine.collector.playback import Playback
from sentinel_engine.collector.scope import EVERYBODY, Scope, ScopeError
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.recording import RecordingError, Resume
from sentinel_engine.records import Batch, Clock
from sentinel_engine.segments import SegmentReader

_MOST: Final = 64  # batches at once
_LOOK_SECONDS: Final = 0.05  # how soon a key that plays on is seen


class RecordedSource:
    """Plays the recording at ``path``, or the segments of one; ``speed`` 1.0 is real time, None as fast as it is taken.

    Raises RecordingError when the file is no recording; a cut one ends early with ``problem`` set.
    """

    live = False
    scope = EVERYBODY

    def __init__(self, path: Path | list[Path], speed: float | None = 1.0, name: str | None = None) -> None:
        paths = [path] if isinstance(path, Path) else path
        self._reader = SegmentReader(paths)
        self.playback = Playback(speed)
        self.name = name or paths[0].name
        self.first = self._reader.header.first
        self.clock = Clock(self._reader.header.clock_offset_ns)
        self.processes: list[BootProcess] = self._reader.header.processes
        self.cgroups = Cgroups()
        self.problem = ""
        self._framer = Framer(self.first)
        self._batches = self._frames()
        self._next = next(self._batches, None)
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
        wait = self.playback.wait(_time_of(self._next))
        if wait is None or wait > 0:
            self._closed.wait(min(timeout if wait is None else wait, timeout, _LOOK_SECONDS))
        due: list[Batch] = []
        while self._next is not None and len(due) < _MOST:
            wait = self.playback.wait(at := _time_of(self._next))
            if wait is None or wait > 0:
                break
            due.append(self._next)
            self._reached = at
            self.playback.played(at)
            self._next = next(self._batches, None)
        return due

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
