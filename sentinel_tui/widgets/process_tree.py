"""Every process as a tree: who started whom, how much each does, who raised alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from sentinel_engine.constants import signal_name
from sentinel_engine.processes import ProcessKey, ProcessLine
from sentinel_engine.text import lossless
from sentinel_tui.keymap import PANE, PROCESSES, bindings
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import SelectPane
from sentinel_tui.widgets.paint import Span, fit, spread


class ProcessRow(NamedTuple):
    """One process as it is shown; ``lead`` draws its place in the tree."""

    key: str
    line: ProcessLine
    lead: str
    age: str
    events: int
    alerts: int


class ProcessTreePane(SelectPane[ProcessRow]):
    """A line for each process below the one that started it."""

    BINDINGS: ClassVar = [*bindings(PANE), *bindings(PROCESSES)]
    heading_lines = 1

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._folded: set[ProcessKey] = set()
        self.lines: Sequence[ProcessLine] = ()
        self.users: Mapping[int, str] = {}
        self.only_active = False
        self.word = ""
        self._given: tuple[Mapping[ProcessKey, int], Mapping[ProcessKey, int], int] = ({}, {}, 0)

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Processes"

    @property
    def line(self) -> ProcessLine | None:
        """The selected process."""
        return self.selected.line if self.selected else None

    def show_processes(
        self,
        lines: Sequence[ProcessLine],
        events: Mapping[ProcessKey, int],
        alerts: Mapping[ProcessKey, int],
        now_ns: int,
    ) -> None:
        """Show these; ``now_ns``: boot time, for their age."""
        self.lines, self._given = lines, (events, alerts, now_ns)
        self.lay_out()

    def lay_out(self) -> None:
        """Show what is there as it is wanted now."""
        events, alerts, _ = self._given
        shown = self._wanted(events, alerts)
        children: dict[ProcessKey | None, list[ProcessLine]] = {}
        for line in sorted(shown.values(), key=lambda one: one.start_ns):
            parent = line.parent_key
            children.setdefault(parent if parent in shown else None, []).append(line)
        rows: list[ProcessRow] = []
        # A stack, not a recursion: a chain of processes may be deeper than Python goes.
        left = [(line, 0) for line in reversed(children.get(None, []))]
        while left:
            line, depth = left.pop()
            below = children.get(line.key, [])
            is_closed = line.key in self._folded
            rows.append(self._row(line, depth, "+" if is_closed and below else "-" if below else " "))
            if not is_closed:
                left += [(one, depth + 1) for one in reversed(below)]
        self.border_title = f"Processes ─ {len(shown):,}" + (
            f" of {len(self.lines):,}" * (len(shown) < len(self.lines))
        )
        find, active = self.key_of("processes.find"), self.key_of("processes.toggle-active")
        self.show(rows, [(f"No process is like that. {find} changes the word, {active} shows all.", "muted")])

    def _wanted(
        self, events: Mapping[ProcessKey, int], alerts: Mapping[ProcessKey, int]
    ) -> dict[ProcessKey, ProcessLine]:
        """Those that are looked for, and whoever is above one of them."""
        every = {line.key: line for line in self.lines}
        if not self.only_active and not self.word:
            return every
        wanted: dict[ProcessKey, ProcessLine] = {}
        for line in self.lines:
            active = not self.only_active or events.get(line.key) or alerts.get(line.key)
            if active and (not self.word or self.word in _text(line).casefold()):
                at: ProcessLine | None = line
                while at is not None and at.key not in wanted:
                    wanted[at.key] = at
                    parent = at.parent_key
                    at = every.get(parent) if parent else None
        return wanted

    def _row(self, line: ProcessLine, depth: int, mark: str) -> ProcessRow:
        events, alerts, now_ns = self._given
        age = figures.age((now_ns - line.start_ns) / 1e9)
        lead = f"{'  ' * min(depth, 12)}{mark} "
        return ProcessRow(
            f"{line.pid} {line.key[1]}", line, lead, age, events.get(line.key, 0), alerts.get(line.key, 0)
        )

    def action_fold(self, is_closed: bool) -> None:
        """Close the selected process's branch, or open it."""
        if line := self.line:
            (self._folded.add if is_closed else self._folded.discard)(line.key)
            self.lay_out()

    def action_toggle_active(self) -> None:
        """Only those that have events or alerts, or all."""
        self.only_active = not self.only_active
        self.lay_out()

    def heading(self, width: int) -> Sequence[Span]:  # noqa: ARG002 - the last column takes what is left
        """The columns' names."""
        return [(f"{'pid':>8} {'user':<9} {'age':>5} {'events':>7} {'alerts':>6}  process", "muted")]

    def spans(self, row: ProcessRow, width: int) -> Sequence[Span]:
        """Number, user, age, events, alerts; then its place in the tree, name, where it runs, arguments."""
        line = row.line
        color = "muted" if line.exited_ns is not None else "text"
        ended = f" {how_it_ended(line)}" if line.exited_ns is not None else ""
        where = " ".join(lossless(part) for part in (line.image.tty, line.image.workload.container) if part)
        name = f"{row.lead}{lossless(line.image.comm) or '?'}"
        left = max(0, width - 7 - 9 - 5 - 7 - 6 - 6 - len(name) - len(ended))
        said = f"{where}  {_text(line)}" if where else _text(line)
        return spread([
            (f"{line.pid:>7}", color),
            (fit(self.users.get(line.uid, str(line.uid)), 9), color),
            (f"{row.age:>5}", "muted"),
            (f"{figures.count(row.events) if row.events else '–':>7}", color),
            (f"{f'▲{row.alerts}' if row.alerts else '–':>6}", "severity-high strong" if row.alerts else "muted"),
            (f" {fit(name, min(len(name), 40))}", "strong" if color == "text" else color),
            *([(ended, "warn")] if ended else []),
            (fit(said, left), "muted"),
        ])  # fmt: skip


def how_it_ended(line: ProcessLine) -> str:
    """``exit 0``, ``SIGKILL``."""
    return signal_name(line.signal) if line.signal else f"exit {line.exit_code or 0}"


def _text(line: ProcessLine) -> str:
    return lossless(b" ".join(line.image.argv)) or f"[{lossless(line.image.comm)}]"
