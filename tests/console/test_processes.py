"""The processes of a recorded attack: as a tree, found, folded, one of them in full."""

from __future__ import annotations

from typing import cast

import pytest

from sentinel_engine.constants import signal_name
from sentinel_tui.screens.process_page import ProcessScreen
from tests.console.keys import press
from tests.console.test_alerts_pane import Shown, shown, text, until

__all__ = ["shown"]  # a fixture


async def test_every_process_is_below_the_one_that_started_it(shown: Shown) -> None:
    app, pilot, pipeline = shown
    await press(pilot, "5")
    screen = app.screen
    await until(pilot, lambda: "Processes ─" in text(app))
    rows = screen.pane.rows  # type: ignore[attr-defined] # the screen that key 5 opens
    lines = pipeline.processes.lines().result(5)
    assert sorted(row.line.key for row in rows) == sorted(line.key for line in lines)
    above: list[tuple[int, int]] = []
    for row in rows:
        depth = (len(row.lead) - 2) // 2
        del above[depth:]
        if row.line.parent_key in {line.key for line in lines}:
            assert above[-1] == row.line.parent_key
        above.append(row.line.key)


async def test_what_is_counted_is_what_happened(shown: Shown) -> None:
    _, _, pipeline = shown
    keys = {line.key for line in pipeline.processes.lines().result(5)}
    counted = pipeline.processes.events(keys)
    assert counted == pipeline.processes.events(keys)  # looked at again, nothing is counted twice
    every = pipeline.events(None, 1_000_000)
    for pid, start in keys:
        if sum(key[0] == pid for key in keys) == 1:
            assert counted.get((pid, start), 0) == sum(event["pid"] == pid for event in every)
    assert sum(counted.values()) > 100


async def test_a_word_finds_and_the_way_up_stays(shown: Shown) -> None:
    app, pilot, _ = shown
    await press(pilot, "5", "slash", *"shadow", "enter")
    rows = app.screen.pane.rows  # type: ignore[attr-defined]
    assert rows
    assert " of " in text(app).splitlines()[0]
    found = [row for row in rows if b"shadow" in b" ".join(row.line.image.argv)]
    assert found
    assert {row.line.key for row in rows} >= {row.line.parent_key for row in found if row.line.parent} & {
        row.line.key for row in rows
    }
    await press(pilot, "slash", "ctrl+u", *"no-such-thing", "enter")
    assert "No process is like that" in text(app)


async def test_a_branch_closes_and_opens(shown: Shown) -> None:
    app, pilot, _ = shown
    await press(pilot, "5", "home")
    pane = app.screen.pane  # type: ignore[attr-defined]
    every = len(pane.rows)
    at = next(i for i, row in enumerate(pane.rows) if row.lead.endswith("- "))
    await press(pilot, *["down"] * at, "left")
    assert len(pane.rows) < every
    assert pane.rows[at].lead.endswith("+ ")
    await press(pilot, "right")
    assert len(pane.rows) == every


async def test_the_page_of_an_alerts_process_tells_all_and_backspace_goes_back(shown: Shown) -> None:
    app, pilot, _ = shown
    alert = app.main.alerts.alert
    assert alert is not None
    await press(pilot, "4", "enter")
    if "ended more than a minute ago" not in text(app):
        await until(pilot, lambda: "Its alerts, newest first" in text(app))
        assert alert.rule.id in text(app)
        assert "What it did last" in text(app)
        await press(pilot, "end")
        assert "this is a recording" in text(app)
        await press(pilot, "backspace")
    assert app.screen is app.main
    await press(pilot, "5", "enter")
    await until(pilot, lambda: "Process: " in text(app) and "state" in text(app))
    await press(pilot, "backspace")
    assert "Processes ─" in text(app)
    await press(pilot, "backspace")
    assert app.screen is app.main


async def test_how_a_process_ended_is_known(shown: Shown) -> None:
    _, _, pipeline = shown
    exits = [event for event in pipeline.events(None, 1_000_000) if event["kind"] == "exit"]
    codes = {event["pid"]: (event["exit_code"], event["signal"]) for event in exits}  # of each number the last one
    ended = {line.pid: line for line in pipeline.processes.lines().result(5) if line.exited_ns is not None}
    assert ended
    for pid, line in ended.items():
        assert (line.exit_code, signal_name(line.signal) if line.signal else "") == codes[pid]


async def test_from_an_alert_to_its_process_to_its_parent_and_all_the_way_back(shown: Shown) -> None:
    app, pilot, pipeline = shown
    alert = next(one for one in reversed(pipeline.snapshot().alerts) if len(one.process_tree) > 2)
    app.main.alerts.action_toggle_groups()
    app.main.alerts.select([row.key for row in app.main.alerts.rows].index(alert.id))
    await press(pilot, "enter")
    assert "enter its process" in text(app)
    await press(pilot, "enter")
    culprit, parent = alert.process_tree[-1], alert.process_tree[-2]
    await until(pilot, lambda: f"Process: {culprit.comm} {culprit.pid}" in text(app))
    await press(pilot, "enter")
    await until(pilot, lambda: "Show which process?" in text(app))
    assert f"above  {parent.pid:>7}" in text(app)
    await press(pilot, "enter")
    await until(pilot, lambda: f"Process: {parent.comm} {parent.pid}" in text(app))
    await press(pilot, "backspace", "backspace", "backspace")
    assert app.screen is app.main


async def test_in_a_recording_nothing_is_read_of_this_host(shown: Shown) -> None:
    app, pilot, _ = shown
    await press(pilot, "5", "enter")
    for key in ("s", "v"):
        await press(pilot, key)
        await until(pilot, lambda: "not known: this is a recording" in text(app).splitlines()[-1])


async def test_a_covered_page_rests(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    app, pilot, _ = shown
    await press(pilot, "5", "enter")
    page = cast(ProcessScreen, app.screen)
    app.main.action_loss()
    await pilot.pause()
    asked: list[float] = []
    with monkeypatch.context() as patched:
        patched.setattr(app.main.pipeline.processes, "lines", asked.append)
        page._look_on()
        await pilot.pause()
    assert not asked
