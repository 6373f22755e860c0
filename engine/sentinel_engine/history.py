"""The recent past, as raw batches: what the stream shows and a filter searches."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from sentinel_engine.match.plain import Filter
from sentinel_engine.processes import TICK_NS
from sentinel_engine.records import LEADER_START, TGID, Batch, Record
from sentinel_engine.schema import ALL_KINDS, KINDS

DEFAULT_BYTES: Final = 32 << 20


class History:
    """Batches of the recent past, at most ``max_bytes`` of raw records, 0 for none at all; the oldest leave first.

    One thread appends, any thread reads: batches never change and the reader copies the list.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._batches: deque[Batch] = deque()
        self._lock = threading.Lock()
        self._evicted = [0] * len(KINDS)

    def append(self, batch: Batch) -> None:
        """Keep this batch, and let the oldest go when there is no room."""
        if not self._max_bytes:
            return
        with self._lock:
            self._batches.append(batch)
            self._bytes += len(batch.data)
            while self._bytes > self._max_bytes and len(self._batches) > 1:
                oldest = self._batches.popleft()
                self._bytes -= len(oldest.data)
                self._evicted = [n + oldest.counts[kind.number] for n, kind in zip(self._evicted, KINDS, strict=True)]

    def clear(self) -> None:
        """Forget all of it, also what had to leave."""
        with self._lock:
            self._batches.clear()
            self._bytes = 0
            self._evicted = [0] * len(KINDS)

    def evicted(self) -> dict[str, int]:
        """Events of each kind that had to leave so far."""
        return {kind.name: n for kind, n in zip(KINDS, self._evicted, strict=True) if n}

    def tail(
        self,
        view: Callable[[Record], dict[str, Any]],
        where: Filter | None,
        limit: int,
        before: int | None = None,
        after: int = -1,
    ) -> list[dict[str, Any]]:
        """The newest ``limit`` events that match, oldest first; only with ``after`` < ``seq`` < ``before``.

        ``view`` turns a record into its event object. A filter with neither needle nor pid decodes every event of the
        kinds it may match, some 7 µs each: call it from a thread that may take a second or two.
        """
        found: list[dict[str, Any]] = []
        for batch in self._newest_first(before):
            if batch.base + len(batch) <= after + 1:
                break
            end = len(batch) if before is None else min(len(batch), before - batch.base)
            for index in _candidates(batch, where, end):
                if batch.base + index <= after:
                    break
                event = view(batch.at(index))
                if where is None or where.accepts(event):
                    found.append(event)
                    if len(found) >= limit:
                        return found[::-1]
        return found[::-1]

    def head(
        self, view: Callable[[Record], dict[str, Any]], where: Filter, limit: int, after: int
    ) -> list[dict[str, Any]]:
        """The first ``limit`` events after the one of this ordinal that match, oldest first; otherwise as ``tail``."""
        found: list[dict[str, Any]] = []
        for batch in self.since(after):
            indexes = [index for index in _candidates(batch, where, len(batch)) if batch.base + index > after]
            for index in reversed(indexes):
                event = view(batch.at(index))
                if where.accepts(event):
                    found.append(event)
                    if len(found) >= limit:
                        return found
        return found

    def since(self, seq: int) -> list[Batch]:
        """The batches that have events after the one of this ordinal, oldest first."""
        with self._lock:
            return [batch for batch in self._batches if batch.base + len(batch) > seq + 1]

    def _newest_first(self, before: int | None) -> Iterator[Batch]:
        with self._lock:
            batches = list(self._batches)
        return (batch for batch in reversed(batches) if before is None or batch.base < before)


def _candidates(batch: Batch, where: Filter | None, end: int) -> Iterator[int]:
    """Indexes below ``end`` that can match, newest first, without decoding a record."""
    if where is None or (where.needle is None and where.pid is None and where.mask == ALL_KINDS):
        return iter(range(end - 1, -1, -1))
    if not any(batch.counts[kind.number] for kind in KINDS if where.mask & kind.bit):
        return iter(())
    if where.pid is not None:
        indexes: Iterable[int] = _of_process(batch, where.pid, where.tick, end)
    elif where.needle is not None:
        indexes = _containing(batch, where.needle, end)
    else:
        indexes = range(end - 1, -1, -1)
    return (i for i in indexes if where.mask >> batch.data[batch.offsets[i] + 4] & 1)


def _of_process(batch: Batch, pid: int, tick: int | None, end: int) -> Iterator[int]:
    """Some 40 ns for each record that is of another process."""
    words, start = memoryview(batch.data).cast("I"), memoryview(batch.data).cast("Q")
    for index in range(end - 1, -1, -1):
        at = batch.offsets[index]
        if words[at + TGID >> 2] == pid and (tick is None or start[at + LEADER_START >> 3] // TICK_NS == tick):
            yield index


def _containing(batch: Batch, needle: bytes, end: int) -> Iterator[int]:
    stop = batch.offsets[end] if end < len(batch) else len(batch.data)
    while (at := batch.data.rfind(needle, 0, stop)) >= 0:
        index = bisect_right(batch.offsets, at) - 1
        yield index
        stop = batch.offsets[index]
