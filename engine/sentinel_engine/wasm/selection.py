"""The part of a batch that a rule subscribed to, as memory that its driver can copy."""

from __future__ import annotations

import array
import ctypes
from bisect import bisect_right
from itertools import compress
from typing import Final, NamedTuple, TypeAlias

import wasmtime

from sentinel_engine.records import Batch
from sentinel_engine.schema import HEADER_SIZE, KIND_BY_NUMBER
from sentinel_engine.wasm.calls import FastCall
from sentinel_engine.wasm.sandbox import Sandbox

U32s: TypeAlias = "array.array[int] | ctypes.Array[ctypes.c_uint32]"


class Selection(NamedTuple):
    """Records back to back at a host address. ``indexes``: each one's place in the batch, None when all are there.

    Valid until the selector is used again.
    """

    address: int
    size: int
    offsets: U32s
    indexes: U32s | None

    def chunks(self, limit: int) -> list[tuple[int, int, int]]:
        """(first record, start byte, end byte) of runs of at most ``limit`` bytes; a record is never cut."""
        first, start, found = 0, 0, []
        while self.size - start > limit:
            last = bisect_right(self.offsets, start + limit) - 1
            found.append((first, start, self.offsets[last]))
            first, start = last, self.offsets[last]
        found.append((first, start, self.size))
        return found

    def place(self, place: int) -> int:
        """Where in the batch the selection's record at this place is."""
        return place if self.indexes is None else self.indexes[place]


_PAGE: Final = 65536
_USUAL_BYTES: Final = 4 << 20  # the most that the framer makes; a snapshot of a host's processes may be longer
# By kind number, from 0, which no kind has.
_BITS: Final = [1 << number if number in KIND_BY_NUMBER else 0 for number in range(max(KIND_BY_NUMBER) + 1)]


class Selector:
    """Picks by kind, once per mask and batch, in a store of its own. Engine thread only."""

    def __init__(self, sandbox: Sandbox) -> None:
        store = wasmtime.Store(sandbox.engine)
        store.set_epoch_deadline(1 << 62)  # our own code, and it ends
        exports = wasmtime.Instance(store, sandbox.select, []).exports(store)
        memory, pick = exports["memory"], exports["pick"]
        assert isinstance(memory, wasmtime.Memory)
        assert isinstance(pick, wasmtime.Func)
        self._store, self._memory = store, memory
        self._pick = FastCall(store, pick)
        self._batch: Batch | None = None
        self._present = 0
        self._reserve(_USUAL_BYTES)

    def _reserve(self, size: int) -> None:
        """Lay the memory out for batches of up to so many bytes; it may move."""
        room = -(-size // _PAGE) * _PAGE
        table = 4 * -(-room // HEADER_SIZE)
        self._room = room
        self._input, self._output, self._offsets = _PAGE, _PAGE + room, _PAGE + 2 * room
        self._indexes = self._offsets + table
        missing = self._indexes + table - self._memory.data_len(self._store)
        self._memory.grow(self._store, max(0, -(-missing // _PAGE)))
        self._base = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        self._written = ctypes.c_uint32.from_address(self._base)

    def load(self, batch: Batch) -> None:
        """Take up this batch."""
        self._batch = batch
        self._present = sum(compress(_BITS, batch.counts))
        self._copied = False

    def select(self, mask: int) -> Selection | None:
        """The records of the loaded batch whose kind is in the mask; None when there are none."""
        assert self._batch is not None
        data = self._batch.data
        if not mask & self._present:
            return None
        if not self._present & ~mask:
            address = ctypes.c_void_p.from_buffer(ctypes.c_char_p(data)).value
            assert address is not None
            return Selection(address, len(data), self._batch.offsets, None)
        if not self._copied:
            if len(data) > self._room:
                self._reserve(len(data))
            ctypes.memmove(self._base + self._input, data, len(data))
            self._copied = True
        count = self._pick(mask, len(data), self._input, self._output, self._offsets, self._indexes)
        offsets = (ctypes.c_uint32 * count).from_address(self._base + self._offsets)
        indexes = (ctypes.c_uint32 * count).from_address(self._base + self._indexes)
        return Selection(self._base + self._output, self._written.value, offsets, indexes)
