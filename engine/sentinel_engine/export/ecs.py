"""JSON lines in the Elastic Common Schema: a document for each alert, with published field names only.

What the schema has no field for (the tree above the parent, the surroundings, logs) is in ``event.original``,
which is the alert as the JSON document has it.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sentinel_engine.export.case import Case
from sentinel_engine.export.document import ExportedAlert
from sentinel_engine.session import SessionFacts
from sentinel_engine.snapshot import ProcessEntry, Severity

VERSION: Final = "8.17.0"
_SEVERITY: Final = {
    Severity.CRITICAL: 99, Severity.HIGH: 73, Severity.MEDIUM: 47, Severity.LOW: 21, Severity.INFO: 1,
}  # fmt: skip
# event.category and event.type of each kind, from the values that the schema allows together.
_KINDS: Final = {
    ("process", "start"): "exec exec_failed fork",
    ("process", "end"): "exit",
    ("process", "access"): "ptrace",
    ("process", "change"): "setuid kill dup process_vm_write unshare setns capset prctl mprotect",
    ("file", "access"): "open",
    ("file", "deletion"): "unlink",
    ("file", "creation"): "link symlink mkdir",
    ("file", "change"): "rename chmod chown truncate",
    ("file", "info"): "argument_race",
    ("network", "connection"): "connect accept",
    ("network", "info"): "bind listen socket",
    ("network", "protocol"): "dns",
    ("driver", "start"): "init_module",
    ("driver", "info"): "bpf",
    ("host", "change"): "mount umount pivot_root cgroup_mkdir",
}
_CATEGORY: Final = {kind: pair for pair, kinds in _KINDS.items() for kind in kinds.split()}
# Whose address the event names.
_PEER: Final = {"connect": "destination", "dns": "destination", "dup": "destination", "accept": "source",
                "bind": "server", "listen": "server"}  # fmt: skip


def lines(case: Case) -> Iterator[bytes]:
    """A line for each alert."""
    common = _host(case.facts)
    for alert in case.alerts():
        yield msgspec.json.encode(_pruned(common | _alert(alert))) + b"\n"


def _host(facts: SessionFacts) -> dict[str, Any]:
    host = facts.host
    return {
        "ecs": {"version": VERSION},
        "host": {
            "name": host.hostname,
            "hostname": host.hostname,
            "architecture": host.machine,
            "boot": {"id": host.boot_id},
            "os": {"type": "linux", "kernel": host.kernel, "full": host.distribution},
        },
        "observer": {"product": "sentinel-tui", "version": facts.version, "type": "hids", "hostname": host.hostname},
    }


def _alert(alert: ExportedAlert) -> dict[str, Any]:
    event, rule = alert.event, alert.rule
    category, kind_type = _CATEGORY.get(event.get("kind", ""), ("process", "info"))
    return {
        "@timestamp": alert.time,
        "message": alert.message,
        "labels": {"rule_sha256": rule.sha256, "count": str(alert.count), "lost_events": str(alert.loss)},
        "event": {
            "kind": "alert",
            "category": ["intrusion_detection", category],
            "type": sorted({"info", kind_type}),
            "id": alert.id,
            "action": event.get("kind"),
            "dataset": "sentinel.alert",
            "module": "sentinel",
            "start": alert.first_time,
            "end": alert.last_time,
            "severity": _SEVERITY[rule.severity],
            "risk_score": float(alert.score),
            "sequence": event.get("seq"),
            "outcome": _outcome(event),
            "original": msgspec.json.encode(alert).decode(),
        },
        "rule": {"id": rule.id, "name": rule.id, "version": rule.version},
        "threat": {
            "framework": "MITRE ATT&CK" if rule.attack else None,
            "technique": {
                "id": sorted({one.partition(".")[0] for one in rule.attack}),
                "subtechnique": {"id": [one for one in rule.attack if "." in one]},
            },
        },
        "process": _processes(alert),
        "user": {"id": _text(event.get("uid")), "effective": {"id": _text(event.get("euid"))}},
        **_objects(event),
    }


def _outcome(event: dict[str, Any]) -> str:
    ret = event.get("ret")
    if not isinstance(ret, int):
        return "unknown"
    return "failure" if ret < 0 else "success"


def _processes(alert: ExportedAlert) -> dict[str, Any]:
    if not alert.process_tree:
        return {"pid": alert.event.get("pid"), "name": alert.event.get("comm")}
    process = _process(alert.process_tree[-1])
    process["thread"] = {"id": alert.event.get("tid")}
    if len(alert.process_tree) > 1:
        process["parent"] = _process(alert.process_tree[-2])
    return process


def _process(entry: ProcessEntry) -> dict[str, Any]:
    return {
        "pid": entry.pid,
        "start": entry.start_time,
        "end": entry.exited,
        "name": entry.comm,
        "executable": entry.exe,
        "args": list(entry.argv),
        "args_count": len(entry.argv),
        "command_line": shlex.join(entry.argv),
        "working_directory": entry.cwd,
        "user": {"id": _text(entry.uid)},
    }


def _objects(event: dict[str, Any]) -> dict[str, Any]:
    """What was acted on: file, other end of a connection, name that was asked for, container."""
    found: dict[str, Any] = {}
    path, address = event.get("path"), event.get("addr")
    if path:
        found["file"] = {
            "path": path,
            "name": posixpath.basename(path),
            "directory": posixpath.dirname(path),
            "target_path": event.get("target") or event.get("new_path"),
            "mode": event.get("mode"),
            "inode": _text(event.get("inode")),
        }
    if address and (peer := _PEER.get(event.get("kind", ""))):
        internet = event.get("family") in {"AF_INET", "AF_INET6"}
        found[peer] = {"address": address, "ip": address if internet else None,
                       "port": event.get("port") if internet else None}  # fmt: skip
    if event.get("kind") == "dns":
        found["dns"] = {"question": {"name": event.get("name"), "type": event.get("query_type")}}
    if container := event.get("container"):
        found["container"] = {"id": event.get("container_id"), "runtime": container.partition(":")[0]}
    return found


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _pruned(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known: a field that is there says something."""
    kept = {name: _pruned(one) if isinstance(one, dict) else one for name, one in value.items()}
    return {name: one for name, one in kept.items() if one is not None and one not in ({}, [], "")}
