"""This host's cgroups: the path of an id, and where a process is."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sentinel_engine.cgroups import paths_in

_MOUNTS: Final = Path("/proc/self/mountinfo")
_HANDLE: Final = struct.Struct("<IiQ")  # struct file_handle of a kernfs: bytes, type, id
_FILEID_KERNFS: Final = 0xFE
_MAX_FOLDERS: Final = 65536
_WALK_SECONDS: Final = 1.0
_MAX_STEPS: Final = 4096
_MAX_TEXT: Final = 65536
_DELETED: Final = b" (deleted)"


def cgroup2_mount() -> bytes | None:
    """Where the cgroup v2 hierarchy is mounted; None where it is not."""
    return _mounts().get(b"cgroup2")


class CgroupFiles:
    """Looks into the cgroup file systems. Not for two threads at once, except ``path_of_process``."""

    def __init__(self) -> None:
        mounts = _mounts()
        self._mount = mounts.get(b"cgroup2")
        # Where all is in the one hierarchy that ids are of, a process has nothing to add.
        self._older = b"cgroup" in mounts or self._mount is None
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._walked: dict[int, bytes] = {}
        self._walk_at = 0.0

    def path_of(self, cgroup: int) -> bytes:
        """The path of this cgroup v2 id below the mount; empty when it is gone, or no cgroup2 is mounted."""
        if self._mount is None:
            return b""
        try:
            path = self._by_handle(self._mount, cgroup)
        except PermissionError:  # without CAP_DAC_READ_SEARCH
            return self._by_walking(self._mount, cgroup)
        except OSError:  # it is gone
            return b""
        return path.removeprefix(self._mount).removesuffix(_DELETED) or b"/"

    def path_of_process(self, pid: int) -> bytes | None:
        """The path that says most about a process, in any hierarchy; None where there is only v2, or it is gone."""
        text = process_cgroups(pid) if self._older else b""
        return paths_in(text)[1] if text else None

    def id_of(self, path: bytes) -> int:
        """The id of the cgroup at this v2 path, 0 when there is none."""
        try:
            return Path(os.fsdecode(self._mount + path)).stat().st_ino if self._mount else 0
        except OSError:
            return 0

    def _by_handle(self, mount: bytes, cgroup: int) -> bytes:
        handle = _HANDLE.pack(8, _FILEID_KERNFS, cgroup)
        at = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
        try:
            found = self._libc.open_by_handle_at(at, handle, os.O_PATH | os.O_CLOEXEC)
            if found < 0:
                raise OSError(ctypes.get_errno(), "open_by_handle_at")
        finally:
            os.close(at)
        return _readable_path(found)

    def _by_walking(self, mount: bytes, cgroup: int) -> bytes:
        if cgroup not in self._walked and time.monotonic() >= self._walk_at:
            self._walked = dict(cgroup_folders(mount))
            self._walk_at = time.monotonic() + _WALK_SECONDS
        return self._walked.get(cgroup, b"")


def process_cgroups(pid: int) -> bytes:
    """The text of /proc/PID/cgroup; empty when the process is gone, or its path is too long to be told."""
    try:
        with Path(f"/proc/{pid}/cgroup").open("rb") as file:
            return file.read(_MAX_TEXT)
    except OSError:
        return b""


def _mounts() -> dict[bytes, bytes]:
    """Type of file system -> where the first of it is mounted."""
    found: dict[bytes, bytes] = {}
    for line in _MOUNTS.read_bytes().splitlines():
        fields, _, rest = line.partition(b" - ")
        point = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields.split()[4])
        found.setdefault(rest.split(b" ", 1)[0], point)
    return found


def _readable_path(fd: int) -> bytes:
    """The path of this descriptor, which is closed; where that is longer than a path can be, its nearest ancestor's."""
    for _ in range(_MAX_STEPS):
        try:
            return os.fsencode(Path(f"/proc/self/fd/{fd}").readlink())
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            above = os.open("..", os.O_PATH, dir_fd=fd)
        finally:
            os.close(fd)
        fd = above
    raise OSError(errno.ENAMETOOLONG, "a cgroup nested too deeply")


def cgroup_folders(mount: bytes) -> Iterator[tuple[int, bytes]]:
    """Id and path of each cgroup below the mount, outermost first, 65,536 at least when there are so many."""
    waiting = [b"/"]
    for path in waiting:
        try:
            with os.scandir(mount + path) as entries:
                below = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:  # it is gone
            continue
        for entry in below:
            found = path.rstrip(b"/") + b"/" + entry.name
            yield entry.inode(), found
            waiting.append(found)
        if len(waiting) > _MAX_FOLDERS:
            return
