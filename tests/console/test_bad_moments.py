"""Clicks and keys that come at a bad moment."""

from __future__ import annotations

import pytest
from textual import events
from textual.geometry import Size
from textual.widgets import Input

from sentinel_tui.screens.palette import PaletteScreen
from sentinel_tui.screens.processes import ProcessesScreen
from tests.console.keys import press
from tests.console.test_alerts_pane import Shown, shown, text, until
from tests.console.test_console import NARROW, console

__all__ = ["shown"]  # a fixture
_ENDLESS = 50


@pytest.mark.parametrize("keys", [(), ("question_mark",), ("5",), ("ctrl+p",)])
async def test_two_sizes_at_once_settle_on_the_newer(keys: tuple[str, ...]) -> None:
    async with console() as it:
        await it.press(*keys)
        screen, layouts = it.app.screen, 0

        def count(_: object) -> None:
            nonlocal layouts
            layouts += 1
            if layouts > _ENDLESS:
                screen.stack_updates = 0  # lays nothing out any more, or this test would not end

        screen.screen_layout_refresh_signal.subscribe(screen, count)
        it.app._size = Size(*NARROW)
        for size in (Size(90, 30), Size(*NARROW)):
            screen.post_message(events.Resize(size, size))
            screen.call_later(screen.check_idle)  # between the two, so that they are not taken for one
        await it.pilot.pause(0.5)
        assert layouts <= _ENDLESS
        assert screen.size == Size(*NARROW)


async def test_a_click_in_the_palette_leaves_the_keys_with_its_line() -> None:
    async with console(size=NARROW) as it:
        await it.press("ctrl+p")
        for offset in ((40, 10), (0, 1), (79, 23)):
            await it.pilot.click(offset=offset)
            await it.press("x")
        assert it.app.screen.query_one(Input).value == "xxx"


async def test_the_palette_opens_again_while_the_one_before_is_closing() -> None:
    async with console() as it:
        await it.press("ctrl+p")
        closing = it.app.screen
        assert isinstance(closing, PaletteScreen)
        closing.dismiss()
        await it.app.action_palette()
        await it.pilot.pause()
        assert it.app.screen is not closing
        assert isinstance(it.app.screen, PaletteScreen)


async def test_a_click_leaves_the_line_and_the_keys_work_again(shown: Shown) -> None:
    app, pilot, _ = shown
    await press(pilot, "5", "slash")
    await until(pilot, lambda: "find a process" in text(app))
    screen = app.screen
    assert isinstance(screen, ProcessesScreen)
    await pilot.click(screen.pane, offset=(20, 2))
    await until(pilot, lambda: app.focused is screen.pane)
    await press(pilot, "escape")
    assert app.screen is app.main
