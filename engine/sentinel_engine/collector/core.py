"""Loads the BPF program that was compiled ahead (CO-RE), with the host's libbpf, in this process.

In process, unlike BCC: libbpf leaves 1 MB behind, where BCC's LLVM would leave 100, and it prints only
through the function that it is given.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sentinel_engine.resources import data_dir

LIBRARY: Final = "libbpf.so.1"
# A function of this name and prefix belongs to that tracepoint; every other one is tail-called from sys_exit.
TRACEPOINT_PREFIX: Final = "tp_"
_WARN: Final = 0  # LIBBPF_WARN
_LINE_BYTES: Final = 4096
_Print = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_POINTERS: Final = (
    "bpf_object__open_mem", "bpf_object__next_map", "bpf_object__next_program",
)  # fmt: skip
_TEXTS: Final = ("bpf_map__name", "bpf_program__name", "libbpf_version_string")


Descriptors = tuple[dict[str, int], dict[str, int]]  # of maps and of programs, by name


class LibbpfError(Exception):
    """libbpf or the kernel refused the program; the text is a clause, ``log`` what libbpf printed."""

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.log = log


def object_path() -> Path:
    """Where the package's object for this machine's architecture is, or would be."""
    return data_dir("bpf") / f"sentinel.{platform.machine()}.bpf.o"


def library() -> ctypes.CDLL:
    """The host's libbpf, 1.0 or later. Raises OSError when it has none."""
    lib = ctypes.CDLL(LIBRARY, use_errno=True)
    for name in _POINTERS:
        getattr(lib, name).restype = ctypes.c_void_p
    for name in _TEXTS:
        getattr(lib, name).restype = ctypes.c_char_p
    return lib


def load(sizes: dict[str, int], targets: dict[str, str]) -> Descriptors:
    """Load all programs; descriptors of the maps and of the programs, by name, which are the caller's.

    ``sizes``: bytes of each ring, a power of two. ``targets``: program -> tracepoint; one that has a tracepoint's
    name and is not there stays out, one that has not is a handler of sys_exit's. Raises LibbpfError.
    """
    lib = library()
    image = object_path().read_bytes()
    lib.libbpf_set_print(None)
    try:
        return _load_in_halves(lib, image, sizes, targets)
    except LibbpfError as error:
        # Once more to hear why: for each of its thousands of lines libbpf would wait for its turn in Python.
        with _listening(lib) as lines, suppress(LibbpfError):
            _load_in_halves(lib, image, sizes, targets)
        raise LibbpfError(str(error), "".join(lines)) from error


def _load_in_halves(lib: ctypes.CDLL, image: bytes, sizes: dict[str, int], targets: dict[str, str]) -> Descriptors:
    """The maps first; then, at the same time, the programs of the tracepoints and those that are tail-called.

    The kernel's verifier takes some 0.15 s for all of them, and about as long for the one half as for the other.
    """
    maps = _load_maps(lib, image, sizes)
    with ThreadPoolExecutor() as pool:
        halves = [pool.submit(_load_programs, lib, image, maps, targets, half) for half in (True, False)]
    if failed := next((error for half in halves if (error := half.exception())), None):
        loaded = [fd for half in halves if not half.exception() for fd in half.result().values()]
        for fd in (*maps.values(), *loaded):
            os.close(fd)
        raise failed
    return maps, {name: fd for half in halves for name, fd in half.result().items()}


def _load_maps(lib: ctypes.CDLL, image: bytes, sizes: dict[str, int]) -> dict[str, int]:
    with _opened(lib, image) as (handle, maps, programs):
        for name, size in sizes.items():
            lib.bpf_map__set_max_entries(maps[name], ctypes.c_uint32(size))
        for program in programs.values():
            lib.bpf_program__set_autoload(program, ctypes.c_bool(False))
        _load(lib, handle)
        return {name: _own(lib.bpf_map__fd(each)) for name, each in maps.items()}


def _load_programs(
    lib: ctypes.CDLL, image: bytes, maps: dict[str, int], targets: dict[str, str], of_tracepoints: bool
) -> dict[str, int]:
    with _opened(lib, image) as (handle, own_maps, programs):
        for name, fd in maps.items():
            lib.bpf_map__reuse_fd(own_maps[name], ctypes.c_int(fd))
        for name, program in list(programs.items()):
            traces = name.startswith(TRACEPOINT_PREFIX)
            if traces and name in targets:
                lib.bpf_program__set_attach_target(program, 0, targets[name].encode())
            if traces is not of_tracepoints or (traces and name not in targets):
                lib.bpf_program__set_autoload(programs.pop(name), ctypes.c_bool(False))
        _load(lib, handle)
        return {name: _own(lib.bpf_program__fd(each)) for name, each in programs.items()}


@contextmanager
def _opened(
    lib: ctypes.CDLL, image: bytes
) -> Iterator[tuple[ctypes.c_void_p, dict[str, ctypes.c_void_p], dict[str, ctypes.c_void_p]]]:
    """The object, its maps and its programs; closed afterwards, what was loaded from it stays."""
    handle = ctypes.c_void_p(lib.bpf_object__open_mem(image, ctypes.c_size_t(len(image)), None))
    if not handle:
        raise LibbpfError(_reason(lib, ctypes.get_errno()))
    try:
        yield handle, _by_name(lib, handle, "map"), _by_name(lib, handle, "program")
    finally:
        lib.bpf_object__close(handle)


def _load(lib: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
    if error := lib.bpf_object__load(handle):
        raise LibbpfError(_reason(lib, -error))


@contextmanager
def _listening(lib: ctypes.CDLL) -> Iterator[list[str]]:
    """Takes libbpf's warnings into the list, so that none is written over the screen."""
    libc = ctypes.CDLL(None)
    lines: list[str] = []

    def note(level: int, form: bytes, arguments: int) -> int:
        if level == _WARN:
            line = ctypes.create_string_buffer(_LINE_BYTES)
            libc.vsnprintf(line, ctypes.c_size_t(_LINE_BYTES), form, ctypes.c_void_p(arguments))
            lines.append(line.value.decode("utf-8", "replace"))
        return 0

    printer = _Print(note)  # must live for as long as libbpf may call it
    lib.libbpf_set_print(printer)
    try:
        yield lines
    finally:
        lib.libbpf_set_print(None)


def _by_name(lib: ctypes.CDLL, handle: ctypes.c_void_p, sort: str) -> dict[str, ctypes.c_void_p]:
    """The object's maps or programs."""
    following, name_of = getattr(lib, f"bpf_object__next_{sort}"), getattr(lib, f"bpf_{sort}__name")
    found: dict[str, ctypes.c_void_p] = {}
    at = ctypes.c_void_p()
    while at := ctypes.c_void_p(following(handle, at)):
        found[name_of(at).decode()] = at
    return found


def _reason(lib: ctypes.CDLL, error: int) -> str:
    """libbpf's words for an errno, or for a number of its own."""
    text = ctypes.create_string_buffer(_LINE_BYTES)
    lib.libbpf_strerror(error, text, ctypes.c_size_t(_LINE_BYTES))
    return text.value.decode("utf-8", "replace")


def _own(fd: int) -> int:
    """A copy that outlives the object."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
