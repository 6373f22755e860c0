"""A recording: the raw batches of a session in one file, for the demo and for replay.

Layout: the magic, then blocks of ``u32 stored, u32 raw`` and a zstd frame. The first block is
the header (JSON: clock, kernel, the processes at the start); each other block is one batch, or names
that the batches after it need (JSON); a block with no bytes ends the file, followed by one with the
trailer (JSON: events lost by stage and kind).
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Final, TypeVar

import msgspec
import zstandard

from sentinel_engine.cgroups import Names
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.files import create_private, write_all
from sentinel_engine.records import Batch
from sentinel_engine.shapes import prepare

MAGIC: Final = b"SNTLREC1"
MAX_BLOCK: Final = 16 << 20
_BLOCK: Final = struct.Struct("<II")
_LEVEL: Final = 3
_JSON: Final = b"{"  # no batch begins so: its first byte is that of a length, a multiple of 8
_RESUME: Final = b'{"resume"'
_MOST_NS: Final = (1 << 63) - 1  # beyond it no time can be shown
_LAST_BLOCKS: Final = 64  # so many are looked at from the end: between two batches there is a name or two
T = TypeVar("T")


class RecordingError(Exception):
    """The file is no recording, or is damaged; the text is a sentence for people."""


class Header(msgspec.Struct, frozen=True):
    """What a replay needs beside the events."""

    clock_offset_ns: Annotated[int, msgspec.Meta(ge=-_MOST_NS, le=_MOST_NS)]
    kernel: str
    hostname: str
    processes: list[BootProcess]
    first: int = 0  # the ordinal (an event's seq) of the first record: more than 0 in a later segment of a session


class Resume(msgspec.Struct, frozen=True):
    """Records are missing here, since nobody had the time to write them: the next one is of this ordinal."""

    resume: int


class Trailer(msgspec.Struct, frozen=True):
    """Known only at the end: events by kind that the kernel dropped, and that could not be framed."""

    lost: dict[str, int]
    refused: dict[str, int] = {}


prepare(Header, Names, Resume, Trailer)


class RecordingWriter:
    """Writes one recording. Raises OSError when the file exists or cannot be written."""

    def __init__(self, path: Path, header: Header, level: int = _LEVEL) -> None:
        self._file = create_private(path)
        self._compressor = zstandard.ZstdCompressor(level=level)
        self.size = 0
        try:
            self._write(MAGIC)
            self._block(msgspec.json.encode(header))
        except OSError:
            self._file.close()
            path.unlink()  # without its header it is no recording
            raise

    def append(self, batch: Batch) -> None:
        """Add this batch."""
        self._block(batch.data)

    def name(self, names: Names) -> None:
        """Add what was found out about cgroups, before the batch that needs it."""
        self._block(msgspec.json.encode(names))

    def skip(self, first: int) -> None:
        """Say that the next batch begins with a record of this ordinal: those before it could not be written."""
        self._block(msgspec.json.encode(Resume(first)))

    def close(self, trailer: Trailer) -> None:
        """Write the end mark and the trailer."""
        self._write(_BLOCK.pack(0, 0))
        self._block(msgspec.json.encode(trailer))
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is: who reads it is told that it was cut short."""
        self._file.close()

    def _block(self, raw: bytes) -> None:
        stored = self._compressor.compress(raw)
        self._write(_BLOCK.pack(len(stored), len(raw)) + stored)

    def _write(self, data: bytes) -> None:
        write_all(self._file, data)
        self.size += len(data)


class RecordingReader:
    """Reads one recording. ``trailer`` is None until the end mark was reached, and stays so in one cut short."""

    def __init__(self, path: Path, file: BinaryIO | None = None) -> None:
        """``file``: what was opened already, and goes by this path in messages."""
        self.path = path
        self._decompressor = zstandard.ZstdDecompressor()
        self.trailer: Trailer | None = None
        try:
            self._file: BinaryIO = file or path.open("rb")
        except OSError as error:
            raise RecordingError(f"cannot read {path}: {error.strerror}") from error
        self.read_bytes = 0
        if self._file.read(len(MAGIC)) != MAGIC:
            raise RecordingError(f"{path} is not a sentinel-tui recording")
        block = self._read()
        self.header = self._json(block or b"", Header)

    def batches(self) -> Iterator[bytes | Names | Resume]:
        """The records of each batch, back to back, in the order in which they were taken, and what is between them."""
        while (raw := self._read()) is not None:
            if not raw:
                self.trailer = self._json(self._read() or b"", Trailer)
                return
            if raw[:1] != _JSON:
                yield raw
            elif raw.startswith(_RESUME):
                yield self._json(raw, Resume)
            else:
                yield self._json(raw, Names)

    def last_batch(self) -> bytes:
        """The last whole batch, found without unpacking those before it; empty when there is none.

        Raises RecordingError. Nothing can be read after it.
        """
        at = self._file.tell()
        size = self._file.seek(0, os.SEEK_END)
        blocks: deque[int] = deque(maxlen=_LAST_BLOCKS)
        while at + _BLOCK.size <= size:
            self._file.seek(at)
            stored, raw = _BLOCK.unpack(self._file.read(_BLOCK.size))
            end = at + _BLOCK.size + stored
            if not stored or max(stored, raw) > MAX_BLOCK or end > size:
                break
            blocks.append(at)
            at = end
        for at in reversed(blocks):
            self._file.seek(at)
            if (block := self._read()) and block[:1] != _JSON:
                return block
        return b""

    def position(self) -> int:
        """Bytes of the file that were read so far."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _json(self, raw: bytes, shape: type[T]) -> T:
        try:
            return msgspec.json.decode(raw, type=shape)
        except msgspec.MsgspecError as error:
            raise RecordingError(f"{self.path} is damaged: {error}") from error

    def _read(self) -> bytes | None:
        head = self._file.read(_BLOCK.size)
        if len(head) < _BLOCK.size:
            return None
        stored, raw = _BLOCK.unpack(head)
        if stored > MAX_BLOCK or raw > MAX_BLOCK:
            raise RecordingError(f"{self.path} is damaged: a block of {max(stored, raw)} bytes")
        if not stored:
            return b""
        frame = self._file.read(stored)
        self.read_bytes += len(head) + len(frame)
        if len(frame) < stored:
            return None
        try:
            # The decompressor believes what the frame says of its own size, whatever limit it is given.
            if zstandard.frame_content_size(frame) > raw:
                raise RecordingError(f"{self.path} is damaged: a block is larger than it says")
            return self._decompressor.decompress(frame, max_output_size=raw)
        except zstandard.ZstdError as error:
            raise RecordingError(f"{self.path} is damaged: {error}") from error
