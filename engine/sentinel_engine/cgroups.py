"""Whose process it is: container and systemd unit, from the path of its cgroup.

A record has the id of its cgroup, and the path must be looked up while the cgroup is there. What was
found out is kept, and is written into a recording, because ids mean nothing on another host.
A path is a claim of whoever may make cgroups there: runtimes, systemd, and root.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, TypeVar

import msgspec

_MAX_KNOWN: Final = 16384
_RETRY_SECONDS: Final = 1.0
_SHORT: Final = 12  # digits of an id that people and `docker ps` use
_RUNTIMES: Final = {
    b"docker": "docker", b"cri-containerd": "containerd", b"nerdctl": "containerd", b"crio": "cri-o",
    b"containerd": "containerd", b"libpod": "podman", b"libpod-payload": "podman",
}  # fmt: skip
# Of a bare id: the runtime by the folder it is somewhere below; ecs and actions_job are Docker's, default nerdctl's.
_PARENTS: Final = {
    b"docker": "docker", b"ecs": "docker", b"actions_job": "docker", b"moby": "docker", b"k8s.io": "containerd",
    b"default": "containerd", b"kubepods": "containerd", b"libpod_parent": "podman",
}  # fmt: skip
# The id's prefix, ended by a dash, or by a colon where the systemd form reached a cgroupfs driver as it is.
_PREFIXED: Final = re.compile(rb"(?:.*:)?(%s)[-:]([0-9a-f]{64})(?:\.scope)?" % b"|".join(_RUNTIMES), re.DOTALL)
_BARE: Final = re.compile(rb"[0-9a-f]{64}")
# The containers whose id is a name. A machine that is called qemu-… is no container but a virtual machine.
_NAMED_BELOW: Final = {b"lxc": "lxc", b"lxc.payload": "lxc", b"buildkit": "buildkit"}
_NAMED: Final = (
    (re.compile(rb"lxc\.payload\.(.+)", re.DOTALL), "lxc"),
    (re.compile(rb"machine-lxc\\x2d\d+\\x2d(.+)\.scope", re.DOTALL), "libvirt-lxc"),
    (re.compile(rb"machine-(?!qemu\\x2d)(.+)\.scope", re.DOTALL), "nspawn"),
    (re.compile(rb"systemd-nspawn@(.+)\.service", re.DOTALL), "nspawn"),
)
_UNIT: Final = re.compile(rb".+\.(?:service|scope|slice|socket|mount|swap)", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Workload:
    """What a cgroup path says. ``container_id`` is whole: 64 hex digits, or a name; all empty when it says nothing."""

    runtime: str = ""
    container_id: bytes = b""
    unit: bytes = b""

    @property
    def container(self) -> bytes:
        """``docker:0123456789ab`` or ``lxc:web``; empty when it is no container's."""
        if not self.runtime:
            return b""
        short = self.container_id[:_SHORT] if _BARE.fullmatch(self.container_id) else self.container_id
        return b"%s:%s" % (self.runtime.encode(), short)


NO_WORKLOAD: Final = Workload()


@lru_cache(4096)
def workload_of(path: bytes) -> Workload:
    """The innermost container that this path is in; outside of all, the innermost systemd unit."""
    parts = path.split(b"/")
    for at in range(len(parts) - 1, 0, -1):
        # nspawn and podman keep their own process, which is outside, in a group beside the payload.
        if parts[at + 1 : at + 2] != [b"supervisor"] and (found := _container(parts, at)):
            return Workload(*found)
    units = [part for part in parts if _UNIT.fullmatch(part)]
    # systemd puts a _ before a name that would be one of the kernel's own files.
    return Workload(unit=_unescape(units[-1].removeprefix(b"_"))) if units else NO_WORKLOAD


