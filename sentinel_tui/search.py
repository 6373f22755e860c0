"""The search in the stream: a regular expression by RE2, whose time is linear, whoever wrote expression and text."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sentinel_engine.match.plain import Filter, parse
from sentinel_tui.widgets.stream_rows import row_of

MAX_PATTERN: Final = 256
_MAX_TEXT: Final = 4096
_MAX_MEMORY: Final = 4 << 20
_CHUNK: Final = 400
# Between two chunks the rules get their turn: decoding holds the interpreter's lock.
_BREATH_SECONDS: Final = 0.001
EVERYTHING: Final = parse("")


class EventSource(Protocol):
    """The pipeline, as far as its past is concerned; see there."""

    def events(
        self, where: Filter | None, limit: int, before: int | None = None, after: int = -1
    ) -> list[dict[str, Any]]:
        """The newest that match."""

    def events_after(self, where: Filter, limit: int, after: int) -> list[dict[str, Any]]:
        """The first that match after this one."""


class SearchError(ValueError):
    """An expression that cannot be understood: one sentence, and the ``position`` of what is wrong."""

    def __init__(self, sentence: str, position: int) -> None:
        super().__init__(sentence)
        self.position = position


@dataclass(frozen=True, slots=True)
class Search:
    """An expression that was understood."""

    text: str
    _pattern: Any

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where it is found in this line; only the first 4,096 characters are looked at."""
        return [found.span() for found in self._pattern.finditer(line[:_MAX_TEXT]) if found.group()]

    def finds(self, line: str) -> bool:
        """Whether it is found in this line."""
        return self._pattern.search(line[:_MAX_TEXT]) is not None


def parse_search(text: str) -> Search | None:
    """Understand an expression; None for an empty one. A capital in it makes capitals matter. Raises SearchError."""
    import re2  # noqa: PLC0415 - 3 MB that only a search needs

    if not text:
        return None
    if len(text) > MAX_PATTERN:
        raise SearchError(f"an expression has at most {MAX_PATTERN} characters", MAX_PATTERN)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    # The letter after a backslash is no capital: \S and \W have a meaning.
    options.case_sensitive = any(char.isupper() for char in re.sub(r"\\.", "", text))
    try:
        return Search(text, re2.compile(text, options))
    except re2.error as error:
        raw = error.args[0]
        said = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
        reason, _, part = said.partition(": ")
        raise SearchError(f"{reason}: {part}" if part else reason, max(0, text.rfind(part))) from None


def find(  # noqa: PLR0913 - where to look, for what, from where, in which direction, until when
    source: EventSource, where: Filter | None, search: Search, start: int, *, older: bool, stop: threading.Event
) -> int | None:
    """The ``seq`` of the nearest event before or after this one that is found; None when there is none, or stopped."""
    while not stop.wait(_BREATH_SECONDS):
        if older:
            events = source.events(where, _CHUNK, start)
            events.reverse()
        else:
            events = source.events_after(where or EVERYTHING, _CHUNK, start)
        for event in events:
            if search.finds(row_of(event).line):
                return int(event["seq"])
        if len(events) < _CHUNK:
            return None
        start = events[-1]["seq"]
    return None
