"""One BPF ring buffer, mapped: whole spans of records are copied out, never record by record."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Final

from sentinel_engine.collector.framer import Framer
from sentinel_engine.records import Batch

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

    The kernel offers our position (writable), its position, and the data twice in a row. We map the data once:
    mapped pages count as resident, and the framer takes a span that wraps in two parts. Raises OSError when it
    cannot be mapped.
    """

    def __init__(self, fd: int, size: int, framer: Framer) -> None:
        self.fd = fd
        self._size = size
        self._framer = framer
        page = mmap.PAGESIZE
        self._ours = _map(fd, page, mmap.PROT_READ | mmap.PROT_WRITE, 0)
        self._theirs = _map(fd, page + size, mmap.PROT_READ, page)
        self._data = self._theirs + page
        self._consumer = ctypes.c_uint64.from_address(self._ours)
        self._producer = ctypes.c_uint64.from_address(self._theirs)

    @property
    def produced(self) -> int:
        """Bytes the kernel has reserved so far; what lies before may still be being written."""
        return self._producer.value

    def read(self, until: int) -> list[Batch]:
        """The finished records before position ``until``; their room goes back to the kernel."""
        batches = []
        position = self._consumer.value
        while position < until:
            place = position % self._size
            straight = min(until - position, self._size - place)
            wrapped = until - position - straight
            consumed, batch = self._framer.frame(self._data + place, straight, self._data, wrapped)
            if not consumed:
                break
            position += consumed
            self._consumer.value = position  # only now may the kernel write over them: the framer has copied
            if batch is not None:
                batches.append(batch)
        return batches

    def close(self) -> None:
        """Unmap. Nothing may be called afterwards."""
        _libc.munmap(self._ours, mmap.PAGESIZE)
        _libc.munmap(self._theirs, mmap.PAGESIZE + self._size)
