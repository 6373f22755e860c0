"""One instance of a rule in a store of its own: arena, rule and driver, instantiated in this order."""

from __future__ import annotations

import array
import ctypes
import struct
import time
from typing import Any, Final, NamedTuple

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime._instance import InstanceExports

from sentinel_engine.records import Clock, Record
from sentinel_engine.rules.manifest import RuleSpec
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.schema import MAX_RECORD
from sentinel_engine.wasm.calls import FastCall
from sentinel_engine.wasm.histogram import BUCKETS
from sentinel_engine.wasm.linking import PAGE, Abi, abi_of, imports_of, no_room
from sentinel_engine.wasm.sandbox import ALL_FUEL, TICK_SECONDS, Sandbox, one_line
from sentinel_engine.wasm.selection import RECORDS_AT, Selection

_ARENA_BYTES: Final = PAGE
_STATE: Final = struct.Struct("<6IQ")
_MATCH: Final = struct.Struct("<Ii")
_TOTAL_NS_AT, _LONGEST_NS_AT = 24, 32
_HISTOGRAM_AT, _MATCHES_AT, _LOGS_AT = 1024, 8192, 16384
_RUN: Final = 1024  # records of one call of the driver, which lists a bounded number of matches and log lines
MAX_STATE: Final = 4 << 20  # bytes that one generation may leave to the next
_INSTANCES, _MEMORIES = 64, 4
TABLES: Final = 7  # of the rule; one more is the shim's
TABLE_ELEMENTS: Final = 10_000  # of each

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.POINTER(ffi.wasmtime_context_t),
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(ctypes.c_uint8),
)
_NO_FINALIZER = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
_DEADLINE_MESSAGE: Final = b"the deadline is over"


class DeadlineError(Exception):
    """A rule did not finish one event, or its start, within its deadline."""


class Outcome(NamedTuple):
    """What one call of the driver did. ``listed``: (place in the run, score); ``logs``: (place, line)."""

    evaluated: int
    matches: int
    listed: list[tuple[int, int]]
    errors: int
    logs: list[tuple[int, bytes]]
    dropped_logs: int
    total_ns: int


