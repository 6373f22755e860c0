"""An event whole, and from there the process that did it with all its events; Backspace goes back a step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from sentinel_tui.keymap import EVENT, PANE, PROCESS_EVENTS, bindings, in_a_line
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.screens.report import Page, ReportScreen
from sentinel_tui.widgets import stream_rows
from sentinel_tui.widgets.bars import StatusBar
from sentinel_tui.widgets.lines import Line, SelectPane, TextPane
from sentinel_tui.widgets.paint import Span
from sentinel_tui.widgets.stream_rows import EventRow, row_of
from sentinel_tui.widgets.tree import fact

_LABEL_WIDTH: Final = 14
Event = dict[str, Any]
# Who did it, where, and as whom; all else is about what was done.
_PROCESS: Final = (
    "pid", "tid", "ppid", "comm", "exe", "argv", "cwd", "tty", "exe_flags", "uid", "euid", "gid", "loginuid",
    "container", "container_id", "unit", "cgroup", "mntns", "pidns",
)  # fmt: skip


def as_text(value: Any) -> str:
    """A field's value as people read it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=msgspec.to_builtins)


def _facts(event: Mapping[str, Any], names: Sequence[str], width: int) -> list[Line]:
    return [line for name in names for line in fact(name, as_text(event[name]), width, label_width=_LABEL_WIDTH)]


def event_page(event: Mapping[str, Any]) -> Page:
    """All fields of an event: what was done first, then by whom."""

    def page(width: int) -> list[Line]:
        own = [name for name in event if name not in {*_PROCESS, "type", "detail"}]
        process = [name for name in _PROCESS if name in event]
        lines: list[Line] = fact("what", event["detail"], width, "strong", _LABEL_WIDTH)
        lines += _facts(event, own, width)
        lines += [(), (("Who did it", "accent strong"),)]
        return lines + _facts(event, process, width)

    return page


class EventScreen(ReportScreen):
    """An event's page. Enter goes on to its process."""

    BINDINGS: ClassVar = bindings(EVENT)

    def __init__(self, title: str, event: Event, open_process: Callable[[Event], None]) -> None:
        super().__init__(title, event_page(event), event)
        self._event = event
        self._open_process = open_process

    def on_mount(self) -> None:
        """Say where it goes on."""
        self.tell(in_a_line(self.actions, EVENT, PANE))

    def action_open_process(self) -> None:
        """Go on to its process."""
        self._open_process(self._event)


class _EventList(SelectPane[EventRow]):
    def spans(self, row: EventRow, width: int) -> Sequence[Span]:
        return stream_rows.spans(row, width)

    def copied(self) -> str:
        return f"{self.selected.time} {self.selected.line}" if self.selected else ""


class ProcessEventsScreen(Overlay[None]):
    """Who a process is, as its event tells, and its events; Enter opens one. ``look`` gives them, oldest first."""

    BINDINGS: ClassVar = [
        *bindings(PROCESS_EVENTS),
        Binding("escape,backspace,q", "dismiss", "back", priority=True),
    ]

    def __init__(
        self,
        title: str,
        event: Event,
        look: Callable[[], Sequence[Event]],
        open_event: Callable[[int], None],
        open_tree: Callable[[Event], None],
    ) -> None:
        super().__init__()
        self._event, self._look, self._open_event, self._open_tree = event, look, open_event, open_tree
        self._facts = TextPane(id="process-facts")
        self._facts.border_title = Content(title)
        self._list = _EventList(id="process-events")
        self._list.border_title, self._list.border_subtitle = "Its events", "esc closes"
        self._status = StatusBar(id="page-status")

    def compose(self) -> ComposeResult:
        """Facts above, events below."""
        yield self._facts
        yield self._list
        yield self._status

    def on_mount(self) -> None:
        """Look for its events; the keys are for them."""
        self.tell(in_a_line(self.actions, PROCESS_EVENTS))
        self._list.show((), [("looking for them …", "muted")])
        self._list.focus()
        self.run_worker(self._fill())

    async def _fill(self) -> None:
        rows = [row_of(event) for event in await asyncio.to_thread(self._look)]
        self._list.show(rows, [("None is in the history any more; an export still has them.", "muted")])
        self._list.select(next((y for y, row in enumerate(rows) if row.seq == self._event["seq"]), len(rows) - 1))

    def on_resize(self) -> None:
        """Lay the facts out for the width."""
        names = [name for name in _PROCESS if name in self._event]
        self._facts.show(_facts(self._event, names, self._facts.scrollable_content_region.width))

    def tell(self, sentence: str, *, bad: bool = False) -> None:
        """Say this below the page."""
        self._status.tell(sentence, bad=bad)

    def action_open(self) -> None:
        """Open the selected event."""
        if self._list.selected:
            self._open_event(self._list.selected.seq)

    def action_open_tree(self) -> None:
        """Go on to who started it, and what it started."""
        self._open_tree(self._event)
