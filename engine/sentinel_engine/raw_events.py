"""The raw events of a run, as they are kept: in the session's segments, and in one file when that was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable

from sentinel_engine.collector.source import BootProcess, Source
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import Batch
from sentinel_engine.segments import SegmentWriter
from sentinel_engine.session import Session


class RawEvents:
    """Engine thread. ``there``: the processes that are there now, for the head of a later segment.

    ``cut``: that the file ended early, and why; ``segments`` is None for a session without them.
    """

    def __init__(
        self,
        source: Source,
        session: Session | None,
        recorder: RecordingWriter | None,
        there: Callable[[], list[BootProcess]],
    ) -> None:
        self._source = source
        self._recorder = recorder
        self._there = there
        self.cut = ""
        self.segments = SegmentWriter(session.path, session.keep, self._header) if session and session.keep else None

    def start(self) -> None:
        """From now on they are written."""
        if self.segments:
            self.segments.start()

    def append(self, batch: Batch) -> None:
        """Keep these, with the names of cgroups that were learned since the last ones."""
        names = self._source.cgroups.learned()
        if self.segments:
            self.segments.append(batch, names)
        if self._recorder is None:
            return
        try:
            if names:
                self._recorder.name(names)
            self._recorder.append(batch)
        except OSError as error:
            self._recorder.abandon()
            self._recorder = None
            self.cut = f"the recording has ended early ({error.strerror})"

    def close(self) -> None:
        """Write the end, with what was lost."""
        for writer in (self.segments, self._recorder):
            if writer:
                writer.close(Trailer(self._source.lost(), self._source.refused()))

    def _header(self, first: int) -> Header:
        uname = os.uname()
        there = self._there() if first else self._source.processes
        return Header(self._source.clock.offset_ns, uname.release, uname.nodename, there, first)
