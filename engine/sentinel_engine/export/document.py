"""The shapes of an export: what was asked for, and the JSON document that comes of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sentinel_engine.session import Host, SessionFacts
from sentinel_engine.shapes import prepare
from sentinel_engine.snapshot import Action, Alert, RuleView, Severity, Summary

SCHEMA_VERSION: Final = 1
_URGENCY: Final = {severity: place for place, severity in enumerate(Severity)}


class Selection(msgspec.Struct, frozen=True):
    """Which alerts and actions are taken. Times are RFC 3339 in UTC with nanoseconds; what is empty does not limit.

    ``severity``: this one and all that are more urgent.
    """

    since: str = ""
    until: str = ""
    alerts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    severity: Severity | None = None

    def takes(self, alert: Alert) -> bool:
        """Whether this alert, from its first event to its last, is among them."""
        return (
            self._spans(alert.first_time, alert.last_time)
            and (not self.alerts or alert.id in self.alerts)
            and (not self.rules or alert.rule.id in self.rules)
            and (self.severity is None or _URGENCY[alert.rule.severity] <= _URGENCY[self.severity])
        )

    def takes_action(self, action: Action) -> bool:
        """Whether this action is within the time; the rest of the selection is about alerts."""
        return self._spans(action.time, action.time)

    def _spans(self, first: str, last: str) -> bool:
        return (not self.since or last >= self.since) and (not self.until or first <= self.until)


class Surroundings(msgspec.Struct, frozen=True):
    """What the alert's own process did around it: event objects without ``seq``, oldest first, at most 20 a side."""

    before: tuple[dict[str, Any], ...] = ()
    after: tuple[dict[str, Any], ...] = ()


class ExportedAlert(Alert, frozen=True, tag="alert", tag_field="type"):
    """An alert; ``surroundings`` is None when the session kept no raw events of its process."""

    surroundings: Surroundings | None = None
    chain: str | msgspec.UnsetType = msgspec.UNSET  # in the JSON document


class ExportedAction(Action, frozen=True, tag="action", tag_field="type"):
    """An action; ``chain`` as with alerts."""

    chain: str | msgspec.UnsetType = msgspec.UNSET  # in the JSON document


class Evidence(msgspec.Struct, frozen=True):
    """What holds the document to what was written: see sentinel_engine.export.evidence. SHA-256 in hex."""

    journal: str = ""  # what the session's journal ended in when this was exported
    entries: int = 0
    head: str = ""
    sha256: str = ""  # of every byte before this, and of the journal's


class ExportDocument(msgspec.Struct, frozen=True):
    """One session as one JSON document.

    ``complete`` is false for a session that did not end in order, or of which something cannot be read: ``problems``
    has a sentence for each thing that is missing. ``redacted``: personal folders and secrets were blotted out.
    """

    schema: int
    host: Host
    session: SessionFacts
    rules: tuple[RuleView, ...]
    alerts: tuple[ExportedAlert, ...]
    actions: tuple[ExportedAction, ...]
    summary: Summary | None
    complete: bool
    problems: tuple[str, ...] = ()
    selection: Selection = Selection()
    redacted: bool = False
    evidence: Evidence = Evidence()


prepare(ExportDocument)


def json_schema() -> str:
    """The JSON Schema of the export document, as shipped in ``export.schema.json``."""
    schema = msgspec.json.schema(ExportDocument)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "sentinel-tui export document"
    return msgspec.json.format(msgspec.json.encode(schema).decode(), indent=2) + "\n"
