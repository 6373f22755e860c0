"""The export of a session: what is selected, streamed and told of it; and events around an alert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sentinel_engine.export import document as shapes
from sentinel_engine.export.reading import Journal
from sentinel_engine.export.write import Format, export_session
from sentinel_engine.session import SessionError, read_session
from sentinel_engine.snapshot import Severity
from tests.engine.export_kit import S, alert, document, exported, opened, record, session, time_at

SCHEMA = json.loads((Path(shapes.__file__).parents[1] / "export.schema.json").read_text())


def _ids(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["alerts"]]


@pytest.mark.parametrize("redact", [False, True])
def test_the_document_validates_with_all_its_parts(tmp_path: Path, redact: bool) -> None:
    folder = session(tmp_path, alert(10 * S, raw_b64={"comm": "/w=="}), alert(20 * S))
    record(folder / "events-000001.rec", [opened(b"/before", 9 * S), opened(b"/etc/shadow", 10 * S)])
    found = document(folder, redact=redact, severity=Severity.HIGH)
    jsonschema.validate(found, SCHEMA)
    assert found["complete"] is True
    assert found["redacted"] is redact
    assert found["selection"]["severity"] == "high"
    assert found["host"]["boot_id"] == "5c8e-b00t"
    assert found["rules"][0]["sha256"] == "ab" * 32
    assert found["actions"][0]["action"] == "disable"
    assert found["summary"]["lost"] == {"kernel": {"open": 2}}
    assert found["alerts"][0]["surroundings"]["before"][0]["path"] == "/before"


def test_the_stream_says_what_the_whole_session_says(tmp_path: Path) -> None:
    folder = session(tmp_path, alert(10 * S), alert(20 * S), alert(10 * S, count=9))
    found, whole = document(folder), read_session(folder)
    assert [(a["id"], a["count"]) for a in found["alerts"]] == [(a.id, a.count) for a in whole.alerts]
    assert [(a["id"], a["count"]) for a in found["alerts"]] == [
        ("10000000000-shadow-read", 9),
        (f"{20 * S}-shadow-read", 1),
    ]
    lines = [json.loads(line) for line in exported(folder, Format.JSONL).splitlines()]
    assert [line["type"] for line in lines] == ["export", "session", "alert", "alert", "action", "summary"]
    assert lines[2:4] == [{key: value for key, value in one.items() if key != "chain"} for one in found["alerts"]]


def test_selection_by_time_rule_severity_and_id(tmp_path: Path) -> None:
    early = alert(10 * S, count=5 * S)  # goes on until the fifteenth second
    late = alert(20 * S, rule="reverse-shell", severity=Severity.CRITICAL)
    low = alert(30 * S, rule="noise", severity=Severity.LOW)
    folder = session(tmp_path, early, late, low)
    assert _ids(document(folder, since=time_at(14 * S))) == [early.id, late.id, low.id]
    assert _ids(document(folder, since=time_at(16 * S), until=time_at(20 * S))) == [late.id]
    assert _ids(document(folder, rules=("noise", "reverse-shell"))) == [late.id, low.id]
    assert _ids(document(folder, severity=Severity.HIGH)) == [early.id, late.id]
    assert _ids(document(folder, alerts=(low.id,))) == [low.id]
    assert document(folder, until=time_at(40 * S))["actions"] == []
    assert document(folder, since=time_at(40 * S))["actions"] != []
    with pytest.raises(SessionError, match="no alert 77-nothing"):
        document(folder, alerts=("77-nothing",))


def test_a_journal_cut_at_every_byte_of_its_tail_exports_what_is_whole(tmp_path: Path) -> None:
    folder = session(tmp_path, alert(10 * S), alert(20 * S), whole=False)
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    for cut in range(1, len(whole.splitlines()[-1]) + 1):
        journal.write_bytes(whole[:-cut])
        found = document(folder)
        assert (len(found["alerts"]), found["actions"], found["complete"]) == (2, [], False)
        assert "damaged" in found["problems"][0]


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"[" * 200_000, b'{"type":"alert"}', b""], ids=["bytes", "deep", "bare", "empty"]
)
def test_a_damaged_line_costs_itself(tmp_path: Path, line: bytes) -> None:
    folder = session(tmp_path, alert(10 * S), alert(20 * S))
    journal = folder / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:2], line, *lines[2:]]))
    found = document(folder)
    assert len(found["alerts"]) == 2
    assert found["problems"] == ["lines of the journal that are cut short or damaged, and left out: 1"]
    assert found["complete"] is False


def test_a_folder_that_is_no_session_is_said(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="cannot read the session"):
        Journal(tmp_path)
    (tmp_path / "journal.jsonl").write_text("{}\n")
    with pytest.raises(SessionError, match="holds no session"):
        Journal(tmp_path)


def test_the_twenty_events_of_the_process_before_and_after(tmp_path: Path) -> None:
    folder = session(tmp_path, alert(500 * S), alert(510 * S))
    mine = [opened(b"/own/%d" % n, n * S) for n in range(400, 600)]
    # Of another process, and of an earlier one with the same pid.
    others = [opened(b"/other", n * S, pid=201) for n in range(400, 600)]
    others += [opened(b"/reused", n * S, start=2 * S) for n in range(400, 600)]
    # Rings and CPUs come one after the other, so a batch is not in the order of time.
    mixed = sorted(mine + others, key=lambda record: record[-16:])
    record(folder / "events-000002.rec", mixed[300:])
    record(folder / "events-000001.rec", mixed[:150], mixed[150:300])
    first, second = (one["surroundings"] for one in document(folder)["alerts"])
    assert [event["path"] for event in first["before"]] == [f"/own/{n}" for n in range(480, 500)]
    assert [event["path"] for event in first["after"]] == [f"/own/{n}" for n in range(501, 521)]
    assert [event["path"] for event in second["before"]] == [f"/own/{n}" for n in range(490, 510)]
    assert first["before"][0]["time"] == time_at(480 * S)
    assert "seq" not in first["before"][0]


def test_without_raw_events_an_alert_has_no_surroundings(tmp_path: Path) -> None:
    assert document(session(tmp_path, alert(10 * S)))["alerts"][0]["surroundings"] is None


def test_recordings_that_are_damaged_or_not_ours_are_told_and_the_rest_is_used(tmp_path: Path) -> None:
    folder = session(tmp_path, alert(10 * S))
    record(folder / "events-000001.rec", [opened(b"/one", 8 * S)], [opened(b"/two", 9 * S)], end=False)
    record(folder / "events-000002.rec", [opened(b"/three", 11 * S)])
    (folder / "events-000003.rec").write_bytes(b"nonsense")
    record(folder / "events-000004.rec", [opened(b"/four", 12 * S)[:-8]])
    (folder / "events-000005.rec").symlink_to(folder / "events-000002.rec")
    found = document(folder)
    around = found["alerts"][0]["surroundings"]
    assert [event["path"] for event in around["before"]] == ["/one", "/two"]
    assert [event["path"] for event in around["after"]] == ["/three"]
    assert found["complete"] is False
    assert [problem.partition(" ")[0] for problem in found["problems"]] == [
        "events-000001.rec",
        "the",
        "events-000004.rec",
    ]


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    folder = session(tmp_path, *(alert(n * S) for n in range(10, 20)))
    record(folder / "events-000001.rec", *([opened(b"/x", n * S)] for n in range(10, 20)))
    told: list[tuple[str, int, int]] = []
    export_session(folder, tmp_path / "case.json", progress=lambda *step: told.append(step))
    for what in dict.fromkeys(what for what, _, _ in told):
        steps = [(done, total) for name, done, total in told if name == what]
        assert steps == sorted(steps)
        assert all(0 <= done <= total for done, total in steps)
    assert len({what for what, _, _ in told}) == 4
