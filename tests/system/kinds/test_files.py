"""Files and mounts: each kind caused for real in a child process, and its record checked field by field."""

from __future__ import annotations

import errno
import os
import platform
import time
from pathlib import Path

import pytest

from sentinel_engine.collector.scope import cgroup_mount
from sentinel_engine.records import Record
from sentinel_engine.schema import KIND_BY_NUMBER, OPEN_CALLS, RecordFlag
from tests.system.kinds.causes import DEADLINE, Cause, of, only

pytestmark = pytest.mark.kernel


def test_open_reports_the_real_path(cause: Cause, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "file"
    target.write_bytes(b"")
    (tmp_path / "link").symlink_to("real")
    records = cause(
        """
        fd = os.open("link", os.O_RDONLY)
        os.open("link/../real/file", os.O_RDWR | os.O_CLOEXEC)
        os.open("file", os.O_RDONLY, dir_fd=fd)
        try: os.open("link/none", os.O_WRONLY)
        except OSError: pass
        try: os.open("none", os.O_WRONLY, dir_fd=fd)
        except OSError: pass
        """,
        cwd=tmp_path,
    )
    opens = [record for record in of(records, "open") if record.string("path").startswith(os.fsencode(tmp_path))]
    paths = [record.string("path").removeprefix(os.fsencode(tmp_path)) for record in opens]
    assert paths == [b"/real", b"/real/file", b"/real/file", b"/link/none", b"/real/none"]
    assert [record.flags for record in opens] == [0, 0, 0, RecordFlag.USER_PTR, RecordFlag.USER_PTR]
    assert opens[1].arg("flags") & (os.O_RDWR | os.O_CLOEXEC) == os.O_RDWR | os.O_CLOEXEC
    assert opens[1].arg("inode") == target.stat().st_ino
    assert opens[1].ret > 2
    assert opens[3].ret == -errno.ENOENT


def test_open_mode_and_variants(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        os.open("made", os.O_CREAT | os.O_WRONLY, 0o640)
        call("creat", b"created", 0o600)
        how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_RDWR, 0o604, 0)
        libc.syscall(437, -100, b"by2", how, 24)
        """,
        cwd=tmp_path,
    )
    found = {Path(os.fsdecode(record.string("path"))).name: record for record in of(records, "open")}
    assert found["made"].arg("mode") == 0o640
    assert found["created"].arg("mode") == 0o600
    assert found["created"].arg("flags") == os.O_CREAT | os.O_WRONLY | os.O_TRUNC
    assert (found["by2"].arg("mode"), found["by2"].arg("flags")) == (0o604, os.O_CREAT | os.O_RDWR)


def test_paths_cross_mounts_and_deep_folders(cause: Cause, tmp_path: Path) -> None:
    deep = Path(*["d"] * 60)
    very_deep = Path(*["d"] * 80)
    (tmp_path / very_deep).mkdir(parents=True)
    records = cause(
        """
        os.open("/proc/self/status", os.O_RDONLY)
        os.open("/dev/null", os.O_RDONLY)
        os.open("/", os.O_RDONLY)
        os.open(sys.argv[1], os.O_RDONLY)
        os.open(sys.argv[2], os.O_RDONLY)
        """,
        str(tmp_path / deep),
        str(tmp_path / very_deep),
    )
    *_, status, null, root, whole, cut = of(records, "open")
    assert status.string("path") == b"/proc/%d/status" % status.tgid
    assert (null.string("path"), root.string("path")) == (b"/dev/null", b"/")
    # The walk takes 64 steps: a folder deeper than that keeps its end.
    if len(tmp_path.parts) + 60 < 64:
        assert (whole.string("path"), whole.flags) == (os.fsencode(tmp_path / deep), 0)
    assert (cut.string("path"), cut.flags) == (b"/d" * 64, RecordFlag.TRUNCATED)


def test_unreadable_paths_are_flagged(cause: Cause) -> None:
    records = cause('call("unlink", ctypes.c_void_p(8))')
    record = of(records, "unlink")[-1]
    assert record.flags & RecordFlag.FAULT
    assert record.ret == -errno.EFAULT


def test_unlink_rename_chmod(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        for name in ("a", "b", "c"): open(name, "w").close()
        os.mkdir("folder")
        fd = os.open(".", os.O_RDONLY)
        os.unlink("a")
        os.rmdir("folder")
        os.unlink("b", dir_fd=fd)
        os.rename("c", "d", src_dir_fd=fd, dst_dir_fd=fd)
        call("renameat2", -100, b"d", fd, b"e", 1)
        os.chmod("e", 0o4755)
        file = os.open("e", os.O_RDONLY)
        os.fchmod(file, 0o600)
        call("fchmodat", fd, b"e", 0o644, 0)
        """,
        cwd=tmp_path,
    )
    base = os.fsencode(tmp_path)
    removed = of(records, "unlink")
    assert [(record.string("path"), record.arg("flags")) for record in removed] == [
        (base + b"/a", 0), (base + b"/folder", 0x200), (base + b"/b", 0),
    ]  # fmt: skip
    renamed = of(records, "rename")
    assert [(record.string("path"), record.string("new_path"), record.arg("flags")) for record in renamed] == [
        (base + b"/c", base + b"/d", 0), (base + b"/d", base + b"/e", 1),
    ]  # fmt: skip
    changed = of(records, "chmod")
    assert [record.arg("mode") for record in changed] == [0o4755, 0o600, 0o644]
    assert {record.string("path") for record in changed} == {base + b"/e"}
    assert [record.flags for record in changed] == [RecordFlag.USER_PTR, 0, RecordFlag.USER_PTR]


