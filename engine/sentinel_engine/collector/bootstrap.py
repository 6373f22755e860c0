"""The processes that are there when collection begins, from /proc."""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path
from typing import Final

from sentinel_engine.cgroups import paths_in
from sentinel_engine.collector.cgroupfs import CgroupFiles
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.records import UNSET_ID
from sentinel_engine.schema import EXE_DELETED, EXE_MEMFD, MAX_ARGV

_PROC: Final = Path("/proc")
_MAX_PROCESSES: Final = 65536  # beyond this a host has other problems than an incomplete tree
_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_DELETED: Final = b" (deleted)"
_PTS_MAJORS: Final = range(136, 144)
_PF_EXITING: Final = 4  # from sched.h: the thread is on its way out, or out and not waited for yet


class _Host:
    """What processes share: looked up once."""

    def __init__(self, cgroups: CgroupFiles) -> None:
        self.terminals = _terminals()
        self.cgroup_id = cache(cgroups.id_of)


def boot_processes(cgroups: CgroupFiles) -> list[BootProcess]:
    """Every process, kernel threads included, lowest pid first. One that has ended, or ends meanwhile, is left out."""
    pids = sorted(int(path.name) for path in _PROC.iterdir() if path.name.isdecimal())[:_MAX_PROCESSES]
    host = _Host(cgroups)
    return [process for pid in pids if (process := _look_at(pid, host))]


def _terminals() -> dict[int, bytes]:
    """Device number -> name without /dev/, for the terminals that are not pseudo ones."""
    found = {}
    for path in Path("/dev").glob("tty*"):
        status = path.stat()
        if stat.S_ISCHR(status.st_mode):
            found[status.st_rdev] = os.fsencode(path.name)
    return found


def _look_at(pid: int, host: _Host) -> BootProcess | None:
    # An open folder stays this process's: when it ends there is nothing in it, not what the next of its number has.
    try:
        folder = os.open(_PROC / str(pid), os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        return _read(folder, pid, host)
    except (FileNotFoundError, ProcessLookupError):
        return None
    finally:
        os.close(folder)


def _read(folder: int, pid: int, host: _Host) -> BootProcess | None:
    line = _content(folder, "stat")
    # The name is in brackets and may hold brackets and spaces itself; what follows the last one is plain.
    name, _, rest = line.partition(b"(")[2].rpartition(b") ")
    fields = rest.split()
    # Its exit may have been just before the first event. A first thread may also end before the others do.
    if int(fields[6]) & _PF_EXITING and int(fields[17]) <= 1:
        return None
    arguments = _content(folder, "cmdline")
    unified, cgroup = paths_in(_content(folder, "cgroup"))
    exe = _link(folder, "exe")
    flags = _exe_flags(folder, exe)
    return BootProcess(
        pid=pid,
        ppid=int(fields[1]),
        start_ns=int(fields[19]) * _TICK_NS,
        comm=name,
        exe=exe.removesuffix(_DELETED) if flags else exe,
        argv=tuple(arguments.rstrip(b"\0").split(b"\0")) if arguments else (),
        cwd=_link(folder, "cwd"),
        uid=os.fstat(folder).st_uid,
        tty=_terminal(int(fields[4]), host.terminals),
        exe_flags=flags,
        cgroup=cgroup,
        cgroup_id=host.cgroup_id(unified or b"/"),
        mntns=_namespace(folder, "ns/mnt"),
        pidns=_namespace(folder, "ns/pid"),
        loginuid=_loginuid(folder),
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


def _exe_flags(folder: int, exe: bytes) -> int:
    """As the exec record has them. The link's count tells, since a file may be named "x (deleted)" itself."""
    try:
        if not exe or os.stat("exe", dir_fd=folder).st_nlink:
            return 0
    except OSError:  # the process has ended, or we may not look into it
        return 0
    return EXE_DELETED | (EXE_MEMFD if exe.startswith(b"/memfd:") else 0)


def _namespace(folder: int, name: str) -> int:
    """The inode number of a namespace, 0 when it cannot be had."""
    return int(_link(folder, name).partition(b"[")[2].rstrip(b"]") or 0)


def _loginuid(folder: int) -> int:
    """The user who logged in, however it became another since; unset on a kernel without auditing."""
    try:
        return int(_content(folder, "loginuid"))
    except (FileNotFoundError, ProcessLookupError):
        return UNSET_ID


def _terminal(device: int, terminals: dict[int, bytes]) -> bytes:
    device &= 0xFFFFFFFF
    if os.major(device) in _PTS_MAJORS:
        return b"pts/%d" % ((os.major(device) - _PTS_MAJORS.start) * 256 * 4096 + os.minor(device))
    return terminals.get(device, b"")
