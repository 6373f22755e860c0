"""A command whose result nobody waits for any more does not end the engine."""

from __future__ import annotations

import asyncio
import threading

from sentinel_engine.promise import promise


async def test_who_stops_waiting_does_not_take_the_result_back() -> None:
    future = promise()
    waiting = asyncio.ensure_future(asyncio.wrap_future(future))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    setter = threading.Thread(target=future.set_result, args=("done",))
    setter.start()
    setter.join()
    assert future.result(timeout=0) == "done"
