"""Makes the snapshot that front ends poll, of what the parts of a pipeline know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from sentinel_engine.accounts import Accounts
from sentinel_engine.alerts import AlertBook
from sentinel_engine.collector.source import Source
from sentinel_engine.demand import Demand
from sentinel_engine.describe import rfc3339
from sentinel_engine.hunt import Hunter
from sentinel_engine.rules.registry import Registry
from sentinel_engine.session import Session
from sentinel_engine.snapshot import RuleView, Snapshot, SourceView

_SHOWN_ALERTS: Final = 500


@dataclass(frozen=True, slots=True)
class Views:
    """Looks at the parts; owns and changes none. Engine thread."""

    source: Source
    accounts: Accounts
    registry: Registry
    book: AlertBook
    demand: Demand
    hunter: Hunter
    session: Session | None

    def snapshot(self, notices: Iterable[str], warnings: tuple[str, ...], problem: str) -> Snapshot:
        """Everything as it is now. ``problem``: why the source has stopped, empty while it has not."""
        accounts = self.accounts
        events = accounts.events()
        return Snapshot(
            source=self._source_view(problem),
            elapsed=accounts.elapsed(),
            events=events,
            total_events=sum(events.values()),
            events_per_second=accounts.per_second(),
            lost=accounts.lost(),
            rules=self.rules(),
            alerts=self.book.newest(_SHOWN_ALERTS),
            total_alerts=self.book.total,
            severities=dict(self.book.by_severity),
            cpu_percent=accounts.cpu_percent(),
            rss_bytes=accounts.rss_bytes(),
            session=str(self.session.path) if self.session else "",
            off=self.demand.off(),
            filtered=self.source.filtered(),
            suppressed=self.source.suppressed(),
            scope=str(self.source.scope),
            notices=tuple(notices),
            warnings=warnings,
            gaps=accounts.gaps(),
            hunt=self.hunter.view(),
            hidden=self.book.hidden.total(),
            suppressions=self.book.suppressions.view(),
        )

    def _source_view(self, problem: str) -> SourceView:
        source, playback = self.source, self.source.playback
        view = SourceView(source.name, source.live, source.ended(), problem, source.problem)
        if playback is None:
            return view
        at = playback.position()
        return msgspec.structs.replace(
            view, playing=playback.playing, speed=playback.speed or 0.0, time=rfc3339(source.clock.epoch_ns(at.ns)),
            share=at.share, goal=at.goal, progress=at.progress,
            arrivals=playback.arrivals, runs=playback.runs,
        )  # fmt: skip

    def rules(self) -> tuple[RuleView, ...]:
        """Each rule with its alerts, and what was over its rate."""
        return tuple(
            msgspec.structs.replace(
                view,
                alerts=self.book.by_rule[view.id],
                dropped_matches=view.dropped_matches + self.book.limited[view.id],
            )
            for view in self.registry.views()
        )
