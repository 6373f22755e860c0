"""Field offsets of kernel structs, read from the running kernel's own type information (BTF).

Compiling against another kernel's headers is silently wrong; this is right by construction.
Only the parts of the format that lead to a member's offset are read.
"""

from __future__ import annotations

import array
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

VMLINUX: Final = Path("/sys/kernel/btf/vmlinux")

_MAGIC: Final = 0xEB9F
_ARRAY, _STRUCT, _UNION, _ENUM, _TYPEDEF, _FUNC_PROTO, _VAR, _DATASEC, _ENUM64 = 3, 4, 5, 6, 8, 13, 14, 15, 19
_SKIP_THROUGH: Final = frozenset({_TYPEDEF, 9, 10, 11, 18})  # volatile, const, restrict, type tag
# Bytes that follow a type's 12-byte header: (once, for each of its vlen entries), by BTF_KIND.
_TRAILER: Final = tuple(
    {
        1: (4, 0), _ARRAY: (12, 0), _STRUCT: (0, 12), _UNION: (0, 12), _ENUM: (0, 8), _FUNC_PROTO: (0, 8),
        _VAR: (4, 0), _DATASEC: (0, 12), 17: (4, 0), _ENUM64: (0, 12),
    }.get(kind, (0, 0))
    for kind in range(32)
)  # fmt: skip


class BtfError(Exception):
    """The kernel's type information is unreadable, or lacks a field; one sentence."""


class Btf:
    """The type graph of one BTF blob. Raises BtfError when it is not BTF that we understand."""

    def __init__(self, blob: bytes) -> None:
        try:
            magic, _version, _flags, header, type_at, type_size, text_at, text_size = struct.unpack_from(
                "<HBBIIIII", blob
            )
        except struct.error as error:
            raise BtfError("the kernel's BTF is cut short") from error
        if magic != _MAGIC:
            raise BtfError("the kernel's BTF has an unknown format")
        self._types = blob[header + type_at : header + type_at + type_size]
        self._text = blob[header + text_at : header + text_at + text_size]
        self._named: dict[int, dict[int, int]] = {_STRUCT: {}, _TYPEDEF: {}}  # kind -> place of the name -> type id
        self._positions = self._index()

    def offsets(self, fields: Iterable[str]) -> dict[str, int]:
        """Byte offset of each field, written ``struct.member`` or ``struct.member.member``.

        Members of anonymous structs and unions count as the struct's own, as in C. Raises
        BtfError naming the field when this kernel has none such.
        """
        wanted = {field: field.split(".") for field in fields}
        structs = self._ids(_STRUCT, {path[0] for path in wanted.values()})
        found = {}
        for field, (owner, *members) in wanted.items():
            type_id, total = structs.get(owner), 0
            for member in members:
                name = self._string_offset(member)
                place = self._member(type_id, name) if type_id and name else None
                if place is None:
                    raise BtfError(f"this kernel has no field {field}; its version is not supported")
                type_id, bits = place
                total += bits // 8
            found[field] = total
        return found

    def has(self, fields: Iterable[str]) -> bool:
        """Whether this kernel has all of these fields."""
        try:
            self.offsets(fields)
        except BtfError:
            return False
        return True

    def size(self, name: str) -> int:
        """Size of this struct in bytes. Raises BtfError when this kernel has none such."""
        if name not in (structs := self._ids(_STRUCT, {name})):
            raise BtfError(f"this kernel has no struct {name}; its version is not supported")
        return int(struct.unpack_from("<8xI", self._types, self._positions[structs[name]])[0])

    def tracepoints(self, names: set[str]) -> dict[str, int]:
        """Type id of each tracepoint's probe type. Raises BtfError naming one that this kernel has not."""
        found = self._ids(_TYPEDEF, {f"btf_trace_{name}" for name in names})
        if missing := [name for name in names if f"btf_trace_{name}" not in found]:
            raise BtfError(f"this kernel has no tracepoint {missing[0]}; its version is not supported")
        return {name: found[f"btf_trace_{name}"] for name in names}

    def _index(self) -> array.array[int]:
        """Where each type starts in the type section, by type id (0 is void); fills ``_named`` on the way.

        A struct that is only declared is not named: it has no members.
        """
        positions, at, end = array.array("I", [0]), 0, len(self._types)
        unpack, types, trailer, named = struct.Struct("<II").unpack_from, self._types, _TRAILER, self._named
        append = positions.append
        try:
            while at < end:
                name, info = unpack(types, at)
                kind, members = info >> 24 & 0x1F, info & 0xFFFF
                if kind == _TYPEDEF or (kind == _STRUCT and members):
                    named[kind][name] = len(positions)
                append(at)
                once, each = trailer[kind]
                at += 12 + once + each * members
        except struct.error as error:
            raise BtfError("the kernel's BTF is cut short") from error
        return positions

    def _string_offset(self, name: str) -> int:
        """Where this name is in the string section; 0, the empty name, when it is not there."""
        return self._text.find(b"\0" + name.encode() + b"\0") + 1

    def _ids(self, kind: int, names: set[str]) -> dict[str, int]:
        """Type id of each type of this kind, struct or typedef, and these names; left out where there is none."""
        named = self._named[kind]
        places = {name: self._string_offset(name) for name in names}
        return {name: named[place] for name, place in places.items() if place in named and place}

    def _member(self, type_id: int, name: int) -> tuple[int, int] | None:
        """Type id and bit offset of the member whose name is at this string offset, or None."""
        _, info, target = struct.unpack_from("<III", self._types, self._positions[type_id])
        kind = info >> 24 & 0x1F
        if kind in _SKIP_THROUGH:
            return self._member(target, name)
        if kind not in (_STRUCT, _UNION):
            return None
        at = self._positions[type_id] + 12
        for member in range(info & 0xFFFF):
            member_name, member_type, bits = struct.unpack_from("<III", self._types, at + 12 * member)
            if info >> 31:  # kind_flag: the top byte holds a bit field's width
                bits &= 0xFFFFFF
            if member_name == name:
                return member_type, bits
            if member_name == 0 and (inner := self._member(member_type, name)):
                return inner[0], bits + inner[1]
        return None


def kernel_btf(path: Path = VMLINUX) -> Btf:
    """The running kernel's types. Raises BtfError with one sentence."""
    try:
        return Btf(path.read_bytes())
    except OSError as error:
        raise BtfError(f"the kernel's type information {path} cannot be read: {error.strerror}") from error
