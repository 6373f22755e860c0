"""How each rule's latency and memory went over the last minutes, as far as this console has looked."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from sentinel_engine.snapshot import RuleView

SAMPLE_SECONDS: Final = 2.0
_KEPT: Final = 90


class Sample(NamedTuple):
    """Over one stretch of time: the mean of its calls in ns, 0 when there was none; linear memory in bytes."""

    mean_ns: int
    memory: int


class _Trend:
    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=_KEPT)
        self.calls = 0
        self.total_ns = 0.0

    def note(self, view: RuleView) -> None:
        calls, total = view.calls, view.latency_ns.mean * view.calls
        new = calls - self.calls
        # A new generation begins to count anew.
        mean = (total - self.total_ns) / new if new > 0 else 0.0
        self.samples.append(Sample(max(0, round(mean)), view.memory_bytes.current))
        self.calls, self.total_ns = calls, total


class Trends:
    """Bounded: the last three minutes of the rules that are there."""

    def __init__(self) -> None:
        self._trends: dict[str, _Trend] = {}
        self._at = -SAMPLE_SECONDS

    def note(self, rules: Sequence[RuleView], elapsed: float) -> None:
        """Take a sample of each rule, if the last one is old enough; ``elapsed`` is the session's age in seconds."""
        if elapsed - self._at < SAMPLE_SECONDS:
            return
        self._at = elapsed
        self._trends = {rule.id: self._trends.get(rule.id) or _Trend() for rule in rules}
        for rule in rules:
            self._trends[rule.id].note(rule)

    def of(self, rule_id: str) -> Sequence[Sample]:
        """This rule's samples, oldest first."""
        trend = self._trends.get(rule_id)
        return tuple(trend.samples) if trend else ()
