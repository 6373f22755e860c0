"""The processes that are there when collection begins, from /proc."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from sentinel_engine.collector.source import BootProcess
from sentinel_engine.schema import MAX_ARGV

_PROC: Final = Path("/proc")
_MAX_PROCESSES: Final = 65536  # beyond this a host has other problems than an incomplete tree
_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PTS_MAJORS: Final = range(136, 144)
_GONE: Final = (b"Z", b"X", b"x")  # the states of a process that has ended and is not waited for yet


def boot_processes() -> list[BootProcess]:
    """Every process, kernel threads included, lowest pid first. One that has ended, or ends meanwhile, is left out."""
    pids = sorted(int(path.name) for path in _PROC.iterdir() if path.name.isdecimal())[:_MAX_PROCESSES]
    terminals = _terminals()
    return [process for pid in pids if (process := _look_at(pid, terminals))]


def _terminals() -> dict[int, bytes]:
    """Device number -> name without /dev/, for the terminals that are not pseudo ones."""
    found = {}
    for path in Path("/dev").glob("tty*"):
        status = path.stat()
        if stat.S_ISCHR(status.st_mode):
            found[status.st_rdev] = os.fsencode(path.name)
    return found


def _look_at(pid: int, terminals: dict[int, bytes]) -> BootProcess | None:
    # An open folder stays this process's: when it ends there is nothing in it, not what the next of its number has.
    try:
        folder = os.open(_PROC / str(pid), os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        return _read(folder, pid, terminals)
    except (FileNotFoundError, ProcessLookupError):
        return None
    finally:
        os.close(folder)


def _read(folder: int, pid: int, terminals: dict[int, bytes]) -> BootProcess | None:
    line = _content(folder, "stat")
    # The name is in brackets and may hold brackets and spaces itself; what follows the last one is plain.
    name, _, rest = line.partition(b"(")[2].rpartition(b") ")
    fields = rest.split()
    if fields[0] in _GONE and int(fields[17]) <= 1:  # the first thread has ended, and there is no other
        return None
    arguments = _content(folder, "cmdline")
    return BootProcess(
        pid=pid,
        ppid=int(fields[1]),
        start_ns=int(fields[19]) * _TICK_NS,
        comm=name,
        exe=_link(folder, "exe"),
        argv=tuple(arguments.rstrip(b"\0").split(b"\0")) if arguments else (),
        cwd=_link(folder, "cwd"),
        uid=os.fstat(folder).st_uid,
        tty=_terminal(int(fields[4]), terminals),
    )


def _content(folder: int, name: str) -> bytes:
    file = os.open(name, os.O_RDONLY, dir_fd=folder)
    try:
        return os.read(file, MAX_ARGV)
    finally:
        os.close(file)


def _link(folder: int, name: str) -> bytes:
    """Where this link leads; empty for a kernel thread, a process that has ended, or one we may not look into."""
    try:
        return os.fsencode(os.readlink(name, dir_fd=folder))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _terminal(device: int, terminals: dict[int, bytes]) -> bytes:
    device &= 0xFFFFFFFF
    if os.major(device) in _PTS_MAJORS:
        return b"pts/%d" % ((os.major(device) - _PTS_MAJORS.start) * 256 * 4096 + os.minor(device))
    return terminals.get(device, b"")
