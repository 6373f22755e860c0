"""What the keys do to a recording that is played."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from sentinel_engine.collector.place import parse_place
from sentinel_engine.collector.playback import Playback
from sentinel_engine.seeking import Seeker
from sentinel_tui.actions.base import ActionScreen
from sentinel_tui.widgets.line_bar import Prompt

_LIVE: Final = "this is live: only a recording can be played otherwise than it happens"
_PLACE: Final = Prompt("go to: +90s  -5m  10:22:31 (UTC)  50%", parse_place)


class ReplayActions(ActionScreen):
    """Play, stop, speed, step, go anywhere."""

    def _play(self, change: Callable[[Playback], str]) -> None:
        if playback := self.pipeline.playback:
            self.tell(change(playback))
        else:
            self.tell(_LIVE)

    def _seek(self, go: Callable[[Seeker], Future[str]]) -> None:
        if seeker := self.pipeline.seeker:
            self.await_answer(go(seeker))
        else:
            self.tell(_LIVE)

    def action_play(self) -> None:
        """Stop a recording, or play on."""
        self._play(Playback.toggle)

    def action_speed(self, factor: float) -> None:
        """Play it so many times as fast."""
        self._play(lambda playback: playback.change_speed(factor))

    def action_step_on(self) -> None:
        """Play one batch of events."""
        self._play(Playback.step)

    def action_seek(self, place: str) -> None:
        """Go to this place, backwards too."""
        self._seek(lambda seeker: seeker.go(parse_place(place)))

    def action_go_to(self) -> None:
        """Open the line for a place to go to."""
        if self.pipeline.seeker:
            self.ask_line(_PLACE, "", lambda place: self._seek(lambda seeker: seeker.go(place)))
        else:
            self.tell(_LIVE)

    def action_alert_before(self) -> None:
        """Go back to the alert before."""
        self._seek(lambda seeker: seeker.go_to_alert_before())

    def action_next_alert(self) -> None:
        """Go on to the next alert."""
        self._play(Playback.to_alert)
