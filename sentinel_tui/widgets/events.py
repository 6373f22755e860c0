"""The stream of events: follows the newest, stops when scrolled up, loads older ones as they are reached."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from textual.content import Content

from sentinel_engine.match.plain import Filter
from sentinel_engine.text import inert
from sentinel_tui.keymap import PANE, STREAM, bindings
from sentinel_tui.widgets.lines import LinePane
from sentinel_tui.widgets.paint import Span, fit, spread

_CHUNK: Final = 400
_MAX_ROWS: Final = 20_000
_KEPT_ROWS: Final = 5000
# While scrolled up with a filter, new matches are counted up to this many at a look.
_COUNTED: Final = 1000


class EventSource(Protocol):
    """Pipeline.events: the newest ``limit`` events that match, with ``after`` < ``seq`` < ``before``."""

    def __call__(
        self, where: Filter | None, limit: int, before: int | None = None, after: int = -1
    ) -> list[dict[str, Any]]: ...


class EventRow(NamedTuple):
    """One event as it is shown."""

    seq: int
    time: str
    kind: str
    pid: int
    comm: str
    detail: str
    failed: bool


def _row(event: dict[str, Any]) -> EventRow:
    return EventRow(
        event["seq"], event["time"][11:23], event["kind"], event["pid"], event["comm"], event["detail"],
        event["ret"] < 0 and event["ret"] != -errno.EINPROGRESS,
    )  # fmt: skip


class EventsPane(LinePane[EventRow]):
    """The stream. ``refresh_tail`` is called twice a second and costs what is in view, not what happened."""

    BINDINGS: ClassVar = [*bindings(PANE), *bindings(STREAM)]

    def __init__(self, source: EventSource, *, id: str) -> None:
        super().__init__(id=id)
        self._source = source
        self._busy = asyncio.Lock()
        self.where: Filter | None = None
        self.following = True
        self.new = 0
        self._uncounted = False  # more new events than were counted
        self._seen = -1  # the newest event that was looked at
        self._oldest_reached = False
        self._end: int | None = None  # while paused: the first event that is not shown
        self._rest_until = 0.0
        self.limits = ""  # what is not collected at all, for the title
        self._described = ("", "")

    def on_mount(self) -> None:
        """Say what is shown."""
        self._describe()

    async def set_filter(self, where: Filter | None) -> None:
        """Show only what this filter accepts, from the newest on."""
        self.where = where
        await self.restart()

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
            newest = self._source(None, 1, self._end)
            seen = newest[-1]["seq"] if newest else -1
            return seen, [_row(event) for event in self._source(self.where, limit, seen + 1, self._seen)]

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
        return [("No event matches the filter. / changes it, an empty one shows all.", "muted")]

    async def scroll_lines(self, lines: int) -> None:
        """Scroll; up stops following, down past the end follows again."""
        if lines > 0 and self.scroll_offset.y >= self.last_top:
            await self.restart()
            return
        target = self.scroll_offset.y + lines
        if lines < 0:
            self.following = False
            if target < 0:
                target += await self._load_older()
        await super().scroll_lines(target - self.scroll_offset.y)
        self._describe()

    async def _load_older(self) -> int:
        """Put older events above the rows; how many there were."""
        if self._oldest_reached or not self.rows or len(self.rows) >= _MAX_ROWS:
            return 0
        async with self._busy:
            events = await asyncio.to_thread(self._source, self.where, _CHUNK, self.rows[0].seq)
            older = [_row(event) for event in events]
            self._oldest_reached = len(older) < _CHUNK
            self.show([*older, *self.rows], self._nothing())
            self.scroll_to_row(self.scroll_offset.y + len(older))
        return len(older)

    async def action_last(self) -> None:
        """Follow the newest events again."""
        await self.restart()

    async def action_first(self) -> None:
        """Go back by a chunk of older events, to the first of them."""
        self.following = False
        await self._load_older()
        await super().scroll_lines(-len(self.rows))
        self._describe()

    async def restart(self) -> None:
        """Follow the newest events, as if none had been shown before."""
        async with self._busy:
            self.following, self.new, self._uncounted, self._seen, self._oldest_reached = True, 0, False, -1, False
            self.rows = ()
            await self._follow()
            self.refresh()
        self._describe()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the scroll bar was dragged up."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < self.last_top and new_value < old_value:
            self.following = False

    def _describe(self) -> None:
        shown = f"filter: {inert(self.where.text, 200)}" if self.where else ""
        title = " ─ ".join(filter(None, ("Events", shown, self.limits)))
        more = f"+{self.new:,}{' or more' if self._uncounted else ''} new · end follows"
        stopped = more if self.new else "stopped · end follows"
        subtitle = "following · UTC" if self.following else stopped
        # Setting a title draws the pane again, so only when it changed.
        if (title, subtitle) != self._described:
            self._described = (title, subtitle)
            self.border_title, self.border_subtitle = Content(title), Content(subtitle)
        self.set_class(not self.following and self.new > 0, "-behind")

    def spans(self, row: EventRow, width: int) -> Sequence[Span]:
        """Time, kind, pid, program, and what happened; with milliseconds where there is room."""
        roomy = width >= 80
        time = row.time if roomy else row.time[:8]
        kind = 12 if roomy else 7
        comm = 15 if roomy else 9
        rest = max(0, width - len(time) - kind - 7 - comm - 4)
        return spread(
            [
                (time, "muted"),
                (fit(row.kind, kind), f"kind-{row.kind}"),
                (f"{row.pid:>7}", "text"),
                (fit(row.comm, comm), "text"),
                (fit(row.detail, rest), "muted" if row.failed else "text"),
            ]
        )
