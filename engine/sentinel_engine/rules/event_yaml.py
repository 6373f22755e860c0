"""One event written by hand, as in ``tests.yaml``, encoded as the kernel would have written it."""

from __future__ import annotations

import difflib
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from sentinel_engine import constants
from sentinel_engine.collector.syscalls import CALLS
from sentinel_engine.records import encode
from sentinel_engine.schema import (
    CALL_NAMES,
    COMM_SIZE,
    EXE_DELETED,
    EXE_MEMFD,
    KIND_BY_NAME,
    MAX_ARGV,
    MAX_PATH,
    Kind,
    RecordFlag,
)

# What an event has when a test does not say: an ordinary process of an ordinary user.
_DEFAULT_PID: Final = 1000
_DEFAULT_UID: Final = 1000
_U64: Final = 0xFFFFFFFFFFFFFFFF
_U32: Final = 0xFFFFFFFF
# Header fields with the contract's own names, and their largest value.
_HEADER: Final = dict.fromkeys(("uid", "euid", "gid", "ppid", "loginuid", "mntns", "pidns"), _U32) | {"cgroup": _U64}
_OWN_KEYS: Final = ("kind", "pid", "tid", "start", "ret", "comm", "marks", *_HEADER)
# Kinds whose path is what the program passed, not what the kernel resolved.
_PASSED_PATHS: Final = frozenset({call.kind for call in CALLS if call.racy})
_EXE_FLAGS: Final = {"memfd": EXE_MEMFD, "deleted": EXE_DELETED}


