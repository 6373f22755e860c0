"""A result that somebody waits for."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def promise() -> Future[T]:
    """One that cannot be taken back: who no longer waits for it, as a front end that leaves, does not end the work.

    Setting a cancelled future raises, which would end the thread that does.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    return future
