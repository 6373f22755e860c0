"""The record layout: what is encoded comes back, and what is damaged is refused."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_engine.records import batch_of, decode, encode, in_time_order
from sentinel_engine.schema import HEADER, HEADER_SIZE, KIND_BY_NAME, KINDS

_SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s64": 8, "char[16]": 16, "u64[4]": 32, "u16[4]": 8}


def test_header_fields_are_adjacent_and_fill_the_header() -> None:
    at = 0
    for field in HEADER:
        assert field.offset == at, field.name
        at += _SIZES[field.ctype]
    assert at == HEADER_SIZE


def test_kind_numbers_are_unique_and_fit_a_mask() -> None:
    assert len({kind.number for kind in KINDS}) == len(KINDS)
    assert all(0 < kind.number < 64 and len(kind.args) <= 4 and len(kind.strings) <= 4 for kind in KINDS)


@given(
    kind=st.sampled_from(KINDS),
    args=st.tuples(*[st.integers(0, 2**64 - 1)] * 4),
    strings=st.tuples(*[st.binary(max_size=300)] * 4),
    ret=st.integers(-(2**63), 2**63 - 1),
)
def test_a_record_comes_back_as_it_was(kind, args, strings, ret) -> None:  # type: ignore[no-untyped-def]
    raw = encode(kind, args=args, strings=strings, ret=ret, tgid=7, comm=b"sh")
    assert len(raw) % 8 == 0
    record = batch_of([encode(kind), raw], base=40).at(1)
    assert (record.kind, record.args, record.strings, record.ret) == (kind, args, strings, ret)
    assert (record.seq, record.tgid, record.comm, record.raw) == (41, 7, b"sh", raw)


@given(st.binary(max_size=400))
def test_random_bytes_are_decoded_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):  # refusing is the other right answer
        assert decode(data).kind in KINDS


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [(0, "<I", 10_000), (0, "<I", 8), (4, "<H", 63), (136, "<H", 60_000)],
    ids=["longer than the data", "shorter than a header", "unknown kind", "string past the end"],
)
def test_a_damaged_field_is_refused(offset: int, layout: str, value: int) -> None:
    raw = bytearray(encode(KIND_BY_NAME["open"], strings=(b"/etc/hosts",)))
    struct.pack_into(layout, raw, offset, value)
    with pytest.raises(ValueError, match="record"):
        decode(bytes(raw))


def test_batches_of_a_quiet_moment_are_put_in_the_order_of_time() -> None:
    kinds = KIND_BY_NAME["exec"], KIND_BY_NAME["open"]
    lifecycle = batch_of([encode(kinds[0], boot_ns=at, strings=(b"/bin/x",)) for at in (1, 5)], 10)
    bulk = batch_of([encode(kinds[1], boot_ns=at, strings=(b"/%d" % at,)) for at in (2, 3, 5, 9)], 12)
    merged = in_time_order([lifecycle, bulk])
    assert [record.boot_ns for record in merged] == [1, 2, 3, 5, 5, 9]
    assert [record.seq for record in merged] == [10, 11, 12, 13, 14, 15]
    assert [record.kind.name for record in merged] == ["exec", "open", "open", "exec", "open", "open"]
    assert (merged.counts[kinds[0].number], merged.counts[kinds[1].number]) == (2, 4)
