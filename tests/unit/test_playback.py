"""A recording is played as fast as whoever looks at it wants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_engine.collector.playback import Playback
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import batch_of, encode
from sentinel_engine.schema import KIND_BY_NAME

S = 10**9


@pytest.fixture
def source(tmp_path: Path) -> Iterator[RecordedSource]:
    writer = RecordingWriter(tmp_path / "take.rec", Header(0, "6.1", "web-03", []))
    for n in range(100):
        writer.append(batch_of([encode(KIND_BY_NAME["open"], strings=(b"/x",), boot_ns=n * S)]))
    writer.close(Trailer({}))
    source = RecordedSource(tmp_path / "take.rec", 0.25)
    yield source
    source.close()


def _read(source: RecordedSource, reads: int = 3) -> list[int]:
    return [batch.base for _ in range(reads) for batch in source.read(0.01)]


def test_it_stops_steps_and_plays_on(source: RecordedSource) -> None:
    assert _read(source) == [0]
    assert "paused" in source.playback.toggle()
    assert _read(source) == []
    source.playback.step()
    source.playback.step()
    assert _read(source) == [1, 2]
    assert _read(source) == []
    assert source.playback.toggle() == "playing on"
    source.playback.change_speed(400)  # a hundred seconds of it in one
    deadline = time.monotonic() + 5
    seen: list[int] = []
    while not source.ended():
        assert time.monotonic() < deadline
        seen += _read(source)
    assert seen == list(range(3, 100))


def test_a_minute_forward_is_at_once_and_then_the_pace_is_as_before(source: RecordedSource) -> None:
    assert _read(source) == [0]
    source.playback.forward(60)
    assert _read(source) == list(range(1, 61))
    assert _read(source) == []
    assert source.playback.playing


def test_on_to_the_next_alert_and_no_further(source: RecordedSource) -> None:
    assert _read(source) == [0]
    source.playback.alerted()  # nobody waits for it
    assert source.playback.playing
    source.playback.to_alert()
    assert source.read(0.01)[0].base == 1
    source.playback.alerted()
    assert not source.playback.playing
    assert _read(source) == []


def test_speed_has_its_bounds() -> None:
    playback = Playback(1.0)
    for _ in range(30):
        playback.change_speed(2)
    assert playback.speed == 1024
    for _ in range(60):
        playback.change_speed(0.5)
    assert playback.speed == 0.125
