"""The raw events of a session, in its folder: recordings one after the other, the oldest out first.

A thread of its own compresses and writes, so that a slow disk stalls nobody: what it has no time for is counted.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from sentinel_engine.cgroups import Names
from sentinel_engine.recording import Header, RecordingReader, RecordingWriter, Resume, Trailer
from sentinel_engine.records import Batch
from sentinel_engine.schema import KINDS

DEFAULT_BYTES: Final = 256 << 20
PATTERN: Final = "events-*.rec"
_PARTS: Final = 16  # segments that the limit is spread over: so much of it is lost at once when the oldest goes
_SMALLEST: Final = 256 << 10
_WAITING_BYTES: Final = 4 << 20
_LEVEL: Final = 1


class Keep(NamedTuple):
    """How much is kept: bytes on the disk, and seconds, 0 for no limit of time."""

    size: int = DEFAULT_BYTES
    seconds: float = 0.0


@dataclass(slots=True)
class _Segment:
    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    size: int = 0
    newest: float = 0.0


class SegmentWriter:
    """Takes batches from the engine thread, which it never holds up.

    ``header`` makes that of a segment which begins now, with a record of this ordinal. Raises OSError when the first
    cannot be made.
    """

    def __init__(self, folder: Path, keep: Keep, header: Callable[[int], Header]) -> None:
        self._folder = folder
        self._keep = keep
        self._header = header
        self._part = max(_SMALLEST, keep.size // _PARTS)
        self._segments: deque[_Segment] = deque()
        self._names: dict[int, bytes] = {}
        self._number = 0
        self._waiting = 0
        self._skipped = False
        self._full = False  # the current segment is, and the next batch begins another one
        self._lock = threading.Lock()
        self._lost: Counter[str] = Counter()
        self._evicted: Counter[str] = Counter()
        self.problem = ""
        self._queue: queue.SimpleQueue[Header | Names | Resume | Batch | Trailer] = queue.SimpleQueue()
        self._writer = self._begin(header(0))
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    # The engine thread.

    def start(self) -> None:
        """Start the thread: by then the process has given up the privileges that it must not have."""
        self._thread.start()

    def append(self, batch: Batch, names: Names | None) -> None:
        """Keep this batch, and before it what was found out about cgroups."""
        if self._full:
            self._full = False
            self._queue.put(self._header(batch.base))
        if names:
            self._queue.put(names)
        if self._waiting > _WAITING_BYTES:
            self._skipped = True
            self._count(self._lost, batch)
            return
        if self._skipped:
            self._skipped = False
            self._queue.put(Resume(batch.base))
        with self._lock:
            self._waiting += len(batch.data)
        self._queue.put(batch)

    def lost(self) -> dict[str, int]:
        """Kind -> events that were not kept: for want of time, or of room on the disk."""
        with self._lock:
            return dict(self._lost)

    def evicted(self) -> dict[str, int]:
        """Kind -> events that had to leave for newer ones."""
        with self._lock:
            return dict(self._evicted)

    def close(self, trailer: Trailer) -> None:
        """Write what waits, and the end."""
        self._queue.put(trailer)
        if self._thread.ident is not None:
            self._thread.join()

    def _count(self, counter: Counter[str], batch: Batch) -> None:
        with self._lock:
            counter.update({kind.name: n for kind in KINDS if (n := batch.counts[kind.number])})

    # Its own thread.

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            try:
                if isinstance(item, Trailer):
                    self._writer.close(item)
                    return
                self._write(item)
            except OSError as error:
                self.problem = f"raw events are not kept any more: {error.strerror}"
                self._writer.abandon()
                self._refuse_all(item)
                return

    def _write(self, item: Header | Names | Resume | Batch) -> None:
        current = self._segments[-1]
        if isinstance(item, Header):
            self._writer.close(Trailer({}))
            self._writer = self._begin(item)
        elif isinstance(item, Resume):
            self._writer.skip(item.resume)
        elif isinstance(item, Names):
            self._names |= item.paths
            self._writer.name(item)
        else:
            with self._lock:
                self._waiting -= len(item.data)
            self._writer.append(item)
            current.counts.update({kind.name: n for kind in KINDS if (n := item.counts[kind.number])})
            current.newest = time.monotonic()
            current.size = self._writer.size
            self._full = self._full or current.size >= self._part
            self._evict()

    def _begin(self, header: Header) -> RecordingWriter:
        self._number += 1
        segment = _Segment(self._folder / f"events-{self._number:06d}.rec")
        writer = RecordingWriter(segment.path, header, level=_LEVEL)
        if self._names:
            writer.name(Names(dict(self._names)))
        self._segments.append(segment)
        return writer

    def _evict(self) -> None:
        def too_much() -> bool:
            if len(self._segments) < 2:
                return False
            old = self._keep.seconds and time.monotonic() - self._segments[0].newest > self._keep.seconds
            return bool(old) or sum(segment.size for segment in self._segments) > self._keep.size

        while too_much():
            oldest = self._segments.popleft()
            oldest.path.unlink(missing_ok=True)
            with self._lock:
                self._evicted.update(oldest.counts)

    def _refuse_all(self, item: Header | Names | Resume | Batch | Trailer) -> None:
        """The disk takes no more: count what comes, until the end."""
        while not isinstance(item, Trailer):
            if isinstance(item, Batch):
                with self._lock:
                    self._waiting -= len(item.data)
                self._count(self._lost, item)
            item = self._queue.get()


class SegmentReader:
    """Reads the segments of a session as one recording. Raises RecordingError.

    ``trailer`` is that of the last one; None while it was not reached, and for a session that was cut short.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._reader = RecordingReader(paths[0])
        self.header = self._reader.header
        self.trailer: Trailer | None = None

    def batches(self) -> Iterator[bytes | Names | Resume]:
        """See RecordingReader."""
        for number, path in enumerate(self._paths):
            if number:
                self._reader.close()
                self._reader = RecordingReader(path)
            yield from self._reader.batches()
        self.trailer = self._reader.trailer

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def segments_in(session: Path) -> list[Path]:
    """The segments that a session has kept, oldest first."""
    return sorted(session.glob(PATTERN))
