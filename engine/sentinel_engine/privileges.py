"""Gives up what the kernel lets us do, once no more of it is needed: rules and hostile text are met after that.

Capabilities belong to threads: one that runs already keeps its own, one that begins has those of who began it.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

_VERSION: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words for each set
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_SLOTS: Final = 64
_WORD: Final = 0xFFFFFFFF
_THREAD: Final = Path("/proc/thread-self/status")
_PATIENCE: Final = 1.0  # seconds for a thread to be gone, or to have dropped its own; it takes microseconds


class Capability(IntEnum):
    """Those that are spoken of here, by their numbers in the kernel."""

    CAP_DAC_READ_SEARCH = 2
    CAP_KILL = 5
    CAP_SYS_PTRACE = 19
    CAP_SYS_ADMIN = 21
    CAP_PERFMON = 38
    CAP_BPF = 39


# To read all there is about any process, rules wherever they are, and cgroups by their ids.
READING: Final = frozenset({Capability.CAP_DAC_READ_SEARCH, Capability.CAP_SYS_PTRACE})
# And to end a process, in a live console that is not read-only.
WATCHING: Final = READING | {Capability.CAP_KILL}
NOTHING: Final[frozenset[Capability]] = frozenset()


class PrivilegeError(Exception):
    """More is held than was meant to be; the text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Held:
    """Sets of capability numbers.

    ``capabilities``: those in any set but the bounding one. ``bounding``: the most that a program started by us could
    ever have. ``no_new``: no_new_privs, with which it cannot have more than we.
    """

    capabilities: frozenset[int]
    bounding: frozenset[int]
    no_new: bool


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Words(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)


def names(capabilities: Set[int]) -> str:
    """These capabilities for people; one that has no name here by its number."""
    known = {capability.value: capability.name for capability in Capability}
    return ", ".join(known.get(number, f"capability {number}") for number in sorted(capabilities)) or "no capability"


def effective() -> frozenset[int]:
    """What the calling thread may do now."""
    return _numbers(_sets(_THREAD)["CapEff"])


def held() -> Held:
    """What the threads of this process hold, all taken together."""
    usable = bounding = 0
    no_new = True
    for task in Path("/proc/self/task").iterdir():
        try:
            sets = _sets(task / "status")
        except (FileNotFoundError, ProcessLookupError):  # the thread has ended since it was listed
            continue
        usable |= sets["CapPrm"] | sets["CapEff"] | sets["CapInh"] | sets["CapAmb"]
        bounding |= sets["CapBnd"]
        no_new = no_new and bool(sets["NoNewPrivs"])
    return Held(_numbers(usable), _numbers(bounding), no_new)


@contextmanager
def none_effective() -> Iterator[None]:
    """What is done in here is done without any capability, by this thread; afterwards it has its own again.

    Raises OSError when the kernel refuses.
    """
    sets = _sets(_THREAD)
    _set(0, sets["CapPrm"], sets["CapInh"])
    try:
        yield
    finally:
        _set(sets["CapEff"], sets["CapPrm"], sets["CapInh"])


def drop(keep: Set[Capability]) -> None:
    """Have the calling thread, and all that it starts from now on, hold at most these; there is no way back.

    Nothing is gained: who holds less keeps less. Raises OSError when the kernel refuses.
    """
    wanted = sum(1 << capability for capability in keep)
    sets = _sets(_THREAD)
    # First, since it takes CAP_SETPCAP: who has not got that keeps the bound, and no_new_privs does as much.
    for number in _numbers(sets["CapBnd"] & ~wanted):
        _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    _set(sets["CapEff"] & wanted, sets["CapPrm"] & wanted, 0)  # the ambient ones go with the inheritable ones
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def drop_everywhere(keep: Set[Capability]) -> Held:
    """Drop, then read back from the kernel that no thread of this process holds more; what they hold.

    Other threads have to drop by themselves, or to end. Raises PrivilegeError when one does neither, and OSError when
    the kernel refuses.
    """
    drop(keep)
    deadline = time.monotonic() + _PATIENCE
    while (now := held()).capabilities - keep or not now.no_new:
        if time.monotonic() > deadline:
            raise PrivilegeError(f"a thread still holds more than it should: {names(now.capabilities - keep)}")
        time.sleep(0.0005)  # between two looks: the kernel tells nobody when a thread is gone
    return now


def _sets(status: Path) -> dict[str, int]:
    """The masks in a thread's status file, and NoNewPrivs, by their names there."""
    fields = (line.split(":") for line in status.read_text("utf-8", "replace").splitlines())
    return {name: int(value, 16) for name, value, *_ in fields if name.startswith("Cap") or name == "NoNewPrivs"}


def _numbers(mask: int) -> frozenset[int]:
    return frozenset(number for number in range(_SLOTS) if mask >> number & 1)


def _set(effective: int, permitted: int, inheritable: int) -> None:
    sets = (effective, permitted, inheritable)
    words = (_Words * 2)(*(_Words(*(mask >> low & _WORD for mask in sets)) for low in (0, 32)))
    _check(_libc.capset(ctypes.byref(_Header(_VERSION, 0)), words))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
