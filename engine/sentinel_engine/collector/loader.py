"""Gets bpf/sentinel.bpf.c into the kernel: compiled ahead, by libbpf, or here and now, by BCC.

BCC works in a child process, with the kernel's offsets from its BTF.
"""

from __future__ import annotations

import json
import mmap
import os
import platform
import re
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentinel_engine.collector import core, preflight
from sentinel_engine.collector.btf import VMLINUX, Btf, BtfError, kernel_btf
from sentinel_engine.collector.core import TRACEPOINT_PREFIX
from sentinel_engine.collector.maps import NR_BPF
from sentinel_engine.collector.preflight import Loader, bcc_folder
from sentinel_engine.collector.source import CollectorError
from sentinel_engine.records import Clock
from sentinel_engine.resources import data_dir

_CHILD: Final = Path(__file__).with_name("bcc_child.py")
_MAPS: Final = (
    "calls", "config", "counters", "handlers", "lifecycle", "bulk", "scope_uids", "scope_pids", "scope_cgroups",
)  # fmt: skip
# Every kernel field that the BPF program reaches, as struct.member.
_FIELDS: Final = (
    "cred.cap_effective", "cred.cap_inheritable", "cred.cap_permitted", "cred.euid", "dentry.d_name.name",
    "dentry.d_parent", "fdtable.fd", "fdtable.max_fds", "file.f_inode", "file.f_path", "file.private_data",
    "files_struct.fdt", "fs_struct.pwd", "inode.i_ino", "inode.i_mode", "inode.i_nlink", "inode.i_private",
    "linux_binprm.argc", "mm_struct.arg_end", "mm_struct.arg_start", "mm_struct.exe_file", "mnt_namespace.ns.inum",
    "mount.mnt", "mount.mnt_mountpoint", "mount.mnt_parent", "nsproxy.mnt_ns", "pid.level", "pid.numbers",
    "pid_namespace.idr.idr_rt.xa_head", "pid_namespace.ns.inum", "signal_struct.live", "signal_struct.tty",
    "sock_common.skc_daddr", "sock_common.skc_dport", "sock_common.skc_family", "sock_common.skc_num",
    "sock_common.skc_rcv_saddr", "sock_common.skc_v6_daddr", "sock_common.skc_v6_rcv_saddr", "socket.sk",
    "socket.type", "task_struct.cred", "task_struct.exit_code", "task_struct.files", "task_struct.fs",
    "task_struct.group_leader", "task_struct.mm", "task_struct.nsproxy", "task_struct.pid", "task_struct.real_parent",
    "task_struct.signal", "task_struct.start_boottime", "task_struct.tgid", "task_struct.thread_pid",
    "tty_struct.name", "upid.nr", "upid.ns", "vfsmount.mnt_root", "xa_node.shift", "xa_node.slots",
)  # fmt: skip
_ARCH_FIELDS: Final = {
    "x86_64": (
        "task_struct.thread_info.status",
        *(f"pt_regs.{register}" for register in ("orig_ax", "bx", "cx", "dx", "si", "di", "r8", "r10")),
    ),
    "aarch64": ("task_struct.thread_info.flags", "pt_regs.syscallno", "pt_regs.orig_x0", "pt_regs.regs"),
}
_CGROUPS: Final = "containers that live for a moment (no CONFIG_CGROUPS)"
_IO_URING: Final = "io_uring operations (before Linux 6.3, or no CONFIG_IO_URING)"
# What some kernels lack, by what is absent then: all of a group's fields or none.
_OPTIONAL_FIELDS: Final = {
    "loginuid (no CONFIG_AUDIT)": ("task_struct.loginuid",),
    _CGROUPS: ("cgroup.kn", "cgroup.root", "cgroup_root.hierarchy_id", "kernfs_node.id"),
    _IO_URING: (
    "filename.name", "io_connect.addr", "io_connect.addr_len", "io_kiocb.cmd", "io_kiocb.cqe.fd", "io_kiocb.opcode",
    "io_link.flags", "io_link.new_dfd", "io_link.newpath", "io_link.old_dfd", "io_link.oldpath", "io_mkdir.dfd",
    "io_mkdir.filename", "io_mkdir.mode", "io_open.dfd", "io_open.filename", "io_open.how.flags", "io_open.how.mode",
    "io_rename.flags", "io_rename.new_dfd", "io_rename.newpath", "io_rename.old_dfd", "io_rename.oldpath",
    "io_unlink.dfd", "io_unlink.filename", "io_unlink.flags",
    ),
}  # fmt: skip
_STRUCTS: Final = ("upid",)
TRACEPOINTS: Final = ("sched_process_exec", "sched_process_fork", "sched_process_exit", "sys_enter", "sys_exit")
# Those that some kernels lack, and what is absent then.
_OPTIONAL_TRACEPOINTS: Final = {"io_uring_submit_req": _IO_URING, "cgroup_mkdir": _CGROUPS}
_INCLUDE: Final = re.compile(r'^#include "(\w+\.h)"$', re.MULTILINE)


def tracepoints() -> tuple[str, ...]:
    """Those that the program is attached to on this kernel."""
    types = VMLINUX.read_bytes()
    return TRACEPOINTS + tuple(name for name in _OPTIONAL_TRACEPOINTS if b"\0btf_trace_%s\0" % name.encode() in types)