class EventError(ValueError):
    """An event that makes no sense; the text and ``fix`` are each a sentence without a stop."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


def encode_event(fields: Mapping[str, Any], *, order: int = 0) -> bytes:
    """The record of an event given by the contract's field names; ``order`` is its place in time.

    Numbers may be written by name (``O_RDONLY``, ``SIGKILL``, ``-EACCES``, ``PTRACE_ATTACH``). Raises EventError.
    """
    kind = _kind(fields)
    known = [*_OWN_KEYS, *kind.args, *kind.strings]
    for key in fields:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"{kind.name} has {', '.join((*kind.args, *kind.strings))}"
            raise EventError(f"unknown field {key!r} of {kind.name}", fix)
    pid = _number("pid", fields.get("pid", _DEFAULT_PID))
    uid = _number("uid", fields.get("uid", _DEFAULT_UID))
    ret = _result(fields.get("ret", 0))
    header = {"uid": uid, "euid": uid, "gid": uid, "ppid": 1}
    header |= {name: _number(name, fields[name], high=_HEADER[name]) for name in _HEADER if name in fields}
    return encode(
        kind,
        args=tuple(_argument(kind, name, fields) for name in kind.args),
        strings=tuple(_string(name, fields.get(name, "")) for name in kind.strings),
        comm=_limited("comm", _bytes("comm", fields.get("comm", "test")), COMM_SIZE - 1),
        flags=_marks(kind, fields, ret),
        boot_ns=10**9 + order * 10**6,
        cpu_seq=order + 1,
        tgid=pid,
        tid=_number("tid", fields.get("tid", pid)),
        # A process starts at the "time" of its own id unless a test says otherwise, so that what a fork names as its
        # child is the same process in later events.
        leader_start=_number("start", fields.get("start", pid), high=_U64),
        ret=ret,
        **header,
    )


def _kind(fields: Mapping[str, Any]) -> Kind:
    name = fields.get("kind")
    if name not in KIND_BY_NAME:
        near = difflib.get_close_matches(str(name), list(KIND_BY_NAME), n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(KIND_BY_NAME)}"
        raise EventError(f"unknown kind {name!r}" if "kind" in fields else "an event has no kind", fix)
    return KIND_BY_NAME[name]


def _argument(kind: Kind, name: str, fields: Mapping[str, Any]) -> int:
    if name == "family":
        value = fields.get(name, _family_of(fields.get("addr", "")))
    elif name == "child_start":
        value = fields.get(name, fields.get("child_pid", 0))
    else:
        value = fields.get(name, 0)
    if isinstance(value, int):
        return value & _U64
    try:
        return _NAMED[name](kind, value)
    except (KeyError, ValueError, AttributeError, TypeError):
        raise EventError(f"{name}: {value!r} is no value of {kind.name}'s {name}", "use its name or number") from None


def _flags(kind: Kind, value: str) -> int:
    if kind.name == "open":
        return constants.open_flag_value(value)
    bits = {name: bit for bit, name in constants.FLAG_BITS[kind.name].items()}
    return sum({bits[name] for name in value.split("|")})


def _call(kind: Kind, value: str) -> int:
    return CALL_NAMES[kind.name].index(value)


def _number_of(names: Mapping[int, str], value: str) -> int:
    """The key of this name; raises KeyError when there is none."""
    return {name: number for number, name in names.items()}[value]


def _capabilities(_: Kind, value: str) -> int:
    return constants.capability_mask(value)


def _kind_number(_: Kind, value: str) -> int:
    return KIND_BY_NAME[value].number


_NAMED: Final[dict[str, Callable[[Kind, Any], int]]] = {
    "flags": _flags,
    "call": _call,
    "mode": lambda _, value: int(value, 8),
    "family": lambda _, value: int(socket.AddressFamily[value]),
    "signal": lambda _, value: int(signal.Signals[value]),
    "request": lambda _, value: _number_of(constants.PTRACE_REQUESTS, value),
    "command": lambda _, value: _number_of(constants.BPF_COMMANDS, value),
    "option": lambda _, value: _number_of(constants.PRCTL_OPTIONS, value),
    "socket_type": lambda _, value: _number_of(constants.SOCKET_TYPES, value),
    "query_type": lambda _, value: _number_of(constants.DNS_TYPES, value),
    "opcode": lambda _, value: _number_of(constants.IO_URING_OPCODES, value),
    "protection": lambda _, value: sum({_number_of(constants.PROTECTION_BITS, one) for one in value.split("|")}),
    "effective": _capabilities,
    "permitted": _capabilities,
    "inheritable": _capabilities,
    "during": _kind_number,
    "suppressed_kind": _kind_number,
    "exe_flags": lambda _, value: sum({_EXE_FLAGS[flag] for flag in value}),
}


def _string(name: str, value: Any) -> bytes:
    if name == "argv":
        words = value if isinstance(value, list) else [value] if value else []
        return _limited(name, b"".join(_bytes(name, word) + b"\0" for word in words), MAX_ARGV)
    if name == "addr" and (ip := _ip(value)) is not None:
        return ip.packed
    return _limited(name, _bytes(name, value), MAX_PATH)


def _bytes(name: str, value: Any) -> bytes:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)  # an argument such as 4444 needs no quotes
    if not isinstance(value, (str, bytes)):
        raise EventError(f"{name}: expected text", "put it in quotes; bytes that are not UTF-8 are written as !!binary")
    return value.encode() if isinstance(value, str) else value


def _limited(name: str, value: bytes, limit: int) -> bytes:
    if len(value) > limit:
        raise EventError(f"{name}: is longer than {limit} bytes", "the kernel side would cut it: shorten it")
    return value


def _ip(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _family_of(addr: Any) -> int:
    ip = _ip(addr)
    if ip is None:
        return int(socket.AF_UNIX) if addr else 0
    return int(socket.AF_INET if ip.version == 4 else socket.AF_INET6)


def _number(name: str, value: Any, low: int = 0, high: int = _U32) -> int:
    if not isinstance(value, int) or not low <= value <= high:
        raise EventError(f"{name}: {value!r} is not a number from {low} to {high}", "write the number the kernel gives")
    return value


def _result(value: Any) -> int:
    if isinstance(value, str) and value.removeprefix("-") in errno.errorcode.values():
        return -int(getattr(errno, value.removeprefix("-")))
    return _number("ret", value, -(1 << 63), (1 << 63) - 1)


def _marks(kind: Kind, fields: Mapping[str, Any], ret: int) -> int:
    if "marks" not in fields:
        return RecordFlag.USER_PTR if kind.name in _PASSED_PATHS or ret < 0 else 0
    names = {flag.name.lower(): flag for flag in RecordFlag if flag.name}
    try:
        return sum({names[mark] for mark in fields["marks"]})
    except (KeyError, TypeError):
        raise EventError("marks: holds an unknown mark", f"use a list of {', '.join(names)}") from None
