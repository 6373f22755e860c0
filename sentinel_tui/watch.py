"""The headless front end: JSON lines, an alert at once, the summary last."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import msgspec

from sentinel_engine.records import Batch, Record
from sentinel_engine.schema import ALL_KINDS
from sentinel_engine.snapshot import Alert, Summary

_WAITING_BYTES: Final = 8 << 20
# A full disk may have room again, and the session goes on meanwhile; after any other error nobody reads any more.
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Watch:
    """A pipeline listener that prints to an unbuffered stream. ``broken`` is set, with the ``error``, when it is gone.

    While its disk is full, lines wait in memory.
    """

    def __init__(self, output: BinaryIO, events: bool) -> None:
        self._output = output
        self._events = events
        self.shown = ALL_KINDS if events else 0
        self._encoder = msgspec.json.Encoder()
        self._waiting = bytearray()
        self._dropped = 0
        self.broken = threading.Event()
        self.error: OSError | None = None

    @property
    def lost(self) -> int:
        """Lines that the output does not have: they wait for its disk, or there was no room to."""
        return self._dropped + self._waiting.count(b"\n")

    def warnings(self) -> Iterator[str]:
        """What is wrong with the output now, in a sentence."""
        if (error := self.error) and not self.broken.is_set():
            yield f"the output takes no more ({error.strerror}): make room on its disk"

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
        if len(self._waiting) > _WAITING_BYTES:
            self._dropped += len(entries)
        else:
            self._waiting += b"".join(self._encoder.encode(entry) + b"\n" for entry in entries)
        try:
            while self._waiting:
                del self._waiting[: self._output.write(self._waiting)]
            self.error = None
        except OSError as error:
            self.error = error
            if error.errno not in _NO_ROOM:
                self.broken.set()
