"""A session as a power cut leaves it, through the command line: it opens, and says what is missing."""

from __future__ import annotations

import contextlib
import gc
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_engine import segments
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.recording import RecordingError
from sentinel_engine.segments import Keep, SegmentReader, segments_in
from sentinel_engine.session import JOURNAL, read_session
from sentinel_tui.cli import main
from tests.engine.test_verify import Run
from tests.system.conftest import COMMAND

SMALLEST = 8 << 10  # bytes of a segment: so that there are some


def _cli(*arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that needs no process of its own."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["sentinel-tui", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
    finally:
        sys.argv = before
        gc.enable()
    return int(left.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session with alerts and several segments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_SMALLEST", SMALLEST)
        run = Run(tmp_path_factory.mktemp("whole"), Keep(SMALLEST * segments._PARTS))
        run.until(lambda _: run.pipeline.finished())
        run.pipeline.close()
    assert len(segments_in(run.path)) >= 4
    assert len(read_session(run.path).alerts) >= 4
    return run.path


@pytest.fixture
def cut(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to cut."""
    return Path(shutil.copytree(whole, tmp_path / whole.name))


def _shown(session: Path) -> str:
    code, said, errors = _cli("sessions", "show", session)
    assert (code, errors) == (0, "")
    return said


def _look(session: Path, missing: str) -> None:
    """Everything that reads a session does so, and says what is missing; no word of a traceback."""
    document = session.parent / "case.json"
    code, _, said = _cli("export", session, "-o", document, "--force")
    assert (code, "exported" in said) == (0, True), said
    assert _cli("export", "--check", document)[0] == 0
    code, said, errors = _cli("replay", session, "--verify")
    assert (code, errors) == (0, ""), said + errors
    assert missing in said


def _played(session: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "replay", session, "--headless", "--session-dir", session.parent / "again"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_journal_cut_at_any_byte_of_its_last_records(cut: Path) -> None:
    journal = cut / JOURNAL
    data = journal.read_bytes()
    lines = data.splitlines(keepends=True)
    places = range(len(data) - len(b"".join(lines[-4:])), len(data))
    for number, end in enumerate(reversed(places)):
        with journal.open("r+b") as file:
            file.truncate(end)
        said = _shown(cut)
        assert "did not end in order" in said
        torn = not data[:end].endswith(b"\n")
        assert f"{data[:end].count(10)} entries, {int(torn)} cut" in said
        if number % 1500 == 0:
            _look(cut, "the session did not end in order: it is compared up to event")
    assert _played(cut).returncode == 0  # the raw events are whole


def test_a_segment_cut_at_any_byte_of_its_last_blocks(cut: Path) -> None:
    last = segments_in(cut)[-1]
    data = last.read_bytes()
    events = None
    for number, end in enumerate(range(len(data) - 1, max(0, len(data) - 2500), -1)):
        with last.open("r+b") as file:
            file.truncate(end)
        reader = SegmentReader(segments_in(cut))
        found = sum(len(block) for block in reader.batches() if isinstance(block, bytes))
        assert reader.trailer is None
        assert events is None or found <= events  # never more, the more is cut
        events = found
        if number % 300 == 0:
            _look(cut, "ends early")
    played = _played(cut)
    assert (played.returncode, "ends early" in played.stderr) == (0, True)


@pytest.mark.parametrize("zeros", [1, 7, 4096])
def test_zeros_at_the_end(cut: Path, zeros: int) -> None:
    last = segments_in(cut)[-1]
    for path in (cut / JOURNAL, last):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - zeros] + bytes(zeros))
    assert "did not end in order" in _shown(cut)
    _look(cut, f"{last.name}")
    assert _played(cut).returncode == 0


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b'{"type":"session","id":"2026'])
def test_a_journal_without_one_line(cut: Path, content: bytes) -> None:
    (cut / JOURNAL).write_bytes(content)
    assert "nothing was written" in _shown(cut)
    code, listed, _ = _cli("sessions", "--session-dir", cut.parent)
    assert (code, "nothing was written" in listed) == (0, True)
    code, _, said = _cli("export", cut, "-o", cut / "case.json")
    assert (code, said.count("\n"), "holds no session" in said) == (2, 1, True)
    assert _played(cut).returncode == 0


def test_a_missing_segment_and_one_without_its_header(cut: Path) -> None:
    paths = segments_in(cut)
    paths[1].unlink()
    _look(cut, "events in between are missing")
    played = _played(cut)
    assert (played.returncode, "events in between are missing" in played.stderr) == (0, True)
    for size in (0, 5, 8, 12, 40):
        with paths[2].open("r+b") as file:
            file.truncate(size)
        _look(cut, paths[2].name)
    source = RecordedSource(segments_in(cut), None)
    seqs = []
    while not source.ended():
        seqs += [record.seq for batch in source.read(0.1) for record in batch]
    assert seqs == sorted(set(seqs))
    assert [gap.until for gap in source.missing] == [_first(paths[3])]
    for path in segments_in(cut):
        path.write_bytes(b"")
    code, _, said = _cli("replay", cut, "--verify")
    assert (code, said.count("\n"), "is not a sentinel-tui recording" in said) == (2, 1, True)
    with pytest.raises(RecordingError):
        SegmentReader(segments_in(cut))


def _first(path: Path) -> int:
    return SegmentReader([path]).header.first


def test_first_segments_that_have_left_are_said_and_the_rest_is_reproduced(cut: Path) -> None:
    paths = segments_in(cut)
    counts = []
    for path in paths[:-1]:
        path.unlink()
        left = _first(segments_in(cut)[0])
        code, said, _ = _cli("replay", cut, "--verify")
        assert code == 0, said
        assert f"the first {left:,} events have left the recording" in said
        counts.append(int(said.rpartition("reproduced: ")[2].split()[0]))
        played = _played(cut)
        assert (played.returncode, f"the first {left:,} events have left" in played.stderr) == (0, True)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 0


def test_a_tiny_limit_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_SMALLEST", SMALLEST)
    run = Run(tmp_path, Keep(3 * SMALLEST))
    run.until(lambda _: run.pipeline.finished())
    summary = run.pipeline.close()
    assert summary.evicted
    left = _first(segments_in(run.path)[0])
    assert sum(summary.evicted.values()) == left
    code, said, _ = _cli("replay", run.path, "--verify")
    assert (code, f"the first {left:,} events have left" in said) == (0, True), said
