"""The kernel's mask follows what rules and the view ask for, while all of it runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.collector.scope import parse_scope
from sentinel_engine.match.plain import parse
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.rules.registry import Registry
from sentinel_engine.schema import ALL_KINDS, mask_of
from sentinel_engine.session import Session, host_facts, read_session

pytestmark = pytest.mark.kernel

DEADLINE = 15.0
RULE = """
id: opened
version: "1"
title: a file was opened
severity: low
kinds: [open]
module: opened.wat
"""
MODULE = """(module (memory (export "memory") 1)
  (func (export "sentinel_abi_v1")) (func (export "sentinel_eval") (param i32 i32) (result i32) (i32.const 0)))"""


@pytest.fixture
def pipeline(loader: Loader, tmp_path: Path) -> Iterator[Pipeline]:
    folder = tmp_path / "rules" / "opened"
    folder.mkdir(parents=True)
    (folder / "rule.yaml").write_text(RULE)
    (folder / "opened.wat").write_text(MODULE)
    loading = Loading(loader)
    registry = Registry([(tmp_path / "rules", False)], clock=loading.clock)
    registry.load()
    source = LiveSource.open(loading)
    session = Session(tmp_path / "sessions", "live", "0", host_facts(source.clock))
    running = Pipeline(source, registry, session)
    running.start()
    yield running
    running.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait until this holds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)  # between two looks


def kinds_of(pipeline: Pipeline) -> set[str]:
    """The kinds of event that a program has in the stream which opens libraries and removes a file."""
    done = subprocess.Popen(["rm", "-f", "/no/such/file"])
    done.wait()
    found: set[str] = set()

    def ended() -> bool:
        found.update(event["kind"] for event in pipeline.events(parse(f"pid={done.pid}"), 500))
        return "exit" in found

    until(ended)
    return found


def test_kinds_are_collected_while_somebody_asks_for_them(pipeline: Pipeline) -> None:
    assert pipeline.snapshot().off == ()
    assert {"exec", "open", "unlink", "exit"} <= kinds_of(pipeline)
    pipeline.show(mask_of(["exec"]))
    until(lambda: "unlink" in pipeline.snapshot().off)
    assert "open" not in pipeline.snapshot().off  # the rule wants it
    found = kinds_of(pipeline)
    assert "unlink" not in found
    assert {"exec", "open", "exit"} <= found
    pipeline.rules.set_enabled("opened", False).result(DEADLINE)
    assert "open" in pipeline.snapshot().off
    assert not kinds_of(pipeline) & {"open", "unlink"}
    assert pipeline.snapshot().filtered["open"] > 0
    pipeline.rules.set_enabled("opened", True).result(DEADLINE)
    pipeline.show(ALL_KINDS)
    until(lambda: pipeline.snapshot().off == ())
    assert {"open", "unlink"} <= kinds_of(pipeline)
    assert pipeline.snapshot().total_lost == 0


def test_what_changed_is_in_the_session(pipeline: Pipeline) -> None:
    pipeline.show(mask_of(["exec"]))
    until(lambda: bool(pipeline.snapshot().off))
    pipeline.set_scope(parse_scope(["uid=4242"], [])).result(DEADLINE)
    assert pipeline.snapshot().scope == "--only uid=4242"
    folder = Path(pipeline.snapshot().session)
    summary = pipeline.close()
    assert summary.scope == "--only uid=4242"
    actions = [(action.action, action.target, action.detail) for action in read_session(folder).actions]
    assert ("scope", "--only uid=4242", "reported from now on: --only uid=4242") in actions
    (collection,) = [detail for action, _, detail in actions if action == "collection"]
    assert collection.startswith("not collected from now on, since no rule and no view asks for them: exec_failed, ")
