"""Every action by what it does, to be found by typing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.fuzzy import Matcher
from textual.widgets import Input

from sentinel_tui.keymap import Action
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.line_bar import LineInput
from sentinel_tui.widgets.lines import SelectPane
from sentinel_tui.widgets.paint import Span, fit

_KEY_WIDTH, _ID_WIDTH = 10, 20
_LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class _Entry:
    action: Action

    @property
    def key(self) -> str:
        return self.action.id

    @property
    def text(self) -> str:
        """What is looked in."""
        return f"{self.action.help} {self.action.id}"


class _Entries(SelectPane[_Entry], can_focus=False):
    """The keys stay with the line that is typed."""

    def spans(self, row: _Entry, width: int) -> Sequence[Span]:
        action, room = row.action, width - _KEY_WIDTH - _ID_WIDTH
        return [
            (fit(action.shown, _KEY_WIDTH), "accent strong"),
            (fit(action.help, room), "text"),
            (fit(action.id, _ID_WIDTH, right=True), "muted"),
        ]


class PaletteScreen(Overlay[Action | None]):
    """Enter does the selected action, Escape none. ``actions``: in the order in which all of them are listed.

    Not Textual's: bursts of keys, clicks and tiny screens make that one raise.
    """

    # Without priority: the line takes them, in their order among what is typed.
    BINDINGS: ClassVar = [
        Binding("enter", "take", "do it"),
        Binding("escape", "dismiss(None)", "none"),
        *(
            Binding(key, f"move('{what}', {sign})", "move")
            for key, what, sign in (
                ("up", "step", -1), ("down", "step", 1), ("pageup", "page", -1), ("pagedown", "page", 1),
            )
        ),
    ]  # fmt: skip

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._all = [_Entry(action) for action in actions]
        self._line = LineInput(max_length=_LONGEST, compact=True, placeholder="what to do; a few letters of it find it")
        self._line.cursor_blink = False
        self._list = _Entries(id="palette")
        self._list.border_title, self._list.border_subtitle = "What can be done", "enter does it · esc none"
        self._list.show(self._all)
        self._found = ""  # what the list was found by

    def compose(self) -> ComposeResult:
        """The line, and what it finds."""
        yield self._line
        yield self._list

    def on_mount(self) -> None:
        """The keys are for the line."""
        self.set_focus(self._line)

    @on(Input.Changed)
    def _find(self) -> None:
        typed = self._line.value.strip()
        if typed == self._found:
            return
        self._found = typed
        found = _best(self._all, typed) if typed else self._all
        self._list.show(found, [("Nothing is called so; fewer letters find more.", "muted")])
        self._list.select(0)

    async def action_move(self, how: str, steps: int) -> None:
        """Select another one."""
        self._find()
        await self._list.run_action(f"{how}({steps})")

    async def action_take(self) -> None:
        """Do the selected one."""
        self._find()  # the message that the line changed may come after this key
        if entry := self._list.selected:
            await self.action_dismiss(entry.action)


def _best(entries: Sequence[_Entry], typed: str) -> Sequence[_Entry]:
    matcher = Matcher(typed)
    scores = {entry: matcher.match(entry.text) for entry in entries}
    return sorted((entry for entry in entries if scores[entry]), key=scores.__getitem__, reverse=True)
