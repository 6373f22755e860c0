"""Processes and privilege: each kind caused for real in a child process, and its record checked field by field."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.records import Record
from sentinel_engine.schema import EXE_DELETED, EXE_MEMFD, RecordFlag
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
