"""Raw batches of records, and lazy decoding of one record."""

from __future__ import annotations

import array
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import msgspec

from sentinel_engine.schema import COMM_SIZE, HEADER_SIZE, KIND_BY_NUMBER, KIND_SLOTS, STRINGS, Kind, RecordFlag

_HEADER: Final = struct.Struct("<IHBBQQIIIIQIIIIQIIq16s4Q4H")
assert _HEADER.size == HEADER_SIZE
_LENGTH: Final = struct.Struct("<I")
_TIME: Final = struct.Struct("<Q")
# Where a record has the number of its process, u32, and the start of its first thread, u64 ns since boot.
TGID, LEADER_START = 28, 40
UNSET_ID: Final = 0xFFFFFFFF  # a user id that was never set: loginuid before a login


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns boot time into wall time: one offset for a whole session, so a replay gives the same times."""

    offset_ns: int  # CLOCK_REALTIME - CLOCK_BOOTTIME when the session began

    @classmethod
    def of_this_host(cls) -> Clock:
        """The one of a session that begins now."""
        return cls(time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def epoch_ns(self, boot_ns: int) -> int:
        """Nanoseconds since the Unix epoch of this boot time."""
        return boot_ns + self.offset_ns


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of records as they came from the kernel, and where each one starts.

    ``data``: records back to back, each a multiple of 8 bytes long. ``offsets``: u32 byte
    offset of each record. ``base``: the session-wide ordinal (an event's ``seq``) of the first.
    ``counts``: u32 number of records of each kind number, KIND_SLOTS of them.
    """

    data: bytes
    offsets: array.array[int]
    base: int
    counts: array.array[int]

    def __len__(self) -> int:
        return len(self.offsets)

    def count(self, mask: int) -> int:
        """How many of its records are of the kinds in this mask."""
        return sum(count for number, count in enumerate(self.counts) if count and mask >> number & 1)

    def at(self, index: int) -> Record:
        """Decode the record at this index."""
        return decode(self.data, self.offsets[index], self.base + index)

    def __iter__(self) -> Iterator[Record]:
        return (self.at(index) for index in range(len(self)))


class Record(msgspec.Struct, frozen=True, gc=False):
    """One decoded record. Strings are the kernel's bytes, unchanged; times are ns since boot."""

    seq: int
    kind: Kind
    flags: RecordFlag
    boot_ns: int
    cpu_seq: int
    cpu: int
    tgid: int
    tid: int
    ppid: int
    leader_start: int
    uid: int
    euid: int
    gid: int
    loginuid: int
    cgroup: int
    mntns: int
    pidns: int
    ret: int
    comm: bytes
    args: tuple[int, int, int, int]
    strings: tuple[bytes, bytes, bytes, bytes]
    raw: bytes

    def arg(self, name: str) -> int:
        """The argument of this name. Raises ValueError when the kind has none such."""
        return self.args[self.kind.args.index(name)]

    def string(self, name: str) -> bytes:
        """The string of this name; empty when the kind has none such."""
        return self.strings[self.kind.strings.index(name)] if name in self.kind.strings else b""


def decode(data: bytes, offset: int = 0, seq: int = 0) -> Record:
    """Decode the record that starts at ``offset``.

    Raises ValueError for a record that is cut short, of an unknown kind, or whose strings
    reach past its end: nothing that comes from a file is trusted to be whole.
    """
    if len(data) - offset < HEADER_SIZE:
        raise ValueError("record cut short")
    (length, number, _version, flags, boot_ns, cpu_seq, cpu, tgid, tid, ppid, start, uid, euid, gid, loginuid,
     cgroup, mntns, pidns, ret, comm, a0, a1, a2, a3, *lengths) = _HEADER.unpack_from(data, offset)  # fmt: skip
    kind = KIND_BY_NUMBER.get(number)
    if kind is None or length < HEADER_SIZE + sum(lengths) or offset + length > len(data):
        raise ValueError(f"malformed record of kind {number}")
    strings, at = [], offset + HEADER_SIZE
    for size in lengths:
        strings.append(data[at : at + size])
        at += size
    return Record(
        seq, kind, RecordFlag(flags), boot_ns, cpu_seq, cpu, tgid, tid, ppid, start, uid, euid, gid, loginuid,
        cgroup, mntns, pidns, ret, comm.split(b"\0", 1)[0], (a0, a1, a2, a3),
        (strings[0], strings[1], strings[2], strings[3]), data[offset : offset + length],
    )  # fmt: skip


def encode(  # noqa: PLR0913 - one keyword per header field, each with its neutral default
    kind: Kind,
    *,
    args: tuple[int, ...] = (),
    strings: tuple[bytes, ...] = (),
    comm: bytes = b"",
    flags: int = 0,
    boot_ns: int = 0,
    cpu_seq: int = 0,
    cpu: int = 0,
    tgid: int = 0,
    tid: int = 0,
    ppid: int = 0,
    leader_start: int = 0,
    uid: int = 0,
    euid: int = 0,
    gid: int = 0,
    loginuid: int = UNSET_ID,
    cgroup: int = 0,
    mntns: int = 0,
    pidns: int = 0,
    ret: int = 0,
) -> bytes:
    """Build one record: for the events in a rule's ``tests.yaml``, not for the live path."""
    body = b"".join(strings)
    length = (HEADER_SIZE + len(body) + 7) & ~7
    arguments = [*args, 0, 0, 0, 0][:4]
    lengths = [*map(len, strings), 0, 0, 0, 0][:STRINGS]
    header = _HEADER.pack(
        length, kind.number, 1, flags, boot_ns, cpu_seq, cpu, tgid, tid, ppid, leader_start, uid, euid, gid,
        loginuid, cgroup, mntns, pidns, ret, comm[:COMM_SIZE], *arguments, *lengths,
    )  # fmt: skip
    return (header + body).ljust(length, b"\0")


def batch_of(records: list[bytes], base: int = 0) -> Batch:
    """One batch of these encoded records."""
    offsets, counts, at = array.array("I"), array.array("I", [0] * KIND_SLOTS), 0
    for record in records:
        offsets.append(at)
        counts[record[4]] += 1
        at += len(record)
    return Batch(b"".join(records), offsets, base, counts)


def in_time_order(batches: list[Batch]) -> Batch:
    """One batch of the records of these consecutive ones, by their time.

    It makes an object for each record: for the few of a quiet moment, which somebody reads one by one.
    """
    timed = [
        (_TIME.unpack_from(batch.data, offset + 8)[0], batch.data, offset)
        for batch in batches
        for offset in batch.offsets
    ]
    timed.sort(key=itemgetter(0))
    return batch_of([data[at : at + _LENGTH.unpack_from(data, at)[0]] for _, data, at in timed], batches[0].base)
