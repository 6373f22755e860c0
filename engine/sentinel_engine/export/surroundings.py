"""What the processes of alerts did before and after, out of the raw events that the session kept.

The recordings are streamed twice: once to learn which events lie around which alert, once to write those to a
temporary file. What is held in memory is 16 bytes for each event of a process that has an alert.
"""

from __future__ import annotations

import itertools
import struct
import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from sentinel_engine.describe import epoch_ns, event_dict
from sentinel_engine.export.document import Surroundings
from sentinel_engine.export.reading import Progress, silent
from sentinel_engine.processes import TICK_NS
from sentinel_engine.recording import RecordingError, RecordingReader
from sentinel_engine.records import Clock, decode
from sentinel_engine.schema import HEADER_SIZE
from sentinel_engine.snapshot import Alert

EVENTS_A_SIDE: Final = 20
# Of a record: its length, boot_ns, tgid and leader_start.
_HEAD: Final = struct.Struct("<I4xQ12xI8xQ")
_Process = tuple[int, int]  # pid, and the tick in which it started
_Found = tuple[bytes, int, int, int, int]  # a record: the block, its offset there, boot_ns, pid and leader_start
_SEGMENT: Final = 32  # a place is the number of the recording, and in these low bits that of the event in it
_NUMBER: Final = (1 << _SEGMENT) - 1


class _Trail:
    """The events of one process, by time: when each was, and its place in the recordings."""

    __slots__ = ("places", "times")

    def __init__(self) -> None:
        self.times = array("Q")
        self.places = array("Q")

    def add(self, boot_ns: int, place: int) -> None:
        """Rings and CPUs are read one after the other, so an event may come a little late."""
        at = bisect_right(self.times, boot_ns)
        self.times.insert(at, boot_ns)
        self.places.insert(at, place)

    def around(self, boot_ns: int) -> tuple[array[int], array[int]]:
        """Places of the events next to this time, before and after."""
        first, last = bisect_left(self.times, boot_ns), bisect_right(self.times, boot_ns)
        return self.places[max(0, first - EVENTS_A_SIDE) : first], self.places[last : last + EVENTS_A_SIDE]


class Window:
    """The surroundings of these alerts, out of every recording (``*.rec``) in the session's folder.

    A recording that is damaged or cut short counts up to there, and is told in ``problems``. Raises OSError when the
    temporary file cannot be written.
    """

    def __init__(self, folder: Path, clock: Clock, alerts: Iterable[Alert], progress: Progress = silent) -> None:
        # A name that is a link or a pipe is none of ours.
        self._paths = sorted(path for path in folder.glob("*.rec") if path.is_file() and not path.is_symlink())
        self._clock = clock
        self._progress = progress
        self._bytes = sum(path.stat().st_size for path in self._paths)
        self.problems: list[str] = []
        self._trails: dict[_Process, _Trail] = {}
        self._places, self._offsets = array("Q"), array("Q")
        self._spill = tempfile.TemporaryFile(prefix="sentinel-tui-")  # noqa: SIM115 - lives as long as this object
        if self._paths:
            wanted = self._follow(alerts)
            self._keep(wanted)

    def _follow(self, alerts: Iterable[Alert]) -> list[bytearray]:
        """Fill the trails; returns a flag for each event of each recording, whether it is next to an alert."""
        moments: dict[_Process, array[int]] = {}
        for alert in alerts:
            if (found := self._moment(alert)) is not None:
                moments.setdefault(found[0], array("Q")).append(found[1])
        self._trails = {process: _Trail() for process in moments}
        pids = {pid for pid, _ in moments}
        counts = [0] * len(self._paths)
        for (_, _, boot_ns, pid, start), place in self._records("looking for events around alerts", self.problems):
            counts[place >> _SEGMENT] += 1
            if pid in pids and (trail := self._trails.get((pid, start // TICK_NS))) is not None:
                trail.add(boot_ns, place)
        wanted = [bytearray(count) for count in counts]
        for process, times in moments.items():
            for boot_ns in times:
                for side in self._trails[process].around(boot_ns):
                    for place in side:
                        wanted[place >> _SEGMENT][place & _NUMBER] = 1
        return wanted

    def _keep(self, wanted: list[bytearray]) -> None:
        for (data, offset, *_), place in self._records("reading the events around alerts", []):
            flags, number = wanted[place >> _SEGMENT], place & _NUMBER
            # A session that goes on records more meanwhile.
            if number < len(flags) and flags[number]:
                self._places.append(place)
                self._offsets.append(self._spill.tell())
                self._spill.write(msgspec.json.encode(self._event(data, offset)) + b"\n")
        self._spill.flush()

    def _event(self, data: bytes, offset: int) -> dict[str, Any]:
        try:
            event = event_dict(decode(data, offset), self._clock)
        except ValueError as error:
            return {"type": "event", "problem": str(error)}
        del event["seq"]  # where the oldest recordings are gone, nobody can tell it
        return event

    def _records(self, what: str, problems: list[str]) -> Iterator[tuple[_Found, int]]:
        """Every record, and its place: a recording that is evicted between two readings shifts no other's places."""
        done = 0
        for number, path in enumerate(self._paths):
            places = itertools.count(number << _SEGMENT)
            try:
                reader = RecordingReader(path)
            except RecordingError as error:
                problems.append(f"the events of {path.name} are missing: {error}")
                continue
            try:
                for block in reader.batches():
                    if isinstance(block, bytes):
                        yield from zip(_records_of(block), places)  # noqa: B905 - the places, which do not end, come second
                    self._progress(what, done + reader.position(), self._bytes)
                if reader.trailer is None:
                    problems.append(f"{path.name} was cut short: later events around alerts may be missing")
            except (RecordingError, ValueError) as error:
                problems.append(f"{path.name} ends early: {error}; later events around alerts may be missing")
            done += reader.position()
            reader.close()

    def _moment(self, alert: Alert) -> tuple[_Process, int] | None:
        """The alert's process and its boot time; None for an alert that has none."""
        pid, offset = alert.event.get("pid"), self._clock.offset_ns
        if not isinstance(pid, int) or not alert.process_tree:
            return None
        try:
            start = epoch_ns(alert.process_tree[-1].start_time) - offset
        except ValueError:
            return None
        return (pid, start // TICK_NS), max(0, epoch_ns(alert.time) - offset)

    def of(self, alert: Alert) -> Surroundings | None:
        """The events around this alert; None when there are none of its process."""
        found = self._moment(alert)
        trail = self._trails.get(found[0]) if found else None
        if found is None or trail is None or not trail.times:
            return None
        before, after = (tuple(self._read(side)) for side in trail.around(found[1]))
        return Surroundings(before, after)

    def _read(self, places: Iterable[int]) -> Iterator[dict[str, Any]]:
        for place in places:
            at = bisect_left(self._places, place)
            if at < len(self._places) and self._places[at] == place:
                self._spill.seek(self._offsets[at])
                yield msgspec.json.decode(self._spill.readline())

    def close(self) -> None:
        """Give the temporary file back."""
        self._spill.close()


def _records_of(data: bytes) -> Iterator[_Found]:
    """Each record of this block. Raises ValueError where their lengths make no sense."""
    at, end = 0, len(data)
    while at < end:
        if end - at < HEADER_SIZE:
            raise ValueError("a record cut short")
        length, boot_ns, pid, start = _HEAD.unpack_from(data, at)
        if not HEADER_SIZE <= length <= end - at:
            raise ValueError(f"a record of {length} bytes")
        yield data, at, boot_ns, pid, start
        at += length
