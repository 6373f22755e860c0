"""A session's journal as a stream: first an index of what counts, then entry by entry, never all in memory."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from sentinel_engine.describe import epoch_ns
from sentinel_engine.export.document import Selection
from sentinel_engine.journal import chain_of
from sentinel_engine.session import JOURNAL, Ended, JournalLine, SessionError, SessionFacts
from sentinel_engine.snapshot import Action, Alert, Summary

MAX_LINE: Final = 16 << 20
_TOLD_BYTES: Final = 1 << 20  # progress is told at each so many bytes
T = TypeVar("T", Alert, Action)
# What is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _total: int) -> None:
    """The progress that nobody looks at."""


class Journal:
    """A journal as it was when it was opened: of an alert that is there more than once, the last line counts.

    Holds 8 bytes for each selected alert and action, and while it is opened the alerts' ids. Raises SessionError when
    it cannot be read or is no session. A line that is cut short or damaged is left out, and told in ``problems``.
    """

    facts: SessionFacts
    summary: Summary | None = None
    ended = False

    def __init__(self, folder: Path, selection: Selection = Selection(), progress: Progress = silent) -> None:  # noqa: B008 - frozen
        self._path = folder / JOURNAL
        self.problems: list[str] = []
        self._actions = array("Q")
        self._head = ""
        try:
            self._file: BinaryIO = self._path.open("rb")
        except OSError as error:
            raise SessionError(f"cannot read the session {folder}: {error.strerror}") from error
        self._size = os.fstat(self._file.fileno()).st_size
        try:
            found = self._index(selection, progress)
        except OSError as error:
            self.close()
            raise SessionError(f"cannot read the session {folder}: {error.strerror}") from error
        self._alerts = array("Q", found.values())
        if not hasattr(self, "facts"):
            self.close()
            raise SessionError(f"{folder} holds no session")
        if not self.ended:
            self.problems.append("the session did not end in order: what came after its last line is not known")
        for missing in (one for one in selection.alerts if one not in found):
            self.close()
            raise SessionError(
                f"the session has no alert {missing} in this selection; `export` without --alert has all"
            )

    def _index(self, selection: Selection, progress: Progress) -> dict[str, int]:
        """Where the newest line of each selected alert begins, in the order in which they were first there."""
        decoder = msgspec.json.Decoder(JournalLine)
        newest: dict[str, int] = {}
        damaged = told = 0
        for at, line in self._lines():
            if at >= told:
                progress("reading the journal", at, self._size)
                told = at + _TOLD_BYTES
            try:
                entry = decoder.decode(line)
                self._head = chain_of(line)
                self._take(entry, at, selection, newest)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                damaged += 1
        if damaged:
            self.problems.append(f"lines of the journal that are cut short or damaged, and left out: {damaged:,}")
        return newest

    def _take(self, entry: JournalLine, at: int, selection: Selection, newest: dict[str, int]) -> None:
        match entry:
            case SessionFacts():
                self.facts = entry
            case Alert():
                for text in (entry.time, entry.first_time, entry.last_time):
                    epoch_ns(text)
                if selection.takes(entry):
                    newest[entry.id] = at
            case Action():
                epoch_ns(entry.time)
                if selection.takes_action(entry):
                    self._actions.append(at)
            case Summary():
                self.summary = entry
            case Ended():
                self.ended = True

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at < self._size:
            line = self._file.readline(min(MAX_LINE, self._size - at))
            if not line:
                return
            # A line without its end is one that was not whole when it was read; what is left of it fails to decode.
            yield at, line if line.endswith(b"\n") else b""
            at += len(line)

    @property
    def head(self) -> str:
        """The chain of its last whole line; empty for a journal without: see sentinel_engine.journal."""
        return self._head

    def alerts(self) -> Iterator[Alert]:
        """The selected alerts, each in its last state, in the order of their first."""
        return self._entries(self._alerts, msgspec.json.Decoder(Alert))

    def actions(self) -> Iterator[Action]:
        """The selected actions, in order."""
        return self._entries(self._actions, msgspec.json.Decoder(Action))

    def _entries(self, places: array[int], decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
        for at in places:
            self._file.seek(at)
            yield decoder.decode(self._file.readline(MAX_LINE))

    def __len__(self) -> int:
        return len(self._alerts)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
