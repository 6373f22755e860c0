"""The classic calls through the 32-bit table of x86_64: `int 0x80`, which only a raw tracepoint sees for what it is."""

from __future__ import annotations

import errno
import os
import platform
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.records import Record
from sentinel_engine.schema import RecordFlag
from tests.system.kinds.causes import of, only, until_exit

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the 32-bit table of x86_64"),
]

Old = Callable[..., list[Record]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("old") / "old"
    source = Path(__file__).with_name("old.c")
    subprocess.run(["gcc", "-O1", "-static", "-no-pie", "-o", str(target), str(source)], check=True)
    return target


@pytest.fixture
def old(source: LiveSource, program: Path, tmp_path: Path) -> Old:
    """Makes these calls in a folder of their own and returns the records that are marked as 32-bit ones, by time."""

    def run(*calls: str) -> list[Record]:
        child = subprocess.Popen([str(program), *calls], cwd=tmp_path, stdout=subprocess.PIPE)
        found = [record for record in until_exit(source, child) if RecordFlag.COMPAT in record.flags]
        return sorted(found, key=lambda record: record.boot_ns)

    return run


def test_files(old: Old, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    records = old(
        '5 "a" 2 0', '8 "made" 0600', '295 -100 "a" 0 0', '9 "a" "b"', '83 "over" "s"', '39 "folder" 0700',
        '15 "a" 04755', '212 "a" 1 2', '182 "a" 3 4', '198 "a" 5 6', '92 "a" 3', '193 "a" 5 1', '94 3 0640',
        '38 "b" "c"', '10 "c"', '40 "folder"', '301 -100 "none" 0', '11 "/no/such" 0 0',
    )  # fmt: skip
    base = os.fsencode(tmp_path)
    assert [(record.kind.name, record.string("path")) for record in records] == [
        ("open", base + b"/a"), ("open", base + b"/made"), ("open", base + b"/a"), ("link", base + b"/a"),
        ("symlink", base + b"/s"), ("mkdir", base + b"/folder"), ("chmod", base + b"/a"), ("chown", base + b"/a"),
        ("chown", base + b"/a"), ("chown", base + b"/a"), ("truncate", base + b"/a"), ("truncate", base + b"/a"),
        ("chmod", base + b"/a"), ("rename", base + b"/b"), ("unlink", base + b"/c"), ("unlink", base + b"/folder"),
        ("unlink", base + b"/none"), ("exec_failed", b"/no/such"),
    ]  # fmt: skip
    owners = [(record.arg("owner"), record.arg("group")) for record in of(records, "chown")]
    assert owners == [(1, 2), (3, 4), (5, 6)]
    assert [record.arg("length") for record in of(records, "truncate")] == [3, 5 | 1 << 32]
    assert [record.arg("mode") for record in of(records, "chmod")] == [0o4755, 0o640]
    assert only(records, "symlink").string("target") == b"over"
    assert only(records, "rename").string("new_path") == base + b"/c"
    assert [record.ret for record in records[-2:]] == [-errno.ENOENT, -errno.ENOENT]


def test_mounts_and_namespaces(old: Old, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    records = old('310 0x20000', '21 "none" "/" 0 0x44000 0', '21 "inside" "here" "tmpfs" 2 0', '52 "here" 2',
                  '21 "inside" "here" "tmpfs" 2 0', '22 "here"', '217 "here" "here"', '346 99 0')  # fmt: skip
    assert [record.kind.name for record in records] == [
        "unshare", "mount", "mount", "umount", "mount", "umount", "pivot_root", "setns",
    ]  # fmt: skip
    here = os.fsencode(tmp_path / "here")
    assert [(record.string("path"), record.arg("flags")) for record in of(records, "umount")] == [(here, 2), (here, 0)]
    mount = of(records, "mount")[1]
    assert (mount.string("path"), mount.string("source"), mount.string("fstype")) == (here, b"inside", b"tmpfs")
    assert only(records, "pivot_root").string("put_old") == here


def test_processes_and_privilege(old: Old) -> None:
    records = old(
        '172 15 "renamed"', "37 1073741 15", "238 1073741 15", "270 1073741 1073741 15", "178 1073741 15 [15,0,-1]",
        "26 16 1073741 0 0", "348 1073741 [7,8] 1 [4096,8]", "125 0 4096 4", "185 [0x20080522,0] [1,1,0,0,0,0]",
        "208 -1 7 -1", "203 -1 9", "213 5", "23 6",
    )  # fmt: skip
    assert [record.kind.name for record in records] == [
        "prctl", "kill", "kill", "kill", "kill", "ptrace", "process_vm_write", "mprotect", "capset",
        "setuid", "setuid", "setuid", "setuid",
    ]  # fmt: skip
    assert records[0].string("name") == b"renamed"
    assert {(record.arg("target_pid"), record.arg("signal")) for record in of(records, "kill")} == {
        (1073741, signal.SIGTERM)
    }
    assert [record.arg("call") for record in of(records, "kill")] == [0, 1, 2, 3]
    written = only(records, "process_vm_write")
    assert (written.arg("target_pid"), written.arg("address"), written.arg("length")) == (1073741, 4096, 8)
    assert only(records, "capset").args[:3] == (1, 1, 0)
    assert [record.args[:3] for record in of(records, "setuid")][-2:] == [(0, 5, 0), (0, 6, 0)]


def test_memory_and_the_kernel(old: Old) -> None:
    records = old('356 "ghost" 1', "425 4 [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", '128 "junk" 4 "one=1"', '350 99 "two" 0',
                  "357 17 [0,0,0,0] 16")  # fmt: skip
    assert [record.kind.name for record in records] == [
        "memfd_create", "io_uring_setup", "init_module", "init_module", "bpf",
    ]  # fmt: skip
    assert records[0].string("name") == b"ghost"
    assert records[1].arg("entries") == 4
    assert [record.string("params") for record in of(records, "init_module")] == [b"one=1", b"two"]
    assert records[4].arg("command") == 17


def words(packed: bytes) -> str:
    """These bytes as the words that the program takes."""
    return "[" + ",".join(str(word) for (word,) in struct.iter_unpack("<I", packed)) + "]"


@pytest.mark.parametrize("packed", [False, True], ids=["calls of their own", "socketcall"])
def test_sockets(old: Old, packed: bool) -> None:
    address = struct.pack("<H", socket.AF_INET) + struct.pack(">H", 0) + bytes([127, 0, 0, 1]) + bytes(8)
    dns = struct.pack("<H", socket.AF_INET) + struct.pack(">H", 53) + bytes([127, 0, 0, 1]) + bytes(8)
    question = (struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\3old\0" + struct.pack(">HH", 1, 1)).ljust(24, b"\0")

    def each(number: int, place: int, *values: str) -> list[str]:
        """The call itself, or, packed, the calls that put its arguments into memory and make it."""
        if not packed:
            return [" ".join([str(number), *values])]
        # What comes before the words in the arguments of a call that does nothing (getpid) stays in memory.
        pointer = next((value for value in values if value.startswith("[")), "")
        inner = ",".join("_" if value is pointer else value for value in values)
        return [f"20 {pointer}".strip(), f"102 {place} [{inner}]"]

    records = old(
        *each(359, 1, "2", "1", "0"), *each(361, 2, "3", words(address), "16"), *each(363, 4, "3", "5"),
        *each(362, 3, "3", words(dns), "16"), *each(359, 1, "17", "3", "0"), *each(359, 1, "2", "2", "0"),
        *each(362, 3, "5", words(dns), "16"), *each(369, 11, "5", words(question), "22", "0", "0"),
    )  # fmt: skip
    assert [record.kind.name for record in records] == ["bind", "listen", "connect", "socket", "connect", "dns"]
    bound, listening, refused, raw, connected, asked = records
    assert bound.string("addr") == listening.string("addr") == refused.string("addr") == bytes([127, 0, 0, 1])
    assert listening.arg("port") == bound.arg("port") > 0
    assert listening.arg("backlog") == 5
    assert refused.ret < 0
    assert refused.arg("port") == connected.arg("port") == asked.arg("port") == 53
    assert (raw.arg("family"), raw.arg("socket_type")) == (socket.AF_PACKET, socket.SOCK_RAW)
    assert (connected.ret, asked.string("name"), asked.arg("query_type")) == (0, b"old", 1)


def test_messages_with_32_bit_pointers(old: Old) -> None:
    address = struct.pack("<H", socket.AF_INET) + struct.pack(">H", 53) + bytes([127, 0, 0, 1]) + bytes(8)
    question = (struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\3old\0" + struct.pack(">HH", 28, 1)).ljust(24, b"\0")
    records = old("359 2 2 0", f"362 3 {words(address)} 16", f"20 {words(question)}", "20 [_,22]",
                  "370 3 [0,0,_,1,0,0,0] 0")  # fmt: skip
    asked = only(records, "dns")
    assert (asked.string("name"), asked.arg("query_type"), asked.arg("port")) == (b"old", 28, 53)
