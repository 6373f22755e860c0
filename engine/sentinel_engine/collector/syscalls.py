"""The system calls that make events: which kind each makes, and its number on each architecture.

The BPF side knows a call by its place in CALLS (``CALL_…`` in bpf/events.h), so that one
program serves every architecture's table; user space writes the table at start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentinel_engine.schema import KIND_BY_NAME


@dataclass(frozen=True, slots=True)
class Call:
    """One system call. A number is None where the architecture has no such call."""

    name: str
    kind: str
    x86_64: int | None
    i386: int | None
    aarch64: int | None


CALLS: Final = (
    Call("execve", "exec_failed", 59, 11, 221),
    Call("execveat", "exec_failed", 322, 358, 281),
    Call("open", "open", 2, 5, None),
    Call("creat", "open", 85, 8, None),
    Call("openat", "open", 257, 295, 56),
    Call("openat2", "open", 437, 437, 437),
    Call("open_by_handle_at", "open", 304, 342, 265),
    Call("unlink", "unlink", 87, 10, None),
    Call("rmdir", "unlink", 84, 40, None),
    Call("unlinkat", "unlink", 263, 301, 35),
    Call("rename", "rename", 82, 38, None),
    Call("renameat", "rename", 264, 302, 38),
    Call("renameat2", "rename", 316, 353, 276),
    Call("chmod", "chmod", 90, 15, None),
    Call("fchmod", "chmod", 91, 94, 52),
    Call("fchmodat", "chmod", 268, 306, 53),
    Call("fchmodat2", "chmod", 452, 452, 452),
    Call("connect", "connect", 42, 362, 203),
    Call("bind", "bind", 49, 361, 200),
    Call("accept", "accept", 43, None, 202),
    Call("accept4", "accept", 288, 364, 242),
    Call("ptrace", "ptrace", 101, 26, 117),
    # In the order of schema.SETUID_CALLS. i386 has two generations of each: 16 and 32 bit ids.
    Call("setuid", "setuid", 105, 213, 146),
    Call("setgid", "setuid", 106, 214, 144),
    Call("setreuid", "setuid", 113, 203, 145),
    Call("setregid", "setuid", 114, 204, 143),
    Call("setresuid", "setuid", 117, 208, 147),
    Call("setresgid", "setuid", 119, 210, 149),
    Call("setfsuid", "setuid", 122, 215, 151),
    Call("setfsgid", "setuid", 123, 216, 152),
    Call("memfd_create", "memfd_create", 319, 356, 279),
    Call("mount", "mount", 165, 21, 40),
    Call("move_mount", "mount", 429, 429, 429),
    Call("init_module", "init_module", 175, 128, 105),
    Call("finit_module", "init_module", 313, 350, 273),
    Call("bpf", "bpf", 321, 357, 280),
    # In the order of schema.KILL_CALLS.
    Call("kill", "kill", 62, 37, 129),
    Call("tkill", "kill", 200, 238, 130),
    Call("tgkill", "kill", 234, 270, 131),
    Call("dup", "dup", 32, 41, 23),
    Call("dup2", "dup", 33, 63, None),
    Call("dup3", "dup", 292, 330, 24),
)
# The highest number in any table, rounded up: the size of the kernel-side table.
TABLE_SIZE: Final = 512
# Calls that share another one's handler under a second number: (architecture table, number) -> name.
ALIASES: Final = {
    ("i386", 23): "setuid", ("i386", 46): "setgid", ("i386", 70): "setreuid", ("i386", 71): "setregid",
    ("i386", 164): "setresuid", ("i386", 170): "setresgid", ("i386", 138): "setfsuid", ("i386", 139): "setfsgid",
}  # fmt: skip


def table(machine: str) -> dict[int, tuple[int, int]]:
    """Number -> (call id from 1, kind number) for this table: ``x86_64``, ``i386`` or ``aarch64``."""
    ids = {call.name: (place, KIND_BY_NAME[call.kind].number) for place, call in enumerate(CALLS, start=1)}
    numbers = {getattr(call, machine): ids[call.name] for call in CALLS if getattr(call, machine) is not None}
    return numbers | {number: ids[name] for (owner, number), name in ALIASES.items() if owner == machine}
