"""A rule looks at what has already happened: in memory and on the disk, without a second alert for what was seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine import session as sessions
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import batch_of, encode
from sentinel_engine.rules.registry import Registry
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.segments import Keep
from sentinel_engine.session import Session, host_facts
from sentinel_engine.snapshot import Snapshot
from tests.engine.wasm_kit import abi0

OPEN = KIND_BY_NAME["open"]
EVENTS, BATCH = 40_000, 500
PLANTED = [17, 499, 500, 20_001, 39_999]


@pytest.fixture(params=[None, Keep()], ids=["in memory", "on disk"])
def it(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    recording = tmp_path / "take.rec"
    writer = RecordingWriter(recording, Header(0, "6.1", "web-03", []))
    for first in range(0, EVENTS, BATCH):
        paths = [b"/planted/here" if n in PLANTED else b"/usr/lib/x" for n in range(first, first + BATCH)]
        records = [encode(OPEN, strings=(path,), tgid=9, boot_ns=(first + n) * 10**9) for n, path in enumerate(paths)]
        writer.append(batch_of(records))
    writer.close(Trailer({}))
    (tmp_path / "rules").mkdir(mode=0o755)
    (tmp_path / "rules" / "mine.wat").write_bytes(abi0("i32.const 0"))
    source = RecordedSource(recording, 40_000.0)
    registry = Registry([(tmp_path / "rules", False)], clock=source.clock)
    registry.load()
    session = Session(tmp_path / "s", source.name, "0", host_facts(source.clock), request.param)
    pipeline = Pipeline(source, registry, session)
    pipeline.start()
    _until(pipeline, lambda s: s.total_events == EVENTS)
    yield pipeline
    pipeline.close()


def _until(pipeline: Pipeline, seen: Callable[[Snapshot], bool]) -> Snapshot:
    deadline = time.monotonic() + 10
    while not seen(snapshot := pipeline.snapshot()):
        assert time.monotonic() < deadline, snapshot.notices
        time.sleep(0.005)  # the snapshot is polled by design
    return snapshot


def _write(pipeline: Pipeline, body: str) -> None:
    folder = Path(pipeline.snapshot().rules[0].path)
    folder.write_bytes(abi0(body))
    pipeline.rules.reload("mine").result(5)


def _hunt(pipeline: Pipeline) -> Snapshot:
    pipeline.hunter.start("mine").result(5)
    return _until(pipeline, lambda s: s.hunt is not None and not s.hunt.running and "over the past" in s.notices[-1])


def test_a_new_rule_finds_exactly_what_was_planted(it: Pipeline) -> None:
    assert it.snapshot().total_alerts == 0
    _write(it, "(i32.eq (local.get 1) (i32.const 13))")
    done = _hunt(it)
    assert [alert.event["seq"] for alert in done.alerts] == PLANTED
    assert all(alert.past for alert in done.alerts)
    assert done.alerts[0].time.startswith("1970-01-01T00:00:17")  # their own time, not that of the hunt
    assert done.hunt
    assert done.hunt.matches == len(PLANTED)
    assert "5 matches in " in done.notices[-1]
    # Once more: what has an alert gets no second one.
    assert _hunt(it).total_alerts == len(PLANTED)
    document = sessions.read_session(Path(it.snapshot().session))
    assert [alert.past for alert in document.alerts] == [True] * len(PLANTED)
    assert [action.action for action in document.actions].count("hunted") == 2


def test_too_many_matches_are_counted(it: Pipeline) -> None:
    _write(it, "i32.const 1")
    done = _hunt(it)
    assert "matches, the first 1,000 as alerts" in done.notices[-1]
    assert done.total_alerts == 1000


def test_a_hunt_can_be_stopped_and_is_alone(it: Pipeline) -> None:
    slow = """(local $n i32) (loop $turn (br_if $turn (i32.lt_u
      (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 300000)))) i32.const 0"""
    _write(it, slow)
    it.hunter.start("mine").result(5)
    with pytest.raises(RuntimeError, match="not through with the past yet"):
        it.hunter.start("mine").result(5)
    it.hunter.cancel()
    done = _until(it, lambda s: s.hunt is not None and not s.hunt.running)
    assert done.hunt
    assert done.hunt.events < EVENTS
    assert "cancelled" in _until(it, lambda s: "over the past" in s.notices[-1]).notices[-1]


def test_a_rule_that_fails_there_is_said_and_runs_on_here(it: Pipeline) -> None:
    _write(it, "(if (i32.eq (local.get 1) (i32.const 13)) (then unreachable)) i32.const 0")
    done = _hunt(it)
    assert "5 matches" not in done.notices[-1]
    assert it.snapshot().rules[0].traps == 0
