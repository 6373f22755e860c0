"""The headless front end: JSON lines, an alert at once, the summary last."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from sentinel_engine.files import write_all
from sentinel_engine.records import Batch, Record
from sentinel_engine.schema import ALL_KINDS
from sentinel_engine.snapshot import Alert, Summary


class Watch:
    """A pipeline listener that prints. ``broken`` is set, with the ``error``, when the output takes no more."""

    def __init__(self, output: BinaryIO, events: bool) -> None:
        self._output = output
        self._events = events
        self.shown = ALL_KINDS if events else 0
        self._encoder = msgspec.json.Encoder()
        self.broken = threading.Event()
        self.error: OSError | None = None

    def on_batch(self, batch: Batch, event_of: Callable[[Record], dict[str, Any]]) -> None:
        """Print each event, when asked to."""
        if self._events:
            self._print(*map(event_of, batch))

    def on_alert(self, alert: Alert) -> None:
        """Print an alert; one whose count has grown is printed again under the same id."""
        self._print(alert)

    def end(self, summary: Summary) -> None:
        """Print the last line."""
        self._print(summary)

    def _print(self, *entries: Any) -> None:
        if self.broken.is_set():
            return
        try:
            write_all(self._output, b"".join(self._encoder.encode(entry) + b"\n" for entry in entries))
        except OSError as error:
            self.error = error
            self.broken.set()
