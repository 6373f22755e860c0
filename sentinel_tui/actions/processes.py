"""What the keys do to look at processes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sentinel_engine.describe import epoch_ns
from sentinel_engine.processes import TICK_NS, ProcessLine
from sentinel_tui.actions.response import ResponseActions
from sentinel_tui.screens.process_page import ProcessScreen
from sentinel_tui.screens.processes import ProcessesScreen


class ProcessActions(ResponseActions):
    """The tree of all, and the page of one."""

    def action_processes(self) -> None:
        """Show every process."""
        app = self.application
        screen = ProcessesScreen(self.pipeline, app.actions, self.open_process, self.respond_to, lambda: app.link.busy)
        app.push_screen(screen)

    def open_process(self, line: ProcessLine) -> None:
        """Show this one."""
        self.app.push_screen(ProcessScreen(self.pipeline, line, self.respond_to))

    def action_process(self) -> None:
        """Show the process of the selected alert."""
        if target := self.target():
            self.run_worker(self._find(target.pid, epoch_ns(target.start_time)), group="commands")
        else:
            self.tell("select an alert first")

    def open_process_of(self, event: Mapping[str, Any]) -> None:
        """Show the process that did this."""
        self.run_worker(self._find(event["pid"], epoch_ns(event["time"])), group="commands")

    async def _find(self, pid: int, at_ns: int) -> None:
        """The process that had this number at this time, since the epoch."""
        view = self.pipeline.processes
        lines = await asyncio.wrap_future(view.lines())
        found = [one for one in lines if one.pid == pid and view.clock.epoch_ns(one.start_ns) <= at_ns + TICK_NS]
        if found:
            self.open_process(max(found, key=lambda one: one.start_ns))
        else:
            self.tell(f"process {pid} ended more than a minute ago; an alert's page has its tree")
