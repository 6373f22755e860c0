"""Names of the kernel's numbers: open flags, signals, address families, requests, capabilities.

Source: the Linux UAPI headers (asm-generic/fcntl.h, linux/{memfd,fs,mount,ptrace,bpf,capability,
sched,prctl,io_uring}.h)
and, for the types of DNS records, IANA.
"""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Mapping
from typing import Final

_ACCESS_MODES: Final = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")
_OPEN_BITS: Final = {
    0x40: "O_CREAT", 0x80: "O_EXCL", 0x100: "O_NOCTTY", 0x200: "O_TRUNC", 0x400: "O_APPEND", 0x800: "O_NONBLOCK",
    0x1000: "O_DSYNC", 0x4000: "O_DIRECT", 0x8000: "O_LARGEFILE", 0x10000: "O_DIRECTORY", 0x20000: "O_NOFOLLOW",
    0x40000: "O_NOATIME", 0x80000: "O_CLOEXEC", 0x100000: "__O_SYNC", 0x200000: "O_PATH", 0x400000: "__O_TMPFILE",
}  # fmt: skip
_LINK_BITS: Final = {0x400: "AT_SYMLINK_FOLLOW", 0x1000: "AT_EMPTY_PATH"}
_UMOUNT_BITS: Final = {1: "MNT_FORCE", 2: "MNT_DETACH", 4: "MNT_EXPIRE", 8: "UMOUNT_NOFOLLOW"}
_CLONE_BITS: Final = {
    0x80: "CLONE_NEWTIME", 0x100: "CLONE_VM", 0x200: "CLONE_FS", 0x400: "CLONE_FILES", 0x800: "CLONE_SIGHAND",
    0x10000: "CLONE_THREAD", 0x20000: "CLONE_NEWNS", 0x40000: "CLONE_SYSVSEM", 0x2000000: "CLONE_NEWCGROUP",
    0x4000000: "CLONE_NEWUTS", 0x8000000: "CLONE_NEWIPC", 0x10000000: "CLONE_NEWUSER", 0x20000000: "CLONE_NEWPID",
    0x40000000: "CLONE_NEWNET",
}  # fmt: skip
_IO_URING_BITS: Final = {
    bit: f"IORING_SETUP_{name}"
    for bit, name in {
        1: "IOPOLL", 2: "SQPOLL", 4: "SQ_AFF", 8: "CQSIZE", 16: "CLAMP", 32: "ATTACH_WQ", 64: "R_DISABLED",
        128: "SUBMIT_ALL", 256: "COOP_TASKRUN", 512: "TASKRUN_FLAG", 1024: "SQE128", 2048: "CQE32",
        4096: "SINGLE_ISSUER", 8192: "DEFER_TASKRUN", 16384: "NO_MMAP", 32768: "REGISTERED_FD_ONLY",
        65536: "NO_SQARRAY",
    }.items()
}  # fmt: skip
PROTECTION_BITS: Final = {1: "PROT_READ", 2: "PROT_WRITE", 4: "PROT_EXEC", 8: "PROT_SEM", 1 << 24: "PROT_GROWSDOWN"}
_UNLINK_BITS: Final = {0x200: "AT_REMOVEDIR"}
_RENAME_BITS: Final = {1: "RENAME_NOREPLACE", 2: "RENAME_EXCHANGE", 4: "RENAME_WHITEOUT"}
_MEMFD_BITS: Final = {1: "MFD_CLOEXEC", 2: "MFD_ALLOW_SEALING", 4: "MFD_HUGETLB", 8: "MFD_NOEXEC_SEAL", 16: "MFD_EXEC"}
_MOUNT_BITS: Final = {
    1: "MS_RDONLY", 2: "MS_NOSUID", 4: "MS_NODEV", 8: "MS_NOEXEC", 16: "MS_SYNCHRONOUS", 32: "MS_REMOUNT",
    1024: "MS_NOATIME", 2048: "MS_NODIRATIME", 4096: "MS_BIND", 8192: "MS_MOVE", 16384: "MS_REC", 32768: "MS_SILENT",
    1 << 17: "MS_UNBINDABLE", 1 << 18: "MS_PRIVATE", 1 << 19: "MS_SLAVE", 1 << 20: "MS_SHARED", 1 << 21: "MS_RELATIME",
    1 << 24: "MS_STRICTATIME", 1 << 25: "MS_LAZYTIME",
}  # fmt: skip
FLAG_BITS: Final[Mapping[str, Mapping[int, str]]] = {
    "unlink": _UNLINK_BITS, "rename": _RENAME_BITS, "memfd_create": _MEMFD_BITS, "mount": _MOUNT_BITS,
    "link": _LINK_BITS, "umount": _UMOUNT_BITS, "unshare": _CLONE_BITS, "setns": _CLONE_BITS,
    "io_uring_setup": _IO_URING_BITS,
}  # fmt: skip

