"""A question that is answered before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.lines import Line, TextPane
from sentinel_tui.widgets.paint import fold

FRAME_WIDTH: Final = 76
_FACT_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is about to be done, and what it is about: ``facts`` may hold text of the host."""

    title: str
    facts: tuple[str, ...]
    yes: str  # what the key y does


class ConfirmScreen(Overlay[bool]):
    """Only ``y`` is a yes; Enter is none, since it comes too easily."""

    BINDINGS: ClassVar = [
        Binding("y", "dismiss(True)", "yes", priority=True),
        Binding("n,q,escape,enter,space,backspace", "dismiss(False)", "no", priority=True),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The facts in a frame, and the two answers."""
        asked = self._question
        pane = TextPane(id="confirm")
        pane.border_title = Content(asked.title)
        lines: list[Line] = [
            ((part, "text"),) for fact in asked.facts for part in fold(fact, FRAME_WIDTH - 4, _FACT_LINES)
        ]
        lines += [(), (("y", "accent strong"), (f" {asked.yes}    ", "text"), ("n", "accent strong"), (" no", "text"))]
        pane.show(lines)
        pane.styles.height = len(lines) + 2
        yield pane
