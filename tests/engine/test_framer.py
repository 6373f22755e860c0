"""Ring-buffer memory as the kernel writes it becomes batches: busy, discarded and malformed frames included."""

from __future__ import annotations

import ctypes
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_engine.collector.framer import Framer
from sentinel_engine.records import Batch, encode
from sentinel_engine.schema import KIND_BY_NAME, KINDS, Ring

BUSY, DISCARD = 1 << 31, 1 << 30
OPEN, EXEC = KIND_BY_NAME["open"], KIND_BY_NAME["exec"]


def _frame(record: bytes, flags: int = 0) -> bytes:
    return (struct.pack("<II", len(record) | flags, 0) + record).ljust((len(record) + 15) & ~7, b"\0")


def _take(framer: Framer, span: bytes) -> tuple[int, Batch | None]:
    memory = ctypes.create_string_buffer(span, len(span))
    return framer.frame(ctypes.addressof(memory), len(span))


def _open(path: bytes = b"/x", seq: int = 0, cpu: int = 0) -> bytes:
    return encode(OPEN, strings=(path,), cpu_seq=seq, cpu=cpu)


def test_frames_become_records_back_to_back() -> None:
    framer = Framer()
    span = _frame(_open(b"/a")) + _frame(_open(b"/skipped"), DISCARD) + _frame(encode(EXEC, strings=(b"/bin/sh",)))
    done, batch = _take(framer, span)
    assert batch is not None
    assert done == len(span)
    assert [record.strings[0] for record in batch] == [b"/a", b"/bin/sh"]
    assert (batch.counts[OPEN.number], batch.counts[EXEC.number], batch.base) == (1, 1, 0)
    _, following = _take(framer, span)
    assert following is not None
    assert following.base == 2
    assert framer.counts() == {"exec": 2, "open": 2}


def test_a_record_being_written_ends_the_batch() -> None:
    first = _frame(_open(b"/a"))
    done, batch = _take(Framer(), first + _frame(_open(b"/b"), BUSY) + _frame(_open(b"/c")))
    assert (done, batch and len(batch)) == (len(first), 1)
    assert _take(Framer(), _frame(_open(), BUSY)) == (0, None)


@pytest.mark.parametrize("cut", [1, 8, 100])
def test_a_frame_that_is_not_all_there_waits(cut: int) -> None:
    first = _frame(_open(b"/a"))
    done, batch = _take(Framer(), (first + _frame(_open(b"/b")))[:-cut])
    assert (done, batch and len(batch)) == (len(first), 1)


@pytest.mark.parametrize(
    ("at", "layout", "value", "name"),
    [
        (0, "<I", 8, "open"), (0, "<I", 1 << 20, "open"), (0, "<I", 153, "open"), (136, "<H", 5000, "open"),
        (4, "<H", 0, "malformed"), (4, "<H", 63, "malformed"), (4, "<H", 999, "malformed"),
    ],
)  # fmt: skip
def test_a_malformed_record_is_counted_and_the_others_are_taken(at: int, layout: str, value: int, name: str) -> None:
    bad = bytearray(_open(b"/bad"))
    struct.pack_into(layout, bad, at, value)
    framer = Framer()
    _, batch = _take(framer, _frame(_open(b"/a")) + _frame(bytes(bad)) + _frame(_open(b"/b")))
    assert batch is not None
    assert [record.strings[0] for record in batch] == [b"/a", b"/b"]
    assert framer.refused() == {name: 1}
    assert framer.counts() == {"open": 2}
    with pytest.raises(ValueError, match="malformed"):
        Framer().split(_open(b"/a") + bytes(bad))


def test_gaps_are_counted_per_cpu_and_ring() -> None:
    framer = Framer()
    records = [_open(seq=1), _open(seq=2), _open(seq=5), _open(seq=1, cpu=1), _open(seq=4, cpu=1),
               encode(EXEC, cpu_seq=1), encode(EXEC, cpu_seq=2)]  # fmt: skip
    _take(framer, b"".join(map(_frame, records)))
    assert framer.gaps() == 2 + 2
    assert [framer.last(Ring.BULK, 0), framer.last(Ring.BULK, 1), framer.last(Ring.LIFECYCLE, 0)] == [5, 4, 2]
    assert framer.last(Ring.LIFECYCLE, 1) == 0


def test_a_refused_record_is_a_gap_too() -> None:
    framer, bad = Framer(), bytearray(_open(seq=2))
    struct.pack_into("<I", bad, 0, 8)
    _take(framer, _frame(_open(seq=1)) + _frame(bytes(bad)) + _frame(_open(seq=3)))
    assert (framer.gaps(), framer.refused()) == (1, {"open": 1})


def test_more_than_one_call_takes_a_long_span() -> None:
    framer, record = Framer(), _frame(_open(b"/y" * 2000))
    span = record * 1500
    memory = ctypes.create_string_buffer(span, len(span))
    at = taken = 0
    while at < len(span):
        done, batch = framer.frame(ctypes.addressof(memory) + at, len(span) - at)
        assert done
        at += done
        taken += len(batch) if batch else 0
    assert taken == 1500


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=50)), min_size=1, max_size=30))
def test_split_gives_back_what_was_joined(records: list[tuple[object, bytes]]) -> None:
    raw = [encode(kind, strings=(text,)) for kind, text in records]  # type: ignore[arg-type]
    batch = Framer().split(b"".join(raw))
    assert [record.raw for record in batch] == raw


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_random_memory_is_taken_or_refused(span: bytes) -> None:
    done, batch = _take(Framer(), span)
    assert 0 <= done <= len(span) + 7
    assert batch is None or all(record.kind in KINDS for record in batch)
