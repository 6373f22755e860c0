"""A recording played as a source: same batches, same order, paced by the events' own times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from sentinel_engine.cgroups import Cgroups, Names
from sentinel_engine.collector.framer import Framer
from sentinel_engine.collector.playback import Playback
from sentinel_engine.collector.scope import EVERYBODY, Scope, ScopeError
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.recording import RecordingError, RecordingReader, Resume
from sentinel_engine.records import Batch, Clock
from sentinel_engine.segments import SegmentReader

_FOR_EVER: Final = 1 << 63


class Gap(NamedTuple):
    """Events that are not there: their ordinals, and the times (ns since boot) of those before and after."""

    first: int
    until: int
    after_ns: int
    before_ns: int


class RecordedSource:
    """Plays the recording at ``path``, or the segments of one; ``speed`` 1.0 is real time, None as fast as it is taken.

    It reads no further than it is asked to: what is known of processes and losses is what was known by then.
    Raises RecordingError when the file is no recording. ``problem``: what of it cannot be played; ``missing``: where
    that is. Both are known at the end.
    """

    live = False
    scope = EVERYBODY

    def __init__(self, path: Path | list[Path], speed: float | None = 1.0, name: str | None = None) -> None:
        self._paths = [path] if isinstance(path, Path) else path
        self.name = name or self._paths[0].name
        self._closed = threading.Event()
        self._framer = Framer()
        last_ns = self._last_time()
        self._begin()
        self.first = self._reader.header.first
        self.clock = Clock(self._reader.header.clock_offset_ns)
        self.processes: list[BootProcess] = self._reader.header.processes
        first = self._peek()
        self._first_ns = self._reached = first.at(0).boot_ns if first else last_ns
        self.playback = Playback(speed, (self._first_ns, max(self._first_ns, last_ns)))

    def _begin(self) -> None:
        self._reader = SegmentReader(self._paths)
        self._framer.resume(self._reader.header.first)
        self.cgroups = Cgroups()
        self.problem = ""
        self.missing: list[Gap] = []
        self._batches = self._frames()
        self._next: Batch | None = None
        self._over = False

    def rewind(self) -> None:
        """Begin anew; what is read next is the first batch. Raises RecordingError when that cannot be read any more."""
        before = self._reader
        self._begin()
        before.close()
        self._reached = self._first_ns

    def _last_time(self) -> int:
        """Boot time of the last event; 0 when that cannot be found."""
        for path in reversed(self._paths):
            with suppress(RecordingError, ValueError, OSError), closing(RecordingReader(path)) as reader:
                if raw := reader.last_batch():
                    return _time_of(self._framer.split(raw))
        return 0

    def _frames(self) -> Iterator[Batch]:
        problems, lost, next_seq, reached = self._reader.problems, 0, 0, 0
        if self.first:
            problems.append(f"the first {self.first:,} events have left the recording")
        try:
            for found in self._reader.batches():
                if isinstance(found, Names):
                    self.cgroups.learn(found)
                elif isinstance(found, Resume):
                    self._framer.resume(found.resume)
                else:
                    batch = self._framer.split(found)
                    if batch.base > next_seq:
                        lost += batch.base - max(next_seq, self.first)
                        self.missing.append(Gap(next_seq, batch.base, reached, batch.at(0).boot_ns))
                    next_seq, reached = batch.base + len(batch), _time_of(batch)
                    yield batch
        except ValueError as error:
            problems.append(str(error))
            self._reader.trailer = None
        if self._reader.trailer is None:
            self.missing.append(Gap(next_seq, _FOR_EVER, reached, _FOR_EVER))
        if lost:
            problems.append(f"{lost:,} events in between are missing")
        how = "is not whole" if self._reader.trailer else "ends early"
        self.problem = f"{self.name} {how}: {'; '.join(problems)}" if problems else ""

    def _peek(self) -> Batch | None:
        if self._next is None and not self._over:
            self._next = next(self._batches, None)
            self._over = self._next is None
        return self._next

    def read(self, timeout: float) -> list[Batch]:
        """The next batch when it is due; waits at most ``timeout`` seconds for that."""
        batch = self._peek()
        if batch is None:
            self.playback.ended()
            return []
        at = _time_of(batch)
        wait = self.playback.wait(at, batch.base)
        if wait is None or wait > 0:
            self._closed.wait(timeout if wait is None else min(wait, timeout))
            wait = self.playback.wait(at, batch.base)
        if wait is None or wait > 0 or self._over:
            return []
        self._next, self._reached = None, at
        self.playback.played(at, batch.base + len(batch))
        return [batch]

    def ended(self) -> bool:
        """Whether everything was played, or it was stopped."""
        return self._peek() is None

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
        self._next, self._over = None, True

    def now(self) -> int:
        """See Source: of the last record played; of the first one before that."""
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
