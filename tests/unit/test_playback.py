"""A recording is played as fast as whoever looks at it wants, and from where."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_engine.cgroups import Names
from sentinel_engine.collector.place import PlaceError, parse_place
from sentinel_engine.collector.playback import Goal, Playback
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import Clock, batch_of, encode
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


def test_a_rush_is_at_once_and_then_the_pace_is_as_before(source: RecordedSource) -> None:
    assert _read(source) == [0]
    source.playback.rush(Goal("there", ns=60 * S))
    assert source.playback.position().goal == "there"
    assert _read(source, 100) == list(range(1, 61))
    assert _read(source) == []
    assert source.playback.playing
    assert source.playback.position()[1:] == (pytest.approx(60 / 99), "", 1.0)


def test_a_rush_of_a_recording_that_stands_still_leaves_it_standing_still(source: RecordedSource) -> None:
    source.playback.toggle()
    source.playback.rush(Goal("there", ns=5 * S + 1))
    assert _read(source, 100) == list(range(6))
    assert source.playback.position().ns == 5 * S + 1  # where it was to go, also when nothing happened just there
    assert not source.playback.playing


def test_the_same_key_ends_a_rush_and_stands_still(source: RecordedSource) -> None:
    source.playback.rush(Goal("there", ns=60 * S))
    assert _read(source, 10) == list(range(10))
    assert "paused" in source.playback.toggle()
    assert _read(source, 10) == []


def test_on_to_the_next_alert_and_no_further(source: RecordedSource) -> None:
    assert _read(source) == [0]
    source.playback.alerted()  # nobody waits for it
    assert source.playback.playing
    source.playback.to_alert()
    assert _read(source, 5) == [1, 2, 3, 4, 5]
    source.playback.alerted()
    assert not source.playback.playing
    assert _read(source, 5) == []
    assert source.playback.alert_before() == 1  # that of the first batch: the other is where it is


def test_it_begins_anew_as_if_for_the_first_time(source: RecordedSource) -> None:
    source.playback.rush(Goal("the end", ns=200 * S))
    first = [batch.data for _ in range(200) for batch in source.read(0.01)]
    assert source.ended()
    source.rewind()
    source.playback.rewound()
    assert not source.ended()
    assert source.now() == source.playback.position().ns == 0
    source.playback.rush(Goal("the end", ns=200 * S))
    assert [batch.data for _ in range(200) for batch in source.read(0.01)] == first


def test_what_is_said_of_cgroups_is_known_when_it_was_and_forgotten_when_it_begins_anew(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "take.rec", Header(0, "6.1", "web-03", []))
    opened = encode(KIND_BY_NAME["open"], strings=(b"/x",), cgroup=7)
    writer.append(batch_of([opened]))
    writer.name(Names({7: b"/system.slice/web.service"}))
    writer.append(batch_of([opened]))
    writer.close(Trailer({"open": 3}))
    source = RecordedSource(tmp_path / "take.rec", None)
    for _ in range(2):
        seen = [(source.cgroups.of(7).unit, source.lost()) for _ in range(2) if source.read(0.01)]
        assert seen == [(b"", {}), (b"web.service", {})]
        assert source.ended()
        assert source.lost() == {"open": 3}
        source.rewind()
    source.close()


@pytest.mark.parametrize("cut", [0, 1, 9, 40, 200])
def test_the_time_of_the_last_event_is_found_without_playing_also_in_one_that_was_cut(
    source: RecordedSource, tmp_path: Path, cut: int
) -> None:
    whole = (tmp_path / "take.rec").read_bytes()
    (tmp_path / "cut.rec").write_bytes(whole[: len(whole) - cut])
    other = RecordedSource(tmp_path / "cut.rec", None)
    other.playback.rush(Goal("the end", ns=200 * S))
    last = max(batch.at(0).boot_ns for _ in range(120) for batch in other.read(0))
    assert other.playback.span == (0, last)
    other.close()


CLOCK = Clock(1_795_429_000 * S)  # 2026-11-23 10:16:40 UTC when the host came up
SPAN = (30 * S + 5, 330 * S)  # 10:17:10 to 10:22:10


@pytest.mark.parametrize(
    ("line", "ns"),
    [
        ("+90s", 190 * S), (" -1m ", 40 * S), ("-1.5s", 98.5 * S), ("+1h", SPAN[1]), ("-5m", SPAN[0]),
        ("0%", SPAN[0]), ("100 %", SPAN[1]), ("50%", (SPAN[0] + SPAN[1]) // 2),
        ("10:20:00", 200 * S), ("10:20", 200 * S), ("10:20:00.25", 200.25 * S), ("10:17:10", SPAN[0]),
        ("2026-11-23T10:20:00", 200 * S), ("2026-11-23 11:20:00+01:00", 200 * S),
    ],
)  # fmt: skip
def test_a_place_is_an_offset_a_share_or_a_time(line: str, ns: int) -> None:
    assert parse_place(line).boot_ns(100 * S, SPAN, CLOCK) == pytest.approx(ns, abs=2)


def test_a_time_of_day_after_midnight_is_the_next_days() -> None:
    clock = Clock(1_795_478_370 * S)  # 23:59:30
    assert parse_place("00:00:10").boot_ns(0, (0, 60 * S), clock) == 40 * S


@pytest.mark.parametrize("line", ["", "soon", "90", "+5", "101%", "25:00:00", "10:60", "+9999999999s", "²²:00", "50%%"])
def test_what_is_no_place_is_said(line: str) -> None:
    with pytest.raises(PlaceError, match=r"write \+90s"):
        parse_place(line)


def test_a_time_that_is_not_in_the_recording_says_which_are() -> None:
    with pytest.raises(PlaceError, match="09:00:00 is not in this recording, which goes from 10:17:10 to 10:22:10 UTC"):
        parse_place("09:00:00").boot_ns(0, SPAN, CLOCK)


def test_speed_has_its_bounds() -> None:
    playback = Playback(1.0)
    for _ in range(30):
        playback.change_speed(2)
    assert playback.speed == 1024
    for _ in range(60):
        playback.change_speed(0.5)
    assert playback.speed == 0.125
