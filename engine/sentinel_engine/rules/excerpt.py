"""A recording as something to try a rule on: read whole or not at all, bounded, in batches of a chosen size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

from sentinel_engine.collector.framer import Framer
from sentinel_engine.processes import ProcessTable
from sentinel_engine.recording import RecordingError, RecordingReader
from sentinel_engine.records import Batch, Clock, batch_of
from sentinel_engine.rules.reading import RuleError

MAX_RAW: Final = 64 << 20  # bytes of records, some 250,000 events
_FIX: Final = "record it again (sentinel-tui watch --record)"


class Excerpt:
    """The recording in this file, which it closes in the end. ``path`` is its name in messages.

    ``clock`` is that of the recorded host; ``there``: the processes that were there at the start, as exec records
    marked SNAPSHOT. Raises RuleError when it is no recording.
    """

    def __init__(self, path: Path, file: BinaryIO | None = None) -> None:
        self._path = path
        try:
            self._reader = RecordingReader(path, file)
        except RecordingError as error:
            raise RuleError(str(error), _FIX) from error
        header = self._reader.header
        self.clock = Clock(header.clock_offset_ns)
        self.there = ProcessTable(self.clock, header.processes).snapshot()

    def batches(self, size: int) -> Iterator[Batch]:
        """Its events in order, in batches of at most so many. Raises RuleError when it is damaged, cut or too large."""
        framer, raw_bytes = Framer(), 0
        try:
            for block in self._reader.batches():
                if isinstance(block, bytes):
                    raw_bytes += len(block)
                    if raw_bytes > MAX_RAW:
                        raise RuleError(f"{self._path} holds more than {MAX_RAW >> 20} MiB of events", "record less")
                    yield from _pieces(framer.split(block), size)
        except (RecordingError, ValueError) as error:
            raise RuleError(f"{self._path} cannot be read to its end: {error}", _FIX) from error
        finally:
            self._reader.close()
        if self._reader.trailer is None:
            raise RuleError(f"{self._path} was cut short", _FIX)


def _pieces(batch: Batch, size: int) -> Iterator[Batch]:
    bounds = [*batch.offsets, len(batch.data)]
    records = [batch.data[start:end] for start, end in pairwise(bounds)]
    for first in range(0, len(records), size):
        yield batch_of(records[first : first + size], batch.base + first)
