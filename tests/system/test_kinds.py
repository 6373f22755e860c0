"""Every kind, caused for real in a child process, and its record checked field by field."""

from __future__ import annotations

import errno
import os
import platform
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.records import Record
from sentinel_engine.schema import EXE_DELETED, EXE_MEMFD, KINDS, RecordFlag

pytestmark = pytest.mark.kernel

DEADLINE = 15.0  # seconds until a record that has not come will not come
# What each child begins with: libc, and a call that reports the result and errno together.
PRELUDE = """
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*args)
    return result, ctypes.get_errno()
"""

Cause = Callable[..., list[Record]]


@pytest.fixture(scope="module", params=[Loader.CORE, Loader.BCC])
def source(request: pytest.FixtureRequest) -> Iterator[LiveSource]:
    live = LiveSource.open(Loading(request.param))
    yield live
    live.close()


@pytest.fixture
def cause(source: LiveSource) -> Cause:
    """Runs Python code in a child and returns the child's records, from its exec to its exit."""

    def run(code: str, *arguments: str, cwd: Path | str = "/", **options: Any) -> list[Record]:
        command = [sys.executable, "-I", "-S", "-c", PRELUDE + textwrap.dedent(code), *arguments]
        child = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, **options)
        return until_exit(source, child)

    return run


def until_exit(source: LiveSource, child: subprocess.Popen[bytes]) -> list[Record]:
    """The child's records, until it has ended and its exit has come."""
    found: list[Record] = []
    with child:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            ended = any(record.kind.name == "exit" for record in found)
            batches = source.read(0.0 if ended else 0.2)
            found += [record for batch in batches for record in batch if record.tgid == child.pid]
            if ended:  # in one read the lifecycle ring comes first: what the exit followed came with the next
                return found
    raise AssertionError(f"no exit of {child.pid} among {[record.kind.name for record in found]}")


def of(records: list[Record], kind: str) -> list[Record]:
    return [record for record in records if record.kind.name == kind]


def only(records: list[Record], kind: str) -> Record:
    (record,) = of(records, kind)
    return record


