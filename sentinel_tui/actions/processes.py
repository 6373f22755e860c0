"""What the keys do to look at processes."""

from __future__ import annotations

import asyncio

from sentinel_engine.describe import epoch_ns
from sentinel_engine.processes import TICK_NS, ProcessKey, ProcessLine
from sentinel_tui.actions.response import ResponseActions
from sentinel_tui.screens.process_page import ProcessScreen
from sentinel_tui.screens.processes import ProcessesScreen


class ProcessActions(ResponseActions):
    """The tree of all, and the page of one."""

    def action_processes(self) -> None:
        """Show every process."""
        self.app.push_screen(
            ProcessesScreen(self.pipeline, self.open_process, self.respond_to, lambda: self.link().busy)
        )

    def open_process(self, line: ProcessLine) -> None:
        """Show this one."""
        self.app.push_screen(ProcessScreen(self.pipeline, line, self.respond_to))

    def action_process(self) -> None:
        """Show the process of the selected alert."""
        if target := self.target():
            start_ns = epoch_ns(target.start_time) - self.pipeline.processes.clock.offset_ns
            self.run_worker(self._find((target.pid, start_ns // TICK_NS)), group="commands")
        else:
            self.tell("select an alert first")

    async def _find(self, key: ProcessKey) -> None:
        lines = await asyncio.wrap_future(self.pipeline.processes.lines())
        line = next((one for one in lines if one.key == key), None)
        if line:
            self.open_process(line)
        else:
            self.tell(f"process {key[0]} ended more than a minute ago; enter on the alert has its tree")
