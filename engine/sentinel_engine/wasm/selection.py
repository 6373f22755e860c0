"""The records that rules look at: one memory for all of them, and which of a batch's records each one wants.

Only our own modules are linked to that memory: the drivers, which hand a rule one record at a time, and ``select``.
"""

from __future__ import annotations

import array
import ctypes
from bisect import bisect_left
from itertools import compress
from typing import Final, NamedTuple, TypeAlias

import wasmtime

from sentinel_engine.records import Batch
from sentinel_engine.schema import KIND_BY_NUMBER
from sentinel_engine.wasm.calls import FastCall
from sentinel_engine.wasm.sandbox import Sandbox

U32s: TypeAlias = "array.array[int] | ctypes.Array[ctypes.c_uint32]"
# By kind number, from 0, which no kind has.
_BITS: Final = [1 << number if number in KIND_BY_NUMBER else 0 for number in range(max(KIND_BY_NUMBER) + 1)]
RECORDS_AT: Final = 64  # where a batch begins in the memory
_SLACK: Final = 64  # drivers read strings in steps of 48 bytes


class Selection(NamedTuple):
    """Some records of the batch that is loaded. Valid until the selector takes up another batch.

    ``at``: where in the shared memory their u32 offsets are, ``size`` of them. ``picked``: the same offsets; None when
    they are all of the batch's.
    """

    at: int
    size: int
    batch: Batch
    picked: U32s | None

    def place(self, place: int) -> int:
        """Where in the batch the selection's record at this place is."""
        return place if self.picked is None else bisect_left(self.batch.offsets, self.picked[place])


class Selector:
    """Lays batches into the sandbox's record memory, and picks from them by kind, once per mask and batch.

    There is one for each such memory.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._records = sandbox.records
        self._store = sandbox.store()
        self._store.set_epoch_deadline(1 << 62)  # our own code, and it ends
        self._pick = self._linked(sandbox.select, self._records)["pick"]
        keep = self._linked(sandbox.keep_processes, self._records, sandbox.processes)
        self._apply, self.forget_processes = keep["apply"], keep["clear"]
        self.forget_processes()
        self._memory = ctypes.addressof(self._records.data_ptr().contents)
        self._batch: Batch | None = None
        self._selections: dict[int, Selection] = {}
        self._present = self._end = 0

    def _linked(self, module: wasmtime.Module, *memories: wasmtime.SharedMemory) -> dict[str, FastCall]:
        exports = wasmtime.Instance(self._store, module, memories).exports(self._store)
        return {
            one.name: FastCall(self._store, function)
            for one in module.exports
            if isinstance(function := exports[one.name], wasmtime.Func)
        }

    def load(self, batch: Batch, *, processes: bool = False) -> None:
        """Take up this batch. ``processes``: keep account of them, for rules that look them up."""
        self._batch = batch
        self._selections.clear()
        self._present = sum(compress(_BITS, batch.counts))
        self._end = RECORDS_AT
        if processes:
            self._lay()
            self._apply(RECORDS_AT, len(batch.data))

    def select(self, mask: int) -> Selection | None:
        """The records of the loaded batch whose kind is in the mask; None when there are none."""
        mask &= self._present
        if not mask:
            return None
        if mask not in self._selections:
            self._selections[mask] = self._make(mask)
        return self._selections[mask]

    def _make(self, mask: int) -> Selection:
        assert self._batch is not None
        batch = self._batch
        if self._end == RECORDS_AT:
            self._lay()
        at = self._end
        self._reserve(4 * len(batch))
        if mask == self._present:
            address, size = batch.offsets.buffer_info()
            ctypes.memmove(self._memory + at, address, 4 * size)
            self._end += 4 * size
            return Selection(at, size, batch, None)
        count = self._pick(mask, RECORDS_AT, len(batch.data), at)
        self._end += 4 * count
        return Selection(at, count, batch, (ctypes.c_uint32 * count).from_address(self._memory + at))

    def _lay(self) -> None:
        assert self._batch is not None
        data = self._batch.data
        self._reserve(len(data) + _SLACK)
        ctypes.memmove(self._memory + RECORDS_AT, data, len(data))
        self._end += len(data) + _SLACK & ~7

    def _reserve(self, size: int) -> None:
        """Make sure that there are so many bytes more. The memory never moves."""
        missing = self._end + size - self._records.data_len()
        if missing > 0:
            self._records.grow(-(-missing >> 16))
