"""The alerts, newest first; those of one rule and program in a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from rich.cells import cell_len
from textual.content import Content

from sentinel_engine.match.plain import Filter
from sentinel_engine.snapshot import Alert, Severity
from sentinel_engine.text import inert
from sentinel_engine.triage import fields
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
    """One alert, or a group of them, as it is shown."""

    key: str
    alerts: tuple[Alert, ...]  # newest first
    lead: str  # "+" for a closed group, "-" for an open one, "└" for an alert of one

    @property
    def newest(self) -> Alert:
        """Stands for all of them."""
        return self.alerts[0]


class AlertsPane(SelectPane[AlertRow]):
    """One line per alert or group; the same rule, process and object again counts up."""

    BINDINGS: ClassVar = [*bindings(PANE), *bindings(ALERTS)]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._given: tuple[Sequence[Alert], int] = ((), 0)
        self._open: set[str] = set()
        self.grouped = True
        self.where: Filter | None = None
        self.hides_acknowledged = False

    def on_mount(self) -> None:
        """Name the pane."""
        self._lay_out()

    def show_alerts(self, alerts: Sequence[Alert], hidden: int = 0) -> None:
        """Show these alerts, given oldest first; ``hidden``: how many suppressions keep from the screen."""
        if (alerts, hidden) != self._given:
            self._given = alerts, hidden
            self._lay_out()

    def filter(self, where: Filter | None) -> None:
        """Show only what this accepts."""
        self.where = where
        self._lay_out()

    def action_toggle_groups(self) -> None:
        """Show each alert on its own, or those that are alike as one."""
        self.grouped = not self.grouped
        self._lay_out()

    def action_toggle_acknowledged(self) -> None:
        """Hide what was acknowledged, or show it again."""
        self.hides_acknowledged = not self.hides_acknowledged
        self._lay_out()

    def toggle_group(self) -> bool:
        """Open or close the selected group; False when it is none."""
        row = self.selected
        if row is None or row.lead not in {"+", "-"}:
            return False
        self._open ^= {row.key}
        self._lay_out()
        return True

    def _lay_out(self) -> None:
        alerts, hidden = self._given
        wanted = [one for one in reversed(alerts) if self.where is None or self.where.accepts(fields(one))]
        shown = [one for one in wanted if not (self.hides_acknowledged and one.triage.acknowledged)]
        self.border_title = Content(" ─ ".join(filter(None, (
            "Alerts",
            f"filter: {inert(self.where.text, 200)}" if self.where else "",
            f"{len(wanted) - len(shown)} acknowledged hidden" if len(wanted) > len(shown) else "",
            f"{figures.count(hidden)} suppressed" if hidden else "",
        ))))  # fmt: skip
        self.show(self._rows(shown), self._nothing(bool(alerts) or bool(hidden)))

    def _rows(self, alerts: Sequence[Alert]) -> list[AlertRow]:
        groups: dict[str, list[Alert]] = {}
        for alert in alerts:
            program = alert.process_tree[-1].comm if alert.process_tree else ""
            groups.setdefault(f"{alert.rule.id} {program}" if self.grouped else alert.id, []).append(alert)
        rows: list[AlertRow] = []
        for key, members in groups.items():
            if len(members) == 1:
                rows.append(AlertRow(members[0].id, (members[0],), ""))
                continue
            is_open = key in self._open
            rows.append(AlertRow(key, tuple(members), "-" if is_open else "+"))
            rows += [AlertRow(one.id, (one,), "└") for one in members if is_open]
        return rows

    def _nothing(self, some: bool) -> list[Span]:
        if some:
            names = ("alert.filter-alerts", "alert.toggle-acknowledged", "alert.suppressions")
            other, acknowledged, hidden = map(self.key_of, names)
            return [
                ("No alert to show: those there are were left out.", "muted"),
                (
                    f"{other} changes the filter, {acknowledged} shows acknowledged ones, {hidden} lists suppressions.",
                    "muted",
                ),
            ]
        return [
            ("No alerts yet.", "muted"),
            ("What a rule finds appears here, with the process tree beside it.", "muted"),
        ]

    @property
    def alert(self) -> Alert | None:
        """The selected alert; of a group the newest."""
        return self.selected.newest if self.selected else None

    def fields(self) -> Mapping[str, Any]:
        """Those of the selected alert and its event."""
        return {"id": self.alert.id, **fields(self.alert)} if self.alert else {}

    @property
    def chosen(self) -> Sequence[Alert]:
        """The selected alert, or all of the selected group."""
        return self.selected.alerts if self.selected else ()

    def spans(self, row: AlertRow, width: int) -> Sequence[Span]:
        """Mark and severity, time, rule, message, how often; before the message what its window lost."""
        alert = row.newest
        severity, done = alert.rule.severity, alert.triage.acknowledged
        color = "muted" if done else f"severity-{severity}"
        roomy = width >= 100
        word, name, rule = (severity.value, 10, 28) if roomy else (_SHORT[severity], 6, 16)
        loss = max(one.loss for one in row.alerts)
        times = f"{len(row.alerts)} alerts" if row.lead in {"+", "-"} else f"×{figures.count(alert.count)}"
        optional: list[Span] = [
            (row.lead, "muted"),
            (_marks(row.alerts), "accent strong"),
            (fit(" ".join(alert.rule.attack), 20) if width >= 130 else "", "muted"),
            (f"lost {figures.count(loss)}" if loss else "", "bad strong"),
        ]
        extra = [span for span in optional if span[0]]
        size = max(4, len(times))
        rest = max(0, width - name - 8 - rule - size - 4 - sum(cell_len(text) + 1 for text, _ in extra))
        return spread(
            [
                (fit(f"{SEVERITY_MARKS[severity]} {word}", name), f"{color} strong"),
                (alert.time[11:19], "muted"),
                (fit(alert.rule.id, rule), color),
                *extra,
                (fit(f"{'past: ' * alert.past}{alert.message}", rest), "muted" if done else "text"),
                (fit(times, size, right=True), "muted" if times == "×1" else "strong"),
            ]
        )


def _marks(alerts: Sequence[Alert]) -> str:
    """What the operator made of them, a sign each."""
    made = [alert.triage for alert in alerts]
    return "".join((
        "✓" if all(one.acknowledged for one in made) else "",
        "★" if any(one.bookmarked for one in made) else "",
        "✎" if any(one.note for one in made) else "",
    ))  # fmt: skip
