"""What all rules share: the engine with its features cut down, the deadline ticker, and our own modules."""

from __future__ import annotations

import copy
import hashlib
import re
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

import wasmtime
from wasmtime import _ffi as ffi

from sentinel_engine.privileges import NOTHING, drop
from sentinel_engine.rules.manifest import MAX_MODULE
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.wasm.compiler import compile_apart, configuration

TICK_SECONDS: Final = 0.01
ALL_FUEL: Final = 1 << 32  # for a start, and for each event: seconds of it, so that measuring ends, too
# The worst found (4,000 loops over 3,000 variables) takes 0.3 s for 16 KiB and 3.4 s for 64 KiB: up to here no limit is
# needed, and a rule as they are written takes a few ms. A child, which has one, takes 80 ms more.
_COMPILE_HERE: Final = 16 << 10
# As in driver.wat. 256 MiB of addresses for a batch, which takes some 4 at most; 64 MiB for 65,000 processes.
_RECORDS_PAGES: Final = (1, 4096)
_PROCESSES_PAGES: Final = (5, 1024)
_TRAP: Final = re.compile(r"wasm trap: (.+)")
_CAUSE: Final = re.compile(r"0: (.+)")
_FIX_MODULE: Final = "build it as a WebAssembly 1.0 module; engine/README.md says what a rule may hold"


class SharedMemory(wasmtime.SharedMemory):
    """Memory for our own modules beside all rules, their drivers among them; the rules themselves cannot reach it."""

    def __init__(self, engine: wasmtime.Engine, limits: tuple[int, int]) -> None:
        super().__init__(engine, wasmtime.MemoryType(wasmtime.Limits(*limits), shared=True))

    def _as_extern(self) -> ffi.wasmtime_extern_t:
        # wasmtime-py 50 hands over the address of its own variable here, which is one pointer too many.
        union = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


class Sandbox:
    """The engine that every rule's store belongs to. ``close`` stops the ticker.

    ``fuel``: its stores count instructions, and have no deadline: for measuring.
    """

    def __init__(self, *, fuel: bool = False) -> None:
        self._fuel = fuel
        self.engine = wasmtime.Engine(configuration(trusted=True, fuel=fuel))
        self._checker = wasmtime.Engine(configuration(trusted=False))
        self._without_vectors = wasmtime.Engine(configuration(trusted=False, vectors=False))
        self._share()
        self.shim = self._own("shim")
        self.driver = self._own("driver")
        self.select = self._own("select")
        self.keep_processes = self._own("processes")
        self.linker = wasmtime.Linker(self.engine)
        self.linker.define_wasi()
        # For as long as a rule of the same code is loaded.
        self._modules: weakref.WeakValueDictionary[str, wasmtime.Module] = weakref.WeakValueDictionary()
        self._closed = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="deadline", daemon=True)
        self._ticker.start()

    def compile(self, code: bytes) -> tuple[wasmtime.Module, str]:
        """The compiled module of these bytes, Wasm or its text, and their SHA-256.

        Raises RuleError: too long, not Wasm, not valid, or too slow to compile.
        """
        sha256 = hashlib.sha256(code).hexdigest()
        module = self._modules.get(sha256)
        if module is None:
            module = self._modules[sha256] = self._compile(code)
        return module, sha256

    def store(self) -> wasmtime.Store:
        """A new store, with all the fuel there is."""
        store = wasmtime.Store(self.engine)
        if self._fuel:
            store.set_fuel(ALL_FUEL)
        return store

    def apart(self) -> Sandbox:
        """The same with shared memory of its own: for rules that another thread tries out."""
        twin = copy.copy(self)
        twin._share()
        return twin

    def _share(self) -> None:
        self.records = SharedMemory(self.engine, _RECORDS_PAGES)
        self.processes = SharedMemory(self.engine, _PROCESSES_PAGES)

    def close(self) -> None:
        """Stop the ticker."""
        self._closed.set()
        self._ticker.join()

    def _own(self, name: str) -> wasmtime.Module:
        text = Path(__file__).with_name(f"{name}.wat").read_text("ascii")
        return wasmtime.Module(self.engine, text)

    def _compile(self, code: bytes) -> wasmtime.Module:
        if not code.startswith(b"\0asm"):
            code = _from_text(code)
        if len(code) > MAX_MODULE:
            raise RuleError(
                f"the module has {len(code)} bytes, the most is {MAX_MODULE}", "strip it, or split the rule"
            )
        try:
            wasmtime.Module.validate(self._checker, code)
            # An import or export of a vector type makes wasmtime end the process: let that be another one.
            if len(code) > _COMPILE_HERE or not self._validates_without_vectors(code):
                return wasmtime.Module.deserialize(self.engine, compile_apart(code, fuel=self._fuel))
            return wasmtime.Module(self.engine, code)
        except wasmtime.WasmtimeError as error:
            raise RuleError(f"not a valid WebAssembly module: {one_line(error)}", _FIX_MODULE) from error

    def _validates_without_vectors(self, code: bytes) -> bool:
        try:
            wasmtime.Module.validate(self._without_vectors, code)
        except wasmtime.WasmtimeError:
            return False
        return True

    def _tick(self) -> None:
        # It began while the process still held all it was given; who relies on its having dropped that reads it back.
        with suppress(OSError):
            drop(NOTHING)
        while not self._closed.wait(TICK_SECONDS):
            self.engine.increment_epoch()


def _from_text(code: bytes) -> bytes:
    try:
        text = code.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RuleError("not a WebAssembly module: neither the binary format nor its text", _FIX_MODULE) from error
    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise RuleError(f"not a WebAssembly module, nor its text: {one_line(error)}", _FIX_MODULE) from error


def one_line(error: BaseException) -> str:
    """What a wasmtime error says, without source picture and backtrace, at most 200 characters."""
    text = str(error)
    if found := _TRAP.search(text):
        return found[1][:200]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [found[1] for line in lines if (found := _CAUSE.fullmatch(line))]
    return "; ".join(dict.fromkeys([*lines[:1], *causes[:1]]))[:200] or type(error).__name__
