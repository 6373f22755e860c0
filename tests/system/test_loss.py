"""A forced loss: counters, sequence numbers and what is missing agree, and the console says it where it matters."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.collector.scope import parse_scope
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.records import Batch, Record
from sentinel_engine.rules.registry import Registry
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME, mask_of
from sentinel_engine.session import Session, host_facts, read_session
from sentinel_engine.snapshot import Alert, Gaps, Snapshot
from sentinel_tui.app import SentinelApp
from sentinel_tui.widgets import figures
from tests.console.test_pipeline import seen

pytestmark = pytest.mark.kernel
TINY = 64 << 10
DEADLINE = 20.0
LISTEN = KIND_BY_NAME["listen"].number
# Listens on one socket, argv[1] times. Hardly anybody else does that, so each one can be accounted for.
STORM = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
for _ in range(int(sys.argv[1]) - 1):
    server.listen()
"""
# Alerts on each program of this name that was not there. Its kind travels in the other ring, not in theirs.
MISSING = "missing1"
RULE = """id: missing
version: "1"
title: "a program was not there"
severity: high
kinds: [exec_failed]
module: missing.wat
message: "{path} was not there"
"""
MODULE = f"""(module (memory (export "memory") 1)
  (func (export "check_file_access") (param $path i32) (param $len i32) (result i32)
    (i64.eq (i64.load (i32.sub (i32.add (local.get $path) (local.get $len)) (i32.const 8)))
            (i64.const {int.from_bytes(MISSING.encode(), "little")}))))"""


def storm(count: int) -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", STORM, str(count)], check=True)


def run_missing(folder: Path) -> str:
    """Try to run a program that is not there; its path."""
    path = folder / MISSING
    with pytest.raises(FileNotFoundError):
        subprocess.run([str(path)], check=True)
    return str(path)


def test_what_is_lost_after_the_last_record_is_seen_too(loader: Loader) -> None:
    source = LiveSource.open(Loading(loader, bulk_bytes=TINY), mask=mask_of(["listen"]))
    storm(20_000)
    source.stop()
    received = 0
    while not source.ended():
        received += sum(batch.counts[LISTEN] for batch in source.read(0))
    lost = source.lost()["listen"]
    assert 0 < received < 20_000
    assert received + lost == 20_000
    assert source.gaps() == lost
    assert source.refused() == {}
    storm(10)
    assert source.read(0) == []
    source.close()


class Valve:
    """A listener that does not come back while it is closed: a reader that stalls. Counts the listens."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.listens = 0
        self.shown = ALL_KINDS

    def on_batch(self, batch: Batch, event_of: Callable[[Record], dict[str, Any]]) -> None:  # noqa: ARG002 - no events
        self.open.wait(DEADLINE)
        self.listens += batch.counts[LISTEN]

    def on_alert(self, alert: Alert) -> None:
        pass


@pytest.fixture
def valve() -> Valve:
    return Valve()


@pytest.fixture
def pipeline(tmp_path: Path, loader: Loader, valve: Valve) -> Iterator[Pipeline]:
    rule = tmp_path / "rules" / "missing"
    rule.mkdir(parents=True)
    (rule / "rule.yaml").write_text(RULE)
    (rule / "missing.wat").write_text(MODULE)
    loading = Loading(loader, bulk_bytes=TINY)
    registry = Registry([(tmp_path / "rules", False)], clock=loading.clock)
    registry.load()
    source = LiveSource.open(loading, scope=parse_scope([f"pid={os.getpid()}"], []))
    session = Session(tmp_path / "sessions", "live", "0", host_facts(loading.clock))
    running = Pipeline(source, registry, session, valve)
    running.start()
    yield running
    valve.open.set()
    running.close()


def until(pipeline: Pipeline, what: Callable[[Snapshot], bool]) -> Snapshot:
    deadline = time.monotonic() + DEADLINE
    while not what(snapshot := pipeline.snapshot()):
        assert time.monotonic() < deadline, snapshot
        time.sleep(0.01)  # the snapshot is polled by design
    return snapshot


def alert_of(snapshot: Snapshot, path: str) -> Alert | None:
    return next((alert for alert in snapshot.alerts if alert.event["path"] == path), None)


async def test_a_stalled_reader_loses_exactly_what_is_missing_and_the_console_says_so(
    pipeline: Pipeline, valve: Valve, tmp_path: Path
) -> None:
    app = SentinelApp(pipeline)
    async with app.run_test(size=(120, 40)) as pilot:
        before = run_missing(tmp_path / "before")
        noted = until(pipeline, lambda snapshot: alert_of(snapshot, before) is not None).elapsed
        # What is lost later must not reach back: the loss so far, none, was looked at after that alert.
        until(pipeline, lambda snapshot: snapshot.elapsed > noted + 1)
        await seen(pilot, lambda text: "lost 0" in text and "◀ alert" in text)

        valve.open.clear()
        storm(50_000)
        during = run_missing(tmp_path / "during")
        valve.open.set()
        await seen(pilot, lambda text: "LOST" in text.splitlines()[0])
        snapshot = until(
            pipeline, lambda snapshot: (alert := alert_of(snapshot, during)) is not None and alert.loss > 0
        )
        lost = snapshot.total_lost
        affected, untouched = alert_of(snapshot, during), alert_of(snapshot, before)
        assert affected is not None
        assert untouched is not None
        assert (affected.loss, untouched.loss) == (lost, 0)
        await pilot.press("3", "home")
        text = await seen(pilot, lambda text: f"LOST {lost:,} EVENTS" in text and "tree may be incomplete" in text)
        marked = [line for line in text.splitlines() if f"lost {figures.count(lost)}" in line]
        assert len(marked) == 1
        await pilot.press("l")
        listens = snapshot.lost["kernel"]["listen"]
        await seen(pilot, lambda text: f"listen {listens:,}" in text and f"{lost:,} by the counters" in text)
    summary = pipeline.close()
    assert valve.listens + listens == 50_000
    assert sum(summary.lost["kernel"].values()) == summary.total_lost == lost
    assert summary.gaps == Gaps(counted=lost, seen=lost)
    assert figures.lost(summary.lost).startswith(f"{lost:,} lost (kernel: listen {listens:,}")
    document = read_session(Path(pipeline.snapshot().session))
    assert [(alert.event["path"], alert.loss) for alert in document.alerts] == [(before, 0), (during, lost)]
    assert document.summary is not None
    assert (document.summary.lost, document.summary.gaps) == (summary.lost, summary.gaps)
    assert document.actions == ()  # no notice: nothing disagrees
