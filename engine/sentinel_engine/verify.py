"""Runs a session's recorded rules over its recorded events once more: are these the alerts that were shown?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from sentinel_engine.alerts import AlertBook
from sentinel_engine.collector.recorded import Gap, RecordedSource
from sentinel_engine.describe import epoch_ns
from sentinel_engine.processes import TABLE_KINDS, ProcessTable
from sentinel_engine.records import Batch
from sentinel_engine.rules.manifest import MAX_MODULE, Limits, RuleSpec
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.registry import Registry
from sentinel_engine.rules.verdict import SHOWN_AGAIN, SUPPRESSED
from sentinel_engine.rules.workshop import Finding
from sentinel_engine.segments import segments_in
from sentinel_engine.session import Ended, JournalLine, KeptRule, SessionError, module_path, read_entries
from sentinel_engine.snapshot import Action, Alert, Summary, Triage
from sentinel_engine.wasm.rule import LoadedRule

_SWITCHES = {"enable": True, "disable": False}
# What the same events need not give again: losses are counted as time goes by, and what the operator made of an alert
# is not of its events.
_NOT_COMPARED = {"loss": 0, "triage": Triage()}
_OVER_RATE, _BELOW_RATE = (f"{what.replace(' ', '-')}:" for what in (SUPPRESSED, SHOWN_AGAIN))
# Rings are read one after the other: an event may come so much later than others of its time.
_UNORDERED_NS: Final = 1_000_000_000


@dataclass(slots=True)
class Verdicts:
    """How the second run compares. ``alerts``: that were compared. ``differences``: sentences, the first hundred."""

    alerts: int = 0
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reproduced(self) -> bool:
        """Whether the alerts are the same."""
        return not self.differences


def verify(session: Path) -> Verdicts:
    """Run it. Raises SessionError and RecordingError: no such session, no raw events, a module that is missing."""
    paths = segments_in(session)
    if not paths:
        raise SessionError(f"{session} has no raw events to run again; it was made with --no-record")
    source = RecordedSource(paths, None)
    entries = list(read_entries(session))
    again = _Run(source, entries, session).again()
    shown = {alert.id: alert for alert in entries if isinstance(alert, Alert) and not alert.past}
    blind = _Blind(source, entries, again)
    verdicts = Verdicts(notes=blind.notes)
    left_out = 0
    for key in [*shown, *(key for key in again if key not in shown)]:
        before, after = shown.get(key), again.get(key)
        said = _difference(key, before, after)
        if said and blind.excuses(before, after):
            left_out += 1
            continue
        verdicts.alerts += before is not None
        if said and len(verdicts.differences) < 100:
            verdicts.differences.append(said)
    if left_out:
        verdicts.notes.append(f"{left_out:,} alerts that reach into what is missing are not compared")
    return verdicts


class _Blind:
    """Where recording or journal have gaps: a difference there says nothing."""

    def __init__(self, source: RecordedSource, entries: list[JournalLine], again: dict[str, Alert]) -> None:
        self._clock = source.clock
        self._gaps = list(source.missing)
        self.notes: list[str] = []
        if source.problem:
            self.notes.append(source.problem)
        alerts = [entry for entry in entries if isinstance(entry, Alert)]
        if not any(isinstance(entry, Ended) for entry in entries):
            end = self._end_of(entries)
            self._gaps.append(end)
            self.notes.append(f"the session did not end in order: it is compared up to event {end.first - 1:,}")
        # What a gap hides may have been the first of those that are one alert with a count, or have used up the rate.
        self._folded = [alert for alert in alerts if self._touches(alert)]
        over = (alert.rule.id.partition(_OVER_RATE) for alert in [*alerts, *again.values()])
        self._over_rate = {rule_id for before, found, rule_id in over if found and not before}

    def _end_of(self, entries: list[JournalLine]) -> Gap:
        """What the journal cannot tell, since it was cut."""
        seqs, times = [0], [0]
        for entry in entries:
            match entry:
                case Alert():
                    seqs.append(_seq(entry))
                    times.append(self._boot_ns(entry.last_time))
                case Summary():
                    seqs.append(sum(entry.events.values()) - 1)
        return Gap(max(seqs) + 1, 1 << 63, max(times), 1 << 63)

    def excuses(self, shown: Alert | None, again: Alert | None) -> bool:
        """Whether what is missing may be why these two are not the same."""
        for alert in filter(None, (shown, again)):
            limited = alert.rule.id.removeprefix(_OVER_RATE).removeprefix(_BELOW_RATE) in self._over_rate
            if self._touches(alert) or (limited and any(gap.until <= _seq(alert) for gap in self._gaps)):
                return True
        if shown and again:
            return self._seen_of(shown) == self._seen_of(again)
        return again is not None and any(_folds(alert, again) for alert in self._folded)

    def _seen_of(self, alert: Alert) -> Alert:
        """The alert without what is known of processes that were there in a gap: what they did then is not."""
        end = max((gap.before_ns + _UNORDERED_NS for gap in self._gaps if gap.until <= _seq(alert)), default=0)
        newer = tuple(entry for entry in alert.process_tree if self._boot_ns(entry.start_time) >= end)
        own = {} if newer and newer[-1] == alert.process_tree[-1] else {"event": {}, "message": ""}
        return msgspec.structs.replace(alert, process_tree=newer, **own, **_NOT_COMPARED)

    def _touches(self, alert: Alert) -> bool:
        first, last = self._boot_ns(alert.first_time), self._boot_ns(alert.last_time)
        return any(
            gap.first <= _seq(alert) < gap.until
            or (first <= gap.before_ns and last >= gap.after_ns - _UNORDERED_NS and gap.until > _seq(alert))
            for gap in self._gaps
        )

    def _boot_ns(self, time: str) -> int:
        return epoch_ns(time) - self._clock.offset_ns


def _seq(alert: Alert) -> int:
    """The ordinal of its event; 0 for a process that was there before."""
    return 0 if "snapshot" in alert.event.get("marks", ()) else int(alert.event["seq"])


def _folds(earlier: Alert, later: Alert) -> bool:
    """Whether the later one may have been counted with the earlier."""
    same = earlier.rule.id == later.rule.id and earlier.event.get("pid") == later.event.get("pid")
    return same and earlier.first_time <= later.first_time <= earlier.last_time


class _Run:
    def __init__(self, source: RecordedSource, entries: list[JournalLine], session: Path) -> None:
        self._source = source
        self._session = session
        changes = [entry for entry in entries if isinstance(entry, KeptRule | Action)]
        self._changes = [one for one in changes if isinstance(one, KeptRule) or one.action in _SWITCHES]
        self._registry = Registry([], clock=source.clock, monotonic=lambda: source.now() / 1e9)
        self._processes = ProcessTable(source.clock, source.processes, cgroups=source.cgroups)
        self._book = AlertBook(source.clock, self._processes)
        self._found: dict[str, Alert] = {}

    def again(self) -> dict[str, Alert]:
        """Those of this run."""
        try:
            self._apply(self._source.first)
            self._show_there()
            for batch in self._batches():
                self._apply(batch.base)
                if any(batch.counts[number] for number in TABLE_KINDS):
                    self._processes.apply(batch)
                self._judge(batch)
            self._take(self._book.changed())
        finally:
            self._registry.close()
            self._source.close()
        return self._found

    def _show_there(self) -> None:
        """The processes at the start; where that has left the recording, their alerts were given long before."""
        there = self._processes.snapshot()
        if there and self._source.first:
            for rule_id in self._registry.ids():
                self._registry.introduce(rule_id, there)
        elif there:
            self._judge(there)

    def _batches(self) -> Iterator[Batch]:
        while not self._source.ended():
            yield from self._source.read(0.0)

    def _judge(self, batch: Batch) -> None:
        for verdict in self._registry.run(batch):
            self._take(self._book.add(verdict, batch.at(verdict.index)))
        self._take(self._book.changed())

    def _take(self, alerts: list[Alert]) -> None:
        self._found |= {alert.id: alert for alert in alerts}

    def _apply(self, seq: int) -> None:
        """Do what was done to rules until this event."""
        while self._changes and self._changes[0].seq <= seq:
            change = self._changes.pop(0)
            if isinstance(change, KeptRule):
                done = self._registry.apply(self._finding(change))
                if change.seq > self._source.first and done.fresh and (there := self._processes.snapshot()):
                    self._registry.introduce(change.id, there)
            elif self._registry.running(change.target):
                (self._registry.enable if _SWITCHES[change.action] else self._registry.disable)(change.target)

    def _finding(self, kept: KeptRule) -> Finding:
        path = self._session / "rules" / kept.id  # one place for all of its generations: it is one rule
        try:
            code = module_path(self._session, kept.sha256).read_bytes()[:MAX_MODULE]
        except OSError as error:
            raise SessionError(f"the module of {kept.id} is missing from the session: {error.strerror}") from error
        spec = RuleSpec(
            id=kept.id, path=path, folder=None, title=kept.title, version=kept.version, severity=kept.severity,
            attack=kept.attack, kinds=kept.kinds, capabilities=frozenset(kept.capabilities),
            limits=Limits(kept.memory_bytes, kept.deadline_ms), message=kept.message, config=kept.config,
            enabled=kept.enabled,
        )  # fmt: skip
        try:
            return Finding(kept.id, path, LoadedRule(self._registry.sandbox, spec, code, self._source.clock))
        except RuleError as error:
            return Finding(kept.id, path, problem=error)


def _difference(key: str, shown: Alert | None, again: Alert | None) -> str:
    if shown is None:
        assert again
        return f"new: {key}: {again.message}"
    if again is None:
        return f"gone: {key}: {shown.message}"
    before, after = (msgspec.structs.replace(one, **_NOT_COMPARED) for one in (shown, again))
    if msgspec.json.encode(before) == msgspec.json.encode(after):
        return ""
    fields = [name for name in Alert.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    return f"changed: {key}: {', '.join(fields) or 'its text'}"
