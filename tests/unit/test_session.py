"""The journal, the export document made from it, and files that cannot be trapped."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import jsonschema
import msgspec
import pytest

from sentinel_engine import session as sessions
from sentinel_engine.export.document import json_schema
from sentinel_engine.export.write import export_session
from sentinel_engine.files import atomic_file, private_folder
from sentinel_engine.journal import JournalWriter
from sentinel_engine.resources import data_dir
from sentinel_engine.session import Session, SessionError, digest, read_session
from sentinel_engine.snapshot import Alert, ProcessEntry, RuleRef, RuleState, RuleView, Severity, Summary

HOST = sessions.Host("web-03", "6.18", "x86_64", "Debian", "b00t", 5)


def _alert(number: int, count: int = 1) -> Alert:
    time = "2026-11-23T04:31:48.000000001Z"
    return Alert(
        id=f"{number}-rule", time=time, rule=RuleRef("rule", "1", Severity.HIGH, "ab" * 32, ("T1003",)),
        message="cat read /etc/shadow", event={"kind": "open", "path": "/etc/shadow"},
        process_tree=(ProcessEntry(1, time, "systemd"), ProcessEntry(7, time, "cat", argv=("cat", "\\xff"))),
        count=count, first_time=time, last_time=time,
    )  # fmt: skip


def _summary() -> Summary:
    rule = RuleView(id="rule", state=RuleState.ENABLED)
    return Summary({"open": 3}, {"kernel": {}}, {"rule": 1}, (rule,), 1.5, 2.0, 1000)


def _session(root: Path) -> Session:
    return Session(root, "live", "0.1.0", HOST)


def test_a_session_becomes_a_document_that_validates(tmp_path: Path) -> None:
    session = _session(tmp_path / "sessions")
    session.write(_alert(1))
    session.write(_alert(2))
    session.write(_alert(1, count=4))
    session.act("disable", "rule", "rule is off")
    session.write(_summary())
    session.close()
    output = tmp_path / "case.json"
    assert export_session(session.path, output) == 2
    document = json.loads(output.read_text())
    schema = json.loads((Path(sessions.__file__).parent / "export.schema.json").read_text())
    jsonschema.validate(document, schema)
    assert [(a["id"], a["count"]) for a in document["alerts"]] == [("1-rule", 4), ("2-rule", 1)]
    assert document["complete"] is True
    assert document["actions"][0]["action"] == "disable"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "alerts": [{"id": 3}]}, schema)


def test_the_shipped_schema_is_the_one_of_the_types() -> None:
    assert (Path(sessions.__file__).parent / "export.schema.json").read_text() == json_schema()


def test_everything_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        session = _session(tmp_path / "sessions")
    finally:
        os.umask(old)
    modes = [
        stat.S_IMODE(p.stat().st_mode) for p in (session.path.parent, session.path, session.path / "journal.jsonl")
    ]
    assert modes == [0o700, 0o700, 0o600]


def test_a_line_cut_short_is_left_out_and_said(tmp_path: Path) -> None:
    session = _session(tmp_path)
    session.write(_alert(1))
    session.write(_alert(2))
    journal = session.path / "journal.jsonl"
    whole = journal.read_bytes()
    last_line = len(whole) - whole[:-1].rfind(b"\n") - 1
    for cut in range(1, last_line):
        journal.write_bytes(whole[:-cut])
        document = read_session(session.path)
        assert [a.id for a in document.alerts] == ["1-rule"]
        assert document.complete is False


def test_an_existing_file_is_not_replaced_without_force(tmp_path: Path) -> None:
    session = _session(tmp_path / "s")
    output = tmp_path / "case.json"
    output.write_text("precious")
    with pytest.raises(SessionError, match="exists"):
        export_session(session.path, output)
    assert output.read_text() == "precious"
    export_session(session.path, output, force=True)
    assert json.loads(output.read_text())["schema"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["case.json", "s"]


@pytest.mark.parametrize("force", [False, True])
def test_a_link_in_place_of_the_file_is_never_followed(tmp_path: Path, force: bool) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("untouched")
    link.symlink_to(victim)
    if force:
        with atomic_file(link, force=True) as file:
            file.write(b"x")
    else:
        with pytest.raises(FileExistsError), atomic_file(link) as file:
            file.write(b"x")
    assert victim.read_text() == "untouched"


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(SessionError, match="--session-dir"):
        _session(shared)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(OSError, match="not a folder"):
        private_folder(link)


def test_a_full_disk_is_counted_and_does_not_end_the_journal() -> None:
    journal = JournalWriter(Path("/dev/full").open("wb", buffering=0))  # noqa: SIM115 - the journal closes it
    head = journal.head
    assert journal.write(_alert(1)) is False
    assert (journal.lost, journal.head) == (1, head)
    journal.close()


@pytest.mark.kernel
def test_a_disk_that_was_full_for_a_while_costs_nothing(tmp_path: Path) -> None:
    # A quota of 64 KiB, as a file system of that size would have it.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True)
    try:
        session = _session(tmp_path / "s")
        filler = tmp_path / "filler"
        filler.write_bytes(b"x" * 40_000)
        written = 0
        while session.write(_alert(written)):
            written += 1
        assert not session.write(_alert(written + 1))
        assert (session.lost, session.problem) == (2, "No space left on device")
        filler.unlink()
        assert session.write(_alert(10_000))
        session.sync()
        assert (session.lost, session.problem) == (0, "")
        session.close()
        document, head = read_session(session.path), digest(session.path).head
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert [alert.id for alert in document.alerts] == [*(f"{n}-rule" for n in range(written + 2)), "10000-rule"]
    assert document.complete
    assert head == session.head


def test_an_unknown_session_names_those_there_are(tmp_path: Path) -> None:
    session = _session(tmp_path)
    with pytest.raises(SessionError, match=session.id):
        sessions.find_session("nothing", tmp_path)
    assert sessions.find_session(session.id, tmp_path) == session.path
    assert sessions.find_session(str(session.path), Path("/nowhere")) == session.path


def test_the_json_of_an_alert_has_the_contract_fields() -> None:
    fields = set(msgspec.to_builtins(_alert(1)))
    assert fields >= {
        "type", "id", "time", "rule", "message", "event", "process_tree", "count", "first_time", "last_time", "logs",
        "loss",
    }  # fmt: skip


def test_data_is_found() -> None:
    assert (data_dir("bpf") / "README.md").is_file()
    with pytest.raises(FileNotFoundError, match="install"):
        data_dir("nothing-of-this-name")
