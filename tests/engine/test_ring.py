"""The reading end of a ring: all of it is read through a window that is smaller, for round after round."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_engine.collector.framer import Framer
from sentinel_engine.collector.ring import Ring
from sentinel_engine.records import encode
from sentinel_engine.schema import KIND_BY_NAME

PAGE = mmap.PAGESIZE
OPEN = KIND_BY_NAME["open"]


class Kernel:
    """The writing end, laid out as the kernel does: the reader's page, the writer's page, the data twice in a row."""

    def __init__(self, size: int) -> None:
        self.fd = os.memfd_create("ring")
        self.size = size
        self._position = 0
        os.truncate(self.fd, 2 * PAGE + 2 * size)

    def consumed(self) -> int:
        return int(struct.unpack("<Q", os.pread(self.fd, 8, 0))[0])

    def write(self, path: bytes) -> bool:
        """One open of this path; False when the ring has no room for it."""
        record = encode(OPEN, strings=(path,))
        frame = struct.pack("<II", len(record), 0) + record
        if self._position + len(frame) - self.consumed() > self.size:
            return False
        place = self._position % self.size
        for copy in (place - self.size, place, place + self.size):
            # The data is one stretch of memory seen twice: what is written over its end is at its start too.
            cut = max(0, -copy)
            os.pwrite(self.fd, frame[cut : 2 * self.size - copy], 2 * PAGE + copy + cut)
        self._position += len(frame)
        os.pwrite(self.fd, struct.pack("<Q", self._position), PAGE)
        return True


@pytest.fixture(params=[PAGE, 64 * PAGE, 4 << 20])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    kernel = Kernel(request.param)
    yield kernel
    os.close(kernel.fd)


def read(ring: Ring) -> list[bytes]:
    return [record.string("path") or b"" for batch in ring.read(ring.produced) for record in batch]


def test_nothing_is_missing_or_twice_however_often_the_ring_goes_round(kernel: Kernel) -> None:
    ring = Ring(kernel.fd, kernel.size, Framer())
    written: list[bytes] = []
    received: list[bytes] = []
    number = 0
    while kernel.consumed() < 3 * kernel.size:
        path = b"/%d/" % number + b"x" * (number * 7 % 3000)
        if kernel.write(path):
            written.append(path)
            number += 1
        else:
            received += read(ring)
    received += read(ring)
    assert received == written
    ring.close()


def test_a_window_of_the_ring_is_mapped_not_all_of_it() -> None:
    kernel = Kernel(16 << 20)
    before = mapped()
    ring = Ring(kernel.fd, kernel.size, Framer())
    while kernel.consumed() < kernel.size:
        while kernel.write(b"/x" * 1000):
            pass
        read(ring)
        assert mapped() - before < 2 << 20
    ring.close()
    assert mapped() == before
    os.close(kernel.fd)


def mapped() -> int:
    """Bytes of our address space that are such a ring's."""
    total = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "memfd:ring" in line:
            low, _, high = line.split()[0].partition("-")
            total += int(high, 16) - int(low, 16)
    return total
