"""The processes of the host over the whole screen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding

from sentinel_engine.describe import rfc3339
from sentinel_engine.processes import ProcessKey, ProcessLine
from sentinel_engine.response import Target
from sentinel_engine.text import lossless
from sentinel_tui.keymap import PROCESSES, in_a_line
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.bars import StatusBar
from sentinel_tui.widgets.line_bar import LineBar, Prompt
from sentinel_tui.widgets.process_tree import ProcessTreePane

if TYPE_CHECKING:
    from sentinel_engine.pipeline import Pipeline

_SECONDS = 2.0
_WORD = Prompt("find a process by a word of its arguments; an empty line shows all", str)


class ProcessesScreen(Overlay[None]):
    """A live tree. ``open_process`` shows one of them, ``respond`` asks what to do to it."""

    BINDINGS: ClassVar = [Binding("escape,backspace,q,5", "dismiss", "close", priority=True)]

    def __init__(
        self,
        pipeline: Pipeline,
        users: Mapping[int, str],
        open_process: Callable[[ProcessLine], None],
        respond: Callable[[Target], None],
    ) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._open = open_process
        self._respond = respond
        self.pane = ProcessTreePane(id="processes")
        self.pane.users = users
        self._status = StatusBar(id="page-status")
        self._line = LineBar(id="line")

    def compose(self) -> ComposeResult:
        """The tree, and what the keys do."""
        yield self.pane
        yield self._status
        yield self._line

    async def on_mount(self) -> None:
        """Look now, and again and again."""
        self.pane.focus()
        self.tell(in_a_line(self.actions, PROCESSES))
        await self._look()
        self.set_interval(_SECONDS, self._look)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """While a word is typed, keys are text."""
        if self._line.deserted:
            self._close_line()
        return self._status.display

    def tell(self, sentence: str, *, bad: bool = False) -> None:
        """Say this below the tree."""
        self._status.tell(sentence, bad=bad)

    async def _look(self) -> None:
        if self.pane.lines and self.rests:
            return
        view = self._pipeline.processes
        lines = await asyncio.wrap_future(view.lines())
        events = await asyncio.to_thread(view.events, {line.key for line in lines})
        alerts: Counter[ProcessKey] = Counter()
        for alert in self._pipeline.snapshot().alerts:
            if key := view.key_of_alert(alert):
                alerts[key] += alert.count
        newest = self._pipeline.newest_ns()
        self.pane.show_processes(lines, events, alerts, newest)

    def action_open(self) -> None:
        """All about the selected process."""
        if line := self.pane.line:
            self._open(line)

    def action_respond(self) -> None:
        """Ask what to do to it."""
        if line := self.pane.line:
            start = rfc3339(self._pipeline.processes.clock.epoch_ns(line.start_ns))
            self._respond(Target(line.pid, start, lossless(line.image.comm)))

    def action_find(self) -> None:
        """Show only those with a word in their arguments."""
        self._status.display, self._line.display = False, True
        self._line.open(_WORD, self.pane.word)

    @on(LineBar.Closed)
    def _found(self, event: LineBar.Closed) -> None:
        event.stop()
        self._close_line()
        if event.applied:
            self.pane.word = event.value.strip().casefold()
            self.pane.lay_out()

    def _close_line(self) -> None:
        self._status.display, self._line.display = True, False
        self.set_focus(self.pane)