PTRACE_REQUESTS: Final = {
    0: "PTRACE_TRACEME", 1: "PTRACE_PEEKTEXT", 2: "PTRACE_PEEKDATA", 3: "PTRACE_PEEKUSER", 4: "PTRACE_POKETEXT",
    5: "PTRACE_POKEDATA", 6: "PTRACE_POKEUSER", 7: "PTRACE_CONT", 8: "PTRACE_KILL", 9: "PTRACE_SINGLESTEP",
    12: "PTRACE_GETREGS", 13: "PTRACE_SETREGS", 14: "PTRACE_GETFPREGS", 15: "PTRACE_SETFPREGS", 16: "PTRACE_ATTACH",
    17: "PTRACE_DETACH", 24: "PTRACE_SYSCALL", 0x4200: "PTRACE_SETOPTIONS", 0x4201: "PTRACE_GETEVENTMSG",
    0x4202: "PTRACE_GETSIGINFO", 0x4203: "PTRACE_SETSIGINFO", 0x4204: "PTRACE_GETREGSET", 0x4205: "PTRACE_SETREGSET",
    0x4206: "PTRACE_SEIZE", 0x4207: "PTRACE_INTERRUPT", 0x4208: "PTRACE_LISTEN",
}  # fmt: skip

BPF_COMMANDS: Final = dict(
    enumerate(
        (
            "BPF_MAP_CREATE", "BPF_MAP_LOOKUP_ELEM", "BPF_MAP_UPDATE_ELEM", "BPF_MAP_DELETE_ELEM",
            "BPF_MAP_GET_NEXT_KEY", "BPF_PROG_LOAD", "BPF_OBJ_PIN", "BPF_OBJ_GET", "BPF_PROG_ATTACH",
            "BPF_PROG_DETACH", "BPF_PROG_TEST_RUN", "BPF_PROG_GET_NEXT_ID", "BPF_MAP_GET_NEXT_ID",
            "BPF_PROG_GET_FD_BY_ID", "BPF_MAP_GET_FD_BY_ID", "BPF_OBJ_GET_INFO_BY_FD", "BPF_PROG_QUERY",
            "BPF_RAW_TRACEPOINT_OPEN", "BPF_BTF_LOAD", "BPF_BTF_GET_FD_BY_ID", "BPF_TASK_FD_QUERY",
            "BPF_MAP_LOOKUP_AND_DELETE_ELEM", "BPF_MAP_FREEZE", "BPF_BTF_GET_NEXT_ID", "BPF_MAP_LOOKUP_BATCH",
            "BPF_MAP_LOOKUP_AND_DELETE_BATCH", "BPF_MAP_UPDATE_BATCH", "BPF_MAP_DELETE_BATCH", "BPF_LINK_CREATE",
            "BPF_LINK_UPDATE", "BPF_LINK_GET_FD_BY_ID", "BPF_LINK_GET_NEXT_ID", "BPF_ENABLE_STATS",
            "BPF_ITER_CREATE", "BPF_LINK_DETACH", "BPF_PROG_BIND_MAP", "BPF_TOKEN_CREATE",
        )
    )
)  # fmt: skip

PRCTL_OPTIONS: Final = {
    1: "PR_SET_PDEATHSIG", 4: "PR_SET_DUMPABLE", 8: "PR_SET_KEEPCAPS", 15: "PR_SET_NAME", 22: "PR_SET_SECCOMP",
    24: "PR_CAPBSET_DROP", 28: "PR_SET_SECUREBITS", 35: "PR_SET_MM", 36: "PR_SET_CHILD_SUBREAPER",
    38: "PR_SET_NO_NEW_PRIVS", 47: "PR_CAP_AMBIENT", 0x59616D61: "PR_SET_PTRACER",
}  # fmt: skip

SOCKET_TYPES: Final = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 5: "SOCK_SEQPACKET"}

DNS_TYPES: Final = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV",
    35: "NAPTR", 41: "OPT", 43: "DS", 46: "RRSIG", 48: "DNSKEY", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 252: "AXFR",
    255: "ANY", 257: "CAA",
}  # fmt: skip

