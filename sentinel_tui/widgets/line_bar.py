"""A line to type into at the bottom; what is wrong with it is said below, and nothing changes until it is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from sentinel_engine.match.completion import Completion
from sentinel_engine.text import inert

_MAX_LINE: Final = 1024
_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Prompt:
    """A kind of line: the ``hint`` of an empty one, and what makes its value, or raises ValueError with a sentence.

    ``preview``: says while it is typed what it would do, given its value. ``complete``: goes on with what was typed
    so far, at Tab. ``history``: the lines that were applied before, oldest first, for the arrow keys.
    """

    hint: str
    parse: Callable[[str], Any]
    preview: Callable[[Any], str] | None = None
    complete: Callable[[str], Completion] | None = None
    history: list[str] = field(default_factory=list)


class LineInput(Input):
    """Takes keys in their order: Textual does what they are bound to later than it inserts characters.

    On a slow link keys come in bursts, and a backspace is for what stands there when it was pressed.
    """

    async def _on_key(self, event: events.Key) -> None:
        for namespace in (self.parent, self):
            for binding in namespace._bindings.key_to_bindings.get(event.key, ()) if namespace else ():
                event.stop()
                event.prevent_default()
                await self.app.run_action(binding.action, namespace)
                return
        await super()._on_key(event)


class LineBar(Vertical):
    """Enter applies, Escape cancels."""

    BINDINGS: ClassVar = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("up", "recall(-1)", "the line before", show=False),
        Binding("down", "recall(1)", "the line after", show=False),
        Binding("tab", "complete", "complete", show=False),
    ]

    class Closed(Message):
        """The line was closed; ``applied`` with ``value``, what the prompt's parser made of it."""

        def __init__(self, applied: bool, value: Any = None) -> None:
            super().__init__()
            self.applied = applied
            self.value = value

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._prompt = Prompt("", str)
        self._recalled = 0  # how many lines back
        self._begun = ""  # what was typed before the first one was recalled

    def on_mount(self) -> None:
        """A cursor that blinks costs bytes on a slow link."""
        self.query_one(Input).cursor_blink = False

    def compose(self) -> ComposeResult:
        """The input and the error below it."""
        yield LineInput(max_length=_MAX_LINE, compact=True, select_on_focus=False)
        yield Static(markup=False)

    @property
    def completes(self) -> bool:
        """Whether Tab goes on with the line, and so does not leave it."""
        return self._prompt.complete is not None

    @property
    def deserted(self) -> bool:
        """Whether it is shown but takes no keys: a click or a resize has taken the focus from it."""
        focused = self.screen.focused
        return self.display and not (focused and self in focused.ancestors)

    def open(self, prompt: Prompt, text: str) -> None:
        """Let the user edit this line."""
        self._prompt, self._recalled = prompt, 0
        line = self.query_one(Input)
        line.placeholder = prompt.hint
        self._put(text)
        self._say("")
        self.screen.set_focus(line)

    def _put(self, text: str) -> None:
        line = self.query_one(Input)
        line.value = text
        line.cursor_position = len(text)

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
        below.update(inert(sentence, 400))

    @on(Input.Submitted)
    def _apply(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            value = self._prompt.parse(event.value)
        except ValueError as error:
            self._refuse(str(error), getattr(error, "position", None))
        else:
            self._keep(event.value.strip())
            self.post_message(self.Closed(True, value))

    def _refuse(self, sentence: str, position: int | None) -> None:
        """Say what is wrong; below its place, where there is room for the sentence beside the mark."""
        line = self.query_one(Input)
        line.cursor_position = len(line.value) if position is None else position
        sentence = inert(sentence, 200)
        column = cell_len(line.value[:position]) if position is not None else self.size.width
        size = cell_len(sentence)
        if column + 2 + size <= self.size.width:
            self._say(f"{' ' * column}^ {sentence}", bad=True)
        elif size < column < self.size.width:
            self._say(f"{' ' * (column - size - 1)}{sentence} ^", bad=True)
        else:
            self._say(f"✗ {sentence}", bad=True)

    def _keep(self, text: str) -> None:
        history = self._prompt.history
        if text:
            history[:] = [*(one for one in history if one != text), text][-_KEPT:]

    def action_recall(self, step: int) -> None:
        """Put a line that was applied before in place of this one, and back."""
        history, line = self._prompt.history, self.query_one(Input)
        if self._recalled == 0:
            self._begun = line.value
        self._recalled = max(0, min(len(history), self._recalled - step))
        self._put(history[-self._recalled] if self._recalled else self._begun)

    def action_complete(self) -> None:
        """Go on with what stands before the cursor, and list the choices."""
        if self._prompt.complete is None:
            return
        line = self.query_one(Input)
        before, after = line.value[: line.cursor_position], line.value[line.cursor_position :]
        done = self._prompt.complete(before)
        with line.prevent(Input.Changed):  # which would take the choices away
            line.value = done.text + after
            line.cursor_position = len(done.text)
        several = "  ".join(done.choices) if len(done.choices) > 1 else ""
        self._say(several if done.choices else "nothing that was seen goes on like this")

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.post_message(self.Closed(False))
