"""Pictures of the main screen; ``pytest --snapshot-update`` takes new ones, to be looked at before they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from textual.pilot import Pilot

from sentinel_engine.pipeline import Pipeline
from sentinel_tui.app import SentinelApp
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


@pytest.mark.parametrize(
    "keys", [("t", "4"), ("3", "enter"), ("question_mark",), ("f", "p", "t", "h", "equals_sign", "x", "enter")],
    ids=["daylight", "alert", "help", "filter-error"],
)  # fmt: skip
def test_other_screens(snap_compare: SnapCompare, keys: tuple[str, ...]) -> None:
    app = SentinelApp(cast(Pipeline, Stage()))
    assert snap_compare(app, press=keys, terminal_size=(120, 40), run_before=settle)
