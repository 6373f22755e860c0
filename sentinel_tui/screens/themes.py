"""The themes in a list; the whole screen is drawn in the one that is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding

from sentinel_tui.screens.choice import Names
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.lines import SelectPane


class ThemesScreen(Overlay[bool]):
    """Enter keeps the selected theme, Escape goes back to the one before; the result is whether one was kept."""

    BINDINGS: ClassVar = [
        Binding("enter", "dismiss(True)", "keep", priority=True),
        Binding("escape,q,backspace", "back", "back", priority=True),
    ]

    def __init__(self, names: Sequence[str], current: str, show: Callable[[str], None]) -> None:
        super().__init__()
        self._before, self._show_theme = current, show
        self._pane = Names(names, id="themes")
        self._pane.border_title, self._pane.border_subtitle = "Themes", "enter keeps · esc goes back"
        self._pane.key = current

    def compose(self) -> ComposeResult:
        """The list, in a corner: the rest shows what a theme looks like."""
        yield self._pane

    def on_mount(self) -> None:
        """The keys are for the list."""
        self._pane.focus()

    @on(SelectPane.Selected)
    def _preview(self) -> None:
        if name := self._pane.key:
            self._show_theme(name)

    async def action_back(self) -> None:
        """Leave all as it was."""
        self._show_theme(self._before)
        await self.action_dismiss(False)
