"""The whole street over a recording: rules, alerts, journal, commands, a source that breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine import session as sessions
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.recording import Header, RecordingError, RecordingWriter, Trailer
from sentinel_engine.records import Batch, batch_of, encode
from sentinel_engine.rules.control import ChangeError
from sentinel_engine.rules.registry import Registry
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.session import Session, host_facts
from sentinel_engine.snapshot import RuleState, Snapshot

S = 1_000_000_000
OFFSET = 1_700_000_000 * S
SHELL = BootProcess(100, 1, 5 * S, b"bash", b"/bin/bash", (b"-bash",), b"/root", 0, b"pts/0")
# Alerts on a path of this length.
RULE = """(module (memory (export "memory") 1)
  (func (export "check_file_access") (param i32 i32) (result i32) (i32.eq (local.get 1) (i32.const {length}))))"""


def _open(path: bytes, at: int, pid: int = 100) -> bytes:
    return encode(KIND_BY_NAME["open"], strings=(path,), comm=b"bash", tgid=pid, ppid=1, leader_start=5 * S, boot_ns=at)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "take.rec"
    writer = RecordingWriter(path, Header(OFFSET, "6.1", "web-03", [SHELL]))
    for n in range(50):
        writer.append(batch_of([_open(b"/etc/x", (10 + n) * S), _open(b"/etc/shadow", (10 + n) * S + 1)]))
    writer.close(Trailer({"open": 7}))
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir(mode=0o755)
    (folder / "eleven.wat").write_text(RULE.format(length=11))
    return folder


@pytest.fixture
def run(recording: Path, rules: Path, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    started: list[Pipeline] = []

    def start(speed: float | None = None) -> Pipeline:
        source = RecordedSource(recording, speed)
        registry = Registry([(rules, False)], clock=source.clock)
        registry.load()
        session = Session(tmp_path / "sessions", source.name, "0", host_facts(source.clock))
        pipeline = Pipeline(source, registry, session)
        started.append(pipeline)
        pipeline.start()
        return pipeline

    yield start
    for pipeline in started:
        pipeline.close()


def _until(pipeline: Pipeline, seen: Callable[[Snapshot], bool]) -> Snapshot:
    deadline = time.monotonic() + 10
    while not seen(snapshot := pipeline.snapshot()):
        assert time.monotonic() < deadline, snapshot
        time.sleep(0.01)  # the snapshot is polled by design
    return snapshot


def _finish(pipeline: Pipeline) -> Snapshot:
    _until(pipeline, lambda _: pipeline.finished())
    pipeline.close()
    return pipeline.snapshot()


def test_alerts_counts_and_loss_reach_the_snapshot(run: Callable[..., Pipeline]) -> None:
    pipeline = run()
    snapshot = _finish(pipeline)
    assert snapshot.events == {"open": 100}
    assert snapshot.total_lost == 7
    assert snapshot.source.ended
    assert [alert.count for alert in snapshot.alerts] == [50]
    (alert,) = snapshot.alerts
    assert alert.event["path"] == "/etc/shadow"
    assert alert.time == "2023-11-14T22:13:30.000000001Z"
    assert [entry.argv for entry in alert.process_tree] == [("-bash",)]
    (rule,) = snapshot.rules
    assert (rule.calls, rule.matches, rule.alerts) == (100, 50, 50)
    assert [e["seq"] for e in pipeline.events(None, 3)] == [97, 98, 99]
    assert pipeline.events(None, 1)[0]["detail"] == "/etc/shadow  O_RDONLY"


def test_the_same_recording_gives_the_same_alerts(run: Callable[..., Pipeline]) -> None:
    first, second = _finish(run()), _finish(run())
    assert first.alerts == second.alerts != ()


def test_switching_off_and_on_and_reloading_while_it_runs(run: Callable[..., Pipeline], rules: Path) -> None:
    pipeline = run(speed=20.0)
    _until(pipeline, lambda s: bool(s.alerts))
    assert pipeline.rules.set_enabled("eleven", False).result(5) == "eleven is off"
    off = _until(pipeline, lambda s: s.rules[0].state is RuleState.DISABLED)
    later = _until(pipeline, lambda s: s.total_events > off.total_events + 4)
    assert later.rules[0].calls == off.rules[0].calls
    pipeline.rules.set_enabled("eleven", True).result(5)
    _until(pipeline, lambda s: s.rules[0].calls > off.rules[0].calls)

    (rules / "eleven.wat").write_text("(module (nonsense")
    with pytest.raises(ChangeError, match="generation 1 goes on"):
        pipeline.rules.reload("eleven").result(5)
    (rules / "eleven.wat").write_text(RULE.format(length=6))
    assert "generation 2" in pipeline.rules.reload("eleven").result(5)
    changed = _until(pipeline, lambda s: s.alerts[-1].event["path"] == "/etc/x")
    assert any("was not reloaded" in notice for notice in changed.notices)
    (rules / "new.wat").write_text(RULE.format(length=11))
    assert "1 new" in pipeline.rules.reload_all().result(5)
    assert [view.id for view in pipeline.snapshot().rules] == ["eleven", "new"]


def test_export_while_it_runs_holds_the_actions(run: Callable[..., Pipeline], tmp_path: Path) -> None:
    pipeline = run(speed=20.0)
    _until(pipeline, lambda s: bool(s.alerts))
    pipeline.rules.set_enabled("eleven", False).result(5)
    said = pipeline.export(tmp_path / "case.json").result(5)
    assert str(tmp_path / "case.json") in said
    document = json.loads((tmp_path / "case.json").read_text())
    assert [action["action"] for action in document["actions"]] == ["disable", "export"]
    assert document["alerts"][0]["event"]["path"] == "/etc/shadow"
    assert document["complete"] is False
    with pytest.raises(sessions.SessionError, match="exists"):
        pipeline.export(tmp_path / "case.json").result(5)


def test_the_journal_has_every_alert_with_its_last_count(run: Callable[..., Pipeline]) -> None:
    snapshot = _finish(run())
    document = sessions.read_session(Path(snapshot.session))
    assert document.alerts == snapshot.alerts
    assert document.complete
    assert document.summary is not None
    assert document.summary.lost["kernel"] == {"open": 7}


def test_a_source_that_breaks_is_said_and_ends_the_run(recording: Path, rules: Path) -> None:
    class Breaking(RecordedSource):
        def read(self, timeout: float) -> list[Batch]:
            if self.ended():
                raise OSError(5, "Input/output error")
            return super().read(timeout)

    source = Breaking(recording, None)
    registry = Registry([(rules, False)], clock=source.clock)
    pipeline = Pipeline(source, registry)
    pipeline.start()
    _until(pipeline, lambda _: pipeline.finished())
    pipeline.close()
    assert "Input/output error" in pipeline.snapshot().source.problem


@pytest.mark.parametrize("cut", [1, 9, 30, 200])
def test_a_recording_cut_short_plays_up_to_there(recording: Path, cut: int) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[:-cut])
    source = RecordedSource(recording, None)
    played = 0
    while not source.ended():
        played += sum(len(batch) for batch in source.read(0))
    assert 90 <= played <= 100
    assert "ends early" in source.problem
    source.close()


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "x.rec"
    other.write_bytes(b"SNTLREC1" + b"\xff" * 40)
    with pytest.raises(RecordingError, match="damaged"):
        RecordedSource(other)
    other.write_text("text")
    with pytest.raises(RecordingError, match="not a sentinel-tui recording"):
        RecordedSource(other)
    with pytest.raises(RecordingError, match="No such file"):
        RecordedSource(tmp_path / "gone.rec")