def test_mount(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        assert call("unshare", 0x00020000) == (0, 0)
        assert call("mount", b"none", b"/", None, 0x44000, None) == (0, 0)
        print(call("mount", b"inside", b"here", b"tmpfs", 2, None))
        os.open("here", os.O_RDONLY)
        """,
        cwd=tmp_path.parent if tmp_path.name == "here" else _folder(tmp_path, "here"),
    )
    _, mount = of(records, "mount")
    assert mount.string("path") == os.fsencode(tmp_path / "here")
    assert (mount.string("source"), mount.string("fstype"), mount.arg("flags")) == (b"inside", b"tmpfs", 2)
    assert (mount.ret, mount.flags) == (0, RecordFlag.USER_PTR)
    inside = of(records, "open")[-1]
    assert inside.string("path") == os.fsencode(tmp_path / "here")
    assert inside.mntns != Path("/proc/self/ns/mnt").stat().st_ino


def _folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent


def test_links_and_folders(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        open("a", "w").close()
        fd = os.open(".", os.O_RDONLY)
        os.link("a", "b")
        call("linkat", fd, b"a", fd, b"c", 0x400)
        os.symlink("over/there", "s")
        os.symlink("a", "t", dir_fd=fd)
        os.mkdir("folder", 0o750)
        os.mkdir("folder/inner", 0o700, dir_fd=fd)
        try: os.mkdir("folder")
        except OSError: pass
        """,
        cwd=tmp_path,
    )
    base = os.fsencode(tmp_path)
    links, symlinks, folders = of(records, "link"), of(records, "symlink"), of(records, "mkdir")
    assert [(link.string("path"), link.string("new_path"), link.arg("flags")) for link in links] == [
        (base + b"/a", base + b"/b", 0), (base + b"/a", base + b"/c", 0x400),
    ]  # fmt: skip
    assert [(link.string("path"), link.string("target")) for link in symlinks] == [
        (base + b"/s", b"over/there"), (base + b"/t", b"a"),
    ]  # fmt: skip
    assert [(folder.string("path"), folder.arg("mode"), folder.ret) for folder in folders] == [
        (base + b"/folder", 0o750, 0), (base + b"/folder/inner", 0o700, 0), (base + b"/folder", 0o777, -errno.EEXIST),
    ]  # fmt: skip
    assert {record.flags for record in (*links, *symlinks, *folders)} == {RecordFlag.USER_PTR}


