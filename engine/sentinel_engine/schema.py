"""The event record: kinds, fields, offsets. The one definition of the layout.

The bytes the BPF program writes are the bytes a rule reads. A record is little endian,
8-byte aligned and append-only: fixed 144-byte header, then up to four byte strings, then
zero padding to a multiple of eight. ``bpf/events.h`` and the Rust SDK's ``record.rs`` are
generated from this module (``make schema``), and a test fails when they differ.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

RECORD_VERSION: Final = 1
ARGS: Final = 4
STRINGS: Final = 4
COMM_SIZE: Final = 16
MAX_PATH: Final = 4096
MAX_ARGV: Final = 4096
# The longest record: header, argv, and exe, cwd and tty beside it, rounded up by the kernel side.
MAX_RECORD: Final = 16384


class RecordFlag(enum.IntFlag):
    """Bits of the record's ``flags`` byte: what is not exact about this record."""

    TRUNCATED = 1  # a string was longer than its slot and was cut
    FAULT = 2  # an argument could not be read; its string is empty
    USER_PTR = 4  # a string was read from user memory after the call, which another thread may have changed
    COMPAT = 8  # the call came through the 32-bit system call table
    SNAPSHOT = 16  # no event: an exec record made of a process that was there when we came
    IO_URING = 32  # submitted through an io_uring and not as a call: ``ret`` is not known


class Ring(enum.IntEnum):
    """Which ring buffer a kind travels in, so that a storm of bulk events cannot evict a lifecycle one."""

    LIFECYCLE = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One fixed field: its C type, byte offset and meaning (with the unit where it has one)."""

    name: str
    ctype: str
    offset: int
    doc: str


HEADER: Final = (
    HeaderField("len", "u32", 0, "bytes of the whole record, padding included; a multiple of 8"),
    HeaderField("kind", "u16", 4, "event kind, see KINDS"),
    HeaderField("version", "u8", 6, "layout version, RECORD_VERSION"),
    HeaderField("flags", "u8", 7, "RecordFlag bits"),
    HeaderField("boot_ns", "u64", 8, "ns since boot, suspend included (CLOCK_BOOTTIME)"),
    HeaderField("cpu_seq", "u64", 16, "per CPU and ring, 1, 2, 3 …; a gap is a loss"),
    HeaderField("cpu", "u32", 24, "CPU that wrote the record"),
    HeaderField("tgid", "u32", 28, "process id, host pid namespace"),
    HeaderField("tid", "u32", 32, "thread id, host pid namespace"),
    HeaderField("ppid", "u32", 36, "real parent's process id"),
    HeaderField("leader_start", "u64", 40, "ns since boot at which the process started"),
    HeaderField("uid", "u32", 48, "real user id, initial user namespace"),
    HeaderField("euid", "u32", 52, "effective user id"),
    HeaderField("gid", "u32", 56, "real group id"),
    HeaderField("loginuid", "u32", 60, "audit login uid; 0xffffffff when unset"),
    HeaderField("cgroup", "u64", 64, "cgroup v2 id (inode number of its folder)"),
    HeaderField("mntns", "u32", 72, "mount namespace inode number"),
    HeaderField("pidns", "u32", 76, "pid namespace inode number"),
    HeaderField("ret", "s64", 80, "return value of the call; a negative errno when it failed"),
    HeaderField("comm", "char[16]", 88, "thread name, NUL padded"),
    HeaderField("a", "u64[4]", 104, "arguments, see KINDS"),
    HeaderField("slen", "u16[4]", 136, "length in bytes of each string, which follow back to back from 144"),
)
HEADER_SIZE: Final = 144


@dataclass(frozen=True, slots=True)
class Kind:
    """One event kind: its number, ring, and what its argument and string slots hold."""

    number: int
    name: str
    ring: Ring
    args: tuple[str, ...]
    strings: tuple[str, ...]

    @property
    def bit(self) -> int:
        """This kind's bit in a subscription or kernel mask (64 bits wide)."""
        return 1 << self.number


