"""Rules in several threads give what they give in one: the same alerts in the same order, byte for byte."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.records import Clock
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.session import Session, host_facts, read_session
from sentinel_engine.wasm.workers import Workers, usual
from tests.engine.wasm_kit import abi0, opens


def _alerts(folder: Path, rules: Path, workers: Workers) -> bytes:
    source = RecordedSource(data_dir("rules") / "demo.rec", None)
    registry = Registry([(data_dir("rules"), True), (rules, False)], clock=source.clock, workers=workers)
    registry.load()
    session = Session(folder, source.name, "0", host_facts(source.clock))
    pipeline = Pipeline(source, registry, session)
    pipeline.start()
    while not pipeline.finished():
        threading.Event().wait(0.01)
    pipeline.close()
    return msgspec.json.encode(read_session(session.path).alerts)


def test_the_same_recording_gives_the_same_alerts_with_any_number_of_threads(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir(mode=0o755)
    for n in range(8):
        (rules / f"mine-{n}.wat").write_bytes(
            abi0(f"(i32.eq (i32.rem_u (local.get 1) (i32.const 19)) (i32.const {n}))")
        )
    (rules / "traps.wat").write_bytes(abi0("(if (i32.eq (local.get 1) (i32.const 11)) (then unreachable)) i32.const 0"))
    runs = [_alerts(tmp_path / "sessions", rules, Workers(1 + n % 2, spread_seconds=0.0)) for n in range(10)]
    assert runs[0].count(b'"type":"alert"') > 20
    assert b"coverage-lost:traps" in runs[0]
    assert len(set(runs)) == 1


def test_much_work_is_spread_and_little_is_not() -> None:
    workers = Workers(2, spread_seconds=0.05)
    released = threading.Event()

    def threads(seconds: float) -> set[str]:
        released.clear()
        return set(workers.run([seconds] * 2, lambda one: (released.wait(one), threading.current_thread().name)[1]))

    assert len(threads(0.1)) == 1  # nobody knew yet
    assert len(threads(0.1)) == 2
    assert len(threads(0.0)) == 2
    assert len(threads(0.0)) == 1
    workers.close()


def test_half_the_cores_are_left_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads in ((1, 1), (2, 1), (8, 4)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert usual() == threads


def test_hostile_rules_in_several_threads_cost_no_verdict(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    bodies = ["(loop br 0) i32.const 0", "unreachable", "i32.const 1", "i32.const 1", "(call $deep) i32.const 1"]
    for n, body in enumerate(bodies):
        (tmp_path / f"r{n}.wat").write_bytes(abi0(body, "(func $deep (call $deep))"))
    registry = Registry([(tmp_path, False)], clock=Clock(0), workers=Workers(3, 0.0))
    registry.load()
    found = [verdict.spec.id for _ in range(5) for verdict in registry.run(opens(*[b"/x"] * 50))]
    assert (found.count("r2"), found.count("r3")) == (250, 250)
    registry.close()
