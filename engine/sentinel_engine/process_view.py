"""The processes for a front end that looks at them: who is there, and how much each of them does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

from sentinel_engine.history import History
from sentinel_engine.processes import TICK_NS, ProcessKey, ProcessLine
from sentinel_engine.promise import promise
from sentinel_engine.records import Batch, Clock

# Of a record: where the process's number and the start of its first thread are.
_TGID, _START = slice(28, 32), slice(40, 48)
_GONE_SECONDS: Final = 60


class Host(Protocol):
    """The pipeline, as far as a view of processes is concerned."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""

    def process_lines(self, gone_seconds: float) -> list[ProcessLine]:
        """Those that are there, and those that ended in the last so many seconds. Engine thread."""


class ProcessView:
    """Asked by who shows processes, at most once a second or two. Any thread.

    Events are counted only while somebody asks, from the raw records: some 0.3 us each, no object is made of them.
    """

    def __init__(self, host: Host, history: History, clock: Clock) -> None:
        self._host = host
        self._history = history
        self._counts: Counter[bytes] = Counter()
        self._seen = -1
        self.clock = clock

    def lines(self) -> Future[list[ProcessLine]]:
        """The processes that are there, and those that ended in the last minute."""
        answer: Future[list[ProcessLine]] = promise()

        def ask() -> str:
            answer.set_result(self._host.process_lines(_GONE_SECONDS))
            return ""

        self._host.at_rest(ask)
        return answer

    def events(self, shown: Collection[ProcessKey]) -> dict[ProcessKey, int]:
        """How many events of these processes are known since the history began.

        Takes as long as there are events that were not counted yet: call it from a thread that may take a while.
        """
        for batch in self._history.since(self._seen):
            first = max(0, self._seen + 1 - batch.base)
            self._counts.update(_keys(batch, first))
            self._seen = batch.base + len(batch) - 1
        found: Counter[ProcessKey] = Counter()
        for raw, count in list(self._counts.items()):
            key = int.from_bytes(raw[:4], "little"), int.from_bytes(raw[4:], "little") // TICK_NS
            if key in shown:
                found[key] += count
            else:
                del self._counts[raw]  # it has gone: a storm of short ones leaves nothing here
        return found

    def forget(self) -> None:
        """The recording begins anew."""
        self._counts.clear()
        self._seen = -1


def _keys(batch: Batch, first: int) -> Sequence[bytes]:
    data = batch.data
    return [
        data[offset + _TGID.start : offset + _TGID.stop] + data[offset + _START.start : offset + _START.stop]
        for offset in batch.offsets[first:]
    ]
