"""The journal: whole up to any cut, and not to be changed unseen."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from sentinel_engine.files import create_private
from sentinel_engine.journal import JournalReader, JournalWriter, Seal
from sentinel_engine.snapshot import Action

DECODER = msgspec.json.Decoder(Action)


def _write(path: Path, count: int = 20) -> str:
    writer = JournalWriter(create_private(path))
    for n in range(count):
        assert writer.write(Action("2026-11-23T00:00:00Z", "disable", f"rule-{n}", 'it said "off", chain: \x1b[2J é'))
    writer.close()
    return writer.head


def _read(path: Path) -> tuple[list[str], Seal]:
    reader = JournalReader(path, DECODER)
    return [entry.target for entry in reader], reader.seal


def test_what_was_written_is_read_and_its_head_is_the_writers(tmp_path: Path) -> None:
    head = _write(tmp_path / "j")
    found, seal = _read(tmp_path / "j")
    assert found == [f"rule-{n}" for n in range(20)]
    assert seal == Seal(head=head, entries=20)


def test_cut_at_any_byte_everything_before_is_there(tmp_path: Path) -> None:
    _write(tmp_path / "j", 4)
    whole = (tmp_path / "j").read_bytes()
    for end in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:end])
        found, seal = _read(tmp_path / "cut")
        lines = whole[:end].count(b"\n")
        assert found == [f"rule-{n}" for n in range(lines)]
        assert (seal.entries, seal.broken) == (lines, "")
        assert seal.torn == (not whole[:end].endswith(b"\n") and end > 0)


def test_a_changed_byte_anywhere_is_seen(tmp_path: Path) -> None:
    head = _write(tmp_path / "j", 6)
    whole = bytearray((tmp_path / "j").read_bytes())
    dice = random.Random(5)
    for at in [*range(0, len(whole), 7), len(whole) - 2]:
        changed = bytearray(whole)
        changed[at] ^= 1 << dice.randrange(7)
        (tmp_path / "j2").write_bytes(changed)
        _, seal = _read(tmp_path / "j2")
        assert seal.broken or seal.torn or seal.head != head, at


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 1, 3), (1, 2, 3), (0, 1, 1, 2, 3)])
def test_lines_that_were_moved_dropped_or_doubled_are_named(tmp_path: Path, order: tuple[int, ...]) -> None:
    _write(tmp_path / "j", 4)
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    (tmp_path / "j2").write_bytes(b"".join(lines[n] for n in order))
    _, seal = _read(tmp_path / "j2")
    first = next(place for place, n in enumerate(order) if place != n) + 1
    assert seal.broken.startswith(f"line {first} is not what was written there")


def test_the_end_may_be_missing_only_for_who_does_not_hold_the_head(tmp_path: Path) -> None:
    head = _write(tmp_path / "j", 4)
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    (tmp_path / "j2").write_bytes(b"".join(lines[:3]))
    _, seal = _read(tmp_path / "j2")
    assert not seal.broken
    assert seal.head != head
