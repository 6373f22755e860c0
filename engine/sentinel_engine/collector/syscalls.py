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
    """One system call. A number is None where the architecture has no such call.

    ``racy``: its path is read from user memory, so that it is looked at when the call begins, too.
    """

    name: str
    kind: str
    x86_64: int | None
    i386: int | None
    aarch64: int | None
    racy: bool = False


CALLS: Final = (
    Call("execve", "exec_failed", 59, 11, 221, racy=True),
    Call("execveat", "exec_failed", 322, 358, 281, racy=True),
    # In the order of schema.OPEN_CALLS. Not racy: the path of one that succeeds is the kernel's own.
    Call("open", "open", 2, 5, None),
    Call("creat", "open", 85, 8, None),
    Call("openat", "open", 257, 295, 56),
    Call("openat2", "open", 437, 437, 437),
    Call("open_by_handle_at", "open", 304, 342, 265),
    Call("unlink", "unlink", 87, 10, None, racy=True),
    Call("rmdir", "unlink", 84, 40, None, racy=True),
    Call("unlinkat", "unlink", 263, 301, 35, racy=True),
    Call("rename", "rename", 82, 38, None, racy=True),
    Call("renameat", "rename", 264, 302, 38, racy=True),
    Call("renameat2", "rename", 316, 353, 276, racy=True),
    Call("link", "link", 86, 9, None, racy=True),
    Call("linkat", "link", 265, 303, 37, racy=True),
    Call("symlink", "symlink", 88, 83, None, racy=True),
    Call("symlinkat", "symlink", 266, 304, 36, racy=True),
    Call("mkdir", "mkdir", 83, 39, None, racy=True),
    Call("mkdirat", "mkdir", 258, 296, 34, racy=True),
    Call("chmod", "chmod", 90, 15, None, racy=True),
    Call("fchmod", "chmod", 91, 94, 52),
    Call("fchmodat", "chmod", 268, 306, 53, racy=True),
    Call("fchmodat2", "chmod", 452, 452, 452, racy=True),
    # i386 has two generations: 16 and 32 bit ids, as with setuid.
    Call("chown", "chown", 92, 212, None, racy=True),
    Call("lchown", "chown", 94, 198, None, racy=True),
    Call("fchown", "chown", 93, 207, 55),
    Call("fchownat", "chown", 260, 298, 54, racy=True),
    Call("truncate", "truncate", 76, 92, 45, racy=True),
    Call("ftruncate", "truncate", 77, 93, 46),
    Call("truncate64", "truncate", None, 193, None, racy=True),
    Call("ftruncate64", "truncate", None, 194, None),
    Call("connect", "connect", 42, 362, 203),
    Call("bind", "bind", 49, 361, 200),
    Call("accept", "accept", 43, None, 202),
    Call("accept4", "accept", 288, 364, 242),
    Call("listen", "listen", 50, 363, 201),
    Call("socket", "socket", 41, 359, 198),
    Call("sendto", "dns", 44, 369, 206),
    Call("sendmsg", "dns", 46, 370, 211),
    Call("sendmmsg", "dns", 307, 345, 269),
    # One number for all calls on sockets; which it was is looked up in SOCKETCALLS. Its kind is none of its own.
    Call("socketcall", "connect", None, 102, None),
    Call("ptrace", "ptrace", 101, 26, 117),
    Call("process_vm_writev", "process_vm_write", 311, 348, 271),
    # In the order of schema.SETUID_CALLS. i386 has two generations of each: 16 and 32 bit ids.
    Call("setuid", "setuid", 105, 213, 146),
    Call("setgid", "setuid", 106, 214, 144),
    Call("setreuid", "setuid", 113, 203, 145),
    Call("setregid", "setuid", 114, 204, 143),
    Call("setresuid", "setuid", 117, 208, 147),
    Call("setresgid", "setuid", 119, 210, 149),
    Call("setfsuid", "setuid", 122, 215, 151),
    Call("setfsgid", "setuid", 123, 216, 152),
    Call("capset", "capset", 126, 185, 91),
    Call("prctl", "prctl", 157, 172, 167),
    Call("memfd_create", "memfd_create", 319, 356, 279),
    Call("mprotect", "mprotect", 10, 125, 226),
    Call("pkey_mprotect", "mprotect", 329, 380, 288),
    Call("mount", "mount", 165, 21, 40, racy=True),
    Call("move_mount", "mount", 429, 429, 429, racy=True),
    Call("umount", "umount", None, 22, None, racy=True),
    Call("umount2", "umount", 166, 52, 39, racy=True),
    Call("pivot_root", "pivot_root", 155, 217, 41, racy=True),
    Call("unshare", "unshare", 272, 310, 97),
    Call("setns", "setns", 308, 346, 268),
    # In the order of schema.MODULE_CALLS.
    Call("init_module", "init_module", 175, 128, 105),
    Call("finit_module", "init_module", 313, 350, 273),
    Call("bpf", "bpf", 321, 357, 280),
    # In the order of schema.KILL_CALLS.
    Call("kill", "kill", 62, 37, 129),
    Call("tkill", "kill", 200, 238, 130),
    Call("tgkill", "kill", 234, 270, 131),
    Call("rt_sigqueueinfo", "kill", 129, 178, 138),
    Call("rt_tgsigqueueinfo", "kill", 297, 335, 240),
    Call("pidfd_send_signal", "kill", 424, 424, 424),
    Call("dup", "dup", 32, 41, 23),
    Call("dup2", "dup", 33, 63, None),
    Call("dup3", "dup", 292, 330, 24),
    Call("io_uring_setup", "io_uring_setup", 425, 425, 425),
)
# More than the highest number in any table; i386's socketcall numbers follow in the kernel-side table.
SOCKETCALL_BASE: Final = 512
SOCKETCALL_SLOTS: Final = 32
TABLE_SIZE: Final = SOCKETCALL_BASE + SOCKETCALL_SLOTS
# Calls that share another one's handler under a second number: (architecture table, number) -> name.
ALIASES: Final = {
    ("i386", 23): "setuid", ("i386", 46): "setgid", ("i386", 70): "setreuid", ("i386", 71): "setregid",
    ("i386", 164): "setresuid", ("i386", 170): "setresgid", ("i386", 138): "setfsuid", ("i386", 139): "setfsgid",
    ("i386", 182): "chown", ("i386", 16): "lchown", ("i386", 95): "fchown",
}  # fmt: skip
# linux/net.h's SYS_…: the first argument of i386's socketcall.
SOCKETCALLS: Final = {
    1: "socket", 2: "bind", 3: "connect", 4: "listen", 5: "accept", 11: "sendto", 16: "sendmsg", 18: "accept4",
    20: "sendmmsg",
}  # fmt: skip


def table(machine: str) -> dict[int, tuple[int, int, bool]]:
    """Number -> (call id from 1, kind number, racy) for this table: ``x86_64``, ``i386`` or ``aarch64``."""
    entries = {call.name: (place, KIND_BY_NAME[call.kind].number, call.racy) for place, call in enumerate(CALLS, 1)}
    numbers = {getattr(call, machine): entries[call.name] for call in CALLS if getattr(call, machine) is not None}
    numbers |= {number: entries[name] for (owner, number), name in ALIASES.items() if owner == machine}
    if machine == "i386":
        numbers |= {SOCKETCALL_BASE + place: entries[name] for place, name in SOCKETCALLS.items()}
    return numbers
