"""JSON lines in the Open Cybersecurity Schema Framework: a Detection Finding for each alert.

The whole tree is there (``parent_process``); ``raw_data`` is the alert as the JSON document has it.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sentinel_engine.describe import epoch_ns
from sentinel_engine.export.case import Case
from sentinel_engine.export.document import ExportedAlert
from sentinel_engine.session import SessionFacts
from sentinel_engine.snapshot import ProcessEntry, RuleRef, Severity

VERSION: Final = "1.5.0"
CATEGORY, CLASS, CREATE = 2, 2004, 1
_SEVERITY: Final = {
    Severity.INFO: (1, "Informational"), Severity.LOW: (2, "Low"), Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"), Severity.CRITICAL: (5, "Critical"),
}  # fmt: skip
_LINUX, _BEHAVIORAL, _UNKNOWN, _REGULAR, _NEW = 200, 2, 0, 1, 1


def lines(case: Case) -> Iterator[bytes]:
    """A line for each alert."""
    device, metadata = _device(case.facts), _metadata(case.facts)
    for alert in case.alerts():
        finding = _finding(alert) | {"device": device, "metadata": metadata | {"uid": alert.id}}
        yield msgspec.json.encode(finding) + b"\n"


def _device(facts: SessionFacts) -> dict[str, Any]:
    host = facts.host
    return {
        "hostname": host.hostname,
        "type_id": _UNKNOWN,
        "boot_uid": host.boot_id,
        "os": {
            "name": host.distribution or "Linux",
            "type_id": _LINUX,
            "type": "Linux",
            "kernel_release": host.kernel,
        },
    }


def _metadata(facts: SessionFacts) -> dict[str, Any]:
    product = {"name": "sentinel-tui", "vendor_name": "sentinel-tui", "version": facts.version}
    return {"version": VERSION, "product": product, "log_name": facts.id, "profiles": ["host"]}


def _finding(alert: ExportedAlert) -> dict[str, Any]:
    severity_id, severity = _SEVERITY[alert.rule.severity]
    return {
        "activity_id": CREATE,
        "activity_name": "Create",
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + CREATE,
        "type_name": "Detection Finding: Create",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": _NEW,
        "status": "New",
        "is_alert": True,
        "time": _milliseconds(alert.time),
        "start_time": _milliseconds(alert.first_time),
        "end_time": _milliseconds(alert.last_time),
        "count": alert.count,
        "message": alert.message,
        "risk_score": alert.score,
        "finding_info": {
            "uid": alert.id,
            "title": alert.rule.id,
            "desc": alert.message,
            "first_seen_time": _milliseconds(alert.first_time),
            "last_seen_time": _milliseconds(alert.last_time),
            "analytic": {
                "uid": alert.rule.id,
                "name": alert.rule.id,
                "version": alert.rule.version,
                "type": "Behavioral",
                "type_id": _BEHAVIORAL,
            },
            "attacks": _attacks(alert.rule),
        },
        "evidences": [_evidence(alert)],
        "raw_data": msgspec.json.encode(alert).decode(),
        "unmapped": {"lost_events": alert.loss, "logs": list(alert.logs), "rule_sha256": alert.rule.sha256},
    }


def _attacks(rule: RuleRef) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in rule.attack:
        attack: dict[str, Any] = {"technique": {"uid": one.partition(".")[0]}}
        found.append(attack | ({"sub_technique": {"uid": one}} if "." in one else {}))
    return found


def _evidence(alert: ExportedAlert) -> dict[str, Any]:
    event = alert.event
    evidence: dict[str, Any] = {"name": event.get("kind", "event")}
    if process := _process(alert.process_tree):
        evidence["process"] = process
    if path := event.get("path"):
        evidence["file"] = {"name": posixpath.basename(path) or path, "path": path, "type_id": _UNKNOWN}
    if event.get("addr") and event.get("family") in {"AF_INET", "AF_INET6"}:
        # Of an accept the address is the one that called.
        side = "src_endpoint" if event["kind"] == "accept" else "dst_endpoint"
        evidence[side] = {"ip": event["addr"], "port": event.get("port", 0)}
    if event.get("kind") == "dns" and event.get("name"):
        evidence["query"] = {"hostname": event["name"], "type": event.get("query_type", "")}
    if container := event.get("container"):
        evidence["container"] = {
            "uid": event.get("container_id", container),
            "runtime": container.partition(":")[0],
        }
    evidence["data"] = event
    return evidence


def _process(tree: tuple[ProcessEntry, ...]) -> dict[str, Any]:
    """The last of the tree, with those that it comes from one in the other."""
    found: dict[str, Any] = {}
    for entry in tree:
        process: dict[str, Any] = {
            "pid": entry.pid,
            "name": entry.comm,
            "cmd_line": shlex.join(entry.argv),
            "created_time": _milliseconds(entry.start_time),
        }
        if entry.exited:
            process["terminated_time"] = _milliseconds(entry.exited)
        if entry.exe:
            name = posixpath.basename(entry.exe) or entry.exe
            process |= {"path": entry.exe, "file": {"name": name, "path": entry.exe, "type_id": _REGULAR}}
        if entry.uid is not None:
            process["user"] = {"uid": str(entry.uid)}
        if entry.cwd:
            process["working_directory"] = entry.cwd
        if entry.tty:
            process["session"] = {"terminal": entry.tty}
        found = process | ({"parent_process": found} if found else {})
    return found


def _milliseconds(time: str) -> int:
    return epoch_ns(time) // 1_000_000
