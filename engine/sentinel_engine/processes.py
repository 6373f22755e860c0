"""The process table: who is whose child, and what each process was running at any moment.

A process is (pid, start time), never a bare pid. Start times from /proc have the clock tick's
granularity (10 ms), those from the kernel program are exact, so identity compares ticks.
Programs are kept with the time since which they ran, because a record of the bulk ring may be
looked at after a later exec of the same process was already applied.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final, NamedTuple

from sentinel_engine.cgroups import NO_WORKLOAD, Cgroups, Names, Workload, workload_of
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.constants import signal_name
from sentinel_engine.describe import TextFields, event_dict, exe_flag_names, rfc3339, split_argv, workload_fields
from sentinel_engine.records import UNSET_ID, Batch, Clock, Record, batch_of, decode, encode
from sentinel_engine.schema import EXE_MEMFD, KIND_BY_NAME, MAX_ARGV, MAX_PATH, RecordFlag
from sentinel_engine.snapshot import ProcessEntry

TICK_NS: Final = 10_000_000
_MAX_DEPTH: Final = 64
_MAX_IMAGES: Final = 16
_PROCESS_BYTES, _IMAGE_BYTES = 300, 350
# Kinds that change the table.
TABLE_KINDS: Final = tuple(KIND_BY_NAME[name].number for name in ("exec", "fork", "exit", "cgroup_mkdir"))
_EXEC, _FORK, _EXIT, _CGROUP_MKDIR = TABLE_KINDS
# boot_ns, then tgid, ppid, leader_start, uid, cgroup, comm and the first two arguments.
_HEAD: Final = struct.Struct("<8xQ12xI4xIQI12xQ16x16s2Q")
_Head = tuple[int, int, int, int, int, int, bytes, int, int]


@dataclass(slots=True)
class Image:
    """One program a process ran. ``since_ns`` is boot time; the record is decoded when asked for."""

    since_ns: int
    comm: bytes
    exe: bytes
    argv: tuple[bytes, ...]
    cwd: bytes
    tty: bytes
    exe_flags: int = 0
    workload: Workload = NO_WORKLOAD
    cgroup: int = 0  # of the workload
    loginuid: int = UNSET_ID
    mntns: int = 0
    pidns: int = 0

    def of(self, record: Record, workload: Workload) -> Image:
        """This program where the record's process was: it may have moved without an exec."""
        return replace(
            self, workload=workload, cgroup=record.cgroup, loginuid=record.loginuid,
            mntns=record.mntns, pidns=record.pidns,
        )  # fmt: skip


@dataclass(slots=True, eq=False)
class Process:
    """One process, alive or gone. ``parent`` is who started it, also after the kernel gave it to another."""

    pid: int
    start_ns: int
    uid: int
    parent: Process | None
    images: list[Image] = field(default_factory=list)
    exited_ns: int | None = None
    exit_code: int | None = None
    signal: int = 0  # that ended it

    def size(self) -> int:
        """Bytes that it takes here; the objects' own were measured, 1,000 for a fork that ran one program."""
        texts = ((image.exe, image.cwd, *image.argv) for image in self.images)
        return _PROCESS_BYTES + sum(_IMAGE_BYTES + sum(map(len, text)) for text in texts)

    def image_at(self, boot_ns: int) -> Image | None:
        """What it ran at this time; the oldest known before that; None when nothing is known."""
        for image in reversed(self.images):
            if image.since_ns <= boot_ns:
                return image
        return self.images[0] if self.images else None

    def note(self, image: Image) -> None:
        """From now on it is this. One that execs in a circle does not grow: the first and the newest tell the story."""
        self.images.append(image)
        if len(self.images) > _MAX_IMAGES:
            del self.images[1]


_UNKNOWN: Final = Image(0, b"", b"", (), b"", b"")


# A process's number, and its start in clock ticks, which everybody agrees on.
ProcessKey = tuple[int, int]


