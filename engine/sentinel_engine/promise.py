"""A result that somebody waits for, or stops to."""

from __future__ import annotations

import threading
from collections import deque
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


class Commands:
    """What any thread has asked for, done one after the other by the one that runs them. A command says a sentence."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], str], Future[str]]] = deque()

    def add(self, command: Callable[[], str]) -> Future[str]:
        """Have this done; the result is its sentence, or its exception."""
        answer: Future[str] = promise()
        self._waiting.append((command, answer))
        return answer

    def run(self, done: Callable[[], None]) -> None:
        """Do what is waiting; ``done`` is called after each, before whoever asked is told."""
        while self._waiting:
            command, answer = self._waiting.popleft()
            try:
                said = command()
            except Exception as error:  # noqa: BLE001 - handed to whoever asked, who shows it
                done()
                answer.set_exception(error)
            else:
                done()
                answer.set_result(said)
