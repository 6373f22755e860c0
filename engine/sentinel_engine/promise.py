"""A result that somebody waits for, or stops to."""

from __future__ import annotations

import threading
from collections.abc import Callable
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


def aside(question: Callable[[], T]) -> Future[T]:
    """Its answer, from a thread of its own, which keeps nobody from leaving when it hangs."""
    answer: Future[T] = promise()

    def ask() -> None:
        try:
            answer.set_result(question())
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer is told
            answer.set_exception(error)

    threading.Thread(target=ask, name="aside", daemon=True).start()
    return answer
