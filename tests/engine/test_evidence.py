"""An exported document that was changed says so, and where."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sentinel_engine.export.evidence import check
from sentinel_engine.export.write import export_session
from sentinel_engine.session import Host, Session
from sentinel_engine.snapshot import Alert, RuleRef, Severity

HOST = Host("web-03", "6.18", "x86_64", "Debian", "b00t", 5)
TIME = "2026-11-23T04:31:48.000000001Z"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    session = Session(tmp_path / "s", "live", "0", HOST)
    rule = RuleRef("rule", "1", Severity.HIGH, "ab" * 32)
    for n in range(8):
        event = {"kind": "open", "path": f"/etc/{n}", "pid": 7}
        session.write(Alert(f"{n}-rule", TIME, rule, f"cat read /etc/{n} \x1b é", event, (), 1, TIME, TIME))
    session.act("disable", "rule", "rule is off")
    session.close()
    export_session(session.path, tmp_path / "case.json")
    found = check(tmp_path / "case.json")
    assert (found.broken, found.entries, found.journal) == ("", 9, session.head)
    return tmp_path / "case.json"


def test_a_changed_byte_anywhere_is_reported(document: Path) -> None:
    data, dice = document.read_bytes(), random.Random(3)
    for at in [*range(0, len(data), 11), *range(len(data) - 360, len(data))]:
        changed = bytearray(data)
        changed[at] ^= 1 << dice.randrange(7)
        document.write_bytes(changed)
        assert check(document).broken, (at, data[max(0, at - 20) : at + 20])


def test_the_first_broken_entry_is_named(document: Path) -> None:
    data = document.read_bytes()
    document.write_bytes(data.replace(b"/etc/4", b"/etc/x"))
    assert check(document).broken.startswith('entry 5 of 9 is not what was written: {"type":"alert","id":"4-rule"')
    document.write_bytes(data.replace(b"web-03", b"web-04"))
    assert "host, session, rules and summary" in check(document).broken


def test_an_entry_that_was_taken_out_or_a_cut_is_reported(document: Path) -> None:
    lines = document.read_bytes().splitlines(keepends=True)
    third = next(n for n, line in enumerate(lines) if b'"id":"2-rule"' in line)
    document.write_bytes(b"".join(lines[:third] + lines[third + 1 :]))
    assert check(document).broken.startswith("entry 3 of 8 is not what was written")
    for end in range(0, sum(map(len, lines)), 97):
        document.write_bytes(b"".join(lines)[:end])
        assert check(document).broken
