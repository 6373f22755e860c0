"""One BPF ring buffer, mapped a window at a time: whole spans of records are copied out, never record by record."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Final

from sentinel_engine.collector.framer import Framer
from sentinel_engine.records import Batch
from sentinel_engine.schema import MAX_RECORD

_WINDOW: Final = 1 << 19  # bytes of a ring's data that are mapped at a time, and the most of one batch
_MAP_FAILED: Final = ctypes.c_void_p(-1).value
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


def _map(fd: int, length: int, protection: int, offset: int) -> int:
    address = _libc.mmap(None, length, protection, mmap.MAP_SHARED, fd, offset)
    if address == _MAP_FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(address)


class Ring:
    """The reading end of the ring buffer map ``fd`` of ``size`` bytes (a power of two). One thread reads.

    The kernel offers our position (writable), its position, and the data twice in a row, so that no record is in two
    parts. Mapped pages count as resident all at once, read or not: the data is mapped where we read, and moves along,
    some 20 us a move. Raises OSError when it cannot be mapped.
    """

    def __init__(self, fd: int, size: int, framer: Framer) -> None:
        self.fd = fd
        self._size = size
        self._framer = framer
        self._step = min(_WINDOW, size)
        # A record that begins at the window's end is still all there; twice the ring is all there is to map.
        self._length = self._step + min(-(-MAX_RECORD // mmap.PAGESIZE) * mmap.PAGESIZE, size)
        self._ours = _map(fd, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE, 0)
        self._theirs = _map(fd, mmap.PAGESIZE, mmap.PROT_READ, mmap.PAGESIZE)
        self._consumer = ctypes.c_uint64.from_address(self._ours)
        self._producer = ctypes.c_uint64.from_address(self._theirs)
        self._look(0)

    @property
    def produced(self) -> int:
        """Bytes the kernel has reserved so far; what lies before may still be being written."""
        return self._producer.value

    def read(self, until: int) -> list[Batch]:
        """The finished records before position ``until``; their room goes back to the kernel.

        Raises OSError when the next part of the ring cannot be mapped.
        """
        batches = []
        position = self._consumer.value
        while position < until:
            place = position % self._size
            if not 0 <= place - self._start < self._step:
                before = self._data
                self._look(place - place % self._step)
                _libc.munmap(before, self._length)
            at = place - self._start
            consumed, batch = self._framer.frame(self._data + at, min(until - position, self._length - at))
            if not consumed:
                break
            position += consumed
            self._consumer.value = position  # only now may the kernel write over them: the framer has copied
            if batch is not None:
                batches.append(batch)
        return batches

    def _look(self, start: int) -> None:
        """Map the window that starts at this byte of the data."""
        self._data = _map(self.fd, self._length, mmap.PROT_READ, 2 * mmap.PAGESIZE + start)
        self._start = start

    def close(self) -> None:
        """Unmap. Nothing may be called afterwards."""
        _libc.munmap(self._ours, mmap.PAGESIZE)
        _libc.munmap(self._theirs, mmap.PAGESIZE)
        _libc.munmap(self._data, self._length)
