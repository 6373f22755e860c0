"""The stream of events: follows the newest until moved in; older and newer ones are loaded as they are reached."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from textual.binding import Binding
from textual.content import Content
from textual.events import Click
from textual.strip import Strip

from sentinel_engine.match.plain import Filter
from sentinel_engine.snapshot import Alert, Severity
from sentinel_engine.text import inert
from sentinel_tui.keymap import PANE, STREAM, bindings
from sentinel_tui.search import EVERYTHING, EventSource, Search
from sentinel_tui.widgets import stream_rows
from sentinel_tui.widgets.lines import LinePane
from sentinel_tui.widgets.paint import SEVERITY_MARKS, Span
from sentinel_tui.widgets.stream_rows import EventRow, row_of

_CHUNK: Final = 400
_MAX_ROWS: Final = 20_000
_KEPT_ROWS: Final = 5000
# While scrolled up with a filter, new matches are counted up to this many at a look.
_COUNTED: Final = 1000
_LEAD: Final = 3  # cells for the cursor, the mark of an alert, that of a bookmark


class EventsPane(LinePane[EventRow]):
    """The stream. ``refresh_tail`` is called twice a second and costs what is in view, not what happened.

    While it follows there is no cursor; the first movement stops it, and puts the cursor on the newest row.
    """

    BINDINGS: ClassVar = [
        *bindings(PANE),
        *bindings(STREAM),
        Binding("escape", "screen.end_search", "end the search", show=False, priority=True),
    ]

    def __init__(self, source: EventSource, *, id: str) -> None:
        super().__init__(id=id)
        self._source = source
        self._busy = asyncio.Lock()
        self.where: Filter | None = None
        self.search: Search | None = None
        self.at: int | None = None  # the event under the cursor, by its seq; None while following
        self.alerted: Mapping[int, Severity] = {}  # events that raised an alert, by their seq
        self.bookmarks: set[int] = set()
        self.new = 0
        self._uncounted = False  # more new events than were counted
        self._seen = -1  # the newest event that was looked at
        self._oldest_reached = False
        self._end: int | None = None  # while paused: the first event that is not shown
        self._rest_until = 0.0
        self.limits = ""  # what is not collected at all, for the title
        self._described = ("", "")

    @property
    def following(self) -> bool:
        """Whether the newest events are shown as they come."""
        return self.at is None

    @property
    def cursor(self) -> int:
        """The index of the row under the cursor; of the newest one while following."""
        if self.at is None:
            return max(0, len(self.rows) - 1)
        return min(self.index_of(self.at), len(self.rows) - 1)

    def index_of(self, seq: int) -> int:
        """The index of this event, or of the first after it."""
        return bisect_left(self.rows, seq, key=lambda row: row.seq)

    def on_mount(self) -> None:
        """Say what is shown."""
        self._describe()

    async def set_filter(self, where: Filter | None) -> None:
        """Show only what this filter accepts, from the newest on."""
        self.where = where
        await self.restart()

    def set_search(self, search: Search | None) -> None:
        """Set off what this finds."""
        self.search = search
        self.refresh()

    def show_alerts(self, alerts: Sequence[Alert]) -> None:
        """Mark the events of these alerts."""
        before, self.alerted = self.alerted, {alert.event["seq"]: alert.rule.severity for alert in alerts}
        top = self.scroll_offset.y
        for y, row in enumerate(self.rows[top : top + self.page], top):
            if before.get(row.seq) != self.alerted.get(row.seq):
                self.refresh_row(y)

    def bookmark(self, seq: int) -> bool:
        """Put a bookmark on this event, or take it away; whether it has one now."""
        self.bookmarks ^= {seq}
        self.refresh_row(self.index_of(seq))
        return seq in self.bookmarks

    async def refresh_tail(self) -> None:
        """Take in what came since the last look."""
        if self._busy.locked() or time.monotonic() < self._rest_until:
            return
        began = time.monotonic()
        async with self._busy:
            if self.following:
                await self._follow()
            else:
                await self._count()
        # A filter that is slow on a storm of events gets a quarter of the time, so that the rules keep theirs.
        now = time.monotonic()
        self._rest_until = now + 3 * (now - began)
        self._describe()

    def freeze(self, frozen: bool) -> None:
        """Show nothing newer than now, until thawed."""
        self._end = self._seen + 1 if frozen else None

    async def _take(self, limit: int) -> list[EventRow]:
        """The newest ``limit`` new events that match; afterwards all that happened until now counts as seen."""

        def look() -> tuple[int, list[EventRow]]:
            newest = self._source.events(None, 1, self._end)
            seen = newest[-1]["seq"] if newest else -1
            return seen, [row_of(event) for event in self._source.events(self.where, limit, seen + 1, self._seen)]

        # In a thread: a filter may search megabytes, and the keys must not wait for that.
        self._seen, rows = await asyncio.to_thread(look)
        return rows

    async def _follow(self) -> None:
        limit = max(self.page, 20)
        found = await self._take(limit)
        if not found and self.rows:
            return
        # A full answer may leave a gap to the rows before, so those go; scrolling up loads them again.
        gap = len(found) == limit
        self._oldest_reached &= not gap
        self.show(found if gap else [*self.rows, *found][-_KEPT_ROWS:], self._nothing())
        self.scroll_to_row(self.last_top)

    async def _count(self) -> None:
        before = self._seen
        if self.where is None:
            await self._take(1)
            self.new += self._seen - before
        else:
            found = await self._take(_COUNTED)
            self.new += len(found)
            self._uncounted |= len(found) == _COUNTED

    def _nothing(self) -> list[Span]:
        if self.where is None:
            return [("No events yet. They appear here as the host does things.", "muted")]
        return [(f"No event matches the filter. {self.key_of('filter')} changes it, an empty one shows all.", "muted")]

    # Moving in it.

    def selected(self) -> EventRow | None:
        """The row under the cursor, on which it stops when it follows; None when there is no row."""
        if not self.rows:
            return None
        self._select(self.cursor)
        return self.rows[self.cursor]

    def _select(self, index: int) -> None:
        """Put the cursor on this row, which stops following."""
        index = max(0, min(len(self.rows) - 1, index))
        self.refresh_row(self.cursor)
        self.at = self.rows[index].seq
        self.refresh_row(index)
        top = self.scroll_offset.y
        if not top <= index < top + self.page:
            self.scroll_to_row(index if index < top else index - self.page + 1)
        self._describe()

    async def move(self, lines: int) -> None:
        """Move the cursor; down past the newest event follows again."""
        if not self.rows or (self.following and lines > 0):
            return
        # The first line up is the one that stops: it selects the newest row.
        index = self.cursor + (lines + 1 if self.following and lines == -1 else lines)
        if index < 0:
            index += await self._load_older()
        elif index >= len(self.rows):
            last = self.cursor == len(self.rows) - 1
            dropped, loaded = await self._load_newer()
            index -= dropped
            if last and not loaded:
                await self.restart()
                return
        self._select(index)

    async def scroll_lines(self, lines: int) -> None:
        """Scroll by the wheel; the cursor stays in view."""
        if not self.rows or (self.following and lines > 0):
            return
        self._select(self.cursor)
        target = self.scroll_offset.y + lines
        if target < 0:
            target += await self._load_older()
        elif target > self.last_top:
            dropped, loaded = await self._load_newer()
            if not loaded:
                await self.restart()
                return
            target -= dropped
        self.scroll_to_row(target)
        top = max(0, min(self.last_top, target))
        self._select(max(top, min(self.cursor, top + self.page - 1)))

    async def _load_older(self) -> int:
        """Put older events above the rows; how many there were."""
        if self._oldest_reached or not self.rows:
            return 0
        async with self._busy:
            events = await asyncio.to_thread(self._source.events, self.where, _CHUNK, self.rows[0].seq)
            older = [row_of(event) for event in events]
            self._oldest_reached = len(older) < _CHUNK
            top = self.scroll_offset.y + len(older)
            self.show([*older, *self.rows][:_MAX_ROWS], self._nothing())
            self.scroll_to_row(top)
        return len(older)

    async def fill(self) -> None:
        """Load older events when there is room for more rows than there are, which has come while it is frozen."""
        if len(self.rows) < self.page and await self._load_older() and self.following:
            self.scroll_to_row(self.last_top)

    async def _load_newer(self) -> tuple[int, int]:
        """Put newer events below the rows; how many old ones had to leave for them, and how many there were."""
        async with self._busy:
            newer = await asyncio.to_thread(self._after, self.rows[-1].seq)
            rows = [*self.rows, *newer]
            dropped = max(0, len(rows) - _MAX_ROWS)
            self._oldest_reached &= not dropped
            self.new = max(0, self.new - len(newer))
            top = self.scroll_offset.y - dropped
            self.show(rows[dropped:], self._nothing())
            self.scroll_to_row(top)
        return dropped, len(newer)

    def _after(self, seq: int) -> list[EventRow]:
        events = self._source.events_after(self.where or EVERYTHING, _CHUNK, seq)
        return [row_of(event) for event in events if self._end is None or event["seq"] < self._end]

    async def go_to(self, seq: int) -> bool:
        """Put the cursor on this event, and load what is around it; False when it is not there, or filtered out."""
        if not self.rows or not self.rows[0].seq <= seq <= self.rows[-1].seq:

            def look() -> list[EventRow]:
                before = self._source.events(self.where, _CHUNK, seq + 1)
                return [*map(row_of, before), *self._after(seq)]

            async with self._busy:
                rows = await asyncio.to_thread(look)
                if all(row.seq != seq for row in rows):
                    return False
                self._oldest_reached = False
                self.show(rows)
        index = self.index_of(seq)
        if self.rows[index].seq != seq:
            return False
        self._select(index)
        return True

    async def action_last(self) -> None:
        """Follow the newest events again."""
        await self.restart()

    async def action_first(self) -> None:
        """Go back by a chunk of older events, to the first of them."""
        if self.rows:
            self._select(self.cursor)
            await self._load_older()
            self._select(0)

    async def restart(self) -> None:
        """Follow the newest events, as if none had been shown before."""
        async with self._busy:
            self.at, self.new, self._uncounted, self._seen, self._oldest_reached = None, 0, False, -1, False
            self.rows = ()
            await self._follow()
            self.refresh()
        self._describe()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the scroll bar was dragged up."""
        super().watch_scroll_y(old_value, new_value)
        if self.following and new_value < self.last_top and new_value < old_value:
            self.at = self.rows[min(int(new_value) + self.page, len(self.rows)) - 1].seq

    def on_click(self, event: Click) -> None:
        """Select the clicked row."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y + self.scroll_offset.y < len(self.rows):
            self._select(offset.y + self.scroll_offset.y)

    # How it looks.

    def _describe(self) -> None:
        shown = f"filter: {inert(self.where.text, 200)}" if self.where else ""
        title = " ─ ".join(filter(None, ("Events", shown, self.limits)))
        more = f"+{self.new:,}{' or more' if self._uncounted else ''} new" if self.new else "stopped"
        stopped = f"{more} ▼ {self.key_of('pane.last')} follows"
        subtitle = "following · UTC" if self.following else stopped
        # Setting a title draws the pane again, so only when it changed.
        if (title, subtitle) != self._described:
            self._described = (title, subtitle)
            self.border_title, self.border_subtitle = Content(title), Content(subtitle)
        self.set_class(not self.following and self.new > 0, "-behind")

    def spans(self, row: EventRow, width: int) -> Sequence[Span]:
        """The marks, and the event."""
        here = row.seq == self.at
        severity = self.alerted.get(row.seq)
        mark: Span = (SEVERITY_MARKS[severity], f"severity-{severity} strong") if severity else (" ", "muted")
        star: Span = ("★", "accent strong") if row.seq in self.bookmarks else (" ", "muted")
        line = stream_rows.spans(row, width - _LEAD)
        if self.search:
            line = stream_rows.highlight(line, self.search)
        return [("▸", "accent strong") if here else (" ", "muted"), mark, star, *line]

    def row_strip(self, y: int, width: int) -> Strip:
        """The drawn row, in the cursor's colour when it is under it."""
        row = self.rows[y]
        return self.paint(self.spans(row, width), width, "cursor" if row.seq == self.at else "")

    def fields(self) -> Mapping[str, Any]:
        """Those of the event under the cursor; none when it has left the history."""
        row = self.selected()
        return self.event(row.seq) if row else {}

    def event(self, seq: int) -> dict[str, Any]:
        """The event object; empty when it has left the history."""
        found = self._source.events(None, 1, seq + 1)
        return found[0] if found and found[0]["seq"] == seq else {}

    def copied(self) -> str:
        """The event under the cursor as one line."""
        row = self.selected()
        return f"{row.time} {row.line}" if row else ""
