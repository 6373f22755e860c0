"""The rules: state, cost and alerts of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from sentinel_engine.snapshot import RuleState, RuleView, ShadowView
from sentinel_tui.keymap import PANE, RULES, bindings
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import SelectPane
from sentinel_tui.widgets.paint import Span, fit, spread

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
_WIDE_COLUMNS: Final = (("calls", 6), ("p50", 6), ("p99", 6), ("max", 6), ("mem", 5), ("alerts", 6))


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


def rule_row(view: RuleView) -> RuleRow:
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
        self._views: Sequence[RuleView] = ()

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Rules"

    def show_rules(self, views: Sequence[RuleView]) -> None:
        """Show these rules."""
        self._views = views
        nothing: list[Span] = [
            ("No rules are loaded, so nothing raises an alert.", "muted"),
            ("Start with --rules DIR, or without --no-builtin-rules.", "muted"),
        ]
        self.show([rule_row(view) for view in views], nothing)

    @property
    def rule(self) -> RuleView | None:
        """The selected rule."""
        return self._views[self.cursor] if self._views else None

    def heading(self, width: int) -> Sequence[Span]:
        """The columns' names."""
        names = [(name.rjust(size), "muted") for name, size in _columns(width)]
        return spread([("   " + fit("rule", _name_width(width - 1)), "muted"), *names])

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
    return _WIDE_COLUMNS if width >= 70 else _COLUMNS


def _name_width(width: int) -> int:
    return max(8, min(40, width - 2 - sum(size + 1 for _, size in _columns(width))))
