"""What of eBPF a process holds, by the kernel's ids, and what of that is still there once it has gone."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import select
import time
from pathlib import Path

from sentinel_engine.collector.maps import NR_BPF

# What /proc/PID/fdinfo calls an object's id, and the bpf(2) command that gives the id after this one.
_NEXT_ID = {"prog_id": 11, "map_id": 12, "link_id": 31}
_libc = ctypes.CDLL(None, use_errno=True)
Held = set[tuple[str, int]]


def held_by(*pids: int) -> Held:
    """The programs, maps and links that these processes have descriptors of; none for one that has gone."""
    found: Held = set()
    for pid in pids:
        for text in map(_text, _entries(Path(f"/proc/{pid}/fdinfo"))):
            pairs = [line.split(":") for line in text.splitlines()]
            found |= {(field, int(value)) for field, value, *_ in pairs if field in _NEXT_ID}
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # closed meanwhile


def family(pid: int) -> list[int]:
    """This process and its children; none when it has gone."""
    children = [_text(folder / "children") for folder in _entries(Path(f"/proc/{pid}/task"))]
    return [pid, *(int(child) for child in " ".join(children).split())] if children else []


def in_kernel(held: Held) -> Held:
    """Those of these that the kernel still has, whoever keeps them: a descriptor, an attachment, a pin."""
    return {(field, number) for field, number in held if _after(field, number - 1) == number}


def _after(field: str, number: int) -> int | None:
    attributes = (ctypes.c_uint32 * 3)(number)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    if _libc.syscall(NR_BPF[platform.machine()], _NEXT_ID[field], ctypes.byref(attributes), size) == 0:
        return attributes[1]
    assert ctypes.get_errno() == errno.ENOENT
    return None


def assert_gone(held: Held, seconds: float = 15) -> None:
    """Fails when the kernel has one of these for longer than that; it frees them after a grace period."""
    end = time.monotonic() + seconds
    while (left := in_kernel(held)) and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert left == set()


def seconds_to_end(ending: int) -> float:
    """How long the process of this pidfd still runs; to be waited for by its parent is not its own time."""
    began = time.monotonic()
    assert select.select([ending], [], [], 15)[0]
    os.close(ending)
    return time.monotonic() - began
