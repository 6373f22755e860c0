"""BTF: offsets from a blob built by hand, whose answers are known."""

from __future__ import annotations

import struct

import pytest

from sentinel_engine.collector.btf import Btf, BtfError

INT, POINTER, STRUCT, UNION, TYPEDEF, CONST = 1, 2, 4, 5, 8, 10


class Builder:
    """Writes BTF types one after the other; ids count from 1."""

    def __init__(self) -> None:
        self.types = b""
        self.text = b"\0"

    def name(self, name: str) -> int:
        at = len(self.text)
        self.text += name.encode() + b"\0"
        return at if name else 0

    def add(self, kind: int, name: str, target: int = 0, extra: bytes = b"") -> None:
        self.types += struct.pack("<III", self.name(name), kind << 24, target) + extra

    def add_struct(self, kind: int, name: str, size: int, *members: tuple[str, int, int], flag: int = 0) -> None:
        body = b"".join(struct.pack("<III", self.name(member), target, bits) for member, target, bits in members)
        self.types += struct.pack("<III", self.name(name), kind << 24 | flag << 31 | len(members), size) + body

    def blob(self) -> bytes:
        header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.text))
        return header + self.types + self.text


@pytest.fixture
def blob() -> bytes:
    made = Builder()
    made.add(INT, "int", 4, struct.pack("<I", 32))  # 1
    made.add_struct(STRUCT, "inner", 8, ("low", 1, 0), ("high", 1, 32))  # 2
    made.add(TYPEDEF, "inner_t", 2)  # 3
    made.add(CONST, "", 3)  # 4
    made.add_struct(UNION, "", 8, ("whole", 1, 0), ("parts", 4, 0))  # 5, anonymous
    made.add_struct(STRUCT, "outer", 24, ("first", 1, 0), ("", 5, 64), ("bits", 1, 3 << 24 | 128), flag=1)  # 6
    made.add(TYPEDEF, "btf_trace_thing", 6)  # 7
    made.add_struct(STRUCT, "declared", 0)  # 8
    return made.blob()


def test_offsets_through_anonymous_members_typedefs_and_bit_fields(blob: bytes) -> None:
    fields = ["outer.first", "outer.whole", "outer.parts.high", "outer.bits", "inner.high"]
    assert Btf(blob).offsets(fields) == {
        "outer.first": 0, "outer.whole": 8, "outer.parts.high": 12, "outer.bits": 16, "inner.high": 4,
    }  # fmt: skip


def test_size_and_tracepoint(blob: bytes) -> None:
    assert Btf(blob).size("outer") == 24
    assert Btf(blob).tracepoints({"thing"}) == {"thing": 7}


@pytest.mark.parametrize("field", ["outer.none", "none.first", "outer.first.low", "declared.first", "outer.low"])
def test_a_missing_field_is_named(blob: bytes, field: str) -> None:
    with pytest.raises(BtfError, match=field):
        Btf(blob).offsets([field])


def test_a_missing_tracepoint_or_struct_is_named(blob: bytes) -> None:
    with pytest.raises(BtfError, match="other"):
        Btf(blob).tracepoints({"other"})
    with pytest.raises(BtfError, match="nothing"):
        Btf(blob).size("nothing")


@pytest.mark.parametrize("cut", [0, 10, 30])
def test_a_blob_cut_short_or_of_another_format(blob: bytes, cut: int) -> None:
    with pytest.raises(BtfError):
        Btf(blob[:cut])
    with pytest.raises(BtfError, match="unknown format"):
        Btf(b"\0\0" + blob[2:])
