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

    def record_action(self, action: str, target: str, detail: str) -> None:
        """Write it to the session. Engine thread."""


class Seeker:
    """Each answer is one sentence, and comes when the way there begins. Any thread."""

    def __init__(self, source: RecordedSource, host: Host) -> None:
        self._playback = source.playback
        self._clock = source.clock
        self._host = host

    def go(self, place: Place) -> Future[str]:
        """Go there, and play on if it plays now. The answer is a PlaceError when there is no such place."""
        return self._host.at_rest(lambda: self._go(place))

    def go_to_alert_before(self) -> Future[str]:
        """Go to right after the batch that gave the alert before, and stand still there."""
        return self._host.at_rest(self._go_to_alert_before)

    def _go(self, place: Place) -> str:
        playback = self._playback
        wanted = place.boot_ns(playback.heading_for(), playback.span, self._clock)
        said = clock_text(self._clock.epoch_ns(wanted))
        if wanted == playback.span[0]:  # nothing is played yet, then
            return self._leave(place.text, said, Goal(said, seq=0), anew=True)
        return self._leave(place.text, said, Goal(said, ns=wanted), anew=wanted < playback.reached()[0])

    def _go_to_alert_before(self) -> str:
        seq = self._playback.alert_before()
        if seq is None:
            raise LookupError("there is no alert before this; N goes on to the next one")
        said = "the alert before"
        return self._leave(said, said, Goal(said, seq=seq, stay=True), anew=seq < self._playback.reached()[1])

    def _leave(self, target: str, said: str, goal: Goal, *, anew: bool) -> str:
        if anew:
            self._host.begin_anew()
        self._playback.rush(goal)
        self._host.record_action("seek", target, f"going to {said}")
        return f"going to {said}"
