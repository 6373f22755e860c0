"""The one file that wires source -> rules -> alerts -> journal, and owns the threads.

Two threads: the collector reads a live source ahead (see there); the engine takes batches from it, or from a
recording as they are due, and does all the rest. Front ends poll the snapshot.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Protocol

from sentinel_engine.accounts import Accounts
from sentinel_engine.alerts import AlertBook
from sentinel_engine.collector.ahead import Ahead
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.collector.scope import Scope
from sentinel_engine.collector.source import Source
from sentinel_engine.demand import Demand
from sentinel_engine.describe import detail
from sentinel_engine.export.write import export_session
from sentinel_engine.history import DEFAULT_BYTES, History
from sentinel_engine.hunt import Hunter, Past
from sentinel_engine.match.plain import Filter
from sentinel_engine.memory import trim
from sentinel_engine.process_view import ProcessView
from sentinel_engine.processes import TABLE_KINDS, ProcessLine, ProcessTable
from sentinel_engine.promise import Commands, promise
from sentinel_engine.raw_events import RawEvents
from sentinel_engine.recording import RecordingWriter
from sentinel_engine.records import Batch, Record
from sentinel_engine.response import Identity, Response
from sentinel_engine.rules.control import RuleControl
from sentinel_engine.rules.registry import Change, Registry
from sentinel_engine.rules.verdict import Verdict
from sentinel_engine.schema import ALL_KINDS
from sentinel_engine.scribe import Scribe
from sentinel_engine.seeking import Seeker
from sentinel_engine.session import Session
from sentinel_engine.snapshot import Alert, Snapshot, Summary
from sentinel_engine.triage import TriageControl
from sentinel_engine.views import Views

_LOOK_SECONDS: Final = 0.05
_PUBLISH_SECONDS: Final = 0.2
_CHECKPOINT_SECONDS: Final = 30.0
# Wasm runs on the engine thread's stack; max_wasm_stack must fit well inside.
_STACK_BYTES: Final = 4 << 20


class Listener(Protocol):
    """A front end that wants each batch and alert at once. Called from the engine thread.

    ``shown``: the mask of the kinds that it does something with.
    """

    shown: int

    def on_batch(self, batch: Batch, event_of: Callable[[Record], dict[str, Any]]) -> None:
        """A batch was taken from the source; ``event_of`` makes a record's event object."""

    def on_alert(self, alert: Alert) -> None:
        """An alert is in the journal: a new one, or one whose count has grown."""


