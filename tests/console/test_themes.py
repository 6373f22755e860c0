"""Themes on the screen: the list with its preview, few colours, and none at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from rich.style import Style

from sentinel_engine.pipeline import Pipeline
from sentinel_tui.app import SentinelApp
from sentinel_tui.config import Options
from sentinel_tui.state import ViewState
from tests.console.stage import Stage
from tests.console.test_console import WIDE, Console


@asynccontextmanager
async def console(options: Options, view: ViewState | None = None) -> AsyncIterator[Console]:
    stage = Stage()
    app = SentinelApp(cast(Pipeline, stage), options, view)
    async with app.run_test(size=WIDE) as pilot:
        shown = Console(stage, app, pilot)
        await shown.look()
        yield shown


def styles(it: Console) -> set[Style]:
    """All that is on the screen, as the terminal gets it."""
    return {seg.style for strip in it.app.screen._compositor.render_strips() for seg in strip if seg.style}


async def test_the_list_shows_each_theme_while_it_is_selected() -> None:
    view = ViewState(welcomed=True)
    async with console(Options(theme="midnight"), view) as it:
        before = it.app.main.events.rich_style.bgcolor
        await it.press("T")
        for name in ("midnight", "daylight", "sixteen"):
            assert name in it.text
        assert "/etc/shadow" in it.text
        await it.press("down")
        assert it.app.theme == "daylight"
        grounds = {style.bgcolor.name for style in styles(it) if style.bgcolor}
        assert grounds == {"#fbfaf7", "#e9e6de", "#d3e0f2"}, "behind the list, too"
        await it.press("escape")
        assert it.app.theme == "midnight"
        assert it.app.main.events.rich_style.bgcolor == before
        assert view.theme == ""
        await it.press("T", "end", "enter")
        assert it.app.theme == view.theme == "sixteen"
        assert "theme: sixteen" in it.text
        assert it.app.screen is it.app.main


async def test_sixteen_is_of_the_terminals_own_colours() -> None:
    async with console(Options(theme="sixteen")) as it:
        for keys in ((), ("question_mark",), ("escape", "slash", "x", "equals_sign", "enter")):
            await it.press(*keys)
            colors = {color for style in styles(it) for color in (style.color, style.bgcolor) if color}
            assert not [color for color in colors if not (color.is_default or color.is_system_defined)]
            assert len(colors) > 3


async def test_no_color_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for theme in ("midnight", "sixteen"):
        async with console(Options(theme=theme)) as it:
            for keys in ((), ("question_mark",), ("escape", "ctrl+p")):
                await it.press(*keys)
                assert not [s for s in styles(it) for color in (s.color, s.bgcolor) if color and not color.is_default]
            await it.press("escape", "2", "down")
            row = next(
                line for line in it.app.main.rules.render_lines(it.app.main.rules.size.region) if "▸" in line.text
            )
            assert all(segment.style and segment.style.reverse for segment in row if "sensitive" in segment.text)
            await it.press("t")
            assert "NO_COLOR is set" in it.text


async def test_a_theme_that_is_not_there_is_said() -> None:
    async with console(Options(theme="solarized")) as it:
        assert "the config asks for the theme solarized, but there are midnight, daylight" in it.text
