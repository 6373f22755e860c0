"""Panes of lines: only what is in view is drawn, and only lines that changed are drawn again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Protocol, TypeVar, cast

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sentinel_tui.keymap import PANE, bindings
from sentinel_tui.widgets.paint import Painted, Span

if TYPE_CHECKING:
    from sentinel_tui.app import SentinelApp

_WHEEL_LINES = 3
# A line is copied as if the pane had this width, so that nothing of it is cut that a screen has no room for.
_COPIED_WIDTH: Final = 1000

Row = TypeVar("Row")
Line = tuple[Span, ...]


class LinePane(Painted, ScrollView, Generic[Row], can_focus=True):
    """A scrolling pane over a list of rows. A row is compared with ``==`` to see whether it changed.

    A subclass says how a row looks (``spans``) and may have a ``heading``, which stays on top.
    """

    BINDINGS: ClassVar = bindings(PANE)
    heading_lines = 0

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self.empty: Sequence[Span] = ()

    def spans(self, row: Row, width: int) -> Sequence[Span]:
        """The line of this row."""
        raise NotImplementedError

    def heading(self, width: int) -> Sequence[Span]:
        """The line above the rows, when ``heading_lines`` is 1."""
        raise NotImplementedError

    def show(self, rows: Sequence[Row], empty: Sequence[Span] = ()) -> None:
        """Show these rows, or when there is none the lines of ``empty``."""
        before, self.rows = self.rows, rows
        if (not before and not rows) or not (before and rows):
            if self.empty != empty or before or rows:
                self.refresh()
        else:
            top = self.scroll_offset.y
            for y in range(top, top + self.page):
                if before[y : y + 1] != rows[y : y + 1]:
                    self.refresh_row(y)
        self.empty = empty
        self.virtual_size = Size(0, len(rows) + self.heading_lines)
        if self.scroll_offset.y > self.last_top:
            self.scroll_to_row(self.last_top)

    @property
    def page(self) -> int:
        """How many rows are in view."""
        return max(1, self.scrollable_content_region.height - self.heading_lines)

    @property
    def last_top(self) -> int:
        """The first row in view when scrolled to the end."""
        return max(0, len(self.rows) - self.page)

    def refresh_row(self, y: int) -> None:
        """Draw this row again."""
        self.refresh(Region(0, y - self.scroll_offset.y + self.heading_lines, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Textual's line API: the line ``y`` cells below the pane's top."""
        width = self.scrollable_content_region.width
        if y < self.heading_lines:
            return self.paint(self.heading(width), width, "muted")
        y -= self.heading_lines
        if not self.rows:
            return self.paint(self.empty[y : y + 1], width)
        y += self.scroll_offset.y
        return self.row_strip(y, width) if y < len(self.rows) else self.paint((), width)

    def row_strip(self, y: int, width: int) -> Strip:
        """The drawn row."""
        return self.paint(self.spans(self.rows[y], width), width)

    def key_of(self, action: str) -> str:
        """The key of the action with this id, as people write it."""
        return cast("SentinelApp", self.app).key(action)

    def copied(self) -> str:
        """The first line in view, as text to copy."""
        return self.line_text(self.scroll_offset.y) if self.rows else ""

    def line_text(self, y: int) -> str:
        """This row as text, its columns two blanks apart."""
        line = "".join(text for text, _ in self.spans(self.rows[y], _COPIED_WIDTH))
        return re.sub(" {2,}", "  ", line).strip()

    def fields(self) -> Mapping[str, Any]:
        """What can be copied of the selected object, by name; here nothing but lines."""
        return {}

    async def move(self, lines: int) -> None:
        """What the movement keys do: here, scroll."""
        await self.scroll_lines(lines)

    async def scroll_lines(self, lines: int) -> None:
        """Scroll down by this many lines, up when negative."""
        self.scroll_to_row(self.scroll_offset.y + lines)

    def scroll_to_row(self, y: int) -> None:
        """Put this row at the top, as far as there are rows."""
        # By force, because new rows may have to wait for the scroll bar's layout otherwise.
        self.scroll_to(y=max(0, min(self.last_top, y)), animate=False, force=True)

    async def action_step(self, lines: int) -> None:
        """Move by lines."""
        await self.move(lines)

    async def action_page(self, pages: int) -> None:
        """Move by pages."""
        await self.move(pages * self.page)

    async def action_first(self) -> None:
        """Move to the first line."""
        await self.move(-len(self.rows))

    async def action_last(self) -> None:
        """Move to the last line."""
        await self.move(len(self.rows))

    async def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll by the wheel; what Textual would do by default knows nothing of older events."""
        event.prevent_default().stop()
        await self.scroll_lines(-_WHEEL_LINES)

    async def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll by the wheel."""
        event.prevent_default().stop()
        await self.scroll_lines(_WHEEL_LINES)