class Pipeline:
    """A running session over one source. Create it, ``start`` it, ``close`` it once.

    A ``listener`` is told of each batch as it comes, so that with one no past is kept for :meth:`events`.
    """

    def __init__(
        self,
        source: Source,
        registry: Registry,
        session: Session | None = None,
        listener: Listener | None = None,
        recorder: RecordingWriter | None = None,
    ) -> None:
        self._source = source
        self.playback = source.playback
        self._registry = registry
        self._session = session
        self._listener = listener
        self._feed: Source | Ahead = source if source.playback else Ahead(source)
        shown = listener.shown if listener and not recorder else ALL_KINDS
        self._demand = Demand(source.set_mask, shown)
        self._history = History(0 if listener else DEFAULT_BYTES)
        self._commands = Commands()
        self.rules = RuleControl(registry, self)
        there = lambda: self._processes.there()  # noqa: E731, PLW0108 - the table is another one after a seek
        self._raw = RawEvents(source, session, recorder, there)
        self._accounts = Accounts(source, self._history, session, self._raw.segments)
        self._scribe = Scribe(session)
        self.hunter = Hunter(registry, self._past, self)
        self.response: Response | None = None
        self.processes = ProcessView(self, self._history, source.clock)
        self.seeker = Seeker(source, self) if isinstance(source, RecordedSource) else None
        self._seen = 0  # the ordinal that is handled, or comes next
        self._told_until = 0  # what gave alerts below this ordinal has done so before a seek
        self._changed = False  # rules are not what they were when the recording began
        self._begin()
        self.triage = TriageControl(lambda: self._book, self)
        self._problem = ""
        self._warnings: tuple[str, ...] = ()
        self._closed: Summary | None = None
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._snapshot = self._views.snapshot(self._scribe.notices, self._warnings, self._problem)
        self._thread = threading.Thread(target=self._engine, name="engine", daemon=True)

    def _begin(self, before: AlertBook | None = None) -> None:
        """Know of nothing that has happened yet."""
        source = self._source
        self._processes = ProcessTable(source.clock, source.processes, cgroups=source.cgroups)
        self._book = AlertBook(source.clock, self._processes, before)
        self._views = Views(
            source, self._accounts, self._registry, self._book, self._demand, self.hunter, self._session
        )

    # Front ends: any thread.

    def start(self) -> None:
        """Start the threads."""
        self._demand.follow(self._registry.subscribed())
        self._checkpoint()
        trim()  # what loading and compiling the rules has left
        threading.stack_size(_STACK_BYTES)
        self._raw.start()
        if isinstance(self._feed, Ahead):
            self._feed.start()
        self._thread.start()
        self.rules.watch()

    def respond(self) -> None:
        """Let processes of this host be ended and stopped through :attr:`response`."""
        self.response = Response(self._source.clock, self)

    def snapshot(self) -> Snapshot:
        """The newest view; at most 0.2 s old."""
        return self._snapshot

    def events(
        self, where: Filter | None, limit: int, before: int | None = None, after: int = -1
    ) -> list[dict[str, Any]]:
        """The newest ``limit`` event objects that match, oldest first, each with its ``detail`` line.

        Only those with ``after`` < ``seq`` < ``before``: a front end that follows never searches twice.
        """
        return _detailed(self._history.tail(self._processes.event, where, limit, before, after))

    def events_after(self, where: Filter, limit: int, after: int) -> list[dict[str, Any]]:
        """The first ``limit`` event objects after this ``seq`` that match, as with :meth:`events`."""
        return _detailed(self._history.head(self._processes.event, where, limit, after))

    def show(self, kinds: int) -> None:
        """Say which kinds the front end shows from now on (a mask): what no rule wants either is not collected."""
        self._demand.shown = kinds

    def set_scope(self, scope: Scope) -> Future[str]:
        """Report only whom this scope lets through; the result is one sentence."""
        return self.at_rest(lambda: self.act("scope", str(scope), lambda: self._set_scope(scope)))

    def export(self, path: Path | None = None) -> Future[str]:
        """Write the session so far as one JSON document; without a path into the session's folder."""
        said: Future[str] = promise()
        if self._session is None:
            said.set_exception(RuntimeError("this run keeps no session to export; start it with a --session-dir"))
        else:
            threading.Thread(target=self._export, args=(self._session, path, said), name="export", daemon=True).start()
        return said

    @property
    def evidence(self) -> str:
        """SHA-256 that the session's whole journal ends in; empty without a session."""
        return self._session.head if self._session else ""

    def newest_ns(self) -> int:
        """The source's now, as boot time."""
        return self._source.now()

    def finished(self) -> bool:
        """Whether a source that ends has ended and everything from it was handled, or it broke."""
        return self._drained.is_set()

    def close(self) -> Summary:
        """Stop collecting, handle what came until now, write and return the summary; again: the same one."""
        if self._closed is not None:
            return self._closed
        self.rules.close()
        self.hunter.close()
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._compare_gaps()
        self._publish()
        self._raw.close()
        self._closed = self._checkpoint()
        if self._session:
            self._session.close()
        self._registry.close()
        self._source.close()
        return self._closed

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""
        return self._commands.add(command)

    # The engine thread: from here on everything is its own.

    def _engine(self) -> None:
        publish_at = checkpoint_at = time.monotonic()
        for rule_id in self._registry.ids():
            self._keep_rule(rule_id)
        self._judge_those_there()
        while True:
            self._commands.run(self._publish)  # first, for whoever is told looks at the snapshot next
            if self._stopping.is_set():
                self._feed.stop()
            if not self._take():
                self._drained.set()
                if self._stopping.wait(_LOOK_SECONDS):
                    return
            now = time.monotonic()
            if now >= publish_at or (self.playback and self.playback.arrivals > self._snapshot.source.arrivals):
                self._publish()
                publish_at = now + _PUBLISH_SECONDS
            if now >= checkpoint_at + _CHECKPOINT_SECONDS:
                self._checkpoint()
                trim()  # what a storm has left
                checkpoint_at = now

    def _take(self) -> bool:
        """Handle what comes next, if it comes soon; False when there is nothing more."""
        try:
            batches = self._feed.read(_LOOK_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever broke the source, the console must say it and stay up
            self._problem = f"the event source stopped: {error}"
            return False
        for batch in batches:
            self._handle(batch)
        return bool(batches) or not self._feed.ended()

    def _judge_those_there(self) -> None:
        if batch := self._processes.snapshot():  # what was there before us may be what the rules are looking for
            self._judge(batch)

    def begin_anew(self) -> None:
        """Play the recording from its first event, as if for the first time. Raises RecordingError."""
        assert isinstance(self._source, RecordedSource)
        self._source.rewind()
        self._tell_changed()
        self._source.playback.rewound(changed=self._changed)
        self._told_until = 0 if self._changed else max(self._told_until, self._seen)
        self._seen, self._changed, self._problem = 0, False, ""
        self._drained.clear()
        self.hunter.forget()
        self.processes.forget()
        self._registry.begin_anew()
        self._accounts.begin_anew()
        self._history.clear()
        self._begin(self._book)
        self._judge_those_there()

    def introduce(self, rule_id: str) -> None:
        """Show a new generation the processes that are there; the one before has told of them, so no alert comes."""
        if batch := self._processes.snapshot():
            self._registry.introduce(rule_id, batch)

    def process_lines(self, gone_seconds: float) -> list[ProcessLine]:
        """Those that are there, and those that ended in the last so many seconds."""
        return self._processes.lines(self._source.now() - int(gone_seconds * 1e9))

    def started_by(self, process: Identity) -> list[Identity]:
        """What this process started and is still there."""
        return self._processes.started_by(*process)

    def take_past(self, batch: Batch, verdicts: list[Verdict]) -> None:
        """Make alerts of what was found in a batch of the past. Engine thread."""
        for verdict in verdicts:
            if alert := self._book.add_past(verdict, batch.at(verdict.index)):
                self._tell(alert)

    def _past(self) -> Past:
        folder = self._session.path if self._session and self._raw.segments else None
        return Past(self._source.clock, self._history, folder)

    def _set_scope(self, scope: Scope) -> str:
        self._source.set_scope(scope)
        return f"reported from now on: {scope or 'everybody'}"

    def _handle(self, batch: Batch) -> None:
        self._seen = batch.base
        if any(batch.counts[number] for number in TABLE_KINDS):
            self._processes.apply(batch)
        self._accounts.count(batch)
        self._judge(batch)
        self._history.append(batch)
        if not self._told():
            self._raw.append(batch)
            if self._listener:
                self._listener.on_batch(batch, self._processes.event)
        self._seen = batch.base + len(batch)

    def _told(self) -> bool:
        """Whether this was played before: what comes of it is in the journal, and with the front end."""
        return self._seen < self._told_until

    def _judge(self, batch: Batch) -> None:
        verdicts = self._registry.run(batch)
        if verdicts:
            self._note_loss()
        for verdict in verdicts:
            for alert in self._book.add(verdict, batch.at(verdict.index)):
                if not self._told():
                    self._tell(alert)
                if self.playback:
                    self.playback.alerted()

    def _note_loss(self) -> None:
        if self.playback:
            return  # a recording says at its end how much was lost, and not when
        now = self._source.now()  # before the counters: what they do not count yet was lost later
        self._book.note_loss(now, self._accounts.lost_in_source())

    def _compare_gaps(self) -> None:
        gaps = self._accounts.gaps()
        if gaps and not self._problem and gaps.counted != gaps.seen:
            self.record_action(
                "notice",
                "",
                f"{gaps.counted} lost events were counted, but {gaps.seen} are missing in the sequence: "
                "this should not happen, please report it",
            )

    def _tell(self, alert: Alert) -> None:
        if self._session:
            self._session.write(alert)
        if self._listener:
            self._listener.on_alert(alert)

    def _tell_changed(self) -> None:
        for alert in self._book.changed():
            if not self._told():
                self._tell(alert)

    def act(self, action: str, target: str, change: Callable[[], str]) -> str:
        """Do this, and write to the session what it said, or why it was refused. Engine thread."""
        try:
            said = change()
        except Exception as error:
            self.record_action(action, target, f"refused: {error}")
            raise
        self.record_action(action, target, said)
        return said

    def record_action(self, action: str, target: str, detail: str) -> None:
        """Write to the session that something was done, or has happened by itself, and tell the front end."""
        self._scribe.action(action, target, detail)

    def record_change(self, change: Change, by: str) -> None:
        """Write a change of a rule to the session, and tell the front end. ``by``: empty for the operator."""
        if change.ok:
            self._told_until, self._changed = 0, True
        self._scribe.change(change, by, self._accounts.total())
        if change.ok and change.action != "disable":
            self._keep_rule(change.target)

    def _keep_rule(self, rule_id: str) -> None:
        self._scribe.keep(self._registry.running(rule_id), self._accounts.total())

    def _export(self, session: Session, path: Path | None, said: Future[str]) -> None:
        # In a thread of its own: a long session takes seconds, in which the engine would not read any events.
        try:
            target = path or session.path / f"export-{time.strftime('%H%M%S', time.gmtime())}.json"
            self.at_rest(lambda: self._note_export(session, target)).result()
            alerts = export_session(session.path, target)
        except Exception as error:  # noqa: BLE001 - whoever waits for the future is told
            said.set_exception(error)
        else:
            said.set_result(f"exported {alerts} alert{'' if alerts == 1 else 's'} to {target}")

    def _note_export(self, session: Session, target: Path) -> str:
        self._checkpoint()
        session.act("export", str(target))
        return ""

    def _publish(self) -> None:
        self._note_loss()
        self._tell_changed()
        for notice in (*self._registry.notices(), *self._book.expired()):
            self.record_action("notice", "", notice)
        if said := self._demand.follow(self._registry.subscribed()):
            self.record_action("collection", "", said)
        if self._session:
            self._session.sync()
        self._warn()
        self._snapshot = self._views.snapshot(self._scribe.notices, self._warnings, self._problem)

    def _warn(self) -> None:
        before, self._warnings = self._warnings, (*self._accounts.unsaved(), *filter(None, [self._raw.cut]))
        for warning in self._warnings:
            if warning not in before:
                self._scribe.note(warning)
        if before and not self._warnings:
            self._scribe.note("the disk takes everything again; `l` says what is missing for good")

    def _checkpoint(self) -> Summary:
        summary = self._accounts.summary(self._book, self._views.rules())
        if self._session:
            self._session.keep_modules()
            self._session.write(summary)
        return summary


def _detailed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for event in events:
        event["detail"] = detail(event)
    return events
