"""Pictures of the main screen; ``pytest --snapshot-update`` takes new ones, to be looked at before they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from textual.pilot import Pilot

from sentinel_engine.pipeline import Pipeline
from sentinel_tui.app import SentinelApp
from tests.console.keys import press
from tests.console.stage import Stage

SnapCompare = Callable[..., bool]


async def settle(pilot: Pilot[None]) -> None:
    """Let the first look at the stage reach the screen."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_main_screen(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(SentinelApp(cast(Pipeline, Stage())), terminal_size=size, run_before=settle)


def test_loss_cannot_be_overlooked(snap_compare: SnapCompare) -> None:
    stage = Stage()
    stage.change(lost={"kernel": {"open": 123_400, "unlink": 56}})
    assert snap_compare(SentinelApp(cast(Pipeline, stage)), terminal_size=(120, 40), run_before=settle)


SCREENS = {
    "rules": ("2",),
    "alerts": ("3",),
    "help": ("question_mark",),
    "alert": ("3", "enter"),
    "rule": ("2", "enter"),
    "event": ("up", "enter"),
    "processes": ("5",),
    "process": ("5", "end", "enter"),
    "suppress": ("3", "x"),
    "switch-off": ("2", "space"),
    "filter-error": ("f", *"pth=x", "enter"),
    "lost": ("l",),
    "palette": ("ctrl+p", *"hunt"),
}


@pytest.mark.parametrize("theme", ["midnight", "daylight"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", SCREENS)
def test_screens(snap_compare: SnapCompare, screen: str, size: tuple[int, int], theme: str) -> None:
    async def show(pilot: Pilot[None]) -> None:
        pilot.app.theme = theme
        await settle(pilot)
        await press(pilot, *SCREENS[screen])
        await settle(pilot)
        assert pilot.app._exception is None  # the picture would be taken all the same

    assert snap_compare(SentinelApp(cast(Pipeline, Stage())), terminal_size=size, run_before=show)
