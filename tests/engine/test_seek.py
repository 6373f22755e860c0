"""A recording is gone through in any order: what is seen again is what was seen first, byte for byte."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sentinel_engine.collector.place import PlaceError, parse_place
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.recording import Header, RecordingError, RecordingWriter, Trailer
from sentinel_engine.records import Batch, batch_of, encode
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.schema import KIND_BY_NAME
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
        counts = [snapshot.total_alerts, snapshot.events, snapshot.severities, snapshot.lost]
        return msgspec.json.encode([snapshot.alerts, counts, rules, events])


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
    chosen = random.Random(5)
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
        batch = next(b for b in _batches(DEMO) if b.base <= newest < b.base + len(b))
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


def test_b_pressed_again_and_again_goes_back_alert_by_alert(run: Run) -> None:
    states = []
    while not run.next_alert().source.ended:
        states.append(run.state())
    assert run.pipeline.seeker
    # Nobody waits for one to arrive before the next is asked for.
    answers = [run.pipeline.seeker.go_to_alert_before() for _ in range(3)]
    assert [answer.result(5) for answer in answers] == ["to the alert before"] * 3
    run.until(lambda s: not s.source.goal)
    assert run.state() == states[-3]


def test_before_the_first_alert_there_is_none(run: Run) -> None:
    run.go("0%")
    assert run.pipeline.snapshot().total_alerts == 0
    with pytest.raises(LookupError, match="no alert before this"):
        run.alert_before()


def test_a_changed_rule_is_told_of_again_from_the_beginning(run: Run) -> None:
    run.go("100%")
    run.pipeline.rules.set_enabled("sensitive-file-read", False).result(5)
    run.write(LONG.format(7))
    run.pipeline.rules.reload("mine").result(5)
    run.go("0%")
    rules = {one.id: one for one in run.pipeline.snapshot().rules}
    assert rules["sensitive-file-read"].state is RuleState.DISABLED
    assert (rules["mine"].generation, rules["mine"].calls) == (2, 0)
    shown = run.go("100%").alerts
    assert {len(alert.event["path"]) for alert in shown if alert.rule.id == "mine"} == {7}
    assert all(alert.rule.id != "sensitive-file-read" for alert in shown)
    run.pipeline.close()
    kept = {alert.id: alert for alert in read_session(run.path).alerts}
    assert [kept[alert.id] for alert in shown] == list(shown)


def test_a_rule_that_fails_is_left_out_over_the_same_events_each_time(run: Run) -> None:
    run.write("(if (i32.eq (local.get 1) (i32.const 16)) (then unreachable)) i32.const 0")
    run.pipeline.rules.reload("mine").result(5)
    run.go("0%")
    seen = run.go("100%")
    rule = next(one for one in seen.rules if one.id == "mine")
    assert rule.traps >= 5
    assert rule.skipped > 0
    before = run.state()
    run.go("40%")
    run.go("100%")
    assert run.state() == before


def test_a_hunt_and_an_export_work_after_going_back(run: Run, tmp_path: Path) -> None:
    run.go("100%")
    run.write(LONG.format(7))
    run.pipeline.rules.reload("mine").result(5)
    half = run.go("50%")
    events = half.total_events
    run.write(LONG.format(12))
    run.pipeline.rules.reload("mine").result(5)
    run.pipeline.hunter.start("mine").result(5)
    done = run.until(lambda s: s.hunt is not None and not s.hunt.running and "over the past" in s.notices[-1])
    assert done.hunt
    assert done.hunt.events == events
    found = [alert for alert in done.alerts if alert.past]
    assert found
    assert {len(alert.event["path"]) for alert in found} == {12}
    assert "exported" in run.pipeline.export(tmp_path / "case.json").result(5)
    run.go("0%")
    assert run.pipeline.snapshot().hunt is None
    kept = {alert.id for alert in read_session(run.path).alerts if alert.past}
    assert {alert.id for alert in found} <= kept


def test_what_a_hunt_found_before_a_seek_does_not_come_after_it(run: Run) -> None:
    run.go("100%")
    run.write(LONG.format(12))
    run.pipeline.rules.reload("mine").result(5)
    run.pipeline.hunter.start("mine")
    matches = []

    def back() -> str:
        """Holds the engine until the hunt is over, so that all it found waits behind this."""
        while (hunt := run.pipeline.hunter.view()) and hunt.running:
            time.sleep(0.001)  # a hunt's view is polled by design
        matches.append(hunt.matches if hunt else 0)
        run.pipeline.begin_anew()
        return ""

    run.pipeline.at_rest(back).result(10)
    run.pipeline.at_rest(str).result(5)  # what waited has been looked at
    assert matches[0] > 0
    assert run.pipeline.snapshot().alerts == ()


def test_what_cannot_be_is_refused_and_it_plays_on(tmp_path: Path) -> None:
    recording = tmp_path / "take.rec"
    recording.write_bytes(DEMO.read_bytes())
    run = Run(tmp_path, recording)
    run.go("50%")
    before = run.state()
    with pytest.raises(PlaceError, match="is not in this recording"):
        run.go("2001-01-01T00:00:00")
    recording.unlink()
    with pytest.raises(RecordingError, match="No such file"):
        run.go("10%")
    assert run.state() == before
    assert run.go("60%").total_events > 0
    run.pipeline.close()
    refused = [entry for entry in read_entries(run.path) if isinstance(entry, Action) and "refused" in entry.detail]
    assert [entry.action for entry in refused] == ["seek", "seek"]


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """Quiet hours: many small batches, which take a second or so to go through."""
    path, opened = tmp_path / "long.rec", KIND_BY_NAME["open"]
    writer = RecordingWriter(path, Header(0, "6.1", "web-03", []))
    for n in range(10_000):
        writer.append(batch_of([encode(opened, strings=(b"/usr/lib/x",), boot_ns=n * 10**9)]))
    writer.close(Trailer({}))
    return path


def test_the_way_through_a_long_one_is_shown_and_can_be_left(tmp_path: Path, long: Path) -> None:
    run = Run(tmp_path, long)
    assert run.pipeline.seeker
    assert run.pipeline.playback
    assert run.pipeline.seeker.go(parse_place("100%")).result(5) == "to 02:46:39"
    on_the_way = run.until(lambda s: 0.05 < s.source.progress < 0.95)
    assert on_the_way.source.goal == "02:46:39"
    assert on_the_way.source.share == pytest.approx(on_the_way.source.progress)
    assert "paused" in run.pipeline.playback.toggle()
    stopped = run.until(lambda s: not s.source.goal)
    assert 0 < stopped.total_events < 10_000
    assert not stopped.source.ended
    run.pipeline.close()
    assert run.pipeline.snapshot().total_events == stopped.total_events


def test_it_leaves_at_once_also_in_the_midst_of_a_rush(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.pipeline.seeker
    for place in ("100%", "0%", "90%"):
        run.pipeline.seeker.go(parse_place(place))
    began = time.monotonic()
    run.pipeline.close()
    assert time.monotonic() - began < 2
    assert read_session(run.path).complete


def test_it_plays_on_at_its_pace_after_a_seek(tmp_path: Path) -> None:
    run = Run(tmp_path, speed=20.0)
    run.go("50%")
    assert run.pipeline.playback
    at = run.pipeline.playback.position().ns
    began = time.monotonic()
    run.pipeline.playback.toggle()
    run.until(lambda _: run.pipeline.playback.position().ns > at + 10 * 10**9)  # type: ignore[union-attr] # it is one
    assert 0.3 < time.monotonic() - began < 5
    run.pipeline.close()


def _batches(path: Path) -> Iterator[Batch]:
    source = RecordedSource(path, None)
    while not source.ended():
        yield from source.read(0)
    source.close()
