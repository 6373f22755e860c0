"""Eight hours of the console, as fast as it goes: whether its memory grows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import cast

import msgspec
import psutil

from sentinel_engine.pipeline import Pipeline
from sentinel_engine.records import Batch, batch_of
from sentinel_engine.snapshot import Alert
from sentinel_tui.app import SentinelApp
from tests.bench.table import Row
from tests.console.stage import ALERTS, Stage, record

_HOURS = float(os.environ.get("SENTINEL_HOURS", "8"))
_LOOKS = int(_HOURS * 3600 * 4)  # as often as the console looks
_EVENTS = 1_000_000 // 60 // 4  # between two looks, at a million a minute


def rows() -> Iterator[Row]:
    """A million events a minute and an alert every ten seconds; each look of the console, without the waits between."""
    early, late = asyncio.run(_run())
    yield Row(f"console, {_HOURS:g} h of 1M events/min: resident after a tenth", early / (1 << 20), "MB", 150.0)
    yield Row(f"console, {_HOURS:g} h of 1M events/min: growth from then on", (late - early) / (1 << 20), "MB", 5.0)


async def _run() -> tuple[int, int]:
    stage = Stage()
    records = [record("open", 20 + n / 100, 99, b"find", strings=(b"/srv/%04d" % n,)) for n in range(_EVENTS)]
    pattern = batch_of(records, 0)
    app = SentinelApp(cast(Pipeline, stage))
    me, early = psutil.Process(), 0
    async with app.run_test(size=(120, 40)) as pilot:
        for look in range(_LOOKS):
            stage.history.append(Batch(pattern.data, pattern.offsets, stage.total, pattern.counts))
            stage.total += _EVENTS
            _change(stage, look)
            app.main.events._rest_until = 0.0
            await app.main.poll()
            await app.workers.wait_for_complete()
            await pilot.pause(0)
            if look == _LOOKS // 10:
                early = me.memory_info().rss
    return early, me.memory_info().rss


def _change(stage: Stage, look: int) -> None:
    """Figures that change as they would, and a new alert now and then, at most as many as are shown."""
    rates = tuple(16_000 + (look + n) % 900 for n in range(60))
    fields: dict[str, object] = {"elapsed": look / 4, "events_per_second": rates}
    if look % 40 == 0:
        newest = [*stage.view.alerts, _alert(look)][-500:]
        fields["alerts"] = tuple(newest)
    stage.change(**fields)


def _alert(look: int) -> Alert:
    return msgspec.structs.replace(ALERTS[look % 2], id=f"{look}-made")
