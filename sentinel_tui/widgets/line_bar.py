"""A line to type into at the bottom; what is wrong with it is said below, and nothing changes until it is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from sentinel_engine.text import inert

_MAX_LINE: Final = 1024


class LineBar(Vertical):
    """Enter applies, Escape cancels. ``parse`` makes the line's value, or raises ValueError with one sentence."""

    BINDINGS: ClassVar = [Binding("escape", "cancel", "cancel", show=False)]

    class Closed(Message):
        """The line of ``bar`` was closed; ``applied`` with ``value``, what its parser made of it."""

        def __init__(self, bar: LineBar, applied: bool, value: Any = None) -> None:
            super().__init__()
            self.bar = bar
            self.applied = applied
            self.value = value

        @property
        def control(self) -> LineBar:
            """The bar, so that a handler can name it."""
            return self.bar

    def __init__(self, parse: Callable[[str], Any], hint: str, *, id: str) -> None:
        super().__init__(id=id)
        self._parse = parse
        self._hint = hint

    def compose(self) -> ComposeResult:
        """The input and the error below it."""
        yield Input(placeholder=self._hint, max_length=_MAX_LINE, compact=True)
        yield Static(markup=False)

    def open(self, text: str) -> None:
        """Let the user edit this line."""
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
            value = self._parse(event.value)
        except ValueError as error:
            self.query_one(Static).update(f"✗ {inert(str(error), 200)}")
            self.query_one(Input).cursor_position = getattr(error, "position", len(event.value))
        else:
            self.post_message(self.Closed(self, True, value))

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.post_message(self.Closed(self, False))