IO_URING_OPCODES: Final = dict(
    enumerate(
        f"IORING_OP_{name}"
        for name in (
            "NOP", "READV", "WRITEV", "FSYNC", "READ_FIXED", "WRITE_FIXED", "POLL_ADD", "POLL_REMOVE",
            "SYNC_FILE_RANGE", "SENDMSG", "RECVMSG", "TIMEOUT", "TIMEOUT_REMOVE", "ACCEPT", "ASYNC_CANCEL",
            "LINK_TIMEOUT", "CONNECT", "FALLOCATE", "OPENAT", "CLOSE", "FILES_UPDATE", "STATX", "READ", "WRITE",
            "FADVISE", "MADVISE", "SEND", "RECV", "OPENAT2", "EPOLL_CTL", "SPLICE", "PROVIDE_BUFFERS",
            "REMOVE_BUFFERS", "TEE", "SHUTDOWN", "RENAMEAT", "UNLINKAT", "MKDIRAT", "SYMLINKAT", "LINKAT", "MSG_RING",
            "FSETXATTR", "SETXATTR", "FGETXATTR", "GETXATTR", "SOCKET", "URING_CMD", "SEND_ZC", "SENDMSG_ZC",
            "READ_MULTISHOT", "WAITID", "FUTEX_WAIT", "FUTEX_WAKE", "FUTEX_WAITV", "FIXED_FD_INSTALL", "FTRUNCATE",
            "BIND", "LISTEN", "RECV_ZC", "EPOLL_WAIT", "READV_FIXED", "WRITEV_FIXED", "PIPE",
        )
    )
)  # fmt: skip

_CAPABILITIES: Final = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip
_ALL_CAPABILITIES: Final = (1 << len(_CAPABILITIES)) - 1


def _bits(value: int, names: Mapping[int, str]) -> list[str]:
    found = [name for bit, name in names.items() if value & bit]
    rest = value & ~sum(names)
    return [*found, hex(rest)] if rest else found


def open_flags(value: int) -> str:
    """``O_WRONLY|O_CREAT``: the access mode, then each bit; unknown bits as one hex number."""
    return "|".join([_ACCESS_MODES[value & 3], *_bits(value & ~3, _OPEN_BITS)])


def protection(value: int) -> str:
    """``PROT_READ|PROT_EXEC``."""
    return "|".join(_bits(value, PROTECTION_BITS)) or "PROT_NONE"


def flag_names(kind: str, value: int) -> str:
    """The flags of this kind of event by name, ``0`` when none is set."""
    if kind == "open":
        return open_flags(value)
    return "|".join(_bits(value, FLAG_BITS[kind])) or "0"


def open_flag_value(text: str) -> int:
    """The number of ``O_WRONLY|O_CREAT``. Raises ValueError for a name that is no open flag."""
    values = {name: bit for bit, name in _OPEN_BITS.items()} | {name: i for i, name in enumerate(_ACCESS_MODES)}
    total = 0
    for name in text.split("|"):
        if name not in values:
            raise ValueError(f"{name} is not an open flag")
        total |= values[name]
    return total


def family_name(number: int) -> str:
    """``AF_INET`` of 2; the number itself when it has no name."""
    try:
        return socket.AddressFamily(number).name
    except ValueError:
        return str(number)


def signal_name(number: int) -> str:
    """``SIGKILL`` of 9; the number itself when it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def error_name(ret: int) -> str:
    """``ENOENT`` of -2, empty for a result that is no error."""
    return errno.errorcode.get(-ret, f"errno {-ret}") if -4096 < ret < 0 else ""


def capability_names(mask: int) -> str:
    """``all``, ``none`` or the names, comma separated."""
    if mask & _ALL_CAPABILITIES == 0:
        return "none"
    # A kernel older than the newest capability fills fewer bits: 37 was the last before 5.8.
    if mask | (7 << 38) >= _ALL_CAPABILITIES:
        return "all"
    return ",".join(name for bit, name in enumerate(_CAPABILITIES) if mask >> bit & 1)


def capability_mask(text: str) -> int:
    """The bits of ``all``, ``none`` or comma-separated names. Raises ValueError for a name that is no capability."""
    if text in ("all", "none"):
        return _ALL_CAPABILITIES if text == "all" else 0
    return sum({1 << _CAPABILITIES.index(name) for name in text.split(",")})
