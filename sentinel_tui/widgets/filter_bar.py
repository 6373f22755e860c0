"""The line where the filter is typed; what is wrong with it is said below, and nothing changes until it is right."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from sentinel_engine.match.plain import MAX_FILTER, Filter, FilterError, parse
from sentinel_engine.text import inert


class FilterBar(Vertical):
    """Enter applies, Escape cancels, an empty filter shows everything."""

    BINDINGS: ClassVar = [Binding("escape", "cancel", "cancel", show=False)]

    class Closed(Message):
        """The line was closed; ``applied`` with ``where``, None for no filter."""

        def __init__(self, applied: bool, where: Filter | None = None) -> None:
            super().__init__()
            self.applied = applied
            self.where = where

    def compose(self) -> ComposeResult:
        """The input and the error below it."""
        yield Input(placeholder="filter: kind=exec comm=curl shadow", max_length=MAX_FILTER, compact=True)
        yield Static(markup=False)

    def open(self, text: str) -> None:
        """Let the user edit this filter."""
        line = self.query_one(Input)
        line.value = text
        line.cursor_position = len(text)
        self.screen.set_focus(line)

    @on(Input.Changed)
    def _clear_error(self) -> None:
        self.query_one(Static).update("")

    @on(Input.Submitted)
    def _apply(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            where = parse(event.value)
        except FilterError as error:
            self.query_one(Static).update(f"✗ {inert(str(error), 200)}")
            self.query_one(Input).cursor_position = error.position
        else:
            self.post_message(self.Closed(True, where if where.text else None))

    def action_cancel(self) -> None:
        """Leave the filter as it was."""
        self.post_message(self.Closed(False))
