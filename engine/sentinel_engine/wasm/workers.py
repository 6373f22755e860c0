"""Spreads rules over threads while one core is not enough for them. A rule is with one thread at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """Up to so many threads, the caller's included; Wasm runs in them without Python's lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool = ThreadPoolExecutor(most - 1, thread_name_prefix="rules") if most > 1 else None

    def run(self, tasks: Sequence[T], work: Callable[[T], R]) -> list[R]:
        """What each task gave, in their order."""
        if self._pool is None or len(tasks) < 2:
            return [work(task) for task in tasks]
        parts = [tasks[first :: self._most] for first in range(self._most)]
        others = [self._pool.submit(_all, part, work) for part in parts[1:] if part]
        done = [_all(parts[0], work), *(other.result() for other in others)]
        return [done[place % self._most][place // self._most] for place in range(len(tasks))]

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()


def _all(tasks: Sequence[T], work: Callable[[T], R]) -> list[R]:
    return [work(task) for task in tasks]
