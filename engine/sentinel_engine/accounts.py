"""What a session has seen, lost and cost: every figure of the summary and the header, in one place."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

import psutil

from sentinel_engine.alerts import AlertBook
from sentinel_engine.collector.source import Source
from sentinel_engine.history import History
from sentinel_engine.records import Batch
from sentinel_engine.schema import KINDS
from sentinel_engine.segments import SegmentWriter
from sentinel_engine.session import Session
from sentinel_engine.snapshot import Gaps, RuleView, Summary


class _Rate:
    """Events in each of the last 60 seconds, oldest first."""

    def __init__(self) -> None:
        self.counts: deque[int] = deque(maxlen=60)
        self._second = 0
        self._total = 0

    def restart(self) -> None:
        """The total begins with 0 again."""
        self._total = 0

    def note(self, second: int, total: int) -> None:
        """Tell the running second and the number of events until now."""
        # Seconds that passed without a view share what came in them; the last one gets the rest.
        passed = second - self._second
        for left in range(passed, 0, -1):
            share = (total - self._total) // left
            self.counts.append(share)
            self._total += share
        self._second = second


class Accounts:
    """Counts what goes through a pipeline, and asks its parts for what they count themselves."""

    def __init__(
        self, source: Source, history: History, session: Session | None, segments: SegmentWriter | None
    ) -> None:
        self._source = source
        self._history = history
        self._session = session
        self._segments = segments
        self._counts = [0] * len(KINDS)
        self._rate = _Rate()
        self._me = psutil.Process()
        self._began = time.monotonic()
        self._cpu_began = sum(self._me.cpu_times()[:2])

    def begin_anew(self) -> None:
        """Count from 0; the session's time goes on."""
        self._counts = [0] * len(KINDS)
        self._rate.restart()

    def count(self, batch: Batch) -> None:
        """Add a batch that is handled now."""
        self._counts = [n + batch.counts[kind.number] for n, kind in zip(self._counts, KINDS, strict=True)]

    def total(self) -> int:
        """Events so far."""
        return sum(self._counts)

    def events(self) -> dict[str, int]:
        """Kind -> events so far."""
        return {kind.name: n for kind, n in zip(KINDS, self._counts, strict=True) if n}

    def lost(self) -> dict[str, dict[str, int]]:
        """Stage -> kind -> events lost there so far."""
        journal = {"alert": self._session.lost} if self._session and self._session.lost else {}
        journal |= self._segments.lost() if self._segments else {}
        return {
            "kernel": self._source.lost(),
            "ring": self._source.refused(),
            "history": self._history.evicted(),
            "journal": journal,
        }

    def unsaved(self) -> Iterator[str]:
        """What the session's disk does not take now, in sentences."""
        if self._session and (why := self._session.problem):
            yield f"alerts and actions are in memory only ({why}): make room on the session's disk"
        if self._segments and (why := self._segments.problem):
            yield f"raw events are not kept ({why}): make room on the session's disk"

    def evicted(self) -> dict[str, int]:
        """Kind -> raw events that had to leave the session's folder for newer ones."""
        return self._segments.evicted() if self._segments else {}

    def lost_in_source(self) -> int:
        """Events that never came to the rules."""
        return sum(self._source.lost().values()) + sum(self._source.refused().values())

    def gaps(self) -> Gaps | None:
        """The same seen in two ways; None for a source that has only one."""
        seen = self._source.gaps()  # before the counters, which are never behind
        return None if seen is None else Gaps(self.lost_in_source(), seen)

    def elapsed(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self._began

    def per_second(self) -> tuple[int, ...]:
        """Events in each of the last 60 seconds until now, oldest first."""
        self._rate.note(int(self.elapsed()), sum(self._counts))
        return tuple(self._rate.counts)

    def cpu_percent(self) -> float:
        """Of one core, by all our threads, since this was asked last."""
        return self._me.cpu_percent()

    def rss_bytes(self) -> int:
        """Resident now."""
        return int(self._me.memory_info().rss)

    def summary(self, book: AlertBook, rules: tuple[RuleView, ...]) -> Summary:
        """All of it, for the journal and the last line."""
        duration = self.elapsed()
        return Summary(
            events=self.events(),
            lost=self.lost(),
            alerts=dict(book.by_rule),
            rules=rules,
            duration=duration,
            cpu_percent=100 * (sum(self._me.cpu_times()[:2]) - self._cpu_began) / duration,
            rss_bytes=self.rss_bytes(),
            gaps=self.gaps(),
            filtered=self._source.filtered(),
            suppressed=self._source.suppressed(),
            scope=str(self._source.scope),
            evicted=self.evicted(),
            hidden=dict(+book.hidden),
        )
