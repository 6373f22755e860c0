"""A short list to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from sentinel_tui.screens.confirm import FRAME_WIDTH
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.lines import SelectPane
from sentinel_tui.widgets.paint import Span, fit


class _Option(str):
    """A row; it is its own key."""

    __slots__ = ()

    @property
    def key(self) -> str:
        return str(self)


class Names(SelectPane[_Option]):
    """A pane that is a list of names."""

    def __init__(self, names: Sequence[str], *, id: str) -> None:
        super().__init__(id=id)
        self.styles.height = min(len(names), 15) + 2
        self.show([_Option(name) for name in names])

    def spans(self, row: _Option, width: int) -> Sequence[Span]:
        """The name."""
        return [(fit(row, width), "text")]


class ChoiceScreen(Overlay[int | None]):
    """Enter takes the selected one, Escape none; the result is its index."""

    BINDINGS: ClassVar = [
        Binding("enter", "take", "take", priority=True),
        Binding("escape,q,backspace", "dismiss(None)", "none", priority=True),
    ]

    def __init__(self, title: str, options: Sequence[str]) -> None:
        super().__init__()
        self._pane = Names(options, id="confirm")
        self._pane.border_title = Content(title)
        self._pane.border_subtitle = "enter takes it · esc none"
        self._pane.styles.width = FRAME_WIDTH

    def compose(self) -> ComposeResult:
        """The list in a frame."""
        yield self._pane

    def on_mount(self) -> None:
        """The keys are for the list."""
        self._pane.focus()

    async def action_take(self) -> None:
        """Take the selected one."""
        await self.action_dismiss(self._pane.cursor)
