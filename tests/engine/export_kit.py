"""A session on disk as an incident leaves one, with the text that an attacker would put there."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from sentinel_engine.describe import rfc3339
from sentinel_engine.export.document import Selection
from sentinel_engine.export.write import Format, Request, export_session
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import batch_of, encode
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.session import Host, Session
from sentinel_engine.snapshot import Alert, ProcessEntry, RuleRef, RuleState, RuleView, Severity, Summary

S = 1_000_000_000
OFFSET = 1_700_000_000 * S
HOST = Host("web-03", "6.18.0", "x86_64", "Debian GNU/Linux 12 (bookworm)", "5c8e-b00t", OFFSET)
SHELL_START = 5 * S + 1


def time_at(boot_ns: int) -> str:
    return rfc3339(OFFSET + boot_ns)


def alert(
    at: int,
    *,
    rule: str = "shadow-read",
    severity: Severity = Severity.HIGH,
    count: int = 1,
    argv: tuple[str, ...] = ("cat", "/etc/shadow"),
    message: str = "cat read /etc/shadow",
    logs: tuple[str, ...] = (),
    raw_b64: dict[str, Any] | None = None,
    **event: Any,
) -> Alert:
    """One that the shell's child of pid 200 opens a file ``at`` so many nanoseconds after boot."""
    about = {
        "type": "event", "seq": at // S, "time": time_at(at), "kind": "open", "pid": 200, "tid": 200, "ppid": 100,
        "uid": 0, "euid": 0, "gid": 0, "comm": argv[0], "exe": "/usr/bin/cat", "argv": list(argv), "cwd": "/root",
        "ret": 3, "flags": "O_RDONLY", "mode": "0600", "inode": 7, "call": "openat", "path": "/etc/shadow",
    } | event  # fmt: skip
    if raw_b64:
        about["raw_b64"] = raw_b64
    tree = (
        ProcessEntry(1, time_at(0), "systemd", exe="/usr/lib/systemd/systemd", argv=("/sbin/init",), uid=0),
        ProcessEntry(100, time_at(4 * S), "bash", exe="/bin/bash", argv=("-bash",), uid=0, tty="pts/0", cwd="/root"),
        ProcessEntry(200, time_at(SHELL_START), argv[0], exe="/usr/bin/cat", argv=argv, uid=0, raw_b64=raw_b64 or {}),
    )
    return Alert(
        id=f"{at}-{rule}", time=time_at(at), rule=RuleRef(rule, "1.2", severity, "ab" * 32, ("T1003.008", "T1059")),
        message=message, event=about, process_tree=tree, count=count, first_time=time_at(at),
        last_time=time_at(at + (count - 1)), logs=logs, loss=2, score=80,
    )  # fmt: skip


def summary() -> Summary:
    rule = RuleView(id="shadow-read", state=RuleState.ENABLED, sha256="ab" * 32, path="/home/alice/rules/shadow-read")
    return Summary({"open": 3}, {"kernel": {"open": 2}}, {"shadow-read": 1}, (rule,), 1.5, 2.0, 1000)


def session(root: Path, *alerts: Alert, whole: bool = True) -> Path:
    """The folder of a session with these alerts and one action."""
    made = Session(root / "sessions", "live", "0.1.0", HOST)
    for one in alerts:
        made.write(one)
    made.act("disable", "shadow-read", "shadow-read is off")
    if whole:
        made.write(summary())
        made.close()
    return made.path


def opened(path: bytes, at: int, pid: int = 200, start: int = SHELL_START, **more: Any) -> bytes:
    return encode(
        KIND_BY_NAME["open"], strings=(path,), comm=b"cat", tgid=pid, ppid=100, leader_start=start, boot_ns=at, **more
    )


def record(path: Path, *batches: list[bytes], end: bool = True) -> None:
    """A recording of these batches."""
    writer = RecordingWriter(path, Header(OFFSET, "6.18", "web-03", []))
    for batch in batches:
        writer.append(batch_of(batch))
    if end:
        writer.close(Trailer({}))


def exported(folder: Path, form: Format = Format.JSON, *, redact: bool = False, **selection: Any) -> bytes:
    """The whole export as bytes."""
    stream = io.BytesIO()
    export_session(folder, stream, Request(form, Selection(**selection), redact))
    return stream.getvalue()


def document(folder: Path, *, redact: bool = False, **selection: Any) -> dict[str, Any]:
    """The JSON document."""
    found: dict[str, Any] = json.loads(exported(folder, redact=redact, **selection))
    return found
