"""A line to type into at the bottom; what is wrong with it is said below, and nothing changes until it is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from sentinel_engine.text import inert

_MAX_LINE: Final = 1024


@dataclass(frozen=True, slots=True)
class Prompt:
    """A kind of line: the ``hint`` of an empty one, and what makes its value, or raises ValueError with a sentence.

    ``preview``: says while it is typed what it would do, given its value.
    """

    hint: str
    parse: Callable[[str], Any]
    preview: Callable[[Any], str] | None = None


class LineBar(Vertical):
    """Enter applies, Escape cancels."""

    BINDINGS: ClassVar = [Binding("escape", "cancel", "cancel", show=False)]

    class Closed(Message):
        """The line was closed; ``applied`` with ``value``, what the prompt's parser made of it."""

        def __init__(self, applied: bool, value: Any = None) -> None:
            super().__init__()
            self.applied = applied
            self.value = value

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._prompt = Prompt("", str)

    def compose(self) -> ComposeResult:
        """The input and the error below it."""
        yield Input(max_length=_MAX_LINE, compact=True)
        yield Static(markup=False)

    def open(self, prompt: Prompt, text: str) -> None:
        """Let the user edit this line."""
        self._prompt = prompt
        line = self.query_one(Input)
        line.placeholder = prompt.hint
        line.value = text
        line.cursor_position = len(text)
        self.screen.set_focus(line)

    @on(Input.Changed)
    def _look_ahead(self, event: Input.Changed) -> None:
        said = ""
        if self._prompt.preview:
            try:
                said = self._prompt.preview(self._prompt.parse(event.value))
            except ValueError as error:
                said = f"… {error}"
        self._say(said)

    def _say(self, sentence: str, *, bad: bool = False) -> None:
        below = self.query_one(Static)
        below.set_class(bad, "-bad")
        below.update(f"{'✗ ' if bad else ''}{inert(sentence, 200)}")

    @on(Input.Submitted)
    def _apply(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            value = self._prompt.parse(event.value)
        except ValueError as error:
            self._say(str(error), bad=True)
            self.query_one(Input).cursor_position = getattr(error, "position", len(event.value))
        else:
            self.post_message(self.Closed(True, value))

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.post_message(self.Closed(False))
