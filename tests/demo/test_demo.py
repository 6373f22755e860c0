"""The bundled recording: every built-in rule fires, in the same words each time, and nothing of ours is in it."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.recording import RecordingReader
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.snapshot import Snapshot

DEMO = data_dir("rules") / "demo.rec"


def _play() -> Snapshot:
    source = RecordedSource(DEMO, speed=None)
    registry = Registry([(data_dir("rules"), True)], clock=source.clock)
    registry.load()
    pipeline = Pipeline(source, registry)
    pipeline.start()
    deadline = time.monotonic() + 30
    while not pipeline.finished():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # the pipeline is polled by design
    pipeline.close()
    return pipeline.snapshot()


def test_every_built_in_rule_fires_with_a_whole_tree() -> None:
    snapshot = _play()
    assert {alert.rule.id for alert in snapshot.alerts} == {rule.id for rule in snapshot.rules}
    assert len(snapshot.rules) == 8
    assert snapshot.source.problem == ""
    assert snapshot.total_lost == 0
    for alert in snapshot.alerts:
        tree = alert.process_tree
        assert tree[0].argv[-1] == "/mnt/attack.sh"
        assert tree[-1].pid == alert.event["pid"]
        assert len(tree) >= 2


def test_it_plays_to_the_same_alerts_each_time() -> None:
    assert _play().alerts == _play().alerts


def test_it_is_small_and_long_enough_to_watch() -> None:
    source = RecordedSource(DEMO, speed=None)
    batches = []
    while not source.ended():
        batches += source.read(0)
    source.close()
    first, last = batches[0].at(0).boot_ns, batches[-1].at(0).boot_ns
    assert 45e9 < last - first < 60e9
    assert DEMO.stat().st_size < 300_000


def test_nothing_of_the_machine_it_was_made_on_is_in_it() -> None:
    reader = RecordingReader(DEMO)
    content = b"".join(reader.batches())
    reader.close()
    assert (reader.header.hostname, reader.header.processes) == ("web-03", [])
    ours = (Path(__file__).parents[2], "/home/", "/tmp/stage", f"{socket.gethostname()}\0")
    for word in ours:
        assert str(word).encode() not in content, word
