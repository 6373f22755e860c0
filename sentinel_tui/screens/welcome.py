"""The first minute: what is where, and the keys that matter, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding

from sentinel_tui.keymap import Action
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.lines import Line, TextPane
from sentinel_tui.widgets.paint import fit

_KEY_WIDTH: Final = 8
_WIDTH: Final = 78
_KEYS: Final = {
    "next-pane": "the next pane; 1 to 4: events, rules, alerts, process tree",
    "alert.details": "all about the alert or rule that is selected; esc goes back",
    "filter": "show only some of the events, such as kind=exec or comm=curl",
    "export": "the case as one file; what happens is kept on disk anyway",
    "help": "every key, those of the current pane first",
}


class WelcomeScreen(Overlay[None]):
    """Over the lower rows, the rest stays in view. Any key closes it; Enter and Escape do nothing else."""

    BINDINGS: ClassVar = [Binding("enter,escape", "dismiss", "close", priority=True)]

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        shown = {action.id: action.shown for action in actions}
        lines: list[Line] = [
            ((fit(shown[name], _KEY_WIDTH), "accent strong"), (text, "text")) for name, text in _KEYS.items()
        ]
        self._pane = TextPane(id="welcome")
        self._pane.border_title = "Events are what this host does, alerts what rules found in them"
        self._pane.border_subtitle = "enter closes · shown once"
        self._pane.show(lines)
        self._pane.styles.height = len(lines) + 2
        self._pane.styles.width = _WIDTH

    def compose(self) -> ComposeResult:
        """The keys in a frame."""
        yield self._pane

    async def on_key(self, event: events.Key) -> None:
        """Be in nobody's way: the key does what it does without this page."""
        event.stop()
        await self.action_dismiss()
        self.app.simulate_key(event.key)
