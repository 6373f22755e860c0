"""Runs a session's recorded rules over its recorded events once more: are these the alerts that were shown?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sentinel_engine.alerts import AlertBook
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.describe import rfc3339
from sentinel_engine.processes import TABLE_KINDS, ProcessTable
from sentinel_engine.records import Batch
from sentinel_engine.rules.manifest import MAX_MODULE, Limits, RuleError, RuleSpec
from sentinel_engine.rules.registry import Registry
from sentinel_engine.rules.workshop import Finding
from sentinel_engine.segments import segments_in
from sentinel_engine.session import KeptRule, SessionError, module_path, read_entries
from sentinel_engine.snapshot import Action, Alert, Triage
from sentinel_engine.wasm.rule import LoadedRule

_SWITCHES = {"enable": True, "disable": False}
# What the same events need not give again: losses are counted as time goes by, and what the operator made of an alert
# is not of its events.
_NOT_COMPARED = {"loss": 0, "triage": Triage()}


@dataclass(slots=True)
class Verdicts:
    """How the second run compares. ``differences``: sentences, the first hundred. ``since``: the first event."""

    alerts: int = 0
    since: int = 0
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
    run = _Run(source, list(read_entries(session)), session)
    again = run.again()
    shown = run.shown()
    verdicts = Verdicts(len(shown), source.first)
    if source.first:
        left = f"the first {source.first:,} events have left the recording: what they gave is not looked at"
        verdicts.notes.append(left)
    if source.problem:
        verdicts.notes.append(f"{source.problem}: alerts that reach beyond its end are not looked at")
    for key in [*shown, *(key for key in again if key not in shown)]:
        if (said := _difference(key, shown.get(key), again.get(key))) and len(verdicts.differences) < 100:
            verdicts.differences.append(said)
    return verdicts


class _Run:
    def __init__(self, source: RecordedSource, entries: list[msgspec.Struct], session: Path) -> None:
        self._source = source
        self._session = session
        self._alerts = [entry for entry in entries if isinstance(entry, Alert)]
        changes = [entry for entry in entries if isinstance(entry, KeptRule | Action)]
        self._changes = [one for one in changes if isinstance(one, KeptRule) or one.action in _SWITCHES]
        self._registry = Registry([], clock=source.clock, monotonic=lambda: source.now() / 1e9)
        self._processes = ProcessTable(source.clock, source.processes, cgroups=source.cgroups)
        self._book = AlertBook(source.clock, self._processes)
        self._found: dict[str, Alert] = {}

    def shown(self) -> dict[str, Alert]:
        """The alerts of the session, each as it was last, of the events that there are. After the run."""
        newest = {alert.id: alert for alert in self._alerts if not alert.past}
        return {key: alert for key, alert in newest.items() if self._covers(alert)}

    def _covers(self, alert: Alert) -> bool:
        end = rfc3339(self._source.clock.epoch_ns(self._source.now()))
        inside = not self._source.problem or alert.last_time <= end
        return inside and alert.event.get("seq", self._source.first) >= self._source.first

    def again(self) -> dict[str, Alert]:
        """Those of this run."""
        try:
            self._apply(self._source.first)
            if there := self._processes.snapshot():
                self._judge(there)
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
