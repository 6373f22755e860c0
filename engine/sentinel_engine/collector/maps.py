"""The few bpf(2) commands that the collector needs on descriptors it was handed."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from contextlib import suppress
from typing import Final

NR_BPF: Final = {"x86_64": 321, "aarch64": 280}
_MAP_CREATE, _MAP_LOOKUP_ELEM, _MAP_UPDATE_ELEM, _MAP_DELETE_ELEM, _MAP_GET_NEXT_KEY = 0, 1, 2, 3, 4
_RAW_TRACEPOINT_OPEN = 17
_NO_FD: Final = 0xFFFFFFFF
MAP_TYPE_RINGBUF: Final = 27

_libc = ctypes.CDLL(None, use_errno=True)


class _Element(ctypes.Structure):
    _fields_ = (
        ("map_fd", ctypes.c_uint32), ("key", ctypes.c_uint64), ("value", ctypes.c_uint64), ("flags", ctypes.c_uint64),
    )  # fmt: skip


class _RawTracepoint(ctypes.Structure):
    _fields_ = (("name", ctypes.c_uint64), ("prog_fd", ctypes.c_uint32))


class _Create(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("map_type", "key_size", "value_size", "max_entries"))


def _bpf(command: int, attributes: ctypes.Structure) -> int:
    result = _libc.syscall(
        NR_BPF[platform.machine()], command, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes))
    )
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def possible_cpus() -> int:
    """How many slots a per-CPU map's value has."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:  # noqa: PTH123 - read once, no path is kept
        return int(file.read().replace("-", ",").split(",")[-1]) + 1


class Map:
    """One map: integer keys of ``key_size`` bytes, values of ``value_size``, which counts all CPUs of a per-CPU map."""

    def __init__(self, fd: int, value_size: int, key_size: int = 4) -> None:
        self.fd = fd
        self._key_size = key_size
        self._key = ctypes.create_string_buffer(key_size)
        self._value = ctypes.create_string_buffer(value_size)
        self._attributes = _Element(fd, ctypes.addressof(self._key), ctypes.addressof(self._value), 0)

    def lookup(self, key: int) -> bytes:
        """The value at this key. Raises OSError."""
        self._at(key)
        _bpf(_MAP_LOOKUP_ELEM, self._attributes)
        return self._value.raw

    def update(self, key: int, value: bytes) -> None:
        """Store this value, ``value_size`` bytes. Raises OSError."""
        if len(value) != len(self._value):
            raise ValueError(f"a value of {len(value)} bytes for a map of {len(self._value)}")
        self._at(key)
        self._value.raw = value
        _bpf(_MAP_UPDATE_ELEM, self._attributes)

    def clear(self) -> None:
        """Take every key out of a hash map. Raises OSError."""
        key = ctypes.addressof(self._key)
        first, this = _Element(self.fd, 0, key, 0), _Element(self.fd, key, 0, 0)
        while True:
            try:
                _bpf(_MAP_GET_NEXT_KEY, first)
            except FileNotFoundError:
                return
            with suppress(FileNotFoundError):  # the kernel was quicker
                _bpf(_MAP_DELETE_ELEM, this)

    def _at(self, key: int) -> None:
        self._key.raw = key.to_bytes(self._key_size, sys.byteorder)


def attach(program: int) -> int:
    """Attach this typed raw tracepoint program, as long as the descriptor returned is open. Raises OSError."""
    return _bpf(_RAW_TRACEPOINT_OPEN, _RawTracepoint(0, program))


def usable() -> bool:
    """Whether this thread may use maps, and attach programs, that it has descriptors of.

    Before Linux 5.19, kernel.unprivileged_bpf_disabled asks for CAP_BPF at each call of bpf(2).
    """
    try:
        _bpf(_MAP_LOOKUP_ELEM, _Element(_NO_FD))
    except OSError as error:
        return error.errno == errno.EBADF
    return True


def create_ring(size: int) -> int:
    """A ring buffer map of this many bytes. Raises OSError: EPERM without privilege, EINVAL before Linux 5.8."""
    return _bpf(_MAP_CREATE, _Create(MAP_TYPE_RINGBUF, 0, 0, size))
