"""A candidate beside the rule that runs: the same events, no voice, and where the two would have differed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from sentinel_engine.describe import event_dict, message_of, rfc3339
from sentinel_engine.records import Batch, Clock
from sentinel_engine.rules.quarantine import Quarantine
from sentinel_engine.snapshot import Difference, ShadowView
from sentinel_engine.wasm.rule import LoadedRule, Match
from sentinel_engine.wasm.selection import Selection

_KEPT: Final = 50


class Shadow:
    """One candidate's comparison with its rule. When it fails too often it ends, with a ``reason``."""

    def __init__(self, rule: LoadedRule, clock: Clock) -> None:
        self.rule = rule
        self.reason = ""
        self._clock = clock
        self._quarantine = Quarantine()
        self._both = 0
        self._only = {"live": 0, "shadow": 0}
        self._differences: deque[Difference] = deque(maxlen=_KEPT)

    def compare(
        self, live: LoadedRule, matches: Sequence[Match], batch: Batch, selection: Selection | None, now: float
    ) -> None:
        """Let it look at this selection, and compare with what the live rule matched in the same batch."""
        mine: list[Match] = []
        if selection and not self.reason:
            mine, failures = self.rule.run(selection, self._quarantine.patience(now))
            if failures and self._quarantine.note(len(failures), now):
                self.reason = f"it failed at event {batch.base + failures[-1].index}: {failures[-1].reason}"
                return
        by_live, by_shadow = {match.index for match in matches}, {match.index for match in mine}
        self._both += len(by_live & by_shadow)
        for only, rule, indexes in (("live", live, by_live - by_shadow), ("shadow", self.rule, by_shadow - by_live)):
            self._only[only] += len(indexes)
            for index in sorted(indexes)[-_KEPT:]:
                self._note(only, rule, batch, index)

    def _note(self, only: str, rule: LoadedRule, batch: Batch, index: int) -> None:
        record = batch.at(index)
        said = message_of(rule.spec.message or rule.spec.title, event_dict(record, self._clock))
        self._differences.append(Difference(rfc3339(self._clock.epoch_ns(record.boot_ns)), only, said))

    def view(self) -> ShadowView:
        """How it stands."""
        return ShadowView(
            sha256=self.rule.sha256,
            version=self.rule.spec.version,
            calls=self.rule.figures.calls,
            both=self._both,
            only_live=self._only["live"],
            only_shadow=self._only["shadow"],
            latency_ns=self.rule.latency(),
            reason=self.reason,
            differences=tuple(self._differences),
        )

    def summary(self) -> str:
        """The same in half a sentence."""
        return f"verdicts: {self._both} alike, {self._only['shadow']} more, {self._only['live']} fewer"
