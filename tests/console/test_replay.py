"""A recording of a real attack, gone through by keys: the real console over the real pipeline."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from sentinel_engine.collector.playback import Playback
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.session import Session, host_facts
from sentinel_engine.snapshot import SourceView
from sentinel_tui.app import SentinelApp
from sentinel_tui.keymap import ACTIONS, REPLAY
from tests.console.keys import press
from tests.console.stage import Stage

WIDE, NARROW = (120, 40), (80, 24)


class It:
    """The app, its keys, and what is on the screen."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        await press(self._pilot, *keys)

    def lines(self) -> list[str]:
        strips = self._pilot.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    async def until(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """The first screen for which this holds."""
        deadline = time.monotonic() + 10
        while not seen(lines := self.lines()):
            assert time.monotonic() < deadline, "\n".join(lines)
            await self._pilot.pause(0.02)
        return lines


@asynccontextmanager
async def _console(pipeline: Pipeline, size: tuple[int, int] = WIDE) -> AsyncIterator[It]:
    async with SentinelApp(pipeline).run_test(size=size) as pilot:
        yield It(pilot)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """The demo, standing still at its beginning."""
    source = RecordedSource(data_dir("rules") / "demo.rec", 1.0, name="demo")
    source.playback.toggle()
    registry = Registry([(data_dir("rules"), True)], clock=source.clock, monotonic=lambda: source.now() / 1e9)
    registry.load()
    running = Pipeline(source, registry, Session(tmp_path / "s", "demo", "0", host_facts(source.clock)))
    running.start()
    yield running
    running.close()


def _share(lines: list[str]) -> int:
    found = re.search(r"\d\d:\d\d:\d\d (\d+)%", lines[0])
    assert found, lines[0]
    return int(found[1])


async def test_from_alert_to_alert_and_back_and_to_the_beginning(pipeline: Pipeline) -> None:
    def shown(lines: list[str]) -> bool:
        """Whether it stands still after an alert, and everything until there is on the screen."""
        newest = pipeline.events(None, 1)
        there = bool(newest and _stream(lines)) and f" {newest[0]['pid']} " in _stream(lines)[-1]
        return there and "■ STOPPED" in lines[0] and "no alerts" not in lines[0] and _share(lines) == _at(pipeline)

    async with _console(pipeline) as it:
        await it.until(lambda lines: "■ STOPPED" in lines[0] and _share(lines) == 0 and "No events yet" in lines[2])
        await it.press("right_curly_bracket")
        first = await it.until(shown)
        assert "of the recording" in first[-2]
        await it.press("right_curly_bracket")
        await it.until(lambda lines: shown(lines) and "▲ 2 high" in lines[0])
        await it.press("left_curly_bracket")
        # The events that are shown are the same, and none is left of what was seen later.
        await it.until(lambda lines: shown(lines) and "▲ 1 high" in lines[0] and _stream(lines) == _stream(first))
        await it.press("left_curly_bracket")
        said = await it.until(lambda lines: "no alert before this" in lines[-2])
        assert said[-2].startswith(" ✗")
        await it.press("0")
        await it.until(lambda lines: _share(lines) == 0 and "no alerts" in lines[0] and "No events yet" in lines[2])


def _at(pipeline: Pipeline) -> int:
    return round(100 * pipeline.snapshot().source.share)


def _stream(lines: list[str]) -> list[str]:
    return re.findall(r"┃.{3}(\d\d:\d\d:\d\d .{50})", "\n".join(lines))


async def test_a_line_goes_anywhere_and_says_what_is_no_place(pipeline: Pipeline) -> None:
    async with _console(pipeline, NARROW) as it:
        await it.press("g")
        await it.until(lambda lines: any("go to: +90s  -5m  10:22:31 (UTC)  50%" in line for line in lines))
        await it.press(*"halfway", "enter")
        await it.until(lambda lines: any("✗ halfway is no place in a recording: write +90s" in line for line in lines))
        await it.press(*["backspace"] * 7, *"50%", "enter")
        await it.until(lambda lines: "■ STOPPED" in lines[0] and _share(lines) == 50)
        await it.press("g", *"01:02:03", "enter")
        await it.until(lambda lines: "✗ 01:02:03 is not in this recording, which goes from" in lines[-2])
        await it.press("g", *"-10s", "enter")
        await it.until(lambda lines: 0 < _share(lines) < 50)
        await it.press("right_square_bracket")
        await it.until(lambda lines: _share(lines) == 100)
        await it.press("left_square_bracket")
        await it.until(lambda lines: _share(lines) == 0)


async def test_a_frozen_view_stays_as_it_is_until_it_goes_on(pipeline: Pipeline) -> None:
    async with _console(pipeline) as it:
        await it.press("g", *"100%", "enter")
        await it.until(lambda lines: "■ ENDED" in lines[0] and bool(_stream(lines)))
        await it.press("p")
        frozen = await it.until(lambda lines: "PAUSED" in lines[0])
        await it.press("0")
        await it.until(lambda _: pipeline.snapshot().total_events == 0)
        assert _stream(it.lines()) == _stream(frozen)
        await it.press("p")
        await it.until(lambda lines: not _stream(lines))


async def test_the_way_is_shown_and_then_the_place() -> None:
    stage = Stage()
    stage.playback, stage.seeker = Playback(1.0), stage
    source = SourceView("demo", live=False, time="2026-11-23T10:20:01.000000000Z", share=0.3)
    async with _console(stage) as it:  # type: ignore[arg-type] # a stage is what the console sees of one
        await it.press("right_square_bracket", "left_square_bracket", "0", "left_curly_bracket")
        assert stage.calls == [("go", "+1m"), ("go", "-1m"), ("go", "0%"), ("alert before",)]
        stage.change(source=SourceView("demo", live=False, time=source.time, share=0.3, goal="10:22:31", progress=0.6))
        lines = await it.until(lambda lines: "» SEEKING 10:20:01 30%" in lines[0])
        assert "going to 10:22:31 ████████████░░░░░░░░ 60%; P stops" in lines[-2]
        stage.change(source=msgspec.structs.replace(source, arrivals=1))
        await it.until(lambda lines: "at 10:20:01, 30% of the recording" in lines[-2])


async def test_what_is_live_goes_nowhere() -> None:
    async with _console(Stage()) as it:  # type: ignore[arg-type] # a stage is what the console sees of one
        for action in (one for one in ACTIONS if one.context == REPLAY):
            await it.press("slash", "escape")  # the line before goes
            await it.press(action.key)
            await it.until(lambda lines: "this is live" in lines[-2])