def test_owners_and_lengths(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        fd = os.open("a", os.O_CREAT | os.O_RDWR)
        os.chown("a", 12, 34)
        os.lchown("a", 5, -1)
        os.fchown(fd, 0, 7)
        os.chown("a", 1, 2, dir_fd=os.open(".", os.O_RDONLY))
        os.truncate("a", 5 << 32)
        os.ftruncate(fd, 0)
        """,
        cwd=tmp_path,
    )
    path = os.fsencode(tmp_path / "a")
    changed, cut = of(records, "chown"), of(records, "truncate")
    owners = [(record.arg("owner"), record.arg("group") & 0xFFFFFFFF) for record in changed]
    assert owners == [(12, 34), (5, 0xFFFFFFFF), (0, 7), (1, 2)]
    assert [record.arg("length") for record in cut] == [5 << 32, 0]
    assert {record.string("path") for record in (*changed, *cut)} == {path}
    # What a descriptor names is the kernel's own path.
    assert [bool(record.flags) for record in (*changed, *cut)] == [True, True, False, True, True, False]


def test_open_says_which_call_it_was(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        open("a", "w").close()
        handle = (ctypes.c_uint32 * 34)(128)
        mount = ctypes.c_int()
        assert call("name_to_handle_at", -100, b"a", handle, ctypes.byref(mount), 0) == (0, 0)
        fd = os.open(".", os.O_RDONLY)
        assert libc.open_by_handle_at(fd, handle, os.O_RDONLY) >= 0
        """,
        cwd=tmp_path,
    )
    record = of(records, "open")[-1]
    assert (record.string("path"), record.flags) == (os.fsencode(tmp_path / "a"), 0)
    assert OPEN_CALLS[record.arg("call")] == "open_by_handle_at"
    assert OPEN_CALLS[of(records, "open")[-2].arg("call")] == "openat"


def test_umount_and_pivot_root(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        assert call("unshare", 0x00020000) == (0, 0)
        assert call("mount", b"none", b"/", None, 0x44000, None) == (0, 0)
        assert call("mount", b"inside", b"here", b"tmpfs", 0, None) == (0, 0)
        assert call("umount2", b"here", 2) == (0, 0)
        assert call("mount", b"inside", b"here", b"tmpfs", 0, None) == (0, 0)
        os.mkdir("here/old")
        assert libc.syscall(int(sys.argv[1]), b"here", b"here/old") == 0
        """,
        {"x86_64": "155", "aarch64": "41"}[platform.machine()],
        cwd=_folder(tmp_path, "here"),
    )
    gone, moved = only(records, "umount"), only(records, "pivot_root")
    assert (gone.string("path"), gone.arg("flags"), gone.ret) == (os.fsencode(tmp_path / "here"), 2, 0)
    assert moved.ret == 0
    # The working directory's path is the one that it has after the call: below the old root.
    assert moved.string("path").endswith(b"/here")
    assert moved.string("put_old").endswith(b"/here/old")


FLIPPING = """
import mmap, signal
shared = mmap.mmap(-1, 4096)
shared[: len(sys.argv[1])] = sys.argv[1].encode()
at = len(sys.argv[1]) - 1
flipper = os.fork()
while not flipper:
    shared[at] = 98
    shared[at] = 97
path = ctypes.c_char.from_buffer(shared)
for _ in range(3000): libc.unlink(ctypes.byref(path))
os.kill(flipper, signal.SIGKILL)
"""


def test_a_path_that_changes_during_the_call_is_an_event(cause: Cause, tmp_path: Path) -> None:
    a, b = os.fsencode(tmp_path / "a"), os.fsencode(tmp_path / "b")
    end = time.monotonic() + DEADLINE
    races: list[Record] = []
    while not races and time.monotonic() < end:  # the flipper needs a core of its own meanwhile
        records = cause(FLIPPING, os.fsdecode(a))
        races = of(records, "argument_race")
        assert len(of(records, "unlink")) == 3000
    assert {KIND_BY_NUMBER[race.arg("during")].name for race in races} == {"unlink"}
    assert {(race.string("path"), race.string("before")) for race in races} <= {(a, b), (b, a)}


def test_paths_that_stay_are_no_race(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        for name in ("short", "long" * 60, "x" * 300):
            call("unlink", name.encode())
            call("rename", name.encode(), name[::-1].encode())
            call("symlink", b"t", name.encode())
        call("unlink", ctypes.c_void_p(8))
        call("execve", b"/no/such", None, None)
        """,
        cwd=tmp_path,
    )
    assert not of(records, "argument_race")


def test_cgroups_that_begin(cause: Cause) -> None:
    mount = cgroup_mount()
    if mount is None:
        pytest.skip("no cgroup v2 hierarchy here")
    records = cause(
        """
        os.mkdir(sys.argv[1])
        os.mkdir(sys.argv[1] + "/inner")
        print(os.stat(sys.argv[1]).st_ino)
        os.rmdir(sys.argv[1] + "/inner")
        os.rmdir(sys.argv[1])
        """,
        f"{mount}/sentinel-kind",
    )
    outer, inner = of(records, "cgroup_mkdir")
    assert (outer.string("path"), inner.string("path")) == (b"/sentinel-kind", b"/sentinel-kind/inner")
    assert 0 < outer.arg("new_cgroup") < inner.arg("new_cgroup")
    assert (outer.ret, outer.flags) == (0, 0)
