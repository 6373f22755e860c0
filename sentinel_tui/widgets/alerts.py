"""The alerts, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from sentinel_engine.snapshot import Alert, Severity
from sentinel_tui.keymap import ALERTS, PANE, bindings
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import SelectPane
from sentinel_tui.widgets.paint import SEVERITY_MARKS, Span, fit, spread

_SHORT: Final = {
    Severity.CRITICAL: "crit",
    Severity.HIGH: "high",
    Severity.MEDIUM: "med",
    Severity.LOW: "low",
    Severity.INFO: "info",
}


class AlertRow(NamedTuple):
    """One alert as it is shown."""

    key: str
    severity: Severity
    time: str
    rule: str
    message: str
    times: int
    loss: int


class AlertsPane(SelectPane[AlertRow]):
    """One line per alert; the same rule, process and object again counts up."""

    BINDINGS: ClassVar = [*bindings(PANE), *bindings(ALERTS)]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._alerts: dict[str, Alert] = {}
        self._shown: Sequence[Alert] | None = None

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Alerts"

    def show_alerts(self, alerts: Sequence[Alert]) -> None:
        """Show these alerts, given oldest first."""
        if alerts == self._shown:
            return
        self._shown = alerts
        self._alerts = {alert.id: alert for alert in reversed(alerts)}
        nothing: list[Span] = [
            ("No alerts yet.", "muted"),
            ("What a rule finds appears here, with the process tree beside it.", "muted"),
        ]
        self.show([_row(alert) for alert in self._alerts.values()], nothing)

    @property
    def alert(self) -> Alert | None:
        """The selected alert."""
        return self._alerts[self.selected.key] if self.selected else None

    def spans(self, row: AlertRow, width: int) -> Sequence[Span]:
        """Mark and severity, time, rule, message, how often; before the message what its window lost."""
        color = f"severity-{row.severity}"
        roomy = width >= 100
        word, name, rule = (row.severity.value, 10, 28) if roomy else (_SHORT[row.severity], 6, 16)
        doubt = f"lost {figures.count(row.loss)}" if row.loss else ""
        rest = max(0, width - name - 8 - rule - 4 - 4 - (len(doubt) + 1 if doubt else 0))
        return spread(
            [
                (fit(f"{SEVERITY_MARKS[row.severity]} {word}", name), f"{color} strong"),
                (row.time, "muted"),
                (fit(row.rule, rule), color),
                *([(doubt, "bad strong")] if doubt else []),
                (fit(row.message, rest), "text"),
                (fit(f"×{figures.count(row.times)}", 4, right=True), "strong" if row.times > 1 else "muted"),
            ]
        )


def _row(alert: Alert) -> AlertRow:
    rule = alert.rule
    return AlertRow(
        alert.id,
        rule.severity,
        alert.time[11:19],
        rule.id,
        f"{'past: ' * alert.past}{alert.message}",
        alert.count,
        alert.loss,
    )
