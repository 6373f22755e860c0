"""The live kernel as a source of batches."""

from __future__ import annotations

import os
import platform
import select
import struct
import threading
import time
from collections.abc import Iterable
from typing import Final

from sentinel_engine.cgroups import Cgroups
from sentinel_engine.collector.bootstrap import boot_processes
from sentinel_engine.collector.cgroupfs import CgroupFiles
from sentinel_engine.collector.core import TRACEPOINT_PREFIX
from sentinel_engine.collector.framer import Framer
from sentinel_engine.collector.loader import Loaded, Loading
from sentinel_engine.collector.maps import Map, attach, possible_cpus
from sentinel_engine.collector.ring import Ring
from sentinel_engine.collector.scope import (
    EVERYBODY,
    FIELDS,
    Scope,
    ScopeError,
    cgroups_below,
    descendants,
    mask_of_fields,
)
from sentinel_engine.collector.source import BootProcess, CollectorError
from sentinel_engine.collector.syscalls import CALLS, table
from sentinel_engine.records import Batch, Clock, in_time_order
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME, KIND_SLOTS, KINDS
from sentinel_engine.schema import Ring as RingId

_CALL: Final = struct.Struct("<6H")
_CONFIG: Final = struct.Struct("<QQ4I4I")
_COUNTERS: Final = struct.Struct(f"<{4 * KIND_SLOTS + len(RingId)}Q")
_SIDE: Final = struct.Struct("<I")
_PROG_FD: Final = struct.Struct("<I")
_TABLES: Final = {"x86_64": ("x86_64", "i386"), "aarch64": ("aarch64", None)}
_HANDLER: Final = "on_"  # and a kind's name: its handler; the kinds that have none share the path handler
_PATH: Final = "on_path"
_FINISH: Final = 0  # the slot of what all handlers end with: no kind has this number
_ENTER: Final = TRACEPOINT_PREFIX + "sys_enter"

# Waking the reader for each event slows a busy producer 3 to 5 times; above this rate it looks by itself.
_BUSY_PER_SECOND: Final = 1000
_WINDOW: Final = 0.05  # seconds over which a ring's rate is taken
_TIMER: Final = 0.01  # seconds between looks at a busy ring
_READABLE: Final = 256  # records of one look that are put in the order of their times
_REST: Final = 0.2  # seconds that programs get to finish the event they are at; it takes them microseconds


class _Pace:
    """Decides whether one ring wakes its reader, from its rate."""

    def __init__(self) -> None:
        self.wake = True
        self._count = 0
        self._since = time.monotonic()

    def note(self, events: int) -> bool:
        """Count these events; True when ``wake`` has changed."""
        self._count += events
        elapsed = time.monotonic() - self._since
        if elapsed < _WINDOW:
            return False
        # Half the threshold on the way down, so that a rate near it does not flip the flag each time.
        limit = _BUSY_PER_SECOND if self.wake else _BUSY_PER_SECOND / 2
        before, self.wake = self.wake, self._count / elapsed < limit
        self._count, self._since = 0, self._since + elapsed
        return self.wake is not before


def _readable(batches: list[Batch]) -> list[Batch]:
    """A quiet moment's records as they happened; a storm's ring by ring, since ordering those costs too much."""
    if len(batches) > 1 and sum(map(len, batches)) <= _READABLE:
        return [in_time_order(batches)]
    return batches


