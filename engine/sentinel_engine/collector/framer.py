"""Spans of ring-buffer memory become batches: walked, checked, counted and indexed in Wasm.

At a million events a second a Python loop over the frames alone would fill a core. The module
(``framer.wat``) takes a copy of the span, so nothing the kernel writes later can reach a batch.
"""

from __future__ import annotations

import array
import ctypes
import platform
from pathlib import Path
from typing import Final

import wasmtime

from sentinel_engine.records import Batch
from sentinel_engine.schema import KIND_SLOTS, KINDS, Ring
from sentinel_engine.wasm.compiler import host_configuration

SPAN_BYTES: Final = 4 << 20
_TOTALS: Final = 1024
_REFUSED: Final = 2048
_GAPS: Final = 3072
_LAST: Final = 4096
_CPUS: Final = 2048
_MALFORMED: Final = "malformed"  # what a refused record of no known kind is counted as
# x86 keeps loads in order. Elsewhere a frame's bytes may have been copied before its header said they were
# finished; what the walk accepted is then copied once more, now that it is known to be finished.
_LOADS_IN_ORDER: Final = platform.machine() in {"x86_64", "i686"}


class Framer:
    """One reader's framer. Only its figures may be asked for from another thread: a Wasm store is for one."""

    def __init__(self, first: int = 0) -> None:
        """``first``: the ordinal of the first record."""
        engine = wasmtime.Engine(host_configuration())
        self._store = wasmtime.Store(engine)
        text = Path(__file__).with_name("framer.wat").read_text("ascii")
        module = wasmtime.Module(engine, text)
        self._exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        base = ctypes.addressof(memory.data_ptr(self._store).contents)
        self._base = base  # the memory's size is fixed, so it never moves
        self._input = base + self._get("input")
        self._output = base + self._get("output")
        self._offsets = base + self._get("offsets")
        self._set("known", sum(kind.bit for kind in KINDS))
        self._set("lifecycle", sum(kind.bit for kind in KINDS if kind.ring is Ring.LIFECYCLE))
        self._next = first

    def frame(self, address: int, length: int) -> tuple[int, Batch | None]:
        """Take the finished frames of ``length`` bytes of mapped ring memory at this host address.

        Returns the bytes that may go back to the kernel, at most 4 MiB a call, and the batch of what was in them; None
        when there was no record.
        """
        length = min(length, SPAN_BYTES)
        ctypes.memmove(self._input, address, length)
        if not _LOADS_IN_ORDER:
            length = self._call("frames", length, 0)
            ctypes.memmove(self._input, address, length)
        done = self._call("frames", length, 1)
        return done, self._batch()

    def resume(self, first: int) -> None:
        """Give the next record this ordinal: those before it are missing."""
        self._next = first

    def split(self, data: bytes) -> Batch:
        """The batch of these records back to back. Raises ValueError when one is malformed or there is none."""
        if not 0 < len(data) <= SPAN_BYTES:
            raise ValueError(f"a batch of {len(data)} bytes")
        ctypes.memmove(self._input, data, len(data))
        done = self._call("records", len(data))
        batch = self._batch()
        if batch is None or done != len(data):
            raise ValueError(f"malformed record at byte {done}")
        return batch

    def counts(self) -> dict[str, int]:
        """Events of each kind so far; kinds without any are left out."""
        totals = self._numbers(_TOTALS, KIND_SLOTS)
        return {kind.name: totals[kind.number] for kind in KINDS if totals[kind.number]}

    def refused(self) -> dict[str, int]:
        """Records refused so far, for their lengths do not fit: by kind, ``malformed`` for one of no known kind."""
        refused = self._numbers(_REFUSED, KIND_SLOTS)
        names = {0: _MALFORMED} | {kind.number: kind.name for kind in KINDS}
        return {name: refused[number] for number, name in names.items() if refused[number]}

    def gaps(self) -> int:
        """Events missing so far, by gaps in the sequence numbers of each CPU and ring."""
        return int(self._numbers(_GAPS, 1)[0])

    def last(self, ring: Ring, cpu: int) -> int:
        """The sequence number of the last record taken of this ring and CPU, 0 before there was one."""
        return int(self._numbers(_LAST, 2 * _CPUS)[cpu % _CPUS + _CPUS * (ring is Ring.LIFECYCLE)])

    def _numbers(self, place: int, count: int) -> ctypes.Array[ctypes.c_uint64]:
        return (ctypes.c_uint64 * count).from_address(self._base + place)

    def _batch(self) -> Batch | None:
        count = self._get("count")
        if not count:
            return None
        offsets, counts = array.array("I"), array.array("I")
        offsets.frombytes(ctypes.string_at(self._offsets, 4 * count))
        counts.frombytes(ctypes.string_at(self._base, 4 * KIND_SLOTS))
        batch = Batch(ctypes.string_at(self._output, self._get("written")), offsets, self._next, counts)
        self._next += count
        return batch

    def _call(self, name: str, *parameters: int) -> int:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        return int(function(self._store, *parameters))

    def _get(self, name: str) -> int:
        value = self._exports[name]
        assert isinstance(value, wasmtime.Global)
        return int(value.value(self._store))

    def _set(self, name: str, number: int) -> None:
        value = self._exports[name]
        assert isinstance(value, wasmtime.Global)
        value.set_value(self._store, wasmtime.Val.i64(number))
