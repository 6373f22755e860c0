"""What a process that is there holds, as the kernel tells: memory, open files, sockets, its program, its environment.

All of it is read below one open folder of /proc, which stays that of the same process: another one that is given its
number meanwhile is never read. Reading hangs with the file system that the process uses: call from a thread that may.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from sentinel_engine.processes import TICK_NS, ProcessKey

_MOST_FILES: Final = 1024  # descriptors that are looked at
_MOST_TABLE: Final = 8 << 20  # bytes of one of the kernel's tables of sockets
_MOST_ENVIRONMENT: Final = 128 << 10
_LARGEST_PROGRAM: Final = 1 << 30
_PAGE: Final = os.sysconf("SC_PAGESIZE")
_TCP_STATES: Final = {
    1: "established", 2: "syn-sent", 3: "syn-recv", 4: "fin-wait-1", 5: "fin-wait-2", 6: "time-wait", 7: "close",
    8: "close-wait", 9: "last-ack", 10: "listen", 11: "closing", 12: "new-syn-recv",
}  # fmt: skip


class HeldError(Exception):
    """It cannot be told; the text is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A descriptor: its ``number``, whether it is for reading and writing, and where it leads, as /proc tells.

    ``target``: a path, with `` (deleted)`` behind it when that has no name any more, or ``pipe:[1]``, ``memfd:x``.
    """

    number: int
    mode: str  # r, w, rw
    target: bytes
    socket: bytes = b""  # what kind, and from where to where; empty for what is none


@dataclass(frozen=True, slots=True)
class Held:
    """``resident``: bytes of memory; ``cpu``: seconds of the processor so far.

    ``unseen``: descriptors beyond those in ``files``, -1 when we may not look at any.
    """

    resident: int
    threads: int
    cpu: float
    files: tuple[OpenFile, ...]
    unseen: int


def look(key: ProcessKey) -> Held:
    """What this process holds now. Raises HeldError when it has ended."""
    with _opened(key) as (folder, fields):
        try:
            files, unseen = _files(folder)
        except PermissionError:
            files, unseen = [], -1
        cpu = (int(fields[11]) + int(fields[12])) * TICK_NS / 1e9
        return Held(int(fields[21]) * _PAGE, int(fields[17]), cpu, _with_sockets(folder, files), unseen)


def program(key: ProcessKey) -> tuple[str, int]:
    """SHA-256 and size in bytes of the file that it runs, also of one that was deleted. Raises HeldError."""
    with _opened(key) as (folder, _):
        try:
            fd = os.open("exe", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            raise HeldError("it has no program: it is a thread of the kernel, or is ending") from None
        with os.fdopen(fd, "rb") as file:
            size = os.fstat(fd).st_size
            if size > _LARGEST_PROGRAM:
                raise HeldError(f"its program has {size:,} bytes, more than are read for this")
            return hashlib.file_digest(file, "sha256").hexdigest(), size


def environment(key: ProcessKey) -> Sequence[bytes]:
    """What it was started with, as ``NAME=value``; at most 128 KiB of it. Raises HeldError."""
    with _opened(key) as (folder, _):
        return [part for part in _read(folder, "environ", _MOST_ENVIRONMENT).split(b"\0") if part]


@contextmanager
def _opened(key: ProcessKey) -> Iterator[tuple[int, list[bytes]]]:
    """Its folder, and the fields of its stat from the third on. Raises HeldError for what cannot be read of it."""
    pid, tick = key
    ended = HeldError("it has ended")
    try:
        folder = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise ended from None
    try:
        # The name is in brackets and may hold brackets and spaces itself.
        fields = _read(folder, "stat").rpartition(b") ")[2].split()
        if int(fields[19]) != tick:
            raise ended
        yield folder, fields
    except (FileNotFoundError, ProcessLookupError):
        raise ended from None
    except PermissionError:
        raise HeldError("we may not look into it") from None
    except OSError as error:
        raise HeldError(f"it cannot be read: {error.strerror}") from None
    except (ValueError, IndexError):
        raise HeldError("this kernel tells it in a way that is not understood here") from None
    finally:
        os.close(folder)


def _read(folder: int, name: str, most: int = 1 << 16) -> bytes:
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
        return file.read(most)


def _files(folder: int) -> tuple[list[OpenFile], int]:
    fds = os.open("fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        numbers = sorted(int(name) for name in os.listdir(fds))  # noqa: PTH208 - by a descriptor, which no Path takes
        found: list[OpenFile] = []
        for number in numbers[:_MOST_FILES]:
            with suppress(FileNotFoundError):  # closed since
                mode = os.stat(str(number), dir_fd=fds, follow_symlinks=False).st_mode
                target = os.readlink(os.fsencode(str(number)), dir_fd=fds)
                found.append(OpenFile(number, _mode(mode), target))
        return found, max(0, len(numbers) - _MOST_FILES)
    finally:
        os.close(fds)


def _mode(mode: int) -> str:
    return "r" * bool(mode & stat.S_IRUSR) + "w" * bool(mode & stat.S_IWUSR)


def _with_sockets(folder: int, files: Sequence[OpenFile]) -> tuple[OpenFile, ...]:
    inodes = {file.target[8:-1] for file in files if file.target.startswith(b"socket:[")}
    known = _sockets(folder, inodes) if inodes else {}
    other = b"of another kind or network namespace"
    return tuple(
        OpenFile(file.number, file.mode, file.target, known.get(file.target[8:-1], other))
        if file.target.startswith(b"socket:[") else file
        for file in files
    )  # fmt: skip


def _sockets(folder: int, inodes: Collection[bytes]) -> Mapping[bytes, bytes]:
    """What these sockets are, by their inodes, from the tables of the process's own network namespace."""
    found: dict[bytes, bytes] = {}
    for name, (column, tell) in _TABLES.items():
        with suppress(FileNotFoundError, PermissionError):  # a kernel without it
            for line in _read(folder, f"net/{name}", _MOST_TABLE).split(b"\n")[1:]:
                parts = line.split()
                if len(parts) > column and parts[column] in inodes:
                    found[parts[column]] = b"%s %s" % (name.encode(), tell(parts))
    return found


def _inet(parts: Sequence[bytes]) -> bytes:
    local, remote = _end(parts[1]), _end(parts[2])
    to = "" if remote.endswith(":0") else f" → {remote}"
    return f"{local}{to}".encode()


def _tcp(parts: Sequence[bytes]) -> bytes:
    return _inet(parts) + f" {_TCP_STATES.get(int(parts[3], 16), '')}".encode()


def _end(text: bytes) -> str:
    """``0100007F:0016`` is 127.0.0.1:22: words of 32 bits, each in the order of this processor."""
    words, port = text.split(b":")
    raw = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    address = socket.inet_ntop(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw)
    return f"[{address}]:{int(port, 16)}" if len(raw) == 16 else f"{address}:{int(port, 16)}"


def _unix(parts: Sequence[bytes]) -> bytes:
    return b" ".join(parts[7:]) or b"without a name"


def _sniffs(_: Sequence[bytes]) -> bytes:
    return b"sees what is on the wire"


# The kernel's tables of sockets: in which column the inode is, and what a line tells.
_TABLES: Final[Mapping[str, tuple[int, Callable[[Sequence[bytes]], bytes]]]] = {
    "tcp": (9, _tcp), "tcp6": (9, _tcp), "udp": (9, _inet), "udp6": (9, _inet), "raw": (9, _inet), "raw6": (9, _inet),
    "unix": (6, _unix), "packet": (8, _sniffs), "netlink": (9, lambda _: b"to the kernel"),
}  # fmt: skip
