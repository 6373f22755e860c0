"""ECS, OCSF, CSV and HTML: published names only, nothing lost, nothing that acts on whoever opens it."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel_engine.export.write import Format
from sentinel_engine.schema import KINDS
from sentinel_engine.snapshot import Alert, Severity
from tests.engine.export_kit import OFFSET, S, alert, document, exported, opened, record, session
from tests.engine.published import ECS_KINDS, ECS_TYPES, ecs_faults, flat, ocsf_faults

HOSTILE = "<script>alert(1)</script>\x1b[2J\x9b\u202e\"'&"
NETWORK = {"family": "AF_INET6", "addr": "2001:db8::7", "port": 443, "local_port": 50000}


def _every_kind() -> list[Alert]:
    """An alert on an event of each kind, as the engine would describe it."""
    found = []
    for number, kind in enumerate(KINDS):
        fields: dict[str, Any] = {"kind": kind.name, **{name: "x" for name in kind.strings if name != "argv"}}
        if "family" in kind.args:
            fields |= NETWORK
        found.append(alert((10 + number) * S, container="docker:0123456789ab", container_id="0123" * 16, **fields))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hostile = alert(
        5 * S, argv=("cat", "\\xff", HOSTILE), message=HOSTILE, logs=("\t=1+1", HOSTILE), path="/tmp/" + HOSTILE,
        raw_b64={"argv": {"1": "/w=="}}, rule="-2+3+cmd|' /C calc'!A0", severity=Severity.CRITICAL, count=3, ret=-13,
    )  # fmt: skip
    made = session(tmp_path, hostile, *_every_kind())
    record(made / "events-000001.rec", [opened(b"/tmp/<img src=x onerror=alert(1)>\xff", 4 * S)])
    return made


def _lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_every_ecs_field_is_published_and_of_its_type(folder: Path) -> None:
    documents = _lines(exported(folder, Format.ECS))
    assert len(documents) == 1 + len(KINDS)
    assert [fault for one in documents for fault in ecs_faults(one)] == []
    for one in documents:
        assert one["ecs"]["version"] == "8.17.0"
        assert one["event"]["kind"] in ECS_KINDS
        allowed = set[str]().union(*(ECS_TYPES[category] for category in one["event"]["category"]))
        assert set(one["event"]["type"]) <= allowed
    first = flat(documents[0])
    assert first["event.outcome"] == "failure"
    assert first["process.parent.name"] == "bash"
    assert first["threat.technique.subtechnique.id"] == ["T1003.008"]
    assert first["process.args"][1:] == ["\\xff", HOSTILE]
    by_kind = {one["event"]["action"]: flat(one) for one in documents[1:]}
    assert by_kind["connect"]["destination.ip"] == "2001:db8::7"
    assert by_kind["accept"]["source.port"] == 443
    assert by_kind["rename"]["file.target_path"] == "x"
    assert by_kind["dns"]["dns.question.name"] == "x"
    assert by_kind["open"]["container.runtime"] == "docker"


def test_every_ocsf_finding_validates(folder: Path) -> None:
    findings = _lines(exported(folder, Format.OCSF))
    assert len(findings) == 1 + len(KINDS)
    assert [fault for one in findings for fault in ocsf_faults(one, "detection_finding")] == []
    first = findings[0]
    assert (first["class_uid"], first["type_uid"], first["severity_id"]) == (2004, 200401, 5)
    assert first["time"] == (OFFSET + 5 * S) // 1_000_000
    process: dict[str, Any] | None = first["evidences"][0]["process"]
    chain = []
    while process:
        chain.append(process["name"])
        process = process.get("parent_process")
    assert chain == ["cat", "bash", "systemd"]
    assert findings[1 + [kind.name for kind in KINDS].index("accept")]["evidences"][0]["src_endpoint"]["port"] == 443


def test_the_checks_find_what_is_not_published() -> None:
    assert ecs_faults({"event": {"severty": 3}})
    assert ecs_faults({"event": {"severity": "3"}})
    assert ocsf_faults({"uid": "1", "colour": "red"}, "finding_info") == [".colour: 'red'"]
    assert ocsf_faults({"title": "no uid"}, "finding_info") == [".uid is missing"]


@pytest.mark.parametrize(("form", "field"), [(Format.ECS, ("event", "original")), (Format.OCSF, ("raw_data",))])
def test_nothing_is_lost_in_a_foreign_format(folder: Path, form: Format, field: tuple[str, ...]) -> None:
    """The alert itself travels along, with its exact bytes and its surroundings."""
    wanted = document(folder)["alerts"]
    assert wanted[0]["surroundings"]["before"][0]["path"].endswith("\\xff")
    for one, expected in zip(_lines(exported(folder, form)), wanted, strict=True):
        value: Any = one
        for name in field:
            value = value[name]
        assert json.loads(value) | {"chain": expected["chain"]} == expected


def test_no_cell_is_a_formula_or_moves_a_cursor(folder: Path) -> None:
    text = exported(folder, Format.CSV).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 1 + len(KINDS)
    for row in rows:
        for cell in row.values():
            assert not cell.lstrip(" ").startswith(tuple("=+@\t\r")), cell
            assert not cell.startswith("-") or re.fullmatch(r"-\d+", cell), cell
            assert not [char for char in cell if unicodedata.category(char) in {"Cc", "Cf"}], cell
    assert rows[0]["rule"].startswith("'-2+3")
    assert rows[0]["logs"].startswith("'\\x09=1+1")
    assert rows[0]["ret"] == "-13"
    assert rows[0]["process_tree"] == "systemd(1) > bash(100) > cat(200)"


class _Page(HTMLParser):
    """Tags as a browser sees them: that they close, and what of them could reach out or run."""

    void = frozenset({"meta", "br", "rect", "path", "line", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.outside: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.outside += [
            (name, value)
            for name, value in attrs
            if name.startswith("on") or name in {"src", "href", "style", "xlink:href"}
        ]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("redact", [False, True])
def test_the_report_is_one_inert_page(folder: Path, redact: bool) -> None:
    source = exported(folder, Format.HTML, redact=redact).decode()
    page = _Page()
    page.feed(source)
    page.close()
    assert page.open == []
    assert page.outside == []
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "h4", "p", "table", "tr", "th", "td",
        "article",
        "span", "b", "code", "ul", "li", "svg", "rect", "path", "line", "text",
    }  # fmt: skip
    assert "default-src 'none'" in source
    assert not re.search(r"url\(|@import|https?:", source)
    assert not [char for char in source if unicodedata.category(char) in {"Cc", "Cf"} and char != "\n"]
    assert "<script>alert(1)" in page.text  # shown, as text
    assert page.text.count("What this process did before and after") == 1 + len(KINDS)
    # The tree hangs together: three processes, each in the list of its parent.
    assert source.count('<ul class="tree">') == 1 + len(KINDS)
    assert len(re.findall(r'<ul class="tree"><li>.*?<ul><li>.*?<ul><li><span class=culprit>', source)) == 1 + len(KINDS)


def test_a_report_without_alerts_says_so(tmp_path: Path) -> None:
    assert "No alerts." in exported(session(tmp_path), Format.HTML).decode()


def test_the_timeline_counts_every_alert(tmp_path: Path) -> None:
    many = [alert(n * S, severity=Severity.HIGH if n % 3 else Severity.LOW) for n in range(10, 100)]
    source = exported(session(tmp_path, *many), Format.HTML).decode()
    counts = [(int(n), severity) for n, severity in re.findall(r"<title>(\d+) (\w+) from", source)]
    assert sum(n for n, severity in counts if severity == "high") == 60
    assert sum(n for n, severity in counts if severity == "low") == 30


def test_an_alert_of_an_older_version_still_exports(tmp_path: Path) -> None:
    """Fields that we have not yet written then are not there; no format falls over that."""
    bare = msgspec.structs.replace(alert(10 * S), event={"kind": "open", "path": "/x"}, process_tree=())
    folder = session(tmp_path, bare)
    for form in Format:
        assert b"10000000000-shadow-read" in exported(folder, form)
