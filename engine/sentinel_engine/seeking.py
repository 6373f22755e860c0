"""Goes to any place of a recording. Backwards is: begin anew, and rush there; so what is seen again is the same."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from sentinel_engine.collector.place import Place, clock_text
from sentinel_engine.collector.playback import Goal
from sentinel_engine.collector.recorded import RecordedSource


class Host(Protocol):
    """The pipeline, as far as seeking is concerned."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""

    def begin_anew(self) -> None:
        """Begin with the recording from its first event. Raises RecordingError. Engine thread."""

    def act(self, action: str, target: str, change: Callable[[], str]) -> str:
        """Do this, and write to the session what it said, or why it was refused. Engine thread."""


class Seeker:
    """Each answer is one sentence, and comes when the way there begins. Any thread."""

    def __init__(self, source: RecordedSource, host: Host) -> None:
        self._source = source
        self._host = host

    def go(self, place: Place) -> Future[str]:
        """Go there, and play on if it plays now. The answer is a PlaceError when there is no such place."""
        return self._host.at_rest(
            lambda: self._host.act("seek", place.text, lambda: self._leave(goal_at(place, self._source)))
        )

    def go_to_alert_before(self) -> Future[str]:
        """Go to right after the batch that gave the alert before, and stand still there."""
        return self._host.at_rest(lambda: self._host.act("seek", "", self._alert_before))

    def _alert_before(self) -> str:
        seq = self._source.playback.alert_before()
        if seq is None:
            raise LookupError("there is no alert before this")
        return self._leave(Goal("the alert before", seq=seq, stay=True))

    def _leave(self, goal: Goal) -> str:
        playback = self._source.playback
        reached, seq = playback.reached()
        if goal.ns < reached or goal.seq < seq:
            self._host.begin_anew()
        playback.rush(goal)
        return f"to {goal.said}"


def goal_at(place: Place, source: RecordedSource) -> Goal:
    """The goal that this place is, for a rush to it. Raises PlaceError."""
    playback, clock = source.playback, source.clock
    wanted = place.boot_ns(playback.heading_for(), playback.span, clock)
    said = clock_text(clock.epoch_ns(wanted))
    # At the beginning not even the first batch is played.
    return Goal(said, seq=0) if wanted == playback.span[0] else Goal(said, ns=wanted)
