"""What this host can do, checked in a millisecond before anything is loaded, and the fix for what it cannot."""

from __future__ import annotations

import errno
import mmap
import os
import platform
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from sentinel_engine import privileges
from sentinel_engine.collector import core
from sentinel_engine.collector.btf import VMLINUX
from sentinel_engine.collector.maps import create_ring, usable
from sentinel_engine.privileges import WATCHING, Capability

_BCC: Final = Path("/usr/lib/python3/dist-packages/bcc")
_LOCKDOWN: Final = Path("/sys/kernel/security/lockdown")
_HOST_PID_NAMESPACE: Final = "pid:[4026531836]"  # PROC_PID_INIT_INO, fixed in the kernel
_OLDEST: Final = (5, 11)  # the ring buffer is from 5.8, a typed pointer to the current task from 5.11


class Loader(StrEnum):
    """How the programs get into the kernel: by libbpf, compiled ahead, or by BCC; AUTO is CORE where it can be."""

    AUTO = "auto"
    CORE = "core"
    BCC = "bcc"


class Check(msgspec.Struct, frozen=True):
    """One thing that a host must have: whether it has it, what was found, and the fix (empty when ok)."""

    check: str
    ok: bool
    detail: str
    fix: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, for stderr."""
        return f"{self.detail}; {self.fix}."


def checks(loader: Loader = Loader.AUTO) -> list[Check]:
    """All checks, most basic first: when several fail, the first is the one to act on."""
    return [_architecture(), _kernel(), _privilege(), _lockdown(), _btf(), _loader(loader), _pid_namespace()]


def choose(loader: Loader) -> Loader:
    """The loader itself, or for AUTO the one that this host has all for."""
    if loader is not Loader.AUTO:
        return loader
    return Loader.CORE if _core().ok else Loader.BCC


def kept(wanted: frozenset[Capability] = WATCHING) -> frozenset[Capability]:
    """What a live session goes on with to have these capabilities, found out by trying; the caller may have less."""
    with privileges.none_effective():
        if usable():
            return wanted
    own = privileges.effective()
    return wanted | {Capability.CAP_BPF if Capability.CAP_BPF in own else Capability.CAP_SYS_ADMIN}


def after_start() -> Check:
    """What a live session started by us goes on with: never a reason not to run."""
    keep = kept() & privileges.effective()
    why = ", since this kernel wants more for each use of a map" if keep - WATCHING else ""
    return Check("after start", True, f"goes on with {privileges.names(keep)}{why}; no_new_privs")


def bcc_folder() -> Path:
    """Where the distribution's bcc package is; SENTINEL_BCC names another folder."""
    return Path(os.environ.get("SENTINEL_BCC", _BCC))


def _judge(check: str, ok: bool, good: str, bad: str, fix: str) -> Check:
    return Check(check, True, good) if ok else Check(check, False, bad, fix)


def _architecture() -> Check:
    machine = platform.machine()
    known = machine in ("x86_64", "aarch64")
    return _judge("architecture", known, machine, f"this machine is {machine}", "use an x86_64 or aarch64 host")


def _ring_error() -> int:
    """The errno of making a ring buffer for real, 0 when it works."""
    try:
        os.close(create_ring(mmap.PAGESIZE))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _kernel() -> Check:
    release = platform.release()
    numbers = tuple(int(number) for number in re.findall(r"\d+", release)[:2])
    return _judge(
        "kernel", numbers >= _OLDEST and _ring_error() in (0, errno.EPERM), f"Linux {release}",
        f"Linux {release} lacks what the collector needs of eBPF",
        "use Linux {}.{} or later, built with CONFIG_BPF_SYSCALL".format(*_OLDEST),
    )  # fmt: skip


def _privilege() -> Check:
    own = privileges.effective()
    enough = Capability.CAP_SYS_ADMIN in own or {Capability.CAP_BPF, Capability.CAP_PERFMON} <= own
    user = os.geteuid()
    return _judge(
        "privilege", enough and _ring_error() != errno.EPERM, f"user id {user} may load eBPF programs",
        f"user id {user} may not load eBPF programs", "run as root (sudo), or with CAP_BPF and CAP_PERFMON",
    )  # fmt: skip


def _lockdown() -> Check:
    mode = _LOCKDOWN.read_text() if _LOCKDOWN.exists() else ""
    return _judge(
        "lockdown", "[confidentiality]" not in mode, mode.strip() or "off",
        "the kernel is locked down in confidentiality mode, which forbids eBPF to read kernel memory",
        "start it with lockdown=integrity",
    )  # fmt: skip


def _btf() -> Check:
    return _judge(
        "btf", os.access(VMLINUX, os.R_OK), str(VMLINUX), f"the kernel has no type information in {VMLINUX}",
        "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as the distributions' own are",
    )  # fmt: skip


def _loader(loader: Loader) -> Check:
    if loader is not Loader.AUTO:
        return _core() if loader is Loader.CORE else _bcc()
    if (ahead := _core()).ok:
        return ahead
    if (now := _bcc()).ok:
        return Check("loader", True, f"{now.detail}, since {ahead.detail}")
    return Check("loader", False, f"{ahead.detail}, and {now.detail}", f"{ahead.fix}, or {now.fix}")


def _core() -> Check:
    path = core.object_path()
    if not path.is_file():
        return Check("loader", False, f"there is no {path}", "build it with: make bpf")
    try:
        version = core.library().libbpf_version_string().decode()
    except OSError:
        return Check("loader", False, "the host has no libbpf 1.0 or later", "install it with: apt install libbpf1")
    return Check("loader", True, f"core: {path} with libbpf {version.removeprefix('v')}; BCC is not needed")


def _bcc() -> Check:
    package = bcc_folder() / "__init__.py"
    if not package.is_file():
        return Check("loader", False, f"BCC is not in {bcc_folder()}", "install it with: apt install python3-bpfcc")
    return _judge(
        "loader", "\nclass BPF(" in package.read_text(errors="replace"), f"bcc: {bcc_folder()}",
        f"the package bcc in {bcc_folder()} is another program of that name",
        "install the right one with: apt install python3-bpfcc (PyPI's bcc is unrelated)",
    )  # fmt: skip


def _pid_namespace() -> Check:
    namespace = str(Path("/proc/self/ns/pid").readlink())
    return _judge(
        "pid namespace", namespace == _HOST_PID_NAMESPACE, "the host's",
        "this is a container with process ids of its own", "start the container with the host's: --pid=host",
    )  # fmt: skip
