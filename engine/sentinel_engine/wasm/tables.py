"""The tables that a module declares: wasmtime tells of those it exports only."""

from __future__ import annotations

from typing import Final

_HEADER_BYTES: Final = 8
_TABLE_SECTION: Final = 4


def table_sizes(module: bytes) -> list[int]:
    """How many elements each table of this binary module, known to be valid, begins with."""
    at = _HEADER_BYTES
    while at < len(module):
        section = module[at]
        size, at = _number(module, at + 1)
        if section == _TABLE_SECTION:
            return _sizes(module, at)
        at += size
    return []


def _sizes(module: bytes, at: int) -> list[int]:
    count, at = _number(module, at)
    sizes = []
    for _ in range(count):
        has_maximum = module[at + 1] & 1  # behind the type of its elements
        first, at = _number(module, at + 2)
        if has_maximum:
            _, at = _number(module, at)
        sizes.append(first)
    return sizes


def _number(module: bytes, at: int) -> tuple[int, int]:
    """The unsigned LEB128 number here, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = module[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
