"""What the keys do to a recording that is played."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentinel_engine.collector.playback import Playback
from sentinel_tui.actions.base import ActionScreen

_FORWARD_SECONDS: Final = 60


class ReplayActions(ActionScreen):
    """Play, stop, speed, step, forward."""

    def _play(self, change: Callable[[Playback], str]) -> None:
        if playback := self.pipeline.playback:
            self.tell(change(playback))
        else:
            self.tell("this is live: only a recording can be played otherwise than it happens")

    def action_play(self) -> None:
        """Stop a recording, or play on."""
        self._play(Playback.toggle)

    def action_speed(self, factor: float) -> None:
        """Play it so many times as fast."""
        self._play(lambda playback: playback.change_speed(factor))

    def action_step_on(self) -> None:
        """Play one batch of events."""
        self._play(Playback.step)

    def action_forward(self) -> None:
        """Go on to a minute later."""
        self._play(lambda playback: playback.forward(_FORWARD_SECONDS))

    def action_next_alert(self) -> None:
        """Go on to the next alert."""
        self._play(Playback.to_alert)