class ProcessLine(NamedTuple):
    """One process as it is now. Times in ns since boot; ``parent``: pid and start of who started it."""

    pid: int
    start_ns: int
    parent: tuple[int, int] | None
    uid: int
    image: Image
    exited_ns: int | None
    exit_code: int | None
    signal: int

    @property
    def key(self) -> ProcessKey:
        """Names the process."""
        return self.pid, self.start_ns // TICK_NS

    @property
    def parent_key(self) -> ProcessKey | None:
        """Names who started it, None when nobody is known."""
        return (self.parent[0], self.parent[1] // TICK_NS) if self.parent else None


class ProcessTable:
    """Built from /proc once, then kept by exec, fork and exit records. Engine thread only.

    ``max_exited``: bytes for the processes that have gone, and are kept for later alerts; oldest out first.
    """

    def __init__(
        self, clock: Clock, boot: list[BootProcess], max_exited: int = 6 << 20, *, cgroups: Cgroups | None = None
    ) -> None:
        self._clock = clock
        self._cgroups = cgroups or Cgroups()
        self._max_exited = max_exited
        self._by_key: dict[tuple[int, int], Process] = {}
        self._latest: dict[int, Process] = {}
        self._exited: deque[tuple[Process, int]] = deque()
        self._exited_bytes = 0
        for entry in sorted(boot, key=lambda entry: entry.start_ns):
            self._add_boot(entry)
        for entry in boot:
            self._latest[entry.pid].parent = self._latest.get(entry.ppid) if entry.ppid != entry.pid else None

    def __len__(self) -> int:
        return len(self._by_key)

    def _add_boot(self, entry: BootProcess) -> None:
        image = Image(
            0, entry.comm, entry.exe, entry.argv, entry.cwd, entry.tty, entry.exe_flags,
            workload_of(entry.cgroup), entry.cgroup_id, entry.loginuid, entry.mntns, entry.pidns,
        )  # fmt: skip
        self._insert(Process(entry.pid, entry.start_ns, entry.uid, None, [image]))

    def _insert(self, process: Process) -> Process:
        self._by_key[process.pid, process.start_ns // TICK_NS] = process
        self._latest[process.pid] = process
        return process

    def apply(self, batch: Batch) -> None:
        """Take the exec, fork, exit and cgroup_mkdir records of this batch."""
        data = batch.data
        for offset in batch.offsets:
            number = data[offset + 4]
            if number == _EXEC:
                self._exec(decode(data, offset))
            elif number == _FORK:
                self._fork(_HEAD.unpack_from(data, offset))
            elif number == _EXIT:
                self._exit(_HEAD.unpack_from(data, offset))
            elif number == _CGROUP_MKDIR:
                record = decode(data, offset)
                self._cgroups.learn(Names({record.arg("new_cgroup"): record.string("path")}))

    def snapshot(self) -> Batch | None:
        """Every process that is there now, as an exec record marked SNAPSHOT; None when there is none.

        With it a rule knows who was there before it: what they run, and so whom they may be.
        """
        here = [process for process in self._by_key.values() if process.exited_ns is None and process.images]
        return batch_of([_as_exec(process) for process in here]) if here else None

    def there(self) -> list[BootProcess]:
        """The processes that are there now, as a recording's header holds them; whose they are goes by their cgroup."""
        return [
            BootProcess(
                one.pid, one.parent.pid if one.parent else 0, one.start_ns, image.comm, image.exe, image.argv,
                image.cwd, one.uid, image.tty, image.exe_flags, b"", image.cgroup, image.mntns, image.pidns,
                image.loginuid,
            )
            for one in self._by_key.values()
            if one.exited_ns is None and (image := one.images[-1] if one.images else None)
        ]  # fmt: skip

    def of(self, record: Record) -> Process:
        """The process a record is about; made from the record when the table has never heard of it."""
        return self._known(record.tgid, record.leader_start, record.ppid, record.uid, record.comm)

    def find(self, pid: int, start_ns: int) -> Process | None:
        """The process with this identity, or None."""
        return self._by_key.get((pid, start_ns // TICK_NS))

    def lines(self, gone_since_ns: int) -> list[ProcessLine]:
        """Those that are there, and those that ended after this boot time; oldest first."""
        return [
            ProcessLine(
                one.pid, one.start_ns, (one.parent.pid, one.parent.start_ns) if one.parent else None, one.uid,
                one.images[-1] if one.images else _UNKNOWN, one.exited_ns, one.exit_code, one.signal,
            )
            for one in self._by_key.values()
            if one.exited_ns is None or one.exited_ns >= gone_since_ns
        ]  # fmt: skip

    def started_by(self, pid: int, start_ns: int) -> list[tuple[int, int]]:
        """(pid, start) of those that this one started, and they in turn, and that have not ended."""
        root = self.find(pid, start_ns)
        return (
            [
                (one.pid, one.start_ns)
                for one in self._by_key.values()
                if one.exited_ns is None and one is not root and any(above is root for above in _up(one))
            ]
            if root
            else []
        )

    def _known(self, pid: int, start_ns: int, ppid: int, uid: int, comm: bytes) -> Process:
        process = self._by_key.get((pid, start_ns // TICK_NS))
        if process is not None:
            return process
        parent = self._latest.get(ppid) if ppid != pid else None
        images = [Image(0, comm, b"", (), b"", b"")] if comm else []
        return self._insert(Process(pid, start_ns, uid, parent, images))

    def _exec(self, record: Record) -> None:
        process = self.of(record)
        process.uid = record.uid
        exe, argv, cwd, tty = record.strings
        before = process.image_at(record.boot_ns)
        image = Image(record.boot_ns, record.comm, exe, split_argv(argv), cwd, tty, record.arg("exe_flags"))
        process.note(image.of(record, self._workload_at_exec(record, before)))

    def _workload_at_exec(self, record: Record, before: Image | None) -> Workload:
        found = self._cgroups.of(record.cgroup)
        if found.runtime:
            return found
        inherited = before.workload if before and before.cgroup == record.cgroup else found
        return self._cgroups.at_exec(record.tgid, record.boot_ns, inherited)

    def _fork(self, head: _Head) -> None:
        boot_ns, pid, ppid, start, uid, cgroup, comm, child, child_start = head
        parent = self._known(pid, start, ppid, uid, comm.partition(b"\0")[0])
        image = parent.image_at(boot_ns)
        if image and image.cgroup != cgroup:  # the parent was moved, and its children are born where it is
            image = replace(image, since_ns=boot_ns, workload=self._cgroups.of(cgroup), cgroup=cgroup)
            parent.note(image)
        process = self._by_key.get((child, child_start // TICK_NS))
        if process is None or process.exited_ns is not None:  # another one of this number may have ended in this tick
            self._insert(Process(child, child_start, uid, parent, [image] if image else []))
        else:  # /proc has told of it first; its parent may have ended before, and it was given to another one
            process.start_ns, process.parent = child_start, parent

    def _exit(self, head: _Head) -> None:
        boot_ns, pid, ppid, start, uid, _cgroup, comm, code, signal = head
        process = self._known(pid, start, ppid, uid, comm.partition(b"\0")[0])
        if process.exited_ns is not None:
            return
        process.exited_ns, process.exit_code, process.signal = boot_ns, code, signal
        size = process.size()
        self._exited.append((process, size))
        self._exited_bytes += size
        while self._exited_bytes > self._max_exited:
            oldest, size = self._exited.popleft()
            self._exited_bytes -= size
            self._forget(oldest)

    def _forget(self, process: Process) -> None:
        if self.find(process.pid, process.start_ns) is process:
            del self._by_key[process.pid, process.start_ns // TICK_NS]
        if self._latest.get(process.pid) is process:
            del self._latest[process.pid]
        # A chain of daemons that each fork and exit must not keep every ancestor alive: skip the forgotten ones.
        while (parent := process.parent) is not None and self.find(parent.pid, parent.start_ns) is not parent:
            process.parent = parent.parent

    def event(self, record: Record) -> dict[str, Any]:
        """The event object of this record, with what is known of its process. Any thread may ask."""
        process = self.find(record.tgid, record.leader_start)
        image = process.image_at(record.boot_ns) if process else None
        return event_dict(record, self._clock, image, self._workload(image, record))

    def _workload(self, image: Image | None, record: Record) -> Workload:
        # With an older hierarchy the id may be the same for all, and the image knows better.
        return image.workload if image and image.cgroup == record.cgroup else self._cgroups.of(record.cgroup)

    def tree(self, record: Record) -> tuple[ProcessEntry, ...]:
        """Root … culprit, which is the record's process, each as it was at the record's time."""
        chain = list(islice(_up(self.of(record)), _MAX_DEPTH))
        images = [one.image_at(record.boot_ns) or _UNKNOWN for one in chain]
        if RecordFlag.SNAPSHOT not in record.flags:
            images[0] = images[0].of(record, self._workload(images[0], record))
        return tuple(self._entry(one, image) for one, image in zip(reversed(chain), reversed(images), strict=True))

    def _entry(self, process: Process, image: Image) -> ProcessEntry:
        text = TextFields()
        return ProcessEntry(
            pid=process.pid,
            start_time=rfc3339(self._clock.epoch_ns(process.start_ns)),
            comm=text.one("comm", image.comm),
            exe=text.one("exe", image.exe) if image.exe else None,
            argv=tuple(text.many("argv", image.argv)),
            uid=process.uid,
            tty=text.one("tty", image.tty) if image.tty else None,
            cwd=text.one("cwd", image.cwd) if image.cwd else None,
            **workload_fields(image.workload, text),
            exe_flags=tuple(exe_flag_names(image.exe_flags)),
            loginuid=image.loginuid if image.loginuid != UNSET_ID else None,
            mntns=image.mntns or None,
            pidns=image.pidns or None,
            exited=rfc3339(self._clock.epoch_ns(process.exited_ns)) if process.exited_ns is not None else None,
            exit_code=process.exit_code if not process.signal else None,
            signal=signal_name(process.signal) if process.signal else None,
            raw_b64=text.twins,
        )


def _up(process: Process | None) -> Iterator[Process]:
    """The process, its parent and so on."""
    while process is not None:
        yield process
        process = process.parent


def _as_exec(process: Process) -> bytes:
    image = process.images[-1]
    argv = b"".join(argument + b"\0" for argument in image.argv)[:MAX_ARGV]
    return encode(
        KIND_BY_NAME["exec"],
        # A program that was replaced by an upgrade is deleted too: of a running process that says nothing bad.
        args=(image.exe_flags & EXE_MEMFD, 0, 0, len(image.argv)),
        strings=(image.exe[:MAX_PATH], argv, image.cwd[:MAX_PATH], image.tty),
        comm=image.comm,
        flags=RecordFlag.SNAPSHOT,
        boot_ns=process.start_ns,
        tgid=process.pid,
        tid=process.pid,
        ppid=process.parent.pid if process.parent else 0,
        leader_start=process.start_ns,
        uid=process.uid,
        euid=process.uid,
        loginuid=image.loginuid,
        cgroup=image.cgroup,
        mntns=image.mntns,
        pidns=image.pidns,
    )
