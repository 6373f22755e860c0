"""A row for each alert, for a spreadsheet. No cell is a formula, and none moves a terminal's cursor."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator
from typing import Any, Final

from sentinel_engine.export.case import Case
from sentinel_engine.export.document import ExportedAlert
from sentinel_engine.text import inert

COLUMNS: Final = (
    "time", "last_time", "count", "severity", "rule", "version", "attack", "score", "message", "kind", "pid", "ppid",
    "uid", "comm", "exe", "command_line", "path", "addr", "port", "ret", "container", "process_tree", "logs", "loss",
    "marks", "note", "id",
)  # fmt: skip
_EVENT: Final = ("kind", "pid", "ppid", "uid", "comm", "exe", "path", "addr", "port", "ret", "container")
# A spreadsheet takes a cell that begins so for a formula, full-width forms included.
_FORMULA: Final = tuple("=+-@\t\r\n|%＝＋－＠")
_CELL: Final = 32_000  # characters; spreadsheets take 32,767


def rows(case: Case) -> Iterator[bytes]:
    """The head, then a row for each alert."""
    yield _row(COLUMNS)
    for alert in case.alerts():
        cells = _cells(alert)
        yield _row([_plain(cells[name]) for name in COLUMNS])


def _cells(alert: ExportedAlert) -> dict[str, Any]:
    event, rule = alert.event, alert.rule
    return {
        **{name: event.get(name, "") for name in _EVENT},
        "time": alert.time,
        "last_time": alert.last_time,
        "count": alert.count,
        "severity": rule.severity,
        "rule": rule.id,
        "version": rule.version,
        "attack": " ".join(rule.attack),
        "score": alert.score,
        "message": alert.message,
        "command_line": shlex.join(event.get("argv", ())),
        "process_tree": " > ".join(f"{one.comm}({one.pid})" for one in alert.process_tree),
        "logs": " | ".join(alert.logs),
        "loss": alert.loss,
        "marks": " ".join(name for name in ("acknowledged", "bookmarked", "suppressed") if getattr(alert.triage, name)),
        "note": alert.triage.note,
        "id": alert.id,
    }


def _plain(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    text = str(value)
    # Before control characters become escapes: what follows a space is a formula for some.
    risky = text.lstrip(" ").startswith(_FORMULA)
    return "'" * risky + inert(text, _CELL)


def _row(cells: Any) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