def test_exec_says_what_runs_where_and_as_whom(source: LiveSource, tmp_path: Path) -> None:
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    child = subprocess.Popen(["/bin/cat", "/dev/null", "ä\n\x1b"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    record = only(until_exit(source, child), "exec")
    target = Path("/bin/cat").resolve()
    assert record.string("exe") == os.fsencode(target)
    assert record.string("argv") == b"/bin/cat\0/dev/null\0\xc3\xa4\n\x1b\0"
    assert record.string("cwd") == os.fsencode(tmp_path)
    assert record.arg("inode") == target.stat().st_ino
    assert record.arg("argc") == 3
    assert record.arg("exe_flags") == 0
    status = Path("/proc/self/status").read_text()
    assert record.arg("caps") == int(status.partition("CapEff:")[2].split()[0], 16)
    assert (record.comm, record.ppid, record.ret, record.flags) == (b"cat", os.getpid(), 0, 0)
    assert (record.tgid, record.tid) == (child.pid, child.pid)
    assert (record.uid, record.euid, record.gid) == (os.getuid(), os.geteuid(), os.getgid())
    assert record.mntns == Path("/proc/self/ns/mnt").stat().st_ino
    assert record.pidns == Path("/proc/self/ns/pid").stat().st_ino
    assert record.loginuid == int(Path("/proc/self/loginuid").read_text())
    assert before <= record.leader_start <= record.boot_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_exec_names_the_terminal(source: LiveSource) -> None:
    main, terminal = os.openpty()
    name = os.fsencode(os.ttyname(terminal))
    child = subprocess.Popen(["setsid", "--ctty", "/bin/true"], stdin=terminal, stdout=terminal, stderr=terminal)
    records = until_exit(source, child)
    os.close(main)
    os.close(terminal)
    assert b"/dev/" + of(records, "exec")[-1].string("tty") == name


def test_a_pid_namespace_of_its_own(source: LiveSource) -> None:
    command = ["unshare", "--pid", "--fork", "readlink", "/proc/self/ns/pid"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    end = time.monotonic() + DEADLINE
    inner: list[Record] = []
    while not inner and time.monotonic() < end:
        records = (record for batch in source.read(0.2) for record in batch)
        inner = [record for record in records if record.kind.name == "exec" and record.ppid == child.pid]
    output, _ = child.communicate()
    assert output == b"pid:[%d]\n" % inner[0].pidns


def test_exec_of_a_memfd_and_of_a_deleted_file(cause: Cause, tmp_path: Path) -> None:
    records = cause("""
        fd = os.memfd_create("ghost", 0)
        os.write(fd, open("/bin/true", "rb").read())
        os.execve(fd, ["x"], {})
    """)
    assert of(records, "exec")[-1].string("exe") == b"/memfd:ghost"
    assert of(records, "exec")[-1].arg("exe_flags") == EXE_MEMFD | EXE_DELETED
    records = cause(
        """
        name = sys.argv[1] + "/gone"
        open(name, "wb").write(open("/bin/true", "rb").read())
        os.chmod(name, 0o700)
        fd = os.open(name, os.O_RDONLY)
        os.unlink(name)
        os.execve(fd, ["x"], {})
        """,
        str(tmp_path),
    )
    assert of(records, "exec")[-1].string("exe") == os.fsencode(tmp_path / "gone")
    assert of(records, "exec")[-1].arg("exe_flags") == EXE_DELETED


def test_long_arguments_are_cut_and_flagged(source: LiveSource) -> None:
    record = only(until_exit(source, subprocess.Popen(["/bin/true", "a" * 9000])), "exec")
    assert record.flags == RecordFlag.TRUNCATED
    assert record.string("argv") == b"/bin/true\0" + b"a" * 4086
    assert record.string("cwd") == os.fsencode(Path.cwd())


def test_exec_from_another_thread_is_no_exit(cause: Cause) -> None:
    records = cause("""
        import threading
        threading.Thread(target=os.execv, args=("/bin/true", ["true"])).start()
        threading.Event().wait()
    """)
    assert [record.kind.name for record in records if record.kind.name in ("exec", "exit")] == ["exec", "exec", "exit"]


def test_failed_exec(cause: Cause) -> None:
    records = cause(
        """
        call("execve", b"no/such", None, None)
        call("execve", b"/no/such", None, None)
        """,
        cwd="/usr",
    )
    first, second = of(records, "exec_failed")
    assert (first.string("path"), second.string("path")) == (b"/usr/no/such", b"/no/such")
    assert first.ret == second.ret == -errno.ENOENT
    assert first.flags == RecordFlag.USER_PTR


def test_fork_and_exit(cause: Cause) -> None:
    records = cause("""
        import signal, threading
        for end in (lambda: os._exit(7), lambda: os.kill(os.getpid(), signal.SIGTERM)):
            if not (pid := os.fork()):
                end()
            os.waitpid(pid, 0)
        threading.Thread(target=lambda: None).start()
    """)
    forks = of(records, "fork")
    assert len(forks) == 2  # a new thread is not a new process
    assert all(fork.arg("child_pid") > 0 and fork.arg("child_start") > fork.leader_start for fork in forks)
    end = only(records, "exit")
    assert (end.arg("exit_code"), end.arg("signal")) == (0, 0)


@pytest.mark.parametrize(
    ("command", "expected"), [("exit 7", (7, 0)), ("kill -TERM $$", (0, signal.SIGTERM)), ("true", (0, 0))]
)
def test_exit_tells_code_from_signal(source: LiveSource, command: str, expected: tuple[int, int]) -> None:
    end = only(until_exit(source, subprocess.Popen(["/bin/sh", "-c", command])), "exit")
    assert (end.arg("exit_code"), end.arg("signal")) == expected
    assert end.ppid == os.getpid()


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


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connect_accept_bind_and_dup(cause: Cause, family: socket.AddressFamily, host: str) -> None:
    records = cause(
        """
        family, host = int(sys.argv[1]), sys.argv[2]
        server = socket.socket(family); server.bind((host, 0)); server.listen()
        client = socket.socket(family); client.connect(server.getsockname())
        peer, _ = server.accept()
        os.dup2(client.fileno(), 0)
        pending = socket.socket(family); pending.setblocking(False); pending.connect_ex(server.getsockname())
        other = socket.socket(family); other.bind((host, 0))
        refused = socket.socket(family); refused.connect_ex(other.getsockname())
        """,
        str(int(family)),
        host,
    )
    raw = socket.inet_pton(family, host)
    bound = of(records, "bind")
    good, pending, bad = of(records, "connect")[-3:]
    accepted, moved = only(records, "accept"), only(records, "dup")
    assert [record.string("addr") for record in (*bound, good, pending, bad, accepted, moved)] == [raw] * 7
    assert {record.arg("family") for record in (*bound, good, bad, accepted, moved)} == {family}
    assert [record.arg("port") for record in bound] == [good.arg("port"), bad.arg("port")]  # not the 0 asked for
    assert good.arg("port") == moved.arg("port") == accepted.arg("local_port") > 0
    assert good.arg("local_port") == accepted.arg("port") > 0
    assert (moved.arg("old_fd"), moved.arg("new_fd")) == (good.arg("fd"), 0)
    assert (good.ret, pending.ret, bad.ret) == (0, -errno.EINPROGRESS, -errno.ECONNREFUSED)
    assert bad.arg("port") > 0
    assert (good.flags, pending.flags, bad.flags, accepted.flags) == (0, 0, RecordFlag.USER_PTR, 0)
    assert accepted.arg("fd") == accepted.ret


def test_unix_sockets(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        server = socket.socket(socket.AF_UNIX); server.bind("\\0hidden"); server.listen()
        client = socket.socket(socket.AF_UNIX); client.connect("\\0hidden")
        server.accept()
        other = socket.socket(socket.AF_UNIX); other.bind(sys.argv[1] + "/sock")
        """,
        str(tmp_path),
    )
    assert [record.string("addr") for record in of(records, "bind")] == [b"\0hidden", os.fsencode(tmp_path / "sock")]
    assert of(records, "connect")[-1].string("addr") == b"\0hidden"
    assert only(records, "accept").arg("family") == socket.AF_UNIX


def test_ptrace_without_the_noise(cause: Cause) -> None:
    records = cause("""
        pid = os.fork()
        if not pid:
            import signal
            signal.pause()
        call("ptrace", 16, pid, None, None)
        os.waitpid(pid, 0)
        call("ptrace", 1, pid, ctypes.c_void_p(0x1000), None)
        call("ptrace", 17, pid, None, None)
        os.kill(pid, 9); os.waitpid(pid, 0)
        call("ptrace", 0x4206, pid, None, None)
    """)
    attach, detach, seize = of(records, "ptrace")
    assert (attach.arg("request"), detach.arg("request"), seize.arg("request")) == (16, 17, 0x4206)
    assert attach.arg("target_pid") == detach.arg("target_pid") == of(records, "fork")[0].arg("child_pid")
    assert (attach.ret, detach.ret, seize.ret) == (0, 0, -errno.ESRCH)


def test_setuid_family(cause: Cause) -> None:
    records = cause("""
        os.setresgid(1, 2, 3); os.setresuid(0, 4, 0); os.setreuid(0, 0); call("setfsuid", 9)
        os.setgid(1); os.setuid(5)
        call("setuid", 0)
    """)
    changes = [record for record in of(records, "setuid") if record.arg("call") != 7]
    assert [tuple(record.args) for record in changes] == [
        (5, 1, 2, 3), (4, 0, 4, 0), (2, 0, 0, 0), (6, 9, 0, 0), (1, 1, 0, 0), (0, 5, 0, 0), (0, 0, 0, 0),
    ]  # fmt: skip
    assert [record.ret for record in changes] == [0, 0, 0, 0, 0, 0, -errno.EPERM]
    # A record shows the identity after the call.
    assert (changes[1].uid, changes[1].euid) == (0, 4)
    assert (changes[-1].uid, changes[-1].euid) == (5, 5)


def test_memfd_and_kill(cause: Cause) -> None:
    records = cause("""
        import signal
        os.memfd_create("payload", 1)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        os.kill(os.getpid(), 0)
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.pthread_kill(__import__("threading").get_ident(), signal.SIGUSR1)
        call("kill", -1073741, signal.SIGTERM)
    """)
    memfd = only(records, "memfd_create")
    assert (memfd.string("name"), memfd.arg("flags"), memfd.ret > 0) == (b"payload", 1, True)
    plain, thread, group = of(records, "kill")
    assert (plain.arg("target_pid"), plain.arg("signal"), plain.arg("call")) == (plain.tgid, signal.SIGUSR1, 0)
    assert (thread.arg("target_pid"), thread.arg("call")) == (thread.tgid, 2)
    assert group.arg("target_pid") == (1 << 64) - 1073741  # a process group, as the call has it
    assert group.ret == -errno.ESRCH


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


def test_module_loading(cause: Cause, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ko"
    bad.write_bytes(b"not a module")
    records = cause(
        """
        fd = os.open(sys.argv[1], os.O_RDONLY)
        data = b"junk"
        libc.syscall(int(sys.argv[2]), data, ctypes.c_ulong(4), b"one=1")
        libc.syscall(int(sys.argv[3]), fd, b"two=2", 0)
        """,
        str(bad),
        *({"x86_64": ("175", "313"), "aarch64": ("105", "273")}[platform.machine()]),
    )
    memory, file = of(records, "init_module")
    assert (memory.arg("call"), memory.arg("length"), memory.string("params")) == (0, 4, b"one=1")
    assert memory.string("path") == b""
    assert (file.arg("call"), file.string("path"), file.string("params")) == (1, os.fsencode(bad), b"two=2")
    assert memory.ret < 0
    assert file.ret < 0


def test_bpf_program_loading(cause: Cause) -> None:
    records = cause(
        """
        attributes = bytearray(120)
        attributes[0:4] = (1).to_bytes(4, "little")
        attributes[48:54] = b"spying"
        libc.syscall(int(sys.argv[1]), 5, (ctypes.c_char * 120).from_buffer(attributes), 120)
        libc.syscall(int(sys.argv[1]), 1, (ctypes.c_char * 120).from_buffer(attributes), 120)
        """,
        {"x86_64": "321", "aarch64": "280"}[platform.machine()],
    )
    record = only(records, "bpf")  # looking into a map is not reported
    assert (record.arg("command"), record.arg("prog_type"), record.string("name")) == (5, 1, b"spying")
    assert record.ret < 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the 32-bit table of x86_64")
def test_calls_through_the_32_bit_table(source: LiveSource, tmp_path: Path) -> None:
    program = tmp_path / "old"
    text = """
        #include <sys/syscall.h>
        int main(void) {
            static const char path[] = "/etc/hostname";
            int fd;
            __asm__ volatile("int $0x80" : "=a"(fd) : "a"(5), "b"(path), "c"(0), "d"(0) : "memory");
            return fd < 0;
        }
    """
    build = subprocess.run(
        ["gcc", "-static", "-no-pie", "-x", "c", "-", "-o", str(program)], input=text.encode(), check=False
    )
    if build.returncode:
        pytest.skip("no C compiler")
    child = subprocess.Popen([str(program)])
    record = of(until_exit(source, child), "open")[-1]
    assert child.returncode == 0
    assert (record.string("path"), record.flags) == (b"/etc/hostname", RecordFlag.COMPAT)


def test_every_kind_was_seen(source: LiveSource) -> None:
    """Runs last in this module: a kind that no test above has caused would not be tested."""
    assert set(source.emitted()) == {kind.name for kind in KINDS}