class TextPane(LinePane[Line]):
    """A pane of lines that are laid out already."""

    def spans(self, row: Line, width: int) -> Sequence[Span]:  # noqa: ARG002 - the line has its width
        """The line as it is."""
        return row


class Keyed(Protocol):
    """A row that can be selected: its key says that it is the same one as before."""

    @property
    def key(self) -> str:
        """Names the row's object."""


KeyedRow = TypeVar("KeyedRow", bound=Keyed)


class SelectPane(LinePane[KeyedRow]):
    """A pane with a selected row. The selection stays with its object while rows come and go.

    Until the user moves it, and again after Home, the selection is on the first row, whichever that is.
    """

    class Selected(Message):
        """Another row, or another version of it, is selected."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.key: str | None = None

    @property
    def cursor(self) -> int:
        """The index of the selected row."""
        return next((i for i, row in enumerate(self.rows) if row.key == self.key), 0) if self.key else 0

    @property
    def selected(self) -> KeyedRow | None:
        """The selected row, or None when there is no row."""
        return self.rows[self.cursor] if self.rows else None

    def show(self, rows: Sequence[KeyedRow], empty: Sequence[Span] = ()) -> None:
        """Show these rows; the view moves with the selected one, so that nothing jumps under the user."""
        before, selected = self.cursor, self.selected
        super().show(rows, empty)
        moved = self.cursor - before
        if moved:
            self.refresh_row(before)
            self.refresh_row(self.cursor)
            self._keep_in_view(moved)
        if selected != self.selected:
            self.post_message(self.Selected())

    def _keep_in_view(self, moved: int) -> None:
        top = self.scroll_offset.y
        if top or self.cursor >= self.page:
            self.scroll_to_row(top + moved)

    def select(self, index: int) -> None:
        """Select this row, the nearest one when there is none such."""
        if not self.rows:
            return
        self.refresh_row(self.cursor)
        index = max(0, min(len(self.rows) - 1, index))
        self.key = self.rows[index].key
        self.refresh_row(index)
        top = self.scroll_offset.y
        if not top <= index < top + self.page:
            self.scroll_to_row(index if index < top else index - self.page + 1)
        self.post_message(self.Selected())

    def copied(self) -> str:
        """The selected line, as text to copy."""
        return self.line_text(self.cursor) if self.rows else ""

    async def move(self, lines: int) -> None:
        """Move the selection."""
        self.select(self.cursor + lines)

    async def action_first(self) -> None:
        """Select the first row, and keep to whichever is first."""
        self.select(0)
        self.key = None

    def on_click(self, event: events.Click) -> None:
        """Select the clicked row."""
        offset = event.get_content_offset(self)
        if offset is not None and offset.y >= self.heading_lines:
            index = offset.y - self.heading_lines + self.scroll_offset.y
            if index < len(self.rows):
                self.select(index)

    def row_strip(self, y: int, width: int) -> Strip:
        """The drawn row, with a mark and the cursor's colour when it is the selected one."""
        here = y == self.cursor
        mark = ("▸" if here else " ", "accent strong")
        return self.paint([mark, *self.spans(self.rows[y], width - 1)], width, "cursor" if here else "")
