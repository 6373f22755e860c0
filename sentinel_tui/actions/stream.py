"""What the keys do to the stream: filter, scope, pause."""

from __future__ import annotations

from typing import Final

from sentinel_engine.collector.scope import Scope, parse_scope_line
from sentinel_engine.match.plain import Filter, parse
from sentinel_engine.schema import ALL_KINDS
from sentinel_tui.actions.base import ActionScreen
from sentinel_tui.widgets.line_bar import Prompt

_FILTER: Final = Prompt("filter: kind=exec comm=curl shadow", parse)
_SCOPE: Final = Prompt("scope: --only uid=1000 --ignore pid=4242", parse_scope_line)


class StreamActions(ActionScreen):
    """What is shown of the events, and what is collected at all."""

    def action_filter(self) -> None:
        """Edit the filter."""
        self.ask_line(_FILTER, self.events.where.text if self.events.where else "", self._filter_typed)

    def _filter_typed(self, where: Filter) -> None:
        self.action_pane("events")
        self.set_filter(where if where.text else None)

    def set_filter(self, where: Filter | None) -> None:
        """Show only what this filter accepts; what no rule wants and nobody looks at costs the host nothing."""
        self.pipeline.show(where.mask if where else ALL_KINDS)
        self.run_worker(self.events.set_filter(where), group="filter", exclusive=True)

    def action_scope(self) -> None:
        """Edit the scope."""
        self.ask_line(_SCOPE, self.pipeline.snapshot().scope, self._scope_typed)

    def _scope_typed(self, scope: Scope) -> None:
        self.await_answer(self.pipeline.set_scope(scope))
