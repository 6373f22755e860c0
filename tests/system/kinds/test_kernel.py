"""The kernel's own programs, memory and io_uring: each kind caused for real in a child process."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

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
