"""What the keys do to look at processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sentinel_engine.describe import epoch_ns
from sentinel_engine.match.plain import Filter, parse
from sentinel_engine.processes import TICK_NS, ProcessLine
from sentinel_engine.snapshot import Alert
from sentinel_tui.actions.response import ResponseActions
from sentinel_tui.screens.process_page import ProcessScreen
from sentinel_tui.screens.processes import ProcessesScreen

_EVER: Final = 1e8  # seconds: all that the table still knows
_PATIENCE: Final = 10.0  # seconds for the engine, which answers between two batches


class ProcessActions(ResponseActions):
    """The tree of all, and the page of one."""

    def action_processes(self) -> None:
        """Show every process."""
        self.app.push_screen(ProcessesScreen(self.pipeline, self.users(), self.open_process, self.respond_to))

    def open_process(self, line: ProcessLine, related: Sequence[ProcessLine] = ()) -> None:
        """Show this one; ``related``: those among which its relatives are, as far as they are known already."""

        def show(other: ProcessLine) -> None:
            self.open_process(other, related)

        self.app.push_screen(
            ProcessScreen(self.pipeline, line, related, users=self.users(), open_process=show, respond=self.respond_to)
        )

    def action_process(self) -> None:
        """Show the process of the selected alert."""
        if alert := self.alerts.alert:
            self.open_process_of_alert(alert)
        else:
            self.tell("select an alert first")

    def open_process_of_alert(self, alert: Alert) -> None:
        """Show the process that raised it."""
        key = self.pipeline.processes.key_of_alert(alert)
        self.run_worker(self._open_newest(lambda line: line.key == key), group="commands")

    def open_process_of(self, event: Mapping[str, Any]) -> None:
        """Show the process that did this."""
        self.run_worker(self._open_newest(lambda line: self._did(line, event)), group="commands")

    async def _open_newest(self, meant: Callable[[ProcessLine], bool]) -> None:
        lines = await asyncio.wrap_future(self.pipeline.processes.lines(_EVER))
        if found := [line for line in lines if meant(line)]:
            self.open_process(max(found, key=_start), lines)
        else:
            self.tell("this process ended too long ago to be known; an alert's page has its tree", bad=True)

    def _did(self, line: ProcessLine, event: Mapping[str, Any]) -> bool:
        """Whether this process had the event's number at its time; of several it is the newest."""
        clock = self.pipeline.processes.clock
        return line.pid == event["pid"] and clock.epoch_ns(line.start_ns) <= epoch_ns(event["time"]) + TICK_NS

    def whose(self, event: Mapping[str, Any]) -> Filter:
        """What finds the other events of the process that did this; by its number alone when it is not known any more.

        Waits for the engine: not for the app's thread.
        """
        try:
            lines = self.pipeline.processes.lines(_EVER).result(_PATIENCE)
        except TimeoutError:
            lines = []
        found = [line for line in lines if self._did(line, event)]
        return Filter.of_process(*max(found, key=_start).key) if found else parse(f"pid={event['pid']}")


def _start(line: ProcessLine) -> int:
    return line.start_ns
