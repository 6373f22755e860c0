"""One session as every format sees it: facts at once, alerts and actions as streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from sentinel_engine.export.document import ExportedAlert, Selection
from sentinel_engine.export.reading import Journal, Progress, silent
from sentinel_engine.export.redact import Redactor
from sentinel_engine.export.surroundings import Window
from sentinel_engine.records import Clock
from sentinel_engine.session import SessionFacts
from sentinel_engine.snapshot import Action, RuleView, Severity, Summary

T = TypeVar("T")


class Case:
    """An opened session; ``close`` it once. Raises SessionError when it is none, OSError without temporary space."""

    def __init__(
        self,
        folder: Path,
        selection: Selection = Selection(),  # noqa: B008 - frozen
        *,
        redacted: bool = False,
        progress: Progress = silent,
    ) -> None:
        self._journal = Journal(folder, selection, progress)
        self._progress = progress
        self.redacted = redacted
        self.journal_head = self._journal.head
        clock = Clock(self._journal.facts.host.clock_offset_ns)
        self._window = Window(folder, clock, self._journal.alerts(), progress)
        self._redactor = self._learned() if redacted else None
        self.selection = self._shown(selection)
        self.facts: SessionFacts = self._shown(self._journal.facts)
        self.summary: Summary | None = self._shown(self._journal.summary)
        self.problems: tuple[str, ...] = tuple(self._shown([*self._journal.problems, *self._window.problems]))
        self.complete = not self.problems

    @property
    def rules(self) -> tuple[RuleView, ...]:
        """The rules as they stood when the session last wrote its summary."""
        return self.summary.rules if self.summary else ()

    def __len__(self) -> int:
        return len(self._journal)

    def alerts(self) -> Iterator[ExportedAlert]:
        """The selected alerts in the order of their first event; may be asked for again."""
        for done, alert in enumerate(self._surrounded()):
            self._progress("writing the alerts", done, len(self))
            yield self._shown(alert)

    def _surrounded(self) -> Iterator[ExportedAlert]:
        for alert in self._journal.alerts():
            fields = {name: getattr(alert, name) for name in alert.__struct_fields__}
            yield ExportedAlert(**fields, surroundings=self._window.of(alert))

    def _learned(self) -> Redactor:
        """A redactor that has seen all: what is a secret in the last alert is not in the first one, either."""
        redactor = Redactor()
        for done, alert in enumerate(self._surrounded()):
            self._progress("looking for secrets", done, len(self))
            redactor.learn(alert)
        for action in self._journal.actions():
            redactor.learn(action)
        return redactor

    def moments(self) -> Iterator[tuple[str, Severity]]:
        """Time and severity of each selected alert, for an overview before the alerts themselves."""
        return ((alert.time, alert.rule.severity) for alert in self._journal.alerts())

    def actions(self) -> Iterator[Action]:
        """The selected actions, in order; may be asked for again."""
        return map(self._shown, self._journal.actions())

    def _shown(self, value: T) -> T:
        return self._redactor.redact(value) if self._redactor else value

    def close(self) -> None:
        """Close the files."""
        self._journal.close()
        self._window.close()