def _container(parts: list[bytes], at: int) -> tuple[str, bytes] | None:
    part = parts[at]
    if found := _PREFIXED.fullmatch(part):
        return _RUNTIMES[found[1]], found[2]
    if _BARE.fullmatch(part):
        above = (_PARENTS.get(_unsliced(parent)) for parent in reversed(parts[:at]))
        return next((runtime for runtime in above if runtime), "oci"), part
    if part and parts[at - 1] in _NAMED_BELOW:
        return _NAMED_BELOW[parts[at - 1]], part
    for pattern, runtime in _NAMED:
        if found := pattern.fullmatch(part):
            return runtime, _unescape(found[1])
    return None


def _unsliced(part: bytes) -> bytes:
    return b"kubepods" if part.startswith(b"kubepods") else part


def _unescape(name: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), name)


def paths_in(text: bytes) -> tuple[bytes, bytes]:
    """The cgroup v2 path in a /proc/PID/cgroup, and the path of any hierarchy that says most; empty for none."""
    paths = {}
    for line in text.split(b"\n"):
        number, _, rest = line.partition(b":")
        paths[number] = rest.partition(b":")[2].removesuffix(b" (deleted)")
    unified = paths.get(b"0", b"")
    workloads = [(workload_of(path), path) for path in (unified, *paths.values())]
    in_container = (path for workload, path in workloads if workload.runtime)
    in_unit = (path for workload, path in workloads if workload.unit)
    return unified, next(in_container, next(in_unit, unified))


class Names(msgspec.Struct, frozen=True):
    """What was found out since the last time. ``execs``: pid, boot time and path, where the id does not tell."""

    paths: dict[int, bytes] = {}
    execs: list[tuple[int, int, bytes]] = []


class Host(Protocol):
    """Where cgroups are looked up."""

    def path_of(self, cgroup: int) -> bytes:
        """The path of this cgroup v2 id below its mount; empty when it is gone."""

    def path_of_process(self, pid: int) -> bytes | None:
        """The path of this process that says most; None when only ids tell here, or it is gone."""


class Cgroups:
    """Whose each cgroup is. Without a host it knows what it was told: so it is with a recording.

    Any thread may ask ``of``; the rest is the engine thread's, and ``learn`` that of who reads the recording.
    """

    def __init__(self, host: Host | None = None) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._known: dict[int, Workload] = {}
        self._retry_at: dict[int, float] = {}
        self._execs: dict[tuple[int, int], bytes] = {}
        self._new = Names()

    def of(self, cgroup: int) -> Workload:
        """Whose this cgroup v2 id is; empty when nobody knows, and then looked up again after a second."""
        found = self._known.get(cgroup)
        if found is None and self._host and time.monotonic() >= self._retry_at.get(cgroup, 0.0):
            with self._lock:
                self._look_up(cgroup, self._host)
            found = self._known.get(cgroup)
        return found or NO_WORKLOAD

    def _look_up(self, cgroup: int, host: Host) -> None:
        if path := host.path_of(cgroup):
            _keep(self._known, cgroup, workload_of(path))
            self._new.paths[cgroup] = path
        else:
            _keep(self._retry_at, cgroup, time.monotonic() + _RETRY_SECONDS)

    def at_exec(self, pid: int, boot_ns: int, inherited: Workload) -> Workload:
        """Whose process this is, which execs now and whose cgroup id names no container.

        A v1 hierarchy may know better. ``inherited``: what holds when none does.
        """
        path = self._host.path_of_process(pid) if self._host else self._execs.pop((pid, boot_ns), None)
        if path is None:
            return inherited
        found = workload_of(path)
        if self._host and found != inherited:
            self._new.execs.append((pid, boot_ns, path))
        return found

    def learned(self) -> Names | None:
        """What was found out since this was asked last; None for nothing."""
        if not (self._new.paths or self._new.execs):
            return None
        with self._lock:
            new, self._new = self._new, Names()
        return new

    def learn(self, names: Names) -> None:
        """Take what a recording says."""
        for cgroup, path in names.paths.items():
            _keep(self._known, cgroup, workload_of(path))
        for pid, boot_ns, path in names.execs:
            _keep(self._execs, (pid, boot_ns), path)


def _keep(kept: dict[K, V], key: K, value: V) -> None:
    kept[key] = value
    if len(kept) > _MAX_KNOWN:
        del kept[next(iter(kept))]
