"""From a rule's verdict to an alert: message, process tree, folding of repeats, rate limit, loss."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec

from sentinel_engine.describe import message_of, rfc3339
from sentinel_engine.processes import ProcessTable
from sentinel_engine.records import Clock, Record
from sentinel_engine.rules.verdict import SHOWN_AGAIN, SUPPRESSED, Verdict, coverage
from sentinel_engine.schema import RecordFlag
from sentinel_engine.snapshot import Alert, RuleRef, Severity, Triage
from sentinel_engine.triage import Suppressions, Wish

_SECOND: Final = 1_000_000_000
# The same rule, process and object within this time is one alert with a count.
FOLD_NS: Final = 10 * _SECOND
# An alert's window: events lost this long before it may be missing from its tree.
LOSS_WINDOW_NS: Final = 10 * _SECOND
# Losses are remembered longer, for events that have waited in a ring or for the rules.
_LOSS_MEMORY_NS: Final = 60 * _SECOND
_KEPT_ALERTS: Final = 2000
_OPEN_FOLDS: Final = 4096
_BURST, _PER_SECOND = 200.0, 20.0


@dataclass(slots=True)
class _Bucket:
    tokens: float = _BURST
    at_ns: int = 0
    limited: int = 0  # verdicts that were refused and not yet told of

    def take(self, now_ns: int) -> bool:
        self.tokens = min(_BURST, self.tokens + max(0, now_ns - self.at_ns) / _SECOND * _PER_SECOND)
        self.at_ns = max(now_ns, self.at_ns)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class _Fold:
    alert_id: str
    last_ns: int


@dataclass(frozen=True, slots=True)
class _Loss:
    since_ns: int
    until_ns: int
    events: int


class AlertBook:
    """The alerts of a session. All times are the events' own, so a replay gives the same alerts.

    What the operator made of alerts is taken over from the book ``before``, when a recording begins anew.
    A rule may open 20 alerts a second (200 at once); what is beyond is counted in ``limited``.
    """

    def __init__(self, clock: Clock, processes: ProcessTable, before: AlertBook | None = None) -> None:
        self._clock = clock
        self._processes = processes
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._folds: OrderedDict[tuple[Any, ...], _Fold] = OrderedDict()
        self._buckets: dict[str, _Bucket] = {}
        self._losses: deque[_Loss] = deque()
        self._lost = 0
        self._noted_ns = 0
        self._changed: dict[str, None] = {}
        self.by_rule: Counter[str] = Counter()
        self.by_severity: Counter[Severity] = Counter()  # without those that are hidden
        self.suppressions: Suppressions = before.suppressions if before else Suppressions(clock)
        self._made: dict[str, Triage] = before._made if before else {}  # by alert, of those that were triaged
        self.hidden: Counter[str] = Counter()
        self.limited: Counter[str] = Counter()

    def note_loss(self, boot_ns: int, total: int) -> None:
        """Tell how many events were lost in all until this boot time.

        What is new was lost since the time told before; alerts whose window reaches into that have changed.
        """
        since, self._noted_ns = self._noted_ns, boot_ns
        if total > self._lost:
            self._losses.append(_Loss(since, boot_ns, total - self._lost))
            for fold in self._folds.values():
                if since < fold.last_ns and fold.alert_id in self._alerts:
                    self._change(fold, loss=self._alerts[fold.alert_id].loss + total - self._lost)
            self._lost = total
        while self._losses and self._losses[0].until_ns < boot_ns - _LOSS_MEMORY_NS:
            self._losses.popleft()

    def add(self, verdict: Verdict, record: Record) -> list[Alert]:
        """The new alerts; none when the verdict was folded into an earlier one or the rule is over its rate.

        That a rule begins to be over its rate, and that it is no more, is an alert, too.
        """
        rule = verdict.spec
        key = (rule.id, record.tgid, record.leader_start, record.kind.number, record.strings[0], record.args[0])
        fold = self._folds.get(key)
        if fold is not None and record.boot_ns - fold.last_ns <= FOLD_NS and fold.alert_id in self._alerts:
            self._repeat(fold, record)
            return []
        bucket = self._buckets.setdefault(rule.id, _Bucket(at_ns=record.boot_ns))
        if not bucket.take(record.boot_ns):
            self.limited[rule.id] += 1
            bucket.limited += 1
            said = f"{rule.id} gives more than {_PER_SECOND:.0f} a second: those over it are counted, not shown"
            return [self._about(SUPPRESSED, verdict, said, record)] if bucket.limited == 1 else []
        alert = self._open(verdict, record)
        self._folds[key] = _Fold(alert.id, record.boot_ns)
        self._folds.move_to_end(key)
        if len(self._folds) > _OPEN_FOLDS:
            self._folds.popitem(last=False)
        if not bucket.limited or bucket.tokens < _BURST / 2:
            return [alert]
        said, bucket.limited = f"{bucket.limited:,} of {rule.id} were counted only", 0
        return [self._about(SHOWN_AGAIN, verdict, said, record), alert]

    def _about(self, what: str, verdict: Verdict, said: str, record: Record) -> Alert:
        return self._open(coverage(what, verdict.spec, verdict.sha256, said, verdict.index), record)

    def add_past(self, verdict: Verdict, record: Record) -> Alert | None:
        """The alert of a match found afterwards; None when that event has given one already."""
        if self._id_of(verdict, record) in self._alerts:
            return None
        return self._open(verdict, record, past=True)

    def _repeat(self, fold: _Fold, record: Record) -> None:
        alert, before = self._alerts[fold.alert_id], fold.last_ns
        if alert.triage.suppressed and not self.suppressions.hiding(alert, record.boot_ns):
            alert = self._unhide(alert)  # it goes on after the time of its suppression
        fold.last_ns = max(before, record.boot_ns)
        self._change(
            fold,
            count=alert.count + 1,
            last_time=rfc3339(self._clock.epoch_ns(fold.last_ns)),
            loss=alert.loss + sum(loss.events for loss in self._losses if before <= loss.since_ns < fold.last_ns),
        )
        self._count(alert)

    def _change(self, fold: _Fold, **fields: Any) -> None:
        self._alerts[fold.alert_id] = msgspec.structs.replace(self._alerts[fold.alert_id], **fields)
        self._changed[fold.alert_id] = None

    def _id_of(self, verdict: Verdict, record: Record) -> str:
        return f"{_event_id(record)}-{verdict.spec.id}"

    def _open(self, verdict: Verdict, record: Record, *, past: bool = False) -> Alert:
        rule = verdict.spec
        tree = self._processes.tree(record)
        event = self._processes.event(record)
        alert = Alert(
            id=self._id_of(verdict, record),
            time=event["time"],
            rule=RuleRef(rule.id, rule.version, rule.severity, verdict.sha256, rule.attack),
            message=message_of(rule.message or rule.title, event),
            event=event,
            process_tree=tree,
            count=1,
            first_time=event["time"],
            last_time=event["time"],
            logs=verdict.logs,
            loss=self._loss_before(record.boot_ns),
            score=verdict.score,
            past=past,
            triage=self._made.get(self._id_of(verdict, record), Triage()),
        )
        if hidden_by := self.suppressions.hiding(alert, record.boot_ns):
            alert = msgspec.structs.replace(alert, triage=msgspec.structs.replace(alert.triage, suppressed=hidden_by))
        self._alerts[alert.id] = alert
        self._count(alert)
        if len(self._alerts) > _KEPT_ALERTS:
            self._alerts.popitem(last=False)
        return alert

    def _count(self, alert: Alert) -> None:
        self.by_rule[alert.rule.id] += 1
        if alert.triage.suppressed:
            self.hidden[alert.rule.id] += 1
        else:
            self.by_severity[alert.rule.severity] += 1

    def triage(self, ids: Iterable[str], change: Callable[[Triage], Triage]) -> int:
        """Change what was made of these alerts; how many are still there."""
        found = [self._alerts[one] for one in ids if one in self._alerts]
        for alert in found:
            triage = change(alert.triage)
            self._made[alert.id] = msgspec.structs.replace(triage, suppressed="")
            self._retell(alert, triage)
        return len(found)

    def _retell(self, alert: Alert, triage: Triage) -> Alert:
        self._alerts[alert.id] = alert = msgspec.structs.replace(alert, triage=triage)
        self._changed[alert.id] = None
        return alert

    def suppress(self, wish: Wish) -> int:
        """Hide what it names from now on, and of what is there; how many that are."""
        newest_ns = max((fold.last_ns for fold in self._folds.values()), default=0)
        self.suppressions.add(wish, max(newest_ns, self._noted_ns))
        found = [one for one in self._alerts.values() if not one.triage.suppressed and wish.hides(one)]
        for alert in found:
            hidden_by = self.suppressions.hiding(alert, 0, alert.count)
            self._retell(alert, msgspec.structs.replace(alert.triage, suppressed=hidden_by))
            self.by_severity[alert.rule.severity] -= alert.count
            self.hidden[alert.rule.id] += alert.count
        return len(found)

    def unsuppress(self, number: int) -> str | None:
        """Show again what this suppression hides; its expression, None when there is none."""
        text = self.suppressions.remove(number)
        for alert in [one for one in self._alerts.values() if text and one.triage.suppressed == text]:
            self._unhide(alert)
        return text

    def _unhide(self, alert: Alert) -> Alert:
        self.by_severity[alert.rule.severity] += alert.count
        self.hidden[alert.rule.id] -= alert.count
        return self._retell(alert, msgspec.structs.replace(alert.triage, suppressed=""))

    def expired(self) -> list[str]:
        """A sentence for each suppression whose time is over."""
        return self.suppressions.expire(self._noted_ns)

    def _loss_before(self, boot_ns: int) -> int:
        window = boot_ns - LOSS_WINDOW_NS
        return sum(loss.events for loss in self._losses if loss.since_ns < boot_ns and loss.until_ns >= window)

    def changed(self) -> list[Alert]:
        """Alerts whose count or loss grew since the last call."""
        changed = [self._alerts[one] for one in self._changed if one in self._alerts]
        self._changed.clear()
        return changed

    def newest(self, limit: int) -> tuple[Alert, ...]:
        """The last ``limit`` alerts that are not hidden, oldest first."""
        shown = (alert for alert in reversed(self._alerts.values()) if not alert.triage.suppressed)
        return tuple(islice(shown, limit))[::-1]

    @property
    def total(self) -> int:
        """Verdicts that became or joined an alert."""
        return self.by_rule.total()


def _event_id(record: Record) -> str:
    """Unique in a session and the same in each replay; a process that was there before has no sequence number."""
    return f"p{record.tgid}" if RecordFlag.SNAPSHOT in record.flags else str(record.seq)
