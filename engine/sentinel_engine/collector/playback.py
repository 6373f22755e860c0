"""How fast a recording is played: the collector thread asks, anybody may change it."""

from __future__ import annotations

import threading
import time
from typing import Final

_SLOWEST, _FASTEST = 0.125, 1024.0
_FOR_EVER: Final = 1 << 63


class Playback:
    """Play, pause, speed, step, forward, on to the next alert. Times of events are ns since boot.

    ``speed``: times as fast as it happened; None for as fast as it is taken.
    """

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self.playing = True
        self._lock = threading.Lock()
        self._steps = 0
        self._rush_until = 0  # as fast as it is taken until an event of this time
        self._for_alert = False
        self._began: float | None = None
        self._from_ns = 0
        self._reached: int | None = None

    # The collector thread.

    def wait(self, event_ns: int) -> float | None:
        """Seconds until what was complete at this time is due, not above 0 when it is; None while nothing is played."""
        with self._lock:
            if self._steps:
                return 0.0
            if not self.playing:
                return None
            if self.speed is None or event_ns <= self._rush_until:
                return 0.0
            if self._began is None:
                self._anchor(event_ns if self._reached is None else self._reached)
            assert self._began is not None
            return self._began + (event_ns - self._from_ns) / 1e9 / self.speed - time.monotonic()

    def played(self, event_ns: int) -> None:
        """What was complete at this time has been handed on."""
        with self._lock:
            self._reached = event_ns
            self._steps = max(0, self._steps - 1)
            if event_ns <= self._rush_until:
                self._began = None  # the pace goes on from where the rush ends

    def alerted(self) -> None:
        """There was an alert: who rushes to the next one is there."""
        with self._lock:
            if self._for_alert:
                self._for_alert, self._rush_until, self.playing = False, 0, False

    # Anybody.

    def toggle(self) -> str:
        """Pause, or play on; what it does then, for people."""
        with self._lock:
            self.playing = not self.playing
            self._for_alert, self._rush_until, self._began = False, 0, None
        return "playing on" if self.playing else "paused; collecting and rules stand still"

    def change_speed(self, factor: float) -> str:
        """Play so many times as fast as now."""
        with self._lock:
            self.speed = min(_FASTEST, max(_SLOWEST, (self.speed or _FASTEST) * factor))
            self._began = None
        return f"playing {self.speed:g} times as fast as it happened"

    def step(self) -> str:
        """Hand on one more batch, and stand still."""
        with self._lock:
            self.playing = False
            self._steps += 1
        return "one step"

    def forward(self, seconds: float) -> str:
        """As fast as it is taken until so much later."""
        with self._lock:
            self.playing = True
            self._rush_until = (self._reached or 0) + int(seconds * 1e9)
        return f"{seconds:g} seconds forward"

    def to_alert(self) -> str:
        """As fast as it is taken until the next alert, and stand still there, or some batches after it."""
        with self._lock:
            self.playing = True
            self._for_alert, self._rush_until = True, _FOR_EVER
        return "on to the next alert"

    def _anchor(self, event_ns: int) -> None:
        self._began, self._from_ns = time.monotonic(), event_ns
