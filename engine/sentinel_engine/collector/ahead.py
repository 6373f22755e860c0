"""The collector thread: takes batches from a live source into a bounded queue.

While that is full it does not read, so that events are lost in the kernel's ring alone, where each is counted.
"""

from __future__ import annotations

import queue
import threading
from typing import Final

from sentinel_engine.collector.source import Source
from sentinel_engine.records import Batch

_QUEUE_BATCHES: Final = 32
_READ_SECONDS: Final = 0.1


class Ahead:
    """A source read ahead. ``start`` it; from then on the source is the thread's own until it has ended."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._inbox: queue.Queue[Batch] = queue.Queue(_QUEUE_BATCHES)
        self._stopping = threading.Event()
        self._over = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._collect, name="collector", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def read(self, timeout: float) -> list[Batch]:
        """The next batch; none when there is none within ``timeout`` seconds. Raises what the source has raised."""
        over = not self._thread.is_alive()  # before the look: it puts nothing in any more
        try:
            return [self._inbox.get(timeout=0 if over else timeout)]
        except queue.Empty:
            self._over = over
            if over and self._error:
                raise self._error from None
            return []

    def ended(self) -> bool:
        """Whether all was read that there was and will be."""
        return self._over

    def stop(self) -> None:
        """Let nothing new in; what came before can still be read."""
        self._stopping.set()

    def _collect(self) -> None:
        while True:
            if self._stopping.is_set():
                self._source.stop()
            try:
                batches = self._source.read(_READ_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever broke the source, who reads us is told
                self._error = error
                return
            for batch in batches:
                self._inbox.put(batch)
            if not batches and self._source.ended():
                return
