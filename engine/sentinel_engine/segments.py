"""The raw events of a session, in its folder: recordings one after the other, the oldest out first.

A thread of its own compresses and writes, so that a slow disk stalls nobody: what it has no time for is counted.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from sentinel_engine.cgroups import Names
from sentinel_engine.recording import Header, RecordingError, RecordingReader, RecordingWriter, Resume, Trailer
from sentinel_engine.records import Batch
from sentinel_engine.schema import KINDS

DEFAULT_BYTES: Final = 256 << 20
PATTERN: Final = "events-*.rec"
_PARTS: Final = 16  # segments that the limit is spread over: so much of it is lost at once when the oldest goes
_SMALLEST: Final = 256 << 10
_WAITING_BYTES: Final = 4 << 20
_LEVEL: Final = -1  # of what a quiet host does, two and a half times as fast as 1, for 2 % more on the disk
# What is left of the disk for the journal, which matters more: at most so many bytes, and so much of a small one.
_SPARED_BYTES: Final = 16 << 20
_SPARED_PART: Final = 8
_RETRY_SECONDS: Final = 5.0


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

    While the disk takes nothing they are counted as lost; when it does again, another segment begins. ``header`` makes
    that of a segment which begins now, with a record of this ordinal.
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
        self._retry_at = 0.0
        self._writer: RecordingWriter | None = None
        self.problem = ""  # why nothing is kept now, as the system says it
        try:
            self._begin(header(0))
        except OSError as error:
            self._refuse(str(error.strerror))
        self._queue: queue.SimpleQueue[Header | Names | Resume | Batch | Trailer] = queue.SimpleQueue()
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
                self._take(item)
            except OSError as error:
                self._refuse(str(error.strerror))
                if isinstance(item, Batch):
                    self._count(self._lost, item)
            if isinstance(item, Trailer):
                return

    def _take(self, item: Header | Names | Resume | Batch | Trailer) -> None:
        if isinstance(item, Header):
            if self._writer:
                self._writer.close(Trailer({}))
            self._begin(item)
            self.problem = ""
        elif isinstance(item, Names):
            self._names |= item.paths
            if self._writer:
                self._writer.name(item)
        elif isinstance(item, Batch):
            with self._lock:
                self._waiting -= len(item.data)
            self._keep_batch(item)
        elif self._writer:
            self._writer.skip(item.resume) if isinstance(item, Resume) else self._writer.close(item)

    def _keep_batch(self, batch: Batch) -> None:
        if self._writer is None:
            self._count(self._lost, batch)
            self._full = self._full or time.monotonic() >= self._retry_at
            return
        self._spare()
        self._writer.append(batch)
        current = self._segments[-1]
        current.counts.update({kind.name: n for kind in KINDS if (n := batch.counts[kind.number])})
        current.newest = time.monotonic()
        current.size = self._writer.size
        self._full = self._full or current.size >= self._part
        self._evict()

    def _spare(self) -> None:
        disk = os.statvfs(self._folder)
        if disk.f_bavail < min(_SPARED_BYTES // disk.f_frsize, disk.f_blocks // _SPARED_PART):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _refuse(self, reason: str) -> None:
        self.problem = reason
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if self._writer:
            self._writer.abandon()
            self._writer = None

    def _begin(self, header: Header) -> None:
        self._spare()
        self._number += 1
        segment = _Segment(self._folder / f"events-{self._number:06d}.rec")
        self._writer = RecordingWriter(segment.path, header, level=_LEVEL)
        self._segments.append(segment)
        if self._names:
            self._writer.name(Names(dict(self._names)))

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


class SegmentReader:
    """Reads the segments of a session as one recording. Raises RecordingError when not one of them can be read.

    What is missing between them is a Resume. ``problems``: the segments that could not be read to their ends, in words;
    ``trailer`` is that of the last one, None when it is one of these.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._left = deque(paths)
        self.problems: list[str] = []
        self.trailer: Trailer | None = None
        first = self._open()
        if first is None:
            raise RecordingError(self.problems[0])
        self._reader = first
        self.header = first.header

    def batches(self) -> Iterator[bytes | Names | Resume]:
        """See RecordingReader; a damaged segment ends early."""
        reader: RecordingReader | None = self._reader
        while reader:
            try:
                yield from reader.batches()
                if reader.trailer is None:
                    self.problems.append(f"{reader.path.name} was cut short")
            except (RecordingError, OSError) as error:
                self.problems.append(str(error))
            self.trailer = reader.trailer
            reader.close()
            reader = self._open()
            if reader:
                self._reader = reader
                yield Resume(reader.header.first)

    def _open(self) -> RecordingReader | None:
        """The next one that can be read."""
        while self._left:
            self.trailer = None
            try:
                return RecordingReader(self._left.popleft())
            except RecordingError as error:
                self.problems.append(str(error))
        return None

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def segments_in(session: Path) -> list[Path]:
    """The segments that a session has kept, oldest first."""
    return sorted(session.glob(PATTERN))
