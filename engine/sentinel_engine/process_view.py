"""The processes for a front end that looks at them: who is there, and how much each of them does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

from sentinel_engine.describe import epoch_ns
from sentinel_engine.history import History
from sentinel_engine.processes import TICK_NS, ProcessKey, ProcessLine
from sentinel_engine.promise import promise
from sentinel_engine.records import LEADER_START, TGID, Batch, Clock
from sentinel_engine.snapshot import Alert

_GONE_SECONDS: Final = 60
# Of a record: from the number of its process to the start of its first thread, with the thread's between them.
_FROM, _TO = TGID, LEADER_START + 8


class Host(Protocol):
    """The pipeline, as far as a view of processes is concerned."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""

    def process_lines(self, gone_seconds: float) -> list[ProcessLine]:
        """Those that are there, and those that ended in the last so many seconds. Engine thread."""


class ProcessView:
    """Asked by who shows processes, at most once a second or two. Any thread.

    Events are counted only while somebody asks, from the raw records: some 0.15 us each, no event object is made.
    """

    def __init__(self, host: Host, history: History, clock: Clock) -> None:
        self._host = host
        self._history = history
        self._counts: Counter[bytes] = Counter()
        self._gone: set[bytes] = set()  # of these, the last question did not know the process
        self._seen = -1
        self.clock = clock

    def lines(self, gone_seconds: float = _GONE_SECONDS) -> Future[list[ProcessLine]]:
        """The processes that are there, and those that ended in the last so many seconds, as far as they are known."""
        answer: Future[list[ProcessLine]] = promise()

        def ask() -> str:
            answer.set_result(self._host.process_lines(gone_seconds))
            return ""

        self._host.at_rest(ask)
        return answer

    def key_of(self, pid: int, start_time: str) -> ProcessKey:
        """Names the process with this number and start, RFC 3339, as alerts tell it."""
        return pid, (epoch_ns(start_time) - self.clock.offset_ns) // TICK_NS

    def key_of_alert(self, alert: Alert) -> ProcessKey | None:
        """Names the process that raised it, None when that is not known."""
        culprit = alert.process_tree[-1] if alert.process_tree else None
        return self.key_of(culprit.pid, culprit.start_time) if culprit else None

    def events(self, shown: Collection[ProcessKey]) -> dict[ProcessKey, int]:
        """How many events of these processes are known since the history began.

        Takes as long as there are events that were not counted yet: call it from a thread that may take a while.
        """
        for batch in self._history.since(self._seen):
            first = max(0, self._seen + 1 - batch.base)
            self._counts.update(_keys(batch, first))
            self._seen = batch.base + len(batch) - 1
        found: Counter[ProcessKey] = Counter()
        unknown: set[bytes] = set()
        for raw, count in list(self._counts.items()):
            key = int.from_bytes(raw[:4], "little"), int.from_bytes(raw[-8:], "little") // TICK_NS
            if key in shown:
                found[key] += count
            elif raw in self._gone:
                del self._counts[raw]  # a storm of short ones leaves nothing here
            else:
                unknown.add(raw)  # it may have begun since the question who is there
        self._gone = unknown
        return found

    def forget(self) -> None:
        """The recording begins anew."""
        self._counts.clear()
        self._gone.clear()
        self._seen = -1


def _keys(batch: Batch, first: int) -> Sequence[bytes]:
    data = batch.data
    return [data[offset + _FROM : offset + _TO] for offset in batch.offsets[first:]]