class LiveSource:
    """Events of the running kernel. Make one with :meth:`open`.

    It is attached until :meth:`stop`, :meth:`close` or the end of the process.
    """

    name = "live"
    live = True
    problem = ""
    playback = None

    @classmethod
    def open(
        cls, loading: Loading | None = None, *, mask: int = ALL_KINDS, own: Iterable[int] = (),
        scope: Scope = EVERYBODY, limit: int = 0,
    ) -> LiveSource:  # fmt: skip
        """Load, attach, and list the processes that are there.

        ``loading``: what was begun before; else everything is done here. ``mask``: kinds to report. ``own``: up to 3
        more process ids, beside this one, never reported. ``scope`` and ``limit``: see set_scope and set_limit.
        Raises CollectorError, one sentence, when this host cannot, and ScopeError.
        """
        loading = loading or Loading()
        loaded = loading.result()
        try:
            source = cls(loaded, [os.getpid(), *own], loading.sizes, loading.clock)
        except OSError as error:
            loaded.close()
            raise CollectorError(f"the kernel's ring buffers cannot be mapped: {error.strerror}.") from error
        try:
            source.attach()
            source.set_scope(scope)
            source.set_limit(limit)
            source.set_mask(mask)
            began = source.now()
            # Whoever started since comes as an event: not lost, and not told of twice.
            source.processes = [
                process for process in boot_processes(source._cgroup_files) if process.start_ns <= began
            ]
        except ScopeError:
            source.close()
            raise
        except OSError as error:
            source.close()
            raise CollectorError(f"the kernel refused the collector ({error.strerror}); look at dmesg.") from error
        return source

    def __init__(self, loaded: Loaded, own: list[int], sizes: dict[str, int], clock: Clock) -> None:
        self._loaded = loaded
        self._lock = threading.Lock()  # close may come from another thread than read
        self._closed = False
        self._mask = 0
        self._limit = self._only = self._ignore = 0
        self._stopped: float | None = None
        self._ended = False
        self._after_last = 0
        self._own = (own + [0] * 4)[:4]
        self._config = Map(loaded.maps["config"], _CONFIG.size)
        self._scopes = {
            field: Map(loaded.maps[f"scope_{field}s"], _SIDE.size, 8 if field == "cgroup" else 4) for field in FIELDS
        }
        self._counters = Map(loaded.maps["counters"], _COUNTERS.size * possible_cpus())
        self._paces = (_Pace(), _Pace())
        self._framer = Framer()
        self._rings = tuple(Ring(loaded.maps[name], size, self._framer) for name, size in sizes.items())
        self._write_config()
        self._fill_tables()
        self.clock = clock
        self.scope = EVERYBODY
        self._links: list[int] = []
        self._enter: list[int] = []  # the link of the program at the beginning of each call, while it is attached
        self._cgroup_files = CgroupFiles()
        self.cgroups = Cgroups(self._cgroup_files)
        self.processes: list[BootProcess] = []

    def attach(self) -> None:
        """Attach the programs; no event is let in before set_mask. Raises OSError."""
        for name, program in self._loaded.programs.items():
            if name.startswith(TRACEPOINT_PREFIX) and name != _ENTER:
                self._links.append(attach(program))

    def read(self, timeout: float) -> list[Batch]:
        """See Source. A busy ring is looked at every 10 ms; a quiet one wakes us."""
        if self._stopped is not None:
            return self._read_rest(self._stopped)
        if all(pace.wake for pace in self._paces) and (batches := self._drain()):
            return batches
        self._wait(timeout)
        return self._drain()

    def ended(self) -> bool:
        """See Source."""
        return self._ended

    def stop(self) -> None:
        """See Source."""
        with self._lock:
            if self._stopped is None and not self._closed:
                self._detach()
                self._stopped = time.monotonic()

    def now(self) -> int:
        """See Source."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def set_mask(self, mask: int) -> None:
        """See Source."""
        with self._lock:
            if self._closed or self._stopped is not None:
                return
            self._mask = mask
            self._follow_mask()
            self._write_config()

    def set_scope(self, scope: Scope) -> None:
        """See Source. While it is being set, everybody is let through."""
        trees, cgroups = scope.sides("pid"), cgroups_below(scope.sides("cgroup"))
        descendants(trees)  # too many are refused before anything changes
        with self._lock:
            if self._closed:
                return
            self._only = self._ignore = 0
            self._write_config()
            for members in self._scopes.values():
                members.clear()
            self._fill("uid", scope.sides("uid"))
            self._fill("cgroup", cgroups)
            if trees:
                # Nobody is kept out by that yet, but the kernel adds each child of a member from now on.
                self._ignore = FIELDS["pid"]
                self._write_config()
                self._fill("pid", trees)
                self._fill("pid", descendants(trees))
            self._only, self._ignore = mask_of_fields(scope.only), mask_of_fields(scope.ignore)
            self.scope = scope
            self._write_config()

    def _fill(self, field: str, sides: dict[int, int]) -> None:
        for value, side in sides.items():
            self._scopes[field].update(value, _SIDE.pack(side))

    def set_limit(self, per_second: int) -> None:
        """Report at most this many events a second of each process and bulk kind from now on; 0 for all.

        What is over it is counted by kind, and told in ``suppressed`` events: once a second, and when a process ends.
        """
        with self._lock:
            self._limit = per_second
            self._write_config()

    def suppressed(self) -> dict[str, int]:
        """See Source."""
        return self._count(3)

    def lost(self) -> dict[str, int]:
        """See Source."""
        return self._count(1)

    def emitted(self) -> dict[str, int]:
        """Kind -> events that the kernel put into a ring so far; kinds without any are left out."""
        return self._count(0)

    def filtered(self) -> dict[str, int]:
        """See Source."""
        return self._count(2)

    def refused(self) -> dict[str, int]:
        """See Source."""
        return self._framer.refused()

    def gaps(self) -> int:
        """See Source."""
        return self._framer.gaps() + self._after_last

    def close(self) -> None:
        """Detach and free everything. Safe to call twice, and from another thread than ``read``."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._detach()
            for ring in self._rings:
                ring.close()
            self._loaded.close()

    def _detach(self) -> None:
        for links in (self._links, self._enter):
            while links:
                os.close(links.pop())

    def _read_rest(self, stopped: float) -> list[Batch]:
        """What is left in the rings; ended once that is all that the programs have begun."""
        batches = self._drain()
        with self._lock:
            if batches or self._closed or self._ended:
                return batches
            per_cpu = list(_COUNTERS.iter_unpack(self._counters.lookup(0)))
        begun = {(cpu, ring): numbers[4 * KIND_SLOTS + ring] for cpu, numbers in enumerate(per_cpu) for ring in RingId}
        dropped = sum(sum(numbers[KIND_SLOTS : 2 * KIND_SLOTS]) for numbers in per_cpu)
        taken = sum(self._framer.counts().values()) + sum(self._framer.refused().values())
        if sum(begun.values()) == taken + dropped or time.monotonic() > stopped + _REST:
            # What was lost after the last record of its CPU shows in no record.
            self._after_last = sum(number - self._framer.last(ring, cpu) for (cpu, ring), number in begun.items())
            self._ended = True
        return batches

    def _drain(self) -> list[Batch]:
        with self._lock:
            if self._closed:
                return []
            # The bulk ring's end first: each bulk event up to it has its process's exec already in the other ring.
            ends = [ring.produced for ring in reversed(self._rings)][::-1]
            found = [ring.read(end) for ring, end in zip(self._rings, ends, strict=True)]
            changed = [pace.note(sum(map(len, batches))) for pace, batches in zip(self._paces, found, strict=True)]
            if any(changed):
                self._write_config()
            return _readable([batch for batches in found for batch in batches])

    def _wait(self, timeout: float) -> None:
        poll = select.poll()
        for ring, pace in zip(self._rings, self._paces, strict=True):
            if pace.wake:
                poll.register(ring.fd, select.POLLIN)
            else:
                timeout = min(timeout, _TIMER)
        poll.poll(timeout * 1000)

    def _follow_mask(self) -> None:
        """Look at each call's beginning, which costs every call of the host, only for those who ask for it."""
        asked = bool(self._mask & KIND_BY_NAME["argument_race"].bit)
        if asked and not self._enter:
            self._enter.append(attach(self._loaded.programs[_ENTER]))
        elif self._enter and not asked:
            os.close(self._enter.pop())

    def _write_config(self) -> None:
        wake = sum(pace.wake << place for place, pace in enumerate(self._paces))
        self._config.update(0, _CONFIG.pack(self._mask, wake, *self._own, self._only, self._ignore, self._limit, 0))

    def _fill_tables(self) -> None:
        native, compat = (table(name) if name else {} for name in _TABLES[platform.machine()])
        calls = Map(self._loaded.maps["calls"], _CALL.size)
        for number in native.keys() | compat.keys():
            both = [table.get(number, (0, 0, False)) for table in (native, compat)]
            calls.update(number, _CALL.pack(*(value for column in zip(*both, strict=True) for value in column)))
        handlers = Map(self._loaded.maps["handlers"], _PROG_FD.size)
        programs = self._loaded.programs
        handlers.update(_FINISH, _PROG_FD.pack(programs[_HANDLER + "finish"]))
        for name in {call.kind for call in CALLS}:
            handlers.update(KIND_BY_NAME[name].number, _PROG_FD.pack(programs.get(_HANDLER + name, programs[_PATH])))

    def _count(self, column: int) -> dict[str, int]:
        with self._lock:
            if self._closed:
                return {}
            value = self._counters.lookup(0)
        numbers = memoryview(value).cast("Q")  # of one CPU after the other
        step = _COUNTERS.size // numbers.itemsize
        totals = {kind.name: sum(numbers[column * KIND_SLOTS + kind.number :: step]) for kind in KINDS}
        return {name: total for name, total in totals.items() if total}
