"""The raw events of a session: bounded, oldest out first, counted, and read again as one."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from sentinel_engine.cgroups import Names
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.recording import Header, Trailer
from sentinel_engine.records import Batch, batch_of, encode
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.segments import Keep, SegmentReader, SegmentWriter, segments_in

SMALL = Keep(1 << 20)


def _batch(base: int, size: int = 200) -> Batch:
    # Texts that do not compress away.
    paths = [(b"/%x" % (hash((base, n)) & (1 << 64) - 1)) * 12 for n in range(size)]
    kind = KIND_BY_NAME["open"]
    return batch_of([encode(kind, strings=(path,), boot_ns=base + n) for n, path in enumerate(paths)], base)


def _header(first: int) -> Header:
    return Header(5, "6.1", "web-03", [], first)


def _started(folder: Path, keep: Keep) -> SegmentWriter:
    writer = SegmentWriter(folder, keep, _header)
    writer.start()
    return writer


def _until(seen: object, *, patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while not seen():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_is_kept_is_bounded_and_what_left_is_counted(tmp_path: Path) -> None:
    writer = _started(tmp_path, SMALL)
    total = 0
    for turn in range(400):
        writer.append(_batch(total), None)
        total += 200
        if turn % 20 == 19:
            _until(lambda: writer._waiting == 0)
    writer.close(Trailer({"open": 7}))
    kept = sum(path.stat().st_size for path in segments_in(tmp_path))
    assert SMALL.size / 2 < kept < SMALL.size * 1.5
    source = RecordedSource(segments_in(tmp_path), None)
    batches = []
    while not source.ended():
        batches += source.read(0.1)
    assert source.lost() == {"open": 7}
    seqs = [record.seq for batch in batches for record in batch]
    assert seqs == list(range(seqs[0], total))  # none is missing between them, and each has its own number
    assert source.problem.endswith(f" is not whole: the first {seqs[0]:,} events have left the recording")
    assert writer.evicted() == {"open": seqs[0]}
    assert writer.lost() == {}


def test_old_segments_leave_by_age(tmp_path: Path) -> None:
    writer = _started(tmp_path, Keep(4 << 20, 0.2))
    appended = 0

    def append_until_some_left() -> bool:
        nonlocal appended
        writer.append(_batch(200 * appended), None)
        appended += 1
        return bool(writer.evicted())

    _until(append_until_some_left)
    writer.close(Trailer({}))
    assert sum(path.stat().st_size for path in segments_in(tmp_path)) < 4 << 20
    first = SegmentReader(segments_in(tmp_path)).header.first
    assert writer.evicted() == {"open": first}


def test_names_that_later_segments_need_are_in_each(tmp_path: Path) -> None:
    writer = _started(tmp_path, SMALL)
    writer.append(_batch(0), Names({77: b"/docker-abc.scope"}))
    for turn in range(1, 300):
        writer.append(_batch(200 * turn), None)
        _until(lambda: writer._waiting == 0)
    writer.close(Trailer({}))
    paths = segments_in(tmp_path)
    assert len(paths) > 2
    for path in paths:
        found = [block.paths for block in SegmentReader([path]).batches() if isinstance(block, Names)]
        assert found == [{77: b"/docker-abc.scope"}]


@pytest.mark.kernel
def test_a_full_disk_is_said_counted_and_stalls_nobody(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", tmp_path], check=True)
    try:
        writer = _started(tmp_path, Keep())
        for turn in range(100):
            writer.append(_batch(200 * turn), None)
        writer.close(Trailer({}))
        assert "No space left" in writer.problem
        lost = writer.lost()["open"]
        source = RecordedSource(segments_in(tmp_path), None)
        read = 0
        while not source.ended():
            read += sum(map(len, source.read(0.1)))
        source.close()
        assert read > 0
        assert read + lost == 100 * 200
        assert "cut short" in source.problem
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_what_there_was_no_time_to_write_is_counted_and_moves_no_number(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, Keep(), _header)
    batches = [_batch(200 * n) for n in range(120)]
    for batch in batches[:-20]:
        writer.append(batch, None)  # nobody writes yet, and there is room for some of them only
    lost = writer.lost()["open"]
    writer.start()
    _until(lambda: writer._waiting == 0)
    for batch in batches[-20:]:
        writer.append(batch, None)
    writer.close(Trailer({}))
    assert writer.lost() == {"open": lost}
    source, seqs, times = RecordedSource(segments_in(tmp_path), None), [], []
    while not source.ended():
        for batch in source.read(0.1):
            seqs += [record.seq for record in batch]
            times += [record.boot_ns for record in batch]
    assert 0 < lost < 100 * 200
    assert seqs == times  # the test's events are numbered by their times
    assert len(seqs) == 120 * 200 - lost
    assert seqs[-1] == 120 * 200 - 1
