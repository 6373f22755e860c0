"""The kernel's own programs, memory and io_uring: each kind caused for real in a child process."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from sentinel_engine.schema import OPEN_CALLS, RecordFlag
from tests.system.kinds.causes import Cause, of, only

pytestmark = pytest.mark.kernel


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


def test_memory_that_becomes_executable(cause: Cause) -> None:
    records = cause("""
        import mmap
        page = mmap.mmap(-1, 8192)
        address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        assert libc.mprotect(address, 4096, 1) == 0
        assert libc.mprotect(address, 8192, 5) == 0
        libc.syscall(int(sys.argv[1]), address, 4096, 7, -1)
    """, {"x86_64": "329", "aarch64": "288"}[platform.machine()])  # fmt: skip
    plain, keyed = of(records, "mprotect")
    assert (plain.arg("length"), plain.arg("protection"), plain.ret) == (8192, 5, 0)
    assert (keyed.arg("length"), keyed.arg("protection")) == (4096, 7)
    assert plain.arg("address") == keyed.arg("address") > 0


# An io_uring, and a way to hand it operations: (opcode, fd, address, length, offset, flags of the operation).
IO_URING = """
import mmap, struct
parameters = bytearray(120)
parameters[8:12] = (1 << 4).to_bytes(4, "little")  # IORING_SETUP_CLAMP
ring = libc.syscall(425, 8, (ctypes.c_char * 120).from_buffer(parameters))
assert ring >= 0
entries, = struct.unpack_from("<I", parameters, 0)
head, tail, mask, _, _, _, array = struct.unpack_from("<7I", parameters, 40)
queue = mmap.mmap(ring, array + entries * 4, offset=0)
operations = mmap.mmap(ring, entries * 64, offset=0x10000000)
def submit(opcode, fd=-1, address=0, length=0, offset=0, flags=0):
    at, = struct.unpack_from("<I", queue, tail)
    place = at & struct.unpack_from("<I", queue, mask)[0]
    packed = struct.pack("<BBHiQQIIQ", opcode, 0, 0, fd, offset, address, length, flags, at)
    operations[place * 64 : place * 64 + 64] = packed.ljust(64, b"\\0")
    queue[array + place * 4 : array + place * 4 + 4] = struct.pack("<I", place)
    queue[tail : tail + 4] = struct.pack("<I", at + 1)
    # Completions are never taken out, so this waits for all of them: an unlink is done by another thread.
    assert libc.syscall(426, ring, 1, at + 1, 1, None, 0) == 1
kept = []
def text(value):
    kept.append(ctypes.create_string_buffer(value))
    return ctypes.addressof(kept[-1])
"""


def test_io_uring_operations_are_seen_for_what_they_are(cause: Cause, tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    records = cause(
        IO_URING
        + """
folder = os.open(".", os.O_RDONLY)
submit(0)
submit(18, -100, text(b"secret"), 0o600, 0, os.O_RDWR | os.O_CREAT)
submit(18, folder, text(b"/etc/hostname"))
how = (ctypes.c_uint64 * 3)(os.O_RDONLY)
submit(28, folder, text(b"secret"), 24, ctypes.addressof(how))
submit(37, -100, text(b"made"), 0o711)
submit(39, -100, text(b"secret"), -100 & 0xffffffff, text(b"linked"))
submit(38, -100, text(b"over/there"), 0, text(b"symbolic"))
submit(35, -100, text(b"linked"), folder, text(b"renamed"))
submit(36, folder, text(b"renamed"))
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen()
client = socket.socket()
address = struct.pack("<H", 2) + struct.pack(">H", server.getsockname()[1]) + bytes([127, 0, 0, 1]) + bytes(8)
submit(16, client.fileno(), text(address), 0, 16)
os.listdir(".")
""",
        cwd=tmp_path,
    )
    base = os.fsencode(tmp_path)
    setup = only(records, "io_uring_setup")
    assert (setup.arg("entries"), setup.arg("flags")) == (8, 1 << 4)
    marked = [record for record in records if RecordFlag.IO_URING in record.flags]
    assert [record.kind.name for record in marked if record.kind.name != "io_uring"] == [
        "open", "open", "open", "mkdir", "link", "symlink", "rename", "unlink", "connect",
    ]  # fmt: skip
    opens = of(marked, "open")
    assert [record.string("path") for record in opens] == [base + b"/secret", b"/etc/hostname", base + b"/secret"]
    assert opens[0].arg("flags") & 0o103 == os.O_RDWR | os.O_CREAT
    assert opens[0].arg("mode") == 0o600
    assert {OPEN_CALLS[record.arg("call")] for record in opens} == {"io_uring"}
    assert {record.flags for record in opens} == {RecordFlag.IO_URING}  # copies that nobody can change
    made, linked = only(marked, "mkdir"), only(marked, "link")
    assert (made.string("path"), made.arg("mode")) == (base + b"/made", 0o711)
    assert (linked.string("path"), linked.string("new_path")) == (base + b"/secret", base + b"/linked")
    symbolic, renamed = only(marked, "symlink"), only(marked, "rename")
    assert (symbolic.string("path"), symbolic.string("target")) == (base + b"/symbolic", b"over/there")
    assert (renamed.string("path"), renamed.string("new_path")) == (base + b"/linked", base + b"/renamed")
    assert only(marked, "unlink").string("path") == base + b"/renamed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "secret", "symbolic"]
    connected = only(marked, "connect")
    assert (connected.string("addr"), connected.arg("family")) == (bytes([127, 0, 0, 1]), 2)
    assert connected.arg("port") == only(records, "bind").arg("port")
    assert [record.arg("opcode") for record in of(marked, "io_uring")] == [0]
