"""How a recording is played, and where it is: the engine thread asks, anybody may change it."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, NamedTuple

_SLOWEST, _FASTEST = 0.125, 1024.0
_FOR_EVER: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Goal:
    """As fast as it is taken until there: up to events of this time, or of this ordinal, or to the next alert.

    ``said``: where that is, for people. ``stay``: stand still there.
    """

    said: str
    ns: int = _FOR_EVER
    seq: int = _FOR_EVER
    at_alert: bool = False
    stay: bool = False


class Position(NamedTuple):
    """Where it is: ns since boot, share of the whole, and while it rushes to ``goal`` how much of the way is done."""

    ns: int
    share: float
    goal: str
    progress: float


class Playback:
    """Play, pause, speed, step, rush to a goal. Times of events are ns since boot.

    ``speed``: times as fast as it happened; None for as fast as it is taken. ``span``: times of the first and the last
    event.
    """

    def __init__(self, speed: float | None, span: tuple[int, int] = (0, 0)) -> None:
        self.speed = speed
        self.playing = True
        self.span = span
        self.runs = 0  # how many times it has begun anew
        self._lock = threading.Lock()
        self._steps = 0
        self._alerts: list[int] = []  # ordinals after the batches that have alerted, ascending
        self._goal: Goal | None = None
        self._goal_from = 0
        self.arrivals = 0  # how many rushes are over
        self._reached: int | None = None  # the time until which all was played, and the ordinal that comes next
        self._seq = 0
        self._began: float | None = None  # when that of ``_from_ns`` was played
        self._from_ns = 0

    # The engine thread.

    def wait(self, event_ns: int, seq: int) -> float | None:
        """Seconds until a batch that begins with this ordinal and was complete at this time is due.

        Not above 0 when it is; None while nothing is played.
        """
        with self._lock:
            if self._steps or self._rushes(event_ns, seq):
                return 0.0
            if not self.playing:
                return None
            if self.speed is None:
                return 0.0
            if self._began is None:
                self._began = time.monotonic()
                self._from_ns = event_ns if self._reached is None else self._reached
            return self._began + (event_ns - self._from_ns) / 1e9 / self.speed - time.monotonic()

    def played(self, event_ns: int, seq: int) -> None:
        """What was complete at this time is handled now; the next one begins with this ordinal."""
        with self._lock:
            self._reached = max(event_ns, self._reached or 0)
            self._seq = seq
            self._steps = max(0, self._steps - 1)

    def alerted(self) -> None:
        """There was an alert in what is handled now: who rushes to the next one is there."""
        with self._lock:
            place = bisect_left(self._alerts, self._seq)
            if self._alerts[place : place + 1] != [self._seq]:
                self._alerts.insert(place, self._seq)
            if self._goal and self._goal.at_alert:
                self._arrive(self._goal)

    def rewound(self, *, changed: bool = False) -> None:
        """It begins anew. ``changed``: where there were alerts there need be none."""
        with self._lock:
            self.runs += 1
            self._reached, self._seq, self._began, self._goal = None, 0, None, None
            if changed:
                self._alerts.clear()

    def ended(self) -> None:
        """There is nothing more to rush through."""
        with self._lock:
            if self._goal:
                self._arrive(self._goal)

    def rush(self, goal: Goal) -> None:
        """As fast as it is taken until there."""
        with self._lock:
            self._goal, self._goal_from, self._steps = goal, self._here(), 0

    def reached(self) -> tuple[int, int]:
        """Time and ordinal until which all was played."""
        with self._lock:
            return self._here(), self._seq

    def heading_for(self) -> int:
        """The time at which it will be when the rush is over, if any is on."""
        with self._lock:
            return self._goal.ns if self._goal and self._goal.ns != _FOR_EVER else self._here()

    def alert_before(self) -> int | None:
        """The ordinal after the last batch that alerted before the one where it is, or is heading for."""
        with self._lock:
            here = self._goal.seq if self._goal and self._goal.seq != _FOR_EVER else self._seq
            place = bisect_left(self._alerts, here)
            return self._alerts[place - 1] if place else None

    # Anybody.

    def position(self) -> Position:
        """Where it is."""
        with self._lock:
            here, goal = self._here(), self._goal
            share = _share(here, *self.span)
            if goal is None:
                return Position(here, share, "", 1.0)
            if goal.seq != _FOR_EVER:
                return Position(here, share, goal.said, min(1.0, self._seq / max(1, goal.seq)))
            return Position(here, share, goal.said, _share(here, self._goal_from, min(goal.ns, self.span[1])))

    def toggle(self) -> str:
        """Pause, also in the midst of a rush, or play on; what it does then, for people."""
        with self._lock:
            self.playing = not self.playing and not self._goal
            self._goal, self._began = None, None
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
            self.playing, self._goal = False, None
            self._steps += 1
        return "one step"

    def to_alert(self) -> str:
        """As fast as it is taken until the next alert, and stand still right after the batch that gave it."""
        self.rush(Goal("the next alert", at_alert=True, stay=True))
        return "on to the next alert"

    def _rushes(self, event_ns: int, seq: int) -> bool:
        goal = self._goal
        if goal is None or (event_ns <= goal.ns and seq < goal.seq):
            return goal is not None
        if goal.ns != _FOR_EVER:
            self._reached = max(goal.ns, self._reached or 0)  # nothing happened from there to the goal
        self._arrive(goal)
        return False

    def _arrive(self, goal: Goal) -> None:
        self.playing = self.playing and not goal.stay
        self.arrivals += 1
        self._goal, self._began = None, None  # the pace goes on from here

    def _here(self) -> int:
        return self.span[0] if self._reached is None else self._reached


def _share(here: int, first: int, last: int) -> float:
    return min(1.0, max(0.0, (here - first) / (last - first))) if last > first else 1.0