def fields() -> preflight.Check:
    """What this kernel cannot give: never a reason not to run, but events lack it."""
    try:
        btf = kernel_btf()
    except BtfError as error:
        return preflight.Check("fields", True, f"not known: {error}")
    attached = tracepoints()
    missing = {what for what, group in _OPTIONAL_FIELDS.items() if not btf.has(group)}
    missing |= {what for name, what in _OPTIONAL_TRACEPOINTS.items() if name not in attached}
    return preflight.Check("fields", True, f"absent: {', '.join(sorted(missing))}" if missing else "all")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Descriptors of the loaded programs and of the maps, by name. They are the caller's to close."""

    maps: dict[str, int]
    programs: dict[str, int]

    def close(self) -> None:
        """Close every descriptor; what is attached nowhere else goes out of the kernel."""
        for fd in (*self.maps.values(), *self.programs.values()):
            os.close(fd)


class Loading:
    """The programs on their way into the kernel, in a thread of their own, while the caller imports and loads the rest.

    ``sizes``: bytes of each ring, powers of two. ``clock``: that of the session which begins here.
    """

    def __init__(
        self, loader: Loader = Loader.AUTO, *, lifecycle_bytes: int = 4 << 20, bulk_bytes: int = 16 << 20
    ) -> None:
        self.clock = Clock.of_this_host()
        self.sizes = {"lifecycle": lifecycle_bytes, "bulk": bulk_bytes}
        self._outcome: Loaded | Exception = CollectorError("nothing was loaded")
        self._thread = threading.Thread(target=self._run, args=(loader,), name="loader", daemon=True)
        self._thread.start()

    def result(self) -> Loaded:
        """Wait for the end. Raises CollectorError with one sentence when this host cannot."""
        self._thread.join()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _run(self, loader: Loader) -> None:
        try:
            self._outcome = _load(loader, self.sizes)
        except Exception as error:  # noqa: BLE001 - handed to whoever asks for the result
            self._outcome = error


def _load(loader: Loader, sizes: dict[str, int]) -> Loaded:
    bad = next((check for check in preflight.checks(loader) if not check.ok), None)
    if bad:
        raise CollectorError(bad.sentence)
    if preflight.choose(loader) is Loader.BCC:
        return _load_bcc(sizes)
    try:
        return Loaded(*core.load(sizes, {TRACEPOINT_PREFIX + name: name for name in tracepoints()}))
    except core.LibbpfError as error:
        raise CollectorError(
            f"libbpf could not load the eBPF program ({error}); "
            f"try --loader bcc, and report what SENTINEL_DEBUG=1 says.{_detail(error.log)}"
        ) from error


def _detail(log: str) -> str:
    """What a loader has printed, for whoever asks for it."""
    return f"\n{log}" if os.environ.get("SENTINEL_DEBUG") == "1" else ""


def _load_bcc(sizes: dict[str, int]) -> Loaded:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", str(_CHILD), str(bcc_folder()), str(theirs.fileno())]
    with ours, theirs, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        pass_fds=(theirs.fileno(),), text=True, errors="replace", cwd="/",
    ) as child:  # fmt: skip
        _, complaints = child.communicate(_request(sizes))
        theirs.close()
        text, descriptors, _, _ = socket.recv_fds(ours, 65536, 253)
    for fd in descriptors:  # passed without close-on-exec; no program that we start may keep the probes alive
        os.set_inheritable(fd, False)
    answer = json.loads(text) if text else {"error": f"it ended with status {child.returncode}"}
    if "error" in answer:
        raise CollectorError(
            f"BCC could not load the eBPF program ({answer['error']}); "
            f"run again with SENTINEL_DEBUG=1 and report what it says.{_detail(complaints)}"
        )
    count = len(_MAPS)
    return Loaded(
        dict(zip(_MAPS, descriptors[:count], strict=True)),
        dict(zip(answer["programs"], descriptors[count:], strict=True)),
    )


def _request(sizes: dict[str, int]) -> str:
    """What the child is asked, as JSON."""
    try:
        btf = kernel_btf()
        flags = _offset_flags(btf)
        targets = btf.tracepoints(set(tracepoints()))
    except BtfError as error:
        raise CollectorError(f"{error}.") from error
    bpf = data_dir("bpf")
    machine = platform.machine()
    flags += [
        "-g0",  # nobody reads BCC's debug information, which takes a sixth of the time
        f"-DARCH_{machine}",
        f"-DPAGE_SIZE={mmap.PAGESIZE}",
        *(f"-D{name.upper()}_PAGES={size // mmap.PAGESIZE}" for name, size in sizes.items()),
    ]
    return json.dumps(
        {
            "headers": str(bpf),
            "source": _source(bpf),
            "cflags": flags,
            "maps": _MAPS,
            "bpf_call": NR_BPF[machine],
            "prefix": TRACEPOINT_PREFIX,
            "targets": {TRACEPOINT_PREFIX + name: target for name, target in targets.items()},
            "default_target": targets["sys_exit"],
        }
    )


def _source(bpf: Path) -> str:
    """The BPF program as one text: BCC takes a function for a program, and rewrites it, in the main file only."""
    text = (bpf / "sentinel.bpf.c").read_text()
    return _INCLUDE.sub(lambda found: (bpf / found[1]).read_text(), text)


def _offset_flags(btf: Btf) -> list[str]:
    offsets = btf.offsets((*_FIELDS, *_ARCH_FIELDS[platform.machine()]))
    for group in _OPTIONAL_FIELDS.values():
        if btf.has(group):
            offsets |= btf.offsets(group)
    return [
        *(f"-DOFF_{field.replace('.', '__')}={offset}" for field, offset in offsets.items()),
        *(f"-DSIZE_{name}={btf.size(name)}" for name in _STRUCTS),
    ]
