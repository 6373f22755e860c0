"""Processes and privilege: each kind caused for real in a child process, and its record checked field by field."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.records import Record
from sentinel_engine.schema import EXE_DELETED, EXE_MEMFD, KILL_CALLS, RecordFlag
from tests.system.kinds.causes import DEADLINE, Cause, of, only, until_exit

pytestmark = pytest.mark.kernel


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


def test_signals_by_every_call(cause: Cause) -> None:
    records = cause("""
        import signal
        signal.signal(signal.SIGUSR1, lambda *_: None)
        me = os.getpid()
        info = (ctypes.c_int * 32)(signal.SIGUSR1, 0, -1)  # SI_QUEUE
        libc.syscall(129, me, signal.SIGUSR1, info)
        libc.syscall(297, me, me, signal.SIGUSR1, info)
        signal.pidfd_send_signal(os.pidfd_open(me), signal.SIGUSR1)
    """)
    found = of(records, "kill")
    assert [KILL_CALLS[record.arg("call")] for record in found] == [
        "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal",
    ]  # fmt: skip
    assert {(record.arg("target_pid"), record.arg("signal"), record.ret) for record in found} == {
        (found[0].tgid, signal.SIGUSR1, 0)
    }


def test_targets_in_another_pid_namespace_are_the_hosts_processes(source: LiveSource) -> None:
    code = """
import ctypes, os, signal
libc = ctypes.CDLL(None)
sleepers = []
for _ in range(70):  # more than one node of the kernel's table
    if not (pid := os.fork()): signal.pause()
    sleepers.append(pid)
for pid in sleepers: os.kill(pid, signal.SIGKILL)
libc.ptrace(0x4206, sleepers[0], None, None)
try: os.kill(30000, signal.SIGTERM)
except ProcessLookupError: pass
"""
    child = subprocess.Popen(["unshare", "--pid", "--fork", sys.executable, "-I", "-S", "-c", code])
    records = until_exit(source, child, family=True)
    inner = next(record for record in of(records, "exec") if b"python" in record.string("exe"))
    children = [record.arg("child_pid") for record in of(records, "fork") if record.tgid == inner.tgid]
    kills = [record for record in of(records, "kill") if record.tgid == inner.tgid]
    assert len(children) == 70
    assert [record.arg("target_pid") for record in kills] == [*children, 30000]  # there is no such process
    assert only(records, "ptrace").arg("target_pid") == children[0]


def test_writing_into_another_process(cause: Cause) -> None:
    records = cause("""
        class Part(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
        text = ctypes.create_string_buffer(b"planted")
        there = ctypes.create_string_buffer(16)
        ours, theirs = Part(ctypes.addressof(text), 7), Part(ctypes.addressof(there), 7)
        assert libc.process_vm_writev(os.getpid(), ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) == 7
        print(ctypes.addressof(there))
    """)
    record = only(records, "process_vm_write")
    assert (record.arg("target_pid"), record.arg("length"), record.ret) == (record.tgid, 7, 7)
    assert record.arg("address") > 0
    assert record.flags == RecordFlag.USER_PTR


def test_namespaces(cause: Cause) -> None:
    records = cause("""
        mine = os.open("/proc/self/ns/uts", os.O_RDONLY)
        assert call("unshare", 0x04000000) == (0, 0)
        assert call("setns", mine, 0x04000000) == (0, 0)
        assert call("setns", 99, 0)[0] == -1
    """)
    left, back, bad = only(records, "unshare"), *of(records, "setns")
    assert (left.arg("flags"), left.ret) == (0x04000000, 0)
    assert (back.arg("flags"), back.arg("inode")) == (0x04000000, Path("/proc/self/ns/uts").stat().st_ino)
    assert (back.ret, bad.ret, bad.arg("fd"), bad.arg("inode")) == (0, -errno.EBADF, 99, 0)


def test_capabilities(cause: Cause) -> None:
    records = cause("""
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        sets = (ctypes.c_uint32 * 6)()
        assert call("capget", header, sets) == (0, 0)
        sets[0], sets[1], sets[2], sets[3], sets[4], sets[5] = 1 << 7, 1 << 7 | 1 << 13, 0, 1, 1, 0
        assert call("capset", header, sets) == (0, 0)
        sets[1] |= 1 << 21
        assert call("capset", header, sets)[0] == -1
        call("capset", header, ctypes.c_void_p(8))
    """)
    good, refused, unreadable = of(records, "capset")
    raw = 1 << 13
    assert good.args[:3] == (1 << 7 | 1 << 32, 1 << 7 | raw | 1 << 32, 0)
    assert (good.ret, good.flags) == (0, 0)  # what the kernel has, not what was asked for
    assert refused.arg("permitted") == good.arg("permitted") | 1 << 21
    assert (refused.ret, refused.flags) == (-errno.EPERM, RecordFlag.USER_PTR)
    assert unreadable.flags & RecordFlag.FAULT


def test_prctl_without_the_noise(cause: Cause) -> None:
    records = cause("""
        libc.prctl(15, b"[kworker/0:1]", 0, 0, 0)
        libc.prctl(16, ctypes.create_string_buffer(16), 0, 0, 0)
        libc.prctl(4, 0, 0, 0, 0)
        libc.prctl(38, 1, 0, 0, 0)
        libc.prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)
    """)
    found = of(records, "prctl")
    assert [(record.arg("option"), record.string("name")) for record in found] == [
        (15, b"[kworker/0:1]"), (4, b""), (38, b""), (0x59616D61, b""),
    ]  # fmt: skip
    assert found[2].arg("arg2") == 1
    assert {record.flags for record in found} == {0}
