"""One event as a line of the stream."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.cells import cell_len

from sentinel_engine.describe import columns
from sentinel_engine.text import inert
from sentinel_tui.widgets.paint import Span, fit, fit_path, spread

if TYPE_CHECKING:
    from sentinel_tui.search import Search

# From this much room on, how it was done (flags, mode) stands in a column of its own.
_ROOMY_DETAIL: Final = 64
_HOW_WIDTH: Final = 24
# With less, a path says more than how it was opened; but that it failed is said: ENOENT, EACCES.
_CRAMPED_DETAIL: Final = 32
_ERROR_WIDTH: Final = 6


class EventRow(NamedTuple):
    """One event as it is shown. ``how``: flags, mode or size, and the name of its error."""

    seq: int
    time: str
    kind: str
    pid: int
    comm: str
    what: str
    how: str
    failed: bool

    @property
    def key(self) -> str:
        """Names the event."""
        return str(self.seq)

    @property
    def line(self) -> str:
        """It as one inert line: what a search looks at, and what is copied."""
        return inert("  ".join(filter(None, (f"{self.kind} {self.pid} {self.comm} {self.what}", self.how))))


def row_of(event: dict[str, Any]) -> EventRow:
    """The row of an event object."""
    what, how, error = columns(event)
    failed = event["ret"] < 0 and event["ret"] != -errno.EINPROGRESS  # which is how a connect begins
    # The error first: the end is cut when there is no room.
    return EventRow(
        event["seq"], event["time"][11:23], event["kind"], event["pid"], event["comm"], what,
        "  ".join(filter(None, (error if failed else "", how))), failed,
    )  # fmt: skip


def spans(row: EventRow, width: int) -> Sequence[Span]:
    """Time, kind, pid, program, and what happened; with milliseconds where there is room."""
    roomy = width >= 80
    time = row.time if roomy else row.time[:8]
    kind, comm = (12, 15) if roomy else (7, 9)
    rest = max(0, width - len(time) - kind - 7 - comm - 4)
    return spread(
        [
            (time, "muted"),
            (fit(row.kind, kind), f"kind-{row.kind}"),
            (f"{row.pid:>7}", "text"),
            (fit(row.comm, comm), "text"),
            (_detail(row, rest), "muted" if row.failed else "text"),
        ]
    )


def _detail(row: EventRow, width: int) -> str:
    """What and how side by side: a long path never hides its flags."""
    if not row.how:
        return fit_path(row.what, width)
    whole = inert(f"{row.what}  {row.how}", 2 * width + 2)
    if width < _ROOMY_DETAIL and cell_len(whole) <= width:
        return fit(whole, width)
    if width < _CRAMPED_DETAIL:
        if not row.failed:
            return fit_path(row.what, width)
        return f"{fit_path(row.what, width - _ERROR_WIDTH - 2)}  {fit(row.how.split()[0], _ERROR_WIDTH)}"
    left = width - cell_len(inert(row.what, width)) - 2
    size = _HOW_WIDTH if width >= _ROOMY_DETAIL else min(len(row.how), max(width // 4, left))
    return f"{fit_path(row.what, width - size - 2)}  {fit(row.how, size)}"


def highlight(line: Sequence[Span], search: Search) -> list[Span]:
    """The same spans, with what the search finds in the line as it is drawn set off."""
    found = search.spans("".join(text for text, _ in line))
    marked: list[Span] = []
    at = 0
    for text, style in line:
        cuts = sorted({0, len(text), *(min(max(edge - at, 0), len(text)) for span in found for edge in span)})
        for start, end in pairwise(cuts):
            inside = any(first <= at + start < last for first, last in found)
            marked.append((text[start:end], f"{style} loud" if inside else style))
        at += len(text)
    return marked
