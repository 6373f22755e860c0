"""The rules: state, cost and alerts of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from msgspec.structs import asdict
from textual import events

from sentinel_engine.snapshot import RuleState, RuleView, ShadowView
from sentinel_tui.keymap import PANE, RULES, bindings
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import SelectPane
from sentinel_tui.widgets.paint import Span, fit, spread
from sentinel_tui.widgets.trends import Sample, Trends

# Mark and colour of each state; the word is there as well wherever the rule is not simply on.
STATES: Final = {
    RuleState.ENABLED: ("●", "good"),
    RuleState.LOADED: ("○", "muted"),
    RuleState.DISABLED: ("○", "muted"),
    RuleState.FAILED: ("✗", "bad"),
    RuleState.QUARANTINED: ("✗", "bad"),
}
_WORDS: Final = {RuleState.ENABLED: "", RuleState.LOADED: "off", RuleState.DISABLED: "off"}
_COLUMNS: Final = (("calls", 5), ("p50", 5), ("p99", 5), ("mem", 4), ("alerts", 6))
_WIDE_COLUMNS: Final = (
    ("calls", 6), ("matches", 7), ("p50", 6), ("p99", 6), ("max", 6), ("mem", 5), ("alerts", 6), ("trend", 16),
)  # fmt: skip
_URGENCY: Final = (
    RuleState.FAILED, RuleState.QUARANTINED, RuleState.DISABLED, RuleState.LOADED, RuleState.ENABLED,
)  # fmt: skip
# What the rules can be sorted by, and whether the largest comes first.
_SORTS: Final[dict[str, Callable[[RuleView], Any]]] = {
    "rule": lambda _: 0,  # as they were found: by folder and name
    "state": lambda view: (_URGENCY.index(view.state), view.id),
    "calls": lambda view: -view.calls,
    "matches": lambda view: -view.matches,
    "p50": lambda view: -view.latency_ns.p50,
    "p99": lambda view: -view.latency_ns.p99,
    "max": lambda view: -view.latency_ns.max,
    "mem": lambda view: -view.memory_bytes.current,
    "alerts": lambda view: -view.alerts,
}


class RuleRow(NamedTuple):
    """One rule as it is shown."""

    key: str
    id: str
    state: RuleState
    reason: str
    figures: dict[str, str]


def shadow_in_short(shadow: ShadowView) -> str:
    """How a shadow differs from its rule: ``shadow +3 −1``, or why it ended."""
    return f"shadow ended: {shadow.reason}" if shadow.reason else f"shadow +{shadow.only_shadow} −{shadow.only_live}"


def rule_row(view: RuleView, trend: Sequence[Sample] = ()) -> RuleRow:
    """The row of this rule. The retry time of a quarantined rule is in its reason."""
    reason = view.reason
    if view.state is RuleState.QUARANTINED:
        reason = f"retry in {view.retry_seconds:.0f} s, {reason}"
    if view.shadow:
        reason = " · ".join(filter(None, (reason, shadow_in_short(view.shadow))))
    latency = view.latency_ns
    times = {"p50": latency.p50, "p99": latency.p99, "max": latency.max}
    # One call in 64 is measured: until the first one there is nothing to say.
    shown = {name: figures.nanoseconds(time) if latency.max else "–" for name, time in times.items()}
    shown |= {
        "calls": figures.count(view.calls),
        "matches": figures.count(view.matches),
        "trend": figures.sparkline([sample.mean_ns for sample in trend], 16) if trend else "",
        "mem": figures.size(view.memory_bytes.current),
        "alerts": f"▲{figures.count(view.alerts)}" if view.alerts else "–",
    }
    # Two files may claim one id, so the file is part of the key.
    return RuleRow(f"{view.id} {view.path}", view.id, view.state, reason, shown)


class RulesPane(SelectPane[RuleRow]):
    """One line per rule; a rule that is not running says why instead of its figures."""

    heading_lines = 1

    BINDINGS: ClassVar = [*bindings(PANE), *bindings(RULES)]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._found: Sequence[RuleView] = ()
        self._views: Sequence[RuleView] = ()  # sorted
        self.sort = "rule"
        self.trends = Trends()

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Rules"

    def show_rules(self, views: Sequence[RuleView]) -> None:
        """Show these rules."""
        self._found = views
        self._views = views = sorted(views, key=_SORTS[self.sort])
        nothing: list[Span] = [
            ("No rules are loaded, so nothing raises an alert.", "muted"),
            ("Start with --rules DIR, or without --no-builtin-rules.", "muted"),
        ]
        self.show([rule_row(view, self.trends.of(view.id)) for view in views], nothing)

    def sort_by(self, column: str) -> None:
        """Sort by this column from now on; one that there is not changes nothing."""
        self.sort = column if column in _SORTS else self.sort
        self.show_rules(self._found)
        self.refresh()

    def action_next_sort(self) -> None:
        """Sort by the next column."""
        columns = list(_SORTS)
        self.sort_by(columns[(columns.index(self.sort) + 1) % len(columns)])

    def on_click(self, event: events.Click) -> None:
        """Sort by the heading that was clicked, or select the row."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y >= self.heading_lines:
            super().on_click(event)
        elif (column := self._column_at(offset.x)) in _SORTS:
            self.sort_by(column)

    def _column_at(self, x: int) -> str:
        width = self.scrollable_content_region.width
        end = 3 + _name_width(width - 1)
        for name, size in (("rule", 0), *_columns(width)):
            end += size + 1
            if x < end:
                return name
        return ""

    @property
    def rule(self) -> RuleView | None:
        """The selected rule."""
        return self._views[self.cursor] if self._views else None

    def fields(self) -> Mapping[str, Any]:
        """Those of the selected rule."""
        return {name: value for name, value in asdict(self.rule).items() if value} if self.rule else {}

    def heading(self, width: int) -> Sequence[Span]:
        """The columns' names."""
        name = _name_width(width - 1)
        title = f"rule ▾{self.sort}" if self.sort == "state" else "rule ▾" if self.sort == "rule" else "rule"
        names = [
            (f"▾{column}"[-size:].rjust(size) if column == self.sort else column.rjust(size), "muted")
            for column, size in _columns(width)
        ]
        return spread([("   " + fit(title, name), "muted"), *names])

    def spans(self, row: RuleRow, width: int) -> Sequence[Span]:
        """Mark, id, figures; or mark, id and what is the matter. A refused reload leaves the rule running."""
        mark, color = STATES[row.state]
        name = _name_width(width)
        if row.state is RuleState.ENABLED and not row.reason:
            shown = [(fit(row.figures[column], size, right=True), "text") for column, size in _columns(width)]
            return spread([(mark, color), (fit(row.id, name), "text"), *shown])
        word = _WORDS.get(row.state, row.state.value)
        said = ": ".join(part for part in (word, row.reason) if part)
        said_color = color if word else "warn"
        return spread([(mark, color), (fit(row.id, name), said_color), (fit(said, width - name - 3), said_color)])


def _columns(width: int) -> Sequence[tuple[str, int]]:
    return _WIDE_COLUMNS if width >= 80 else _COLUMNS


def _name_width(width: int) -> int:
    return max(8, min(40, width - 2 - sum(size + 1 for _, size in _columns(width))))
