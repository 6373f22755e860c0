"""One record as the event object of the contract, and as one line for the stream."""

from __future__ import annotations

import ipaddress
import re
import shlex
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sentinel_engine import constants
from sentinel_engine.cgroups import NO_WORKLOAD, Workload
from sentinel_engine.records import UNSET_ID, Clock, Record
from sentinel_engine.schema import CALL_NAMES, EXE_DELETED, EXE_MEMFD, KIND_BY_NUMBER, RecordFlag
from sentinel_engine.text import inert, lossless, twin

if TYPE_CHECKING:
    from sentinel_engine.processes import Image

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10


def rfc3339(epoch_ns: int) -> str:
    """UTC time with nanoseconds, ``2026-11-23T04:31:48.123456789Z``."""
    seconds, nanoseconds = divmod(epoch_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


def epoch_ns(text: str) -> int:
    """What :func:`rfc3339` was given. Raises ValueError for text in any other form."""
    if len(text) != 30 or text[19] != "." or text[29] != "Z":
        raise ValueError(f"{text!r} is no time in UTC with nanoseconds")
    return int(datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()) * 1_000_000_000 + int(text[20:29])


class TextFields:
    """Collects text fields and, beside them, the exact bytes of those that are not plain UTF-8."""

    def __init__(self) -> None:
        self.twins: dict[str, Any] = {}

    def one(self, name: str, raw: bytes) -> str:
        """This field as text; its twin is kept when it needs one."""
        if (exact := twin(raw)) is not None:
            self.twins[name] = exact
        return lossless(raw)

    def many(self, name: str, raws: tuple[bytes, ...]) -> list[str]:
        """A list field as texts; twins by index."""
        exact = {str(i): t for i, raw in enumerate(raws) if (t := twin(raw)) is not None}
        if exact:
            self.twins[name] = exact
        return [lossless(raw) for raw in raws]


def split_argv(raw: bytes) -> tuple[bytes, ...]:
    """The arguments in a NUL-separated block; a block cut short keeps its last, partial one."""
    return tuple(raw.removesuffix(b"\0").split(b"\0")) if raw else ()


def exe_flag_names(flags: int) -> list[str]:
    """What is odd about a program file: ``memfd``, ``deleted``."""
    return [name for bit, name in ((EXE_MEMFD, "memfd"), (EXE_DELETED, "deleted")) if flags & bit]


def workload_fields(workload: Workload, text: TextFields) -> dict[str, str]:
    """``container`` and ``container_id``, or ``unit``; nothing when neither is known."""
    fields = {"container": workload.container, "container_id": workload.container_id, "unit": workload.unit}
    return {name: text.one(name, raw) for name, raw in fields.items() if raw}


def event_dict(
    record: Record, clock: Clock, image: Image | None = None, workload: Workload = NO_WORKLOAD
) -> dict[str, Any]:
    """The ``event`` object: header, the kind's own fields, and the process image for the rest."""
    text = TextFields()
    event: dict[str, Any] = {
        "type": "event",
        "seq": record.seq,
        "time": rfc3339(clock.epoch_ns(record.boot_ns)),
        "kind": record.kind.name,
        "pid": record.tgid,
        "tid": record.tid,
        "ppid": record.ppid,
        "uid": record.uid,
        "euid": record.euid,
        "gid": record.gid,
        "comm": text.one("comm", record.comm),
    }
    if record.loginuid != UNSET_ID:
        event["loginuid"] = record.loginuid
    if image is not None and record.kind.name != "exec":
        event["exe"] = text.one("exe", image.exe)
        event["argv"] = text.many("argv", image.argv)
        event["cwd"] = text.one("cwd", image.cwd)
        if image.tty:
            event["tty"] = text.one("tty", image.tty)
    event["ret"] = record.ret
    _own_fields(record, event, text)
    if image is not None and image.exe_flags:
        event["exe_flags"] = exe_flag_names(image.exe_flags)
    event["cgroup"] = record.cgroup
    event |= workload_fields(workload, text)
    event["mntns"], event["pidns"] = record.mntns, record.pidns
    event["cpu"], event["cpu_seq"] = record.cpu, record.cpu_seq
    if record.flags:
        event["marks"] = [flag.name.lower() for flag in RecordFlag if flag in record.flags and flag.name]
    if text.twins:
        event["raw_b64"] = text.twins
    return event


def _own_fields(record: Record, event: dict[str, Any], text: TextFields) -> None:
    for name, value in zip(record.kind.args, record.args, strict=False):
        event[name] = _ARGUMENTS[name](record, value) if name in _ARGUMENTS else value
    for name, raw in zip(record.kind.strings, record.strings, strict=False):
        if name == "argv":
            event[name] = text.many(name, split_argv(raw))
        elif name == "addr":
            event[name] = _address(record, raw, text)
        elif raw or name in {"path", "exe"}:
            event[name] = text.one(name, raw)


def _address(record: Record, raw: bytes, text: TextFields) -> str:
    family = record.arg("family")
    if (family, len(raw)) in {(_AF_INET, 4), (_AF_INET6, 16)}:
        return str(ipaddress.ip_address(raw))
    # An abstract unix address begins with NUL, which ss and lsof write as @.
    return text.one("addr", b"@" + raw[1:] if raw[:1] == b"\0" else raw)


def _flags(record: Record, value: int) -> str:
    return constants.flag_names(record.kind.name, value)


def _call(record: Record, value: int) -> str:
    names = CALL_NAMES[record.kind.name]
    return names[value] if value < len(names) else str(value)


def _signed32(_: Record, value: int) -> int:
    return int.from_bytes((value & 0xFFFFFFFF).to_bytes(4, "little"), "little", signed=True)


def _kind_name(_: Record, value: int) -> str:
    return KIND_BY_NUMBER[value].name if value in KIND_BY_NUMBER else str(value)


def _capabilities(_: Record, value: int) -> str:
    return constants.capability_names(value)


_ARGUMENTS: Final[dict[str, Callable[[Record, int], Any]]] = {
    "flags": _flags,
    "call": _call,
    "exe_flags": lambda _, value: exe_flag_names(value),
    "mode": lambda _, value: f"0{value & 0o7777:o}",
    "family": lambda _, value: constants.family_name(value),
    "signal": lambda _, value: constants.signal_name(value) if value else "",
    "request": lambda _, value: constants.PTRACE_REQUESTS.get(value, hex(value)),
    "command": lambda _, value: constants.BPF_COMMANDS.get(value, str(value)),
    "caps": _capabilities,
    "effective": _capabilities,
    "permitted": _capabilities,
    "inheritable": _capabilities,
    "option": lambda _, value: constants.PRCTL_OPTIONS.get(value, str(value)),
    "protection": lambda _, value: constants.protection(value),
    "socket_type": lambda _, value: constants.SOCKET_TYPES.get(value, str(value)),
    "query_type": lambda _, value: constants.DNS_TYPES.get(value, str(value)),
    "opcode": lambda _, value: constants.IO_URING_OPCODES.get(value, str(value)),
    "during": _kind_name,
    "suppressed_kind": _kind_name,
    "owner": _signed32,
    "group": _signed32,
    "target_pid": _signed32,
    "fd": _signed32,
    "id1": _signed32,
    "id2": _signed32,
    "id3": _signed32,
}


def detail(event: dict[str, Any]) -> str:
    """What the stream shows beside time, kind, pid and comm: one line, not yet inert."""
    return "  ".join(filter(None, columns(event)))


def columns(event: dict[str, Any]) -> tuple[str, str, str]:
    """The same in three: what was done to what, how (flags, mode, size), and the name of the error."""
    kind = event["kind"]
    how = _HOW[kind](event) if kind in _HOW else ""
    return _DETAILS[kind](event), how, constants.error_name(event["ret"])


def endpoint(event: dict[str, Any]) -> str:
    """``10.0.0.5:80``, ``[::1]:80`` or the unix path."""
    if event["family"] == "AF_INET6":
        return f"[{event['addr']}]:{event['port']}"
    return f"{event['addr']}:{event['port']}" if event["family"] == "AF_INET" else event["addr"] or event["family"]


def _exit(event: dict[str, Any]) -> str:
    return f"killed by {event['signal']}" if event["signal"] else f"code {event['exit_code']}"


def _setuid(event: dict[str, Any]) -> str:
    taken = {"setreuid": 2, "setregid": 2, "setresuid": 3, "setresgid": 3}.get(event["call"], 1)
    return f"{event['call']}({', '.join(str(event[f'id{i}']) for i in range(1, taken + 1))})"


_DETAILS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "exec": lambda e: shlex.join(e["argv"]) or e["exe"],
    "exec_failed": lambda e: e["path"],
    "fork": lambda e: f"→ {e['child_pid']}",
    "exit": _exit,
    "open": lambda e: e["path"],
    "unlink": lambda e: e["path"],
    "rename": lambda e: f"{e['path']} → {e.get('new_path', '')}",
    "chmod": lambda e: e["path"],
    "connect": lambda e: f"→ {endpoint(e)}",
    "bind": endpoint,
    "accept": lambda e: f"← {endpoint(e)}",
    "ptrace": lambda e: f"{e['request']} {e['target_pid']}",
    "setuid": _setuid,
    "memfd_create": lambda e: e.get("name", ""),
    "mount": lambda e: f"{e.get('source', '')} on {e['path']} type {e.get('fstype', '')}",
    "init_module": lambda e: f"{e['path'] or e['call']} {e.get('params', '')}".rstrip(),
    "bpf": lambda e: f"{e['command']} {e.get('name', '')}".rstrip(),
    "kill": lambda e: f"{e['signal']} → {e['target_pid']}",
    "dup": lambda e: f"{e['old_fd']} → {e['new_fd']}  {endpoint(e)}",
    "link": lambda e: f"{e['path']} → {e.get('new_path', '')}",
    "symlink": lambda e: f"{e['path']} → {e.get('target', '')}",
    "mkdir": lambda e: e["path"],
    "chown": lambda e: e["path"],
    "truncate": lambda e: e["path"],
    "listen": endpoint,
    "socket": lambda e: f"{e['family']} {e['socket_type']} protocol {e['protocol']}",
    "dns": lambda e: f"{e.get('name') or '.'} {e['query_type']} → {endpoint(e)}",
    "process_vm_write": lambda e: f"→ {e['target_pid']}  {e['length']} bytes at {e['address']:#x}",
    "pivot_root": lambda e: f"{e['path']}  old root on {e.get('put_old', '')}",
    "unshare": lambda e: e["flags"],
    "setns": lambda e: f"{e['flags']}  namespace {e['inode']}",
    "capset": lambda e: f"effective {e['effective']}  permitted {e['permitted']}",
    "prctl": lambda e: f"{e['option']} {e.get('name') or e['arg2']}",
    "mprotect": lambda e: f"{e['protection']}  {e['length']} bytes at {e['address']:#x}",
    "io_uring_setup": lambda e: f"{e['entries']} entries",
    "io_uring": lambda e: f"{e['opcode']} fd {e['fd']}",
    "umount": lambda e: e["path"],
    "argument_race": lambda e: f"{e['during']} of {e['path']}, was {e.get('before', '')}",
    "cgroup_mkdir": lambda e: e["path"],
    "suppressed": lambda e: f"{e['count']} {e['suppressed_kind']} events over the limit",
}
_HOW: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "exec": lambda e: f"[{','.join(e['exe_flags'])}]" if e["exe_flags"] else "",
    "open": lambda e: e["flags"],
    "chmod": lambda e: e["mode"],
    "memfd_create": lambda e: e["flags"],
    "mount": lambda e: e["flags"],
    "mkdir": lambda e: e["mode"],
    "chown": lambda e: f"{e['owner']}:{e['group']}",
    "truncate": lambda e: f"to {e['length']} bytes",
    "io_uring_setup": lambda e: e["flags"],
    "umount": lambda e: e["flags"],
}


_FIELD: Final = re.compile(r"\{(\w+)\}")
_MESSAGE_LIMIT: Final = 512


def message_of(template: str, event: dict[str, Any]) -> str:
    """The template with each ``{field}`` of the event filled in, inert and at most 512 characters."""

    def fill(found: re.Match[str]) -> str:
        value = event.get(found[1], found[0])
        return " ".join(value) if isinstance(value, list) else str(value)

    return inert(_FIELD.sub(fill, template), _MESSAGE_LIMIT)