# Numbers are for ever: they are in recordings and in compiled rules. New kinds are appended.
KINDS: Final = (
    Kind(1, "exec", Ring.LIFECYCLE, ("exe_flags", "inode", "caps", "argc"), ("exe", "argv", "cwd", "tty")),
    Kind(2, "exec_failed", Ring.LIFECYCLE, (), ("path",)),
    Kind(3, "fork", Ring.LIFECYCLE, ("child_pid", "child_start"), ()),
    Kind(4, "exit", Ring.LIFECYCLE, ("exit_code", "signal"), ()),
    Kind(5, "open", Ring.BULK, ("flags", "mode", "inode", "call"), ("path",)),
    Kind(6, "unlink", Ring.BULK, ("flags",), ("path",)),
    Kind(7, "rename", Ring.BULK, ("flags",), ("path", "new_path")),
    Kind(8, "chmod", Ring.BULK, ("mode",), ("path",)),
    Kind(9, "connect", Ring.BULK, ("fd", "family", "port", "local_port"), ("addr",)),
    Kind(10, "bind", Ring.BULK, ("fd", "family", "port"), ("addr",)),
    Kind(11, "accept", Ring.BULK, ("fd", "family", "port", "local_port"), ("addr",)),
    Kind(12, "ptrace", Ring.LIFECYCLE, ("request", "target_pid", "address", "data"), ()),
    Kind(13, "setuid", Ring.LIFECYCLE, ("call", "id1", "id2", "id3"), ()),
    Kind(14, "memfd_create", Ring.LIFECYCLE, ("flags",), ("name",)),
    Kind(15, "mount", Ring.LIFECYCLE, ("flags",), ("path", "source", "fstype")),
    Kind(16, "init_module", Ring.LIFECYCLE, ("call", "fd", "length"), ("path", "params")),
    Kind(17, "bpf", Ring.LIFECYCLE, ("command", "prog_type"), ("name",)),
    Kind(18, "kill", Ring.BULK, ("target_pid", "signal", "call"), ()),
    # Only a socket put onto descriptor 0, 1 or 2: what a remote shell does before it execs.
    Kind(19, "dup", Ring.LIFECYCLE, ("old_fd", "new_fd", "family", "port"), ("addr",)),
    Kind(20, "link", Ring.BULK, ("flags",), ("path", "new_path")),
    Kind(21, "symlink", Ring.BULK, (), ("path", "target")),
    Kind(22, "mkdir", Ring.BULK, ("mode",), ("path",)),
    Kind(23, "chown", Ring.BULK, ("owner", "group"), ("path",)),
    Kind(24, "truncate", Ring.BULK, ("length",), ("path",)),
    Kind(25, "listen", Ring.BULK, ("fd", "family", "port", "backlog"), ("addr",)),
    # Only those that see or forge packets: AF_PACKET, AF_XDP, and raw internet sockets.
    Kind(26, "socket", Ring.BULK, ("fd", "family", "socket_type", "protocol"), ()),
    # A message to port 53: what it asks for.
    Kind(27, "dns", Ring.BULK, ("fd", "family", "port", "query_type"), ("addr", "name")),
    Kind(28, "process_vm_write", Ring.LIFECYCLE, ("target_pid", "address", "length"), ()),
    Kind(29, "pivot_root", Ring.LIFECYCLE, (), ("path", "put_old")),
    Kind(30, "unshare", Ring.LIFECYCLE, ("flags",), ()),
    Kind(31, "setns", Ring.LIFECYCLE, ("fd", "flags", "inode"), ()),
    Kind(32, "capset", Ring.LIFECYCLE, ("effective", "permitted", "inheritable"), ()),
    Kind(33, "prctl", Ring.BULK, ("option", "arg2", "arg3"), ("name",)),
    # Only where memory becomes executable.
    Kind(34, "mprotect", Ring.BULK, ("address", "length", "protection"), ()),
    Kind(35, "io_uring_setup", Ring.LIFECYCLE, ("entries", "flags"), ()),
    # What an io_uring was given that is no kind of its own; an open through it is an open, and so on.
    Kind(36, "io_uring", Ring.BULK, ("opcode", "fd"), ()),
    Kind(37, "umount", Ring.LIFECYCLE, ("flags",), ("path",)),
    # A path in user memory was another one when the call began than when it ended.
    Kind(38, "argument_race", Ring.BULK, ("during",), ("path", "before")),
    # Events of a process that was over its limit, and of one kind, were not reported: how many.
    Kind(39, "suppressed", Ring.LIFECYCLE, ("suppressed_kind", "count"), ()),
    # A cgroup of version 2 begins: from its id alone nobody could tell its path once it is gone.
    Kind(40, "cgroup_mkdir", Ring.LIFECYCLE, ("new_cgroup",), ("path",)),
)
KIND_BY_NAME: Final = {kind.name: kind for kind in KINDS}
KIND_BY_NUMBER: Final = {kind.number: kind for kind in KINDS}
ALL_KINDS: Final = sum(kind.bit for kind in KINDS)
# Kernel-side counters are arrays indexed by kind number.
KIND_SLOTS: Final = 64

EXE_MEMFD: Final = 1  # exec's exe_flags: the program is a memfd
EXE_DELETED: Final = 2  # the program file has no name any more
# The ``call`` of each kind that has one, by number.
SETUID_CALLS: Final = (
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid",
)  # fmt: skip
KILL_CALLS: Final = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
MODULE_CALLS: Final = ("init_module", "finit_module")
OPEN_CALLS: Final = ("open", "creat", "openat", "openat2", "open_by_handle_at", "io_uring")
CALL_NAMES: Final = {"setuid": SETUID_CALLS, "kill": KILL_CALLS, "init_module": MODULE_CALLS, "open": OPEN_CALLS}


def mask_of(names: list[str] | tuple[str, ...]) -> int:
    """The subscription mask of these kind names. Raises KeyError for a name that is no kind."""
    return sum({KIND_BY_NAME[name].bit for name in names})
