"""A recording is gone through in any order: what is seen again is what was seen first, byte for byte."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sentinel_engine.collector.place import START, PlaceError, parse_place
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.recording import RecordingError
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.session import Session, digest, host_facts, read_entries, read_session
from sentinel_engine.snapshot import Action, Alert, RuleState, Snapshot
from tests.engine.wasm_kit import abi0

DEMO = data_dir("rules") / "demo.rec"
LONG = "(i32.eq (local.get 1) (i32.const {}))"  # alerts on each path of this length


class Run:
    """The demo's attack through the built-in rules and one of our own, standing still at the beginning."""

    def __init__(self, folder: Path, recording: Path = DEMO, speed: float | None = None) -> None:
        self.rules = folder / "rules"
        self.rules.mkdir(mode=0o755)
        self.write(LONG.format(11))
        self.source = RecordedSource(recording, speed)
        self.source.playback.toggle()
        registry = Registry(
            [(data_dir("rules"), True), (self.rules, False)],
            clock=self.source.clock,
            monotonic=lambda: self.source.now() / 1e9,
        )
        registry.load()
        session = Session(folder / "s", self.source.name, "0", host_facts(self.source.clock))
        self.path = session.path
        self.pipeline = Pipeline(self.source, registry, session)
        self.pipeline.start()

    def write(self, body: str) -> None:
        (self.rules / "mine.wat").write_bytes(abi0(body))

    def until(self, seen: Callable[[Snapshot], bool]) -> Snapshot:
        deadline = time.monotonic() + 20
        while not seen(snapshot := self.pipeline.snapshot()):
            assert time.monotonic() < deadline, snapshot.source
            time.sleep(0.002)  # the snapshot is polled by design
        return snapshot

    def go(self, place: str) -> Snapshot:
        assert self.pipeline.seeker
        self.pipeline.seeker.go(parse_place(place)).result(5)
        return self.until(lambda s: not s.source.goal)

    def next_alert(self) -> Snapshot:
        assert self.pipeline.playback
        before = self.pipeline.snapshot().total_alerts
        self.pipeline.playback.to_alert()
        return self.until(lambda s: s.source.ended or (not s.source.goal and s.total_alerts > before))

    def alert_before(self) -> Snapshot:
        assert self.pipeline.seeker
        self.pipeline.seeker.go_to_alert_before().result(5)
        return self.until(lambda s: not s.source.goal)

    def state(self) -> bytes:
        """All that was made of the events until here."""
        snapshot = self.pipeline.snapshot()
        rules = [(one.id, one.state, one.calls, one.matches, one.alerts, one.traps) for one in snapshot.rules]
        events = self.pipeline.events(None, 10_000)
        return msgspec.json.encode([snapshot.alerts, snapshot.events, snapshot.severities, snapshot.lost, rules, events])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.pipeline.close()


def test_ten_seeks_at_random_show_what_was_seen_there_first(run: Run) -> None:
    first = {}
    for percent in range(0, 101, 10):
        run.go(f"{percent}%")
        first[percent] = run.state()
    assert run.pipeline.snapshot().total_alerts > 5
    chosen = random.Random(5)  # noqa: S311 - a test that is the same each time
    for _ in range(10):
        percent = chosen.choice(range(0, 101, 10))
        run.go(f"{percent}%")
        assert run.state() == first[percent], percent


def test_the_journal_has_each_alert_once_and_each_seek(run: Run) -> None:
    run.go("100%")
    seen = run.pipeline.snapshot().alerts
    before = [entry for entry in read_entries(run.path) if isinstance(entry, Alert)]
    for place in ("20%", "90%", "0%", "100%"):
        run.go(place)
    assert run.pipeline.snapshot().alerts == seen
    run.pipeline.close()
    entries = list(read_entries(run.path))
    assert [entry for entry in entries if isinstance(entry, Alert)] == before
    sought = [entry.target for entry in entries if isinstance(entry, Action) and entry.action == "seek"]
    assert sought == ["100%", "20%", "90%", "0%", "100%"]
    assert read_session(run.path).alerts == seen
    assert not digest(run.path).broken


def test_an_alert_that_grew_again_after_a_seek_is_told_with_its_new_count(run: Run) -> None:
    run.go("50%")
    run.go("0%")
    seen = run.go("100%").alerts
    run.pipeline.close()
    assert {alert.id: alert for alert in read_session(run.path).alerts} == {alert.id: alert for alert in seen}


def test_from_alert_to_alert_in_both_directions(run: Run) -> None:
    states, shown = [], []
    while not (snapshot := run.next_alert()).source.ended:
        assert not snapshot.source.playing
        last = run.pipeline.events(None, 1)[0]["seq"]
        newest = max(alert.event["seq"] for alert in snapshot.alerts if not alert.id.startswith("p"))
        batch = next(b for b in RecordedBatches(DEMO) if b.base <= newest < b.base + len(b))
        assert last == batch.base + len(batch) - 1  # exactly after the batch that alerted
        states.append(run.state())
        shown.append(snapshot.total_alerts)
    assert len(states) > 3
    for state in reversed(states):
        run.alert_before()
        assert run.state() == state
    for state in states[1:]:
        run.next_alert()
        assert run.state() == state


def RecordedBatches(path: Path) -> Iterator:  # noqa
    source = RecordedSource(path, None)
    while not source.ended():
        yield from source.read(0)
    source.close()
