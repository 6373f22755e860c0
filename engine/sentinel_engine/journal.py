"""The journal's lines: one JSON object each, tied to all before it by SHA-256, so that a change anywhere shows.

A line is its object with the last key ``chain``: the SHA-256 of the chain before it and of the object without that key.
Nothing else is needed to check it: who holds the last value, the head, holds the whole journal to it.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Generic, TypeVar

import msgspec

_ORIGIN: Final = hashlib.sha256(b"sentinel-tui journal 1").hexdigest()
_BEFORE, _AFTER = b',"chain":"', b'"}'
_SUFFIX: Final = len(_BEFORE) + 64 + len(_AFTER)
MAX_LINE: Final = 8 << 20
_WAITING_BYTES: Final = 8 << 20

T = TypeVar("T")


def _next(head: str, entry: bytes) -> str:
    return hashlib.sha256(head.encode() + entry).hexdigest()


def chain_of(line: bytes) -> str:
    """The chain that this line says it ends in; empty when it says none."""
    tail = line.removesuffix(b"\n")[-_SUFFIX:]
    return tail[len(_BEFORE) : -len(_AFTER)].decode("ascii", "replace") if tail.startswith(_BEFORE) else ""


class JournalWriter:
    """Appends entries to a file. What the disk does not take waits in memory, in order, until it does again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encoder = msgspec.json.Encoder()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._line = b""  # what is still to be written of the first that waits
        self._line_head = ""
        self._dropped = 0
        self._unsynced = False
        self.head = _ORIGIN
        self.problem = ""  # why the disk does not take more now

    @property
    def lost(self) -> int:
        """Entries that are not on the disk: they wait for it, or there was no room to."""
        return self._dropped + len(self._waiting)

    def write(self, entry: msgspec.Struct) -> bool:
        """Append this entry, whole; False, and counted in ``lost``, while the disk does not take it."""
        plain = self._encoder.encode(entry)
        if self._waiting and self._waiting_bytes + len(plain) > _WAITING_BYTES:
            self._dropped += 1
            return False
        self._waiting.append(plain)
        self._waiting_bytes += len(plain)
        return self._flush()

    def _flush(self) -> bool:
        while self._waiting:
            if not self._line:
                plain = self._waiting[0]
                self._line_head = _next(self.head, plain)
                self._line = plain[:-1] + _BEFORE + self._line_head.encode() + _AFTER + b"\n"
            try:
                # A disk that becomes full takes a part of a line: the rest of it is what has to come next.
                self._line = self._line[self._file.write(self._line) :]
            except OSError as error:
                self.problem = str(error.strerror)
                return False
            if not self._line:
                self.head = self._line_head
                self._waiting_bytes -= len(self._waiting.popleft())
                self._unsynced = True
        return True

    def sync(self) -> None:
        """Have all of it on the disk itself, where a power cut leaves it; a disk that cannot is counted."""
        whole = self._flush()
        if self._unsynced:
            self._unsynced = False
            try:
                os.fdatasync(self._file.fileno())
            except OSError as error:
                self.problem = str(error.strerror)
                self._dropped += 1
            else:
                self.problem = "" if whole else self.problem

    def close(self) -> None:
        """Close the file."""
        self.sync()
        self._file.close()


@dataclass(slots=True)
class Seal:
    """What reading a journal has shown so far. ``broken``: the first entry that is not what was written, in words."""

    head: str = _ORIGIN
    entries: int = 0
    torn: int = 0  # lines that were cut: by a full disk, or the last by the end of the process
    broken: str = ""


class JournalReader(Generic[T]):
    """Reads a journal line by line, in bounded memory. ``seal`` tells, at the end, whether all is as it was written."""

    def __init__(self, path: Path, decoder: msgspec.json.Decoder[T]) -> None:
        """Raises OSError."""
        self._file = path.open("rb")
        self._decoder = decoder
        self.size = os.fstat(self._file.fileno()).st_size
        self.seal = Seal()

    def __iter__(self) -> Iterator[T]:
        """The entries that can be read; what was cut is counted."""
        with self._file:
            number = 0
            while line := self._file.readline(MAX_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    self.seal.torn += 1
                    continue
                if len(line) == 1:
                    continue
                try:
                    entry = self._decoder.decode(line)
                except msgspec.MsgspecError:
                    self.seal.torn += 1
                    continue
                self._check(number, line.removesuffix(b"\n"))
                yield entry

    def _check(self, number: int, line: bytes) -> None:
        seal = self.seal
        plain, tail = line[:-_SUFFIX] + b"}", line[-_SUFFIX:]
        said = tail[len(_BEFORE) : -len(_AFTER)].decode("ascii", "replace")
        head = _next(seal.head, plain)
        if not seal.broken and (not tail.startswith(_BEFORE) or said != head):
            seal.broken = f"line {number} is not what was written there: {plain[:80].decode('utf-8', 'replace')}…"
        seal.head = said
        seal.entries += 1
