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


def boot_processes() -> list[BootProcess]:
    """Every process, kernel threads included, lowest pid first. One that ends meanwhile is left out."""
    pids = sorted(int(path.name) for path in _PROC.iterdir() if path.name.isdecimal())[:_MAX_PROCESSES]
    terminals = _terminals()
    return [process for pid in pids if (process := _read(_PROC / str(pid), pid, terminals))]


def _terminals() -> dict[int, bytes]:
    """Device number -> name without /dev/, for the terminals that are not pseudo ones."""
    found = {}
    for path in Path("/dev").glob("tty*"):
        status = path.stat()
        if stat.S_ISCHR(status.st_mode):
            found[status.st_rdev] = os.fsencode(path.name)
    return found


def _read(folder: Path, pid: int, terminals: dict[int, bytes]) -> BootProcess | None:
    try:
        line = (folder / "stat").read_bytes()
        uid = folder.stat().st_uid
        with (folder / "cmdline").open("rb") as file:
            arguments = file.read(MAX_ARGV)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in brackets and may hold brackets and spaces itself; what follows the last one is plain.
    name, _, rest = line.partition(b"(")[2].rpartition(b") ")
    fields = rest.split()
    return BootProcess(
        pid=pid,
        ppid=int(fields[1]),
        start_ns=int(fields[19]) * _TICK_NS,
        comm=name,
        exe=_link(folder / "exe"),
        argv=tuple(arguments.rstrip(b"\0").split(b"\0")) if arguments else (),
        cwd=_link(folder / "cwd"),
        uid=uid,
        tty=_terminal(int(fields[4]), terminals),
    )


def _link(path: Path) -> bytes:
    """Where this link leads; empty for a kernel thread, a process that has ended, or one we may not look into."""
    try:
        return os.fsencode(path.readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _terminal(device: int, terminals: dict[int, bytes]) -> bytes:
    device &= 0xFFFFFFFF
    if os.major(device) in _PTS_MAJORS:
        return b"pts/%d" % ((os.major(device) - _PTS_MAJORS.start) * 256 * 4096 + os.minor(device))
    return terminals.get(device, b"")
