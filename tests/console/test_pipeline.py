"""The console over the real pipeline: a recording goes through real rules, journal and export."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import batch_of
from sentinel_engine.rules.registry import Registry
from sentinel_engine.session import Session, host_facts
from sentinel_tui.app import SentinelApp
from tests.console.keys import press
from tests.console.stage import CLOCK, STORY

MODULES = Path(__file__).parent.parent / "engine" / "modules"
QUIET = (
    '(module (memory (export "memory") 1) (func (export "check_file_access") (param i32 i32) (result i32) i32.const 0))'
)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The original example rule, and one that can be edited."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "example.wasm").write_bytes((MODULES / "example_abi0.wasm").read_bytes())
    (folder / "mine.wat").write_text(QUIET)
    return folder


@pytest.fixture
def pipeline(tmp_path: Path, rules: Path) -> Iterator[Pipeline]:
    """A started pipeline that plays the story at once."""
    shell = BootProcess(4213, 4102, 0, b"cat", b"/usr/bin/cat", (b"cat", b"/etc/shadow"), b"/root", 0, b"pts/0")
    writer = RecordingWriter(tmp_path / "story.rec", Header(CLOCK.offset_ns, "6.18", "web-03", [shell]))
    writer.append(batch_of(STORY))
    writer.close(Trailer({}))
    source = RecordedSource(tmp_path / "story.rec", speed=None, name="story")
    registry = Registry([(rules, False)], clock=source.clock)
    registry.load()
    running = Pipeline(source, registry, Session(tmp_path / "sessions", "story", "0", host_facts(CLOCK)))
    running.start()
    yield running
    running.close()


async def seen(pilot: Pilot[None], what: Callable[[str], bool]) -> str:
    """The first screen for which this holds."""
    deadline = time.monotonic() + 10
    while True:
        await pilot.pause(0.05)
        strips = pilot.app.screen._compositor.render_strips()
        text = "\n".join("".join(segment.text for segment in strip) for strip in strips)
        if what(text):
            return text
        assert time.monotonic() < deadline, text


async def test_alert_toggle_reload_and_export(pipeline: Pipeline, rules: Path, tmp_path: Path) -> None:
    app = SentinelApp(pipeline)
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(pilot, lambda text: "■ ENDED" in text and "◆ med" in text and "◀ alert" in text)
        await seen(pilot, lambda text: "/etc/shadow" in text and "● example" in text)

        await press(pilot, "2", "space", "y")
        await seen(pilot, lambda text: "○ example" in text)
        await press(pilot, "space")
        await seen(pilot, lambda text: "● example" in text)

        (rules / "mine.wat").write_text("(module (func (loop (br 0))")
        await press(pilot, "down", "r")
        await seen(pilot, lambda text: "✗ mine was not reloaded" in text and "reload refused" in text)
        (rules / "mine.wat").write_text(QUIET.replace("i32.const 0", "i32.const 1"))
        await press(pilot, "r")
        await seen(pilot, lambda text: "mine is reloaded: generation 2" in text and "reload refused" not in text)

        await press(pilot, "e")
        await seen(pilot, lambda text: "exported 1 alert to" in text)
    (document,) = tmp_path.glob("sessions/*/export-*.json")
    exported = await asyncio.to_thread(document.read_text)
    assert [alert["rule"]["id"] for alert in json.loads(exported)["alerts"]] == ["example"]
    assert {"disable", "enable", "reload"} <= {act["action"] for act in json.loads(exported)["actions"]}


async def test_filter_and_pages_over_real_history(pipeline: Pipeline) -> None:
    app = SentinelApp(pipeline)
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(pilot, lambda text: "exit" in text and "code 0" in text)
        await press(pilot, "f", *"path=/etc/shadow", "enter")
        await seen(pilot, lambda text: "filter: path=/etc/shadow" in text and "curl -s" not in text)
        await press(pilot, "3", "enter")
        await seen(pilot, lambda text: "Alert: example" in text and "cat /etc/shadow" in text)
