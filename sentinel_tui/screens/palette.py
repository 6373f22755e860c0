"""Every action by its name, to be found by typing."""

from __future__ import annotations

from contextlib import suppress

from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette
from textual.errors import NoWidget
from textual.events import Click


class Palette(CommandPalette):
    """Textual's, which fails in four ways that a burst of keys or a tiny screen can bring about."""

    def _action_command_list(self, action: str) -> None:
        # A page key while the list is empty, or has no room.
        commands = self.query_one(CommandList)
        if commands.option_count and commands.scrollable_content_region.height:
            super()._action_command_list(action)

    def _on_click(self, event: Click) -> None:  # type: ignore[override] # as it is there
        event.prevent_default()  # or Textual's runs once more after ours, with its error
        with suppress(NoWidget):  # a click beside a screen that has just become smaller
            super()._on_click(event)

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close once: a second key may be for what is closing already."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
