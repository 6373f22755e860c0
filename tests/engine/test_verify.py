"""A session's rules over its events once more give its alerts, also when rules were changed in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.segments import Keep, segments_in
from sentinel_engine.session import Session, SessionError, host_facts, module_path, read_session
from sentinel_engine.snapshot import Snapshot
from sentinel_engine.verify import verify
from tests.engine.wasm_kit import abi0


class Run:
    """The demo's attack, with the built-in rules and one of our own, kept as a live session would be."""

    def __init__(self, folder: Path, keep: Keep | None) -> None:
        self.rules = folder / "rules"
        self.rules.mkdir(mode=0o755)
        self.write("(i32.eq (local.get 1) (i32.const 11))")
        source = RecordedSource(data_dir("rules") / "demo.rec", 60.0)
        registry = Registry([(data_dir("rules"), True), (self.rules, False)], clock=source.clock)
        registry.load()
        session = Session(folder / "s", source.name, "0", host_facts(source.clock), keep)
        self.path = session.path
        self.pipeline = Pipeline(source, registry, session)
        self.pipeline.start()

    def write(self, body: str) -> None:
        (self.rules / "mine.wat").write_bytes(abi0(body))

    def until(self, seen: Callable[[Snapshot], bool]) -> None:
        deadline = time.monotonic() + 20
        while not seen(self.pipeline.snapshot()):
            assert time.monotonic() < deadline
            time.sleep(0.005)  # the snapshot is polled by design


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path, Keep())
    yield run
    run.pipeline.close()


def test_a_session_is_reproduced_ten_times(run: Run) -> None:
    run.until(lambda _: run.pipeline.finished())
    run.pipeline.close()
    found = [verify(run.path) for _ in range(10)]
    assert all(one.reproduced for one in found), found[0].differences
    assert found[0].alerts > 0


def test_what_was_done_to_rules_is_done_again_at_the_same_event(run: Run) -> None:
    run.until(lambda s: s.total_events > 50)
    run.pipeline.rules.set_enabled("sensitive-file-read", False).result(5)
    run.until(lambda s: s.total_events > 150)
    run.write("(i32.eq (i32.rem_u (local.get 1) (i32.const 3)) (i32.const 0))")
    run.pipeline.rules.reload("mine").result(5)
    run.until(lambda s: s.rules[-1].matches > 0)
    run.pipeline.rules.roll_back("mine").result(5)
    run.pipeline.rules.set_enabled("sensitive-file-read", True).result(5)
    run.until(lambda _: run.pipeline.finished())
    run.pipeline.close()
    found = verify(run.path)
    assert found.reproduced, found.differences
    # The second generation has given some of them.
    assert {len(alert.event["path"]) % 3 for alert in read_session(run.path).alerts if alert.rule.id == "mine"} >= {0}


def test_a_changed_module_shows_as_a_difference_and_a_missing_one_is_said(run: Run) -> None:
    run.until(lambda _: run.pipeline.finished())
    sha256 = next(view.sha256 for view in run.pipeline.snapshot().rules if view.id == "sensitive-file-read")
    run.pipeline.close()
    kept = module_path(run.path, sha256)
    kept.write_bytes(abi0("i32.const 0"))
    found = verify(run.path)
    assert any(one.startswith("gone: ") for one in found.differences)
    kept.unlink()
    with pytest.raises(SessionError, match="is missing from the session"):
        verify(run.path)


def test_a_recording_that_was_cut_anywhere_is_reproduced_up_to_there(run: Run) -> None:
    run.until(lambda _: run.pipeline.finished())
    run.pipeline.close()
    (segment,) = segments_in(run.path)
    whole, found = segment.read_bytes(), []
    for end in range(len(whole) - 1, len(whole) // 2, -len(whole) // 12):
        segment.write_bytes(whole[:end])
        found.append(verify(run.path))
        assert found[-1].reproduced, found[-1].differences
        assert "ends early" in found[-1].notes[0]
    assert found[0].alerts > found[-1].alerts > 0


def test_a_session_without_events_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path, None)
    run.until(lambda _: run.pipeline.finished())
    run.pipeline.close()
    with pytest.raises(SessionError, match="no raw events"):
        verify(run.path)
