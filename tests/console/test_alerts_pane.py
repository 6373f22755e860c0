"""The alerts pane, most of it over the real pipeline and a recorded attack: marked, noted, suppressed, filtered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.session import Session, host_facts, read_session
from sentinel_engine.snapshot import Alert, Severity
from sentinel_tui.app import SentinelApp
from tests.console.keys import press
from tests.console.stage import Stage, alert
from tests.console.test_console import console

Shown = tuple[SentinelApp, Pilot[None], Pipeline]


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    """The console over the demo's recording, played to its end; the alerts pane has the focus."""
    source = RecordedSource(data_dir("rules") / "demo.rec", None, "demo")
    registry = Registry([(data_dir("rules"), True)], clock=source.clock)
    registry.load()
    pipeline = Pipeline(source, registry, Session(tmp_path, "demo", "0", host_facts(source.clock)))
    pipeline.start()
    async with asyncio.timeout(20):
        while not pipeline.finished():
            await asyncio.sleep(0.01)
    app = SentinelApp(pipeline)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: bool(app.main.alerts.rows))
        await press(pilot, "3")
        yield app, pilot, pipeline
    pipeline.close()


async def until(pilot: Pilot[None], seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not seen():
            await pilot.pause(0.02)


def text(app: SentinelApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def journalled(pipeline: Pipeline) -> list[Alert]:
    pipeline.close()
    return list(read_session(Path(pipeline.snapshot().session)).alerts)


async def test_alike_alerts_are_a_group_that_opens_to_its_alerts() -> None:
    stage = Stage()
    alike = [alert("hidden-file", Severity.LOW, n, f"made .x{n}") for n in range(3)]
    stage.change(alerts=(*stage.view.alerts, *alike))
    async with console(stage) as it:
        pane = it.app.main.alerts
        grouped = len(pane.rows)
        assert "3 alerts" in it.text
        await it.press("3", "enter")
        assert len(pane.rows) == grouped + 3
        assert [row.key for row in pane.rows[1:4]] == [one.id for one in reversed(alike)]
        await it.press("down", "enter")
        assert "Alert: hidden-file" in it.text
        await it.press("backspace", "up", "enter")
        assert len(pane.rows) == grouped
        await it.press("G")
        assert len(pane.rows) == len(stage.view.alerts)


async def test_acknowledged_is_marked_kept_and_can_be_hidden(shown: Shown) -> None:
    app, pilot, pipeline = shown
    await press(pilot, "G", "a")
    chosen = app.main.alerts.alert
    assert chosen is not None
    await until(pilot, lambda: "✓" in text(app))
    assert "1 alert acknowledged" in text(app)
    await press(pilot, "v")
    assert "1 acknowledged hidden" in text(app)
    assert chosen.id not in [row.key for row in app.main.alerts.rows]
    await press(pilot, "v")
    assert [one.id for one in journalled(pipeline) if one.triage.acknowledged] == [chosen.id]
    actions = read_session(Path(pipeline.snapshot().session)).actions
    assert [(one.action, one.target) for one in actions if one.target == chosen.id] == [("acknowledge", chosen.id)]


async def test_a_note_and_a_bookmark_are_on_the_page_and_in_the_session(shown: Shown) -> None:
    app, pilot, pipeline = shown
    await press(pilot, "G", "m", "n", *"seen before", "enter", "enter")
    await until(pilot, lambda: "note     seen before" in text(app))
    assert "marks    bookmarked" in text(app)
    await until(pilot, lambda: "What the process did around it" in text(app) and "▶" in text(app))
    await press(pilot, "backspace")
    (noted,) = [one for one in journalled(pipeline) if one.triage.note]
    assert (noted.triage.note, noted.triage.bookmarked) == ("seen before", True)


async def test_a_suppression_shows_what_it_would_do_then_hides_counts_and_gives_back(shown: Shown) -> None:
    app, pilot, pipeline = shown
    before = pipeline.snapshot()
    rule = before.alerts[-1].rule.id
    alike = [one for one in before.alerts if one.rule.id == rule]
    await press(pilot, "x", "ctrl+u", *f"rule={rule} for 30m")
    assert f"would have hidden {len(alike)} of the last {len(before.alerts)} alerts, for 30 min" in text(app)
    await press(pilot, "enter")
    await until(pilot, lambda: f"{sum(one.count for one in alike)} suppressed" in text(app))
    after = pipeline.snapshot()
    assert {one.id for one in after.alerts} == {one.id for one in before.alerts} - {one.id for one in alike}
    assert sum(after.severities.values()) == sum(before.severities.values()) - sum(one.count for one in alike)
    assert after.total_alerts == before.total_alerts
    await press(pilot, "X")
    assert f"rule={rule}" in text(app)
    await press(pilot, "enter")
    await until(pilot, lambda: "suppressed" not in text(app).splitlines()[-20])
    assert pipeline.snapshot().alerts == before.alerts
    assert pipeline.snapshot().severities == before.severities
    assert len(journalled(pipeline)) == len(before.alerts)


@pytest.mark.parametrize(
    ("line", "said"),
    [("for 1h", "would hide everything"), ("rule=x for long", "how long is long"), ("rulez=x", "no event has a field")],
)
async def test_a_suppression_that_cannot_be_is_said(shown: Shown, line: str, said: str) -> None:
    app, pilot, pipeline = shown
    await press(pilot, "x", "ctrl+u", *line, "enter")
    assert said in text(app)
    assert pipeline.snapshot().suppressions == ()


async def test_the_filter_of_the_alerts_is_seen_and_an_empty_one_shows_all(shown: Shown) -> None:
    app, pilot, pipeline = shown
    await press(pilot, "G", "i", *"severity=critical", "enter")
    wanted = [one.id for one in reversed(pipeline.snapshot().alerts) if one.rule.severity == "critical"]
    assert wanted
    assert [row.key for row in app.main.alerts.rows] == wanted
    assert "Alerts ─ filter: severity=critical" in text(app)
    await press(pilot, "i", "ctrl+u", *"nothing-like-it", "enter")
    assert "No alert to show" in text(app)
    await press(pilot, "i", "ctrl+u", "enter")
    assert len(app.main.alerts.rows) == len(pipeline.snapshot().alerts)


async def test_the_keys_of_a_page_are_for_its_alert_when_a_newer_one_comes() -> None:
    stage = Stage()
    async with console(stage) as it:
        await it.press("3", "enter")
        shown = it.app.main.alerts.alert
        newer = alert("hidden-file", Severity.LOW, 1, "another")
        stage.change(alerts=(*stage.view.alerts, newer))
        await it.press("escape")
        await it.look()
        assert it.app.main.alerts.rows[0].key == newer.id
        assert it.app.main.alerts.alert == shown