class Instance:
    """A rule that is ready to be called. Engine thread only; two threads in one store abort the process.

    Raises RuleError when the module does not fit the ABI, asks for what it is not granted, needs more
    memory than its limit, traps while starting, or does not start within its deadline.
    """

    def __init__(self, sandbox: Sandbox, module: wasmtime.Module, spec: RuleSpec, clock: Clock) -> None:
        self.abi: Abi = abi_of(module, spec)
        began = time.perf_counter_ns()
        self._deadline_ticks = max(1, round(spec.limits.deadline_ms / 1000 / TICK_SECONDS / 2))
        self._store = sandbox.store()
        self._cursor = ctypes.c_uint32()
        self._runs = 0
        self._seen = (0, 0)
        self._expired = False
        self._watch_deadline()
        try:
            self._start(sandbox, module, spec, clock)
        except DeadlineError as error:
            self.close()
            raise RuleError(
                f"it did not start within {spec.limits.deadline_ms} ms", "look for an endless loop in its start code"
            ) from error
        except RuleError:
            self.close()
            raise
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self.close()
            raise RuleError(
                f"it failed while starting: {one_line(error)}", "look at its start code and at the size of its memory"
            ) from error
        self.instantiate_ns = time.perf_counter_ns() - began

    def _start(self, sandbox: Sandbox, module: wasmtime.Module, spec: RuleSpec, clock: Clock) -> None:
        store = self._store
        store.set_wasi(wasmtime.WasiConfig())
        self._limit(_ARENA_BYTES)
        self._arm()
        shim = wasmtime.Instance(store, sandbox.shim, []).exports(store)
        arena = shim["arena"]
        assert isinstance(arena, wasmtime.Memory)
        self._arena = ctypes.addressof(arena.data_ptr(store).contents)
        self._head = memoryview((ctypes.c_char * _STATE.size).from_address(self._arena)).cast("B")
        self._limit(spec.limits.memory_bytes)
        linked = imports_of(module, spec, store, shim)
        exports = self._within(lambda: wasmtime.Instance(store, module, linked).exports(store))
        memory = exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self._memory = memory
        self._eval, self._now, self._offset_ns = exports[self.abi.function], shim["now"], clock.offset_ns
        driver = self._drive(sandbox, shim, exports)
        if isinstance(initialize := exports.get("_initialize"), wasmtime.Func):
            self._within(lambda: initialize(store))
        self._input = self._reserve_input(exports)
        self._snapshot, self._restore = exports.get("sentinel_snapshot"), exports.get("sentinel_restore")
        if spec.config:
            self._configure(exports, spec.config)
        setup, run = driver["setup"], driver["run"]
        assert isinstance(setup, wasmtime.Func)
        assert isinstance(run, wasmtime.Func)
        setup(store, clock.offset_ns, self._input, int(self.abi.path_only))
        self._run = FastCall(store, run)
        self._cursor = ctypes.c_uint32.from_address(self._arena)
        self._total_ns = ctypes.c_uint64.from_address(self._arena + _TOTAL_NS_AT)
        early = shim["early_logs"]
        assert isinstance(early, wasmtime.Global)
        said = self.outcome()  # by _initialize and sentinel_config
        self.early_logs = int(early.value(store)) + len(said.logs) + said.dropped_logs

    def _drive(self, sandbox: Sandbox, shim: InstanceExports, rule: InstanceExports) -> InstanceExports:
        wanted: dict[tuple[str, str | None], Any] = {
            ("rule", "memory"): rule["memory"],
            ("rule", "eval"): rule[self.abi.function],
            ("sandbox", "records"): sandbox.records,
            ("sandbox", "processes"): sandbox.processes,
            **{("shim", name): shim[name] for name in ("arena", "hook", "now")},
        }
        clock = sandbox.linker.get(self._store, "wasi_snapshot_preview1", "clock_time_get")
        own = [wanted.get((one.module, one.name), clock) for one in sandbox.driver.imports]
        return wasmtime.Instance(self._store, sandbox.driver, own).exports(self._store)

    def _limit(self, memory_bytes: int) -> None:
        self._store.set_limits(
            memory_size=memory_bytes, table_elements=TABLE_ELEMENTS, instances=_INSTANCES, tables=TABLES + 1,
            memories=_MEMORIES,
        )  # fmt: skip

    def _reserve_input(self, exports: InstanceExports) -> int:
        """Where the input goes: what the module's allocator gives, or a page behind its memory."""
        if isinstance(allocate := exports.get("sentinel_alloc"), wasmtime.Func):
            address = int(self._within(lambda: allocate(self._store, MAX_RECORD))) & 0xFFFFFFFF
            if not 0 < address <= self.memory_bytes - MAX_RECORD:
                raise RuleError(
                    f"sentinel_alloc({MAX_RECORD}) gave no room inside its memory", "return the address of a buffer"
                )
            return address
        try:
            return self._memory.grow(self._store, 1) * PAGE
        except wasmtime.WasmtimeError as error:
            raise no_room() from error

    def _configure(self, exports: InstanceExports, config: bytes) -> None:
        configure = exports["sentinel_config"]
        assert isinstance(configure, wasmtime.Func)
        self._memory.write(self._store, config, self._input)
        result = int(self._within(lambda: configure(self._store, self._input, len(config))))
        if result < 0:
            raise RuleError(f"it refused its config (sentinel_config returned {result})", "correct `config:`")

    # The deadline.

    def _watch_deadline(self) -> None:
        def over(_context: Any, _data: Any, delta: Any, kind: Any) -> int:
            progress = (self._runs, self._cursor.value)
            if progress != self._seen:
                self._seen = progress
                delta[0], kind[0] = self._deadline_ticks, 0
                return 0
            self._expired = True
            return ctypes.cast(ffi.wasmtime_error_new(_DEADLINE_MESSAGE), ctypes.c_void_p).value or 0

        self._callback = _Callback(over)  # the store keeps only the bare pointer
        ffi.wasmtime_store_epoch_deadline_callback(self._store.ptr(), self._callback, None, _NO_FINALIZER)

    def _arm(self) -> None:
        """A stuck call dies between one and two half deadlines (and a tick) from now.

        A cursor that moves, or another run, extends it: so it need not be set again for each run.
        """
        self._runs += 1
        self._expired = False
        self._store.set_epoch_deadline(self._deadline_ticks)

    def _within(self, call: Any) -> Any:
        self._arm()
        try:
            return call()
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            if self._expired:
                raise DeadlineError from error
            raise

    # The batch.

    def run(self, selection: Selection, first: int) -> bool:
        """Evaluate up to 1,024 of the records from this one on; whether the outcome holds more than ``plain`` does.

        Raises wasmtime.Trap, wasmtime.WasmtimeError or DeadlineError at the cursor.
        """
        self._runs += 1
        try:
            return self._run(RECORDS_AT, selection.at + 4 * first, min(selection.size - first, _RUN)) != 0
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            if self._expired:
                raise DeadlineError from error
            raise

    def plain(self) -> tuple[int, int]:
        """How many events the run evaluated, and its nanoseconds: all there is to an outcome without a finding."""
        return self._cursor.value, self._total_ns.value

    def outcome(self) -> Outcome:
        """What the run did, up to its end or to the event at which it failed."""
        cursor, listed, matches, errors, log_bytes, dropped, total_ns = _STATE.unpack(self._head)
        pairs = _MATCH.iter_unpack(ctypes.string_at(self._arena + _MATCHES_AT, 8 * listed)) if listed else ()
        logs = self._logs(log_bytes) if log_bytes else []
        return Outcome(cursor, matches, [(i, s) for i, s in pairs], errors, logs, dropped, total_ns)

    def _logs(self, size: int) -> list[tuple[int, bytes]]:
        raw = ctypes.string_at(self._arena + _LOGS_AT, size)
        found, at = [], 0
        while at < len(raw):
            index, length = struct.unpack_from("<II", raw, at)
            found.append((index, raw[at + 8 : at + 8 + length]))
            at += 8 + length
        return found

    def burn(self, record: Record) -> int:
        """The fuel that this one record takes, by itself; for a sandbox with fuel. Raises wasmtime.Trap."""
        given = record.strings[0].decode("utf-8", "replace").encode() if self.abi.path_only else record.raw
        self._memory.write(self._store, given, self._input)
        assert isinstance(self._now, wasmtime.Global)
        self._now.set_value(self._store, wasmtime.Val.i64(record.boot_ns + self._offset_ns))
        self._store.set_fuel(ALL_FUEL)
        assert isinstance(self._eval, wasmtime.Func)
        self._eval(self._store, self._input, len(given))
        return ALL_FUEL - self._store.get_fuel()

    # Its state, from one generation to the next.

    def state(self) -> bytes | None:
        """What it wants its successor to know; None when it has no such export or no state.

        Raises RuleError when it fails, or when its state is not in its memory or over MAX_STATE.
        """
        if not isinstance(snapshot := self._snapshot, wasmtime.Func):
            return None
        packed = int(self._told("sentinel_snapshot", lambda: snapshot(self._store))) & (1 << 64) - 1
        size, address = packed >> 32, packed & 0xFFFFFFFF
        if not size:
            return None
        if size > MAX_STATE or address + size > self.memory_bytes:
            raise RuleError(
                f"sentinel_snapshot gave {size} bytes at {address}, which is not {MAX_STATE} bytes inside its memory",
                "return the length in the upper half and the address in the lower",
            )
        return bytes(self._memory.read(self._store, address, address + size))

    def restore(self, state: bytes) -> bool:
        """Hand it a predecessor's state; False when it has no such export. Raises RuleError when it is refused."""
        if not isinstance(restore := self._restore, wasmtime.Func):
            return False
        try:
            address = self._memory.grow(self._store, -(-len(state) // PAGE)) * PAGE
        except wasmtime.WasmtimeError as error:
            raise RuleError(
                f"there is no room in its memory for {len(state)} bytes of state", "raise limits.memory_bytes"
            ) from error
        self._memory.write(self._store, state, address)
        result = int(self._told("sentinel_restore", lambda: restore(self._store, address, len(state))))
        if result < 0:
            raise RuleError(f"sentinel_restore returned {result}", "it may be of another layout")
        return True

    def _told(self, name: str, call: Any) -> Any:
        try:
            return self._within(call)
        except DeadlineError as error:
            raise RuleError(f"{name} took too long", "look for an endless loop in it") from error
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise RuleError(f"{name} failed: {one_line(error)}", "correct it") from error

    # Figures.

    @property
    def memory_bytes(self) -> int:
        """The rule's linear memory now."""
        return int(self._memory.data_len(self._store))

    def histogram(self) -> array.array[int]:
        """Counts of sampled nanoseconds, see sentinel_engine.wasm.histogram; empty ones at the end are left out."""
        raw = ctypes.string_at(self._arena + _HISTOGRAM_AT, 4 * BUCKETS).rstrip(b"\0")
        return array.array("I", raw.ljust(-(-len(raw) // 4) * 4, b"\0"))

    def longest_ns(self) -> int:
        """The longest sampled call."""
        return ctypes.c_uint64.from_address(self._arena + _LONGEST_NS_AT).value

    def close(self) -> None:
        """Free the store; nothing may be called afterwards."""
        self._store.close()
