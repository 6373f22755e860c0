"""Compiles the BPF program with BCC, loads it, and hands its file descriptors to the parent.

Run as a file, isolated (``python -I``), in a process of its own: libbcc brings 100 MB of LLVM
that goes when this process does. Arguments: the folder of the bcc package, and the descriptor
of a socket. Reads one JSON request from standard input, answers on the socket with one JSON
line and the descriptors beside it.
"""

from __future__ import annotations

import array
import ctypes
import importlib.util
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

_PROG_LOAD = 5
_PROG_TYPE_TRACING = 26
_TRACE_RAW_TP = 23
_LOG_BYTES = 1 << 20


class _ProgLoad(ctypes.Structure):
    """The part of union bpf_attr that BPF_PROG_LOAD reads, to attach_btf_id."""

    _fields_ = (
        ("prog_type", ctypes.c_uint32),
        ("insn_cnt", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_uint64),
        ("kern_version", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_name", ctypes.c_char * 16),
        ("prog_ifindex", ctypes.c_uint32),
        ("expected_attach_type", ctypes.c_uint32),
        ("unused", ctypes.c_uint32 * 9),  # type information of the program's own, which it has none of
        ("attach_btf_id", ctypes.c_uint32),
    )


def import_bcc(folder: str) -> ModuleType:
    """The distribution's bcc package from this folder, whatever environment we run in."""
    spec = importlib.util.spec_from_file_location(
        "bcc", Path(folder) / "__init__.py", submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a Python package")
    module = importlib.util.module_from_spec(spec)
    sys.modules["bcc"] = module
    spec.loader.exec_module(module)
    return module


def load_program(lib: Any, module: int, name: str, target: int, number: int) -> int:
    """Load one compiled function as a typed raw tracepoint program; its descriptor.

    BCC knows no such program type, so that bpf(2), call ``number``, is asked directly. Raises
    OSError after printing what the verifier said.
    """
    license_text = ctypes.create_string_buffer(lib.bpf_module_license(module))
    load = _ProgLoad(
        prog_type=_PROG_TYPE_TRACING,
        insn_cnt=lib.bpf_function_size(module, name.encode()) // 8,
        insns=lib.bpf_function_start(module, name.encode()),
        license=ctypes.addressof(license_text),
        prog_name=name.encode()[:15],
        expected_attach_type=_TRACE_RAW_TP,
        attach_btf_id=target,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    size = ctypes.c_size_t(ctypes.sizeof(load))
    fd = int(libc.syscall(number, _PROG_LOAD, ctypes.byref(load), size))
    if fd >= 0:
        return fd
    error = ctypes.get_errno()
    # Once more to hear why: the verifier is much slower when it writes a log.
    log = ctypes.create_string_buffer(_LOG_BYTES)
    load.log_level, load.log_size, load.log_buf = 1, _LOG_BYTES, ctypes.addressof(log)
    libc.syscall(number, _PROG_LOAD, ctypes.byref(load), size)
    sys.stderr.write(log.value.decode("utf-8", "replace"))
    raise OSError(error, os.strerror(error), name)


def load(bcc: ModuleType, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Compile, load each program; the answer and the descriptors: maps first, then programs."""
    os.environ["BCC_KERNEL_SOURCE"] = request["headers"]
    module = bcc.BPF(text=request["source"], cflags=request["cflags"]).module
    maps = [bcc.lib.bpf_table_fd(module, name.encode()) for name in request["maps"]]
    count = bcc.lib.bpf_num_functions(module)
    names = [bcc.lib.bpf_function_name(module, place).decode() for place in range(count)]
    # One of a tracepoint that this kernel has not stays out.
    names = [name for name in names if name in request["targets"] or not name.startswith(request["prefix"])]
    with ThreadPoolExecutor() as pool:  # the verifier's time, some 0.1 s for the longest program, on all cores
        programs = pool.map(
            lambda name: load_program(
                bcc.lib, module, name, request["targets"].get(name, request["default_target"]), request["bpf_call"]
            ),
            names,
        )
        return {"programs": names}, [*maps, *programs]


def main() -> None:
    """Answer one request."""
    channel = socket.socket(fileno=int(sys.argv[2]))
    try:
        # Before the request is read: the parent looks up the kernel's offsets meanwhile.
        bcc = import_bcc(sys.argv[1])
        answer, descriptors = load(bcc, json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001 - the parent turns whatever BCC raises into its one sentence
        answer, descriptors = {"error": f"{type(error).__name__}: {error}"}, []
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg([json.dumps(answer).encode() + b"\n"], rights)


if __name__ == "__main__":
    main()
