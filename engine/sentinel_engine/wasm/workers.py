"""Spreads rules over threads while they have much to do. A rule is with one thread at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")


# Batches that take less than this leave a core time to spare, and handing them out would cost 0.1 ms.
SPREAD_SECONDS: Final = 0.001


def usual() -> int:
    """As many threads as half the cores that we may use: the other half is for the host's own work."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


class Workers:
    """Up to so many threads, the caller's included; Wasm runs in them without Python's lock.

    They are used once a round has taken longer than ``spread_seconds``, and until it would not any more.
    """

    def __init__(self, most: int, spread_seconds: float = SPREAD_SECONDS) -> None:
        self._most = most
        self._spread_seconds = spread_seconds
        self._work = 0.0  # seconds that the last round would have taken in one thread, at most
        self._pool = ThreadPoolExecutor(most - 1, thread_name_prefix="rules") if most > 1 else None

    def run(self, tasks: Sequence[T], work: Callable[[T], R]) -> list[R]:
        """What each task gave, in their order."""
        if self._pool is None:
            return _all(tasks, work)
        began, spread = time.perf_counter(), self._work > self._spread_seconds and len(tasks) > 1
        done = self._spread(self._pool, tasks, work) if spread else _all(tasks, work)
        self._work = (time.perf_counter() - began) * (self._most if spread else 1)
        return done

    def _spread(self, pool: ThreadPoolExecutor, tasks: Sequence[T], work: Callable[[T], R]) -> list[R]:
        parts = [tasks[first :: self._most] for first in range(self._most)]
        others = [pool.submit(_all, part, work) for part in parts[1:]]
        done = [_all(parts[0], work), *(other.result() for other in others)]
        return [done[place % self._most][place // self._most] for place in range(len(tasks))]

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()


def _all(tasks: Sequence[T], work: Callable[[T], R]) -> list[R]:
    return [work(task) for task in tasks]
