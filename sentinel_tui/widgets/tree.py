"""Who did it: the processes from the root to the culprit, and the facts of the alert below."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from rich.cells import cell_len

from sentinel_engine.describe import epoch_ns
from sentinel_engine.snapshot import Alert, ProcessEntry
from sentinel_engine.text import inert
from sentinel_tui.keymap import PANE, TREE, bindings
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import Line, TextPane
from sentinel_tui.widgets.paint import SEVERITY_MARKS, Span, fit, fold

_LABEL_WIDTH: Final = 9
_FACT_LINES: Final = 6


class TreePane(TextPane):
    """The tree of the selected alert."""

    BINDINGS: ClassVar = [*bindings(PANE), *bindings(TREE)]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._alert: Alert | None = None
        self._users: Mapping[int, str] = {}

    def on_mount(self) -> None:
        """Name the pane."""
        self.border_title = "Process tree"

    def show_alert(self, alert: Alert | None, users: Mapping[int, str]) -> None:
        """Show the tree of this alert; ``users``: names of its host's, where they are known."""
        if alert is None or self._alert is None or alert.id != self._alert.id:
            self.scroll_to_row(0)
        self._alert, self._users = alert, users
        self._lay_out()

    def fields(self) -> Mapping[str, Any]:
        """Those of the process that raised the alert."""
        tree = self._alert.process_tree if self._alert else ()
        return {name: value for name, value in msgspec.structs.asdict(tree[-1]).items() if value} if tree else {}

    def on_resize(self) -> None:
        """Fold the lines for the new width."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if self._alert is None:
            self.show((), [("Select an alert to see who did it.", "muted")])
        elif width > _LABEL_WIDTH:
            self.show([*tree_lines(self._alert, width, self._users), (), *fact_lines(self._alert, width)])


def tree_lines(alert: Alert, width: int, users: Mapping[int, str]) -> list[Line]:
    """One line per process, root first, each below its parent; the last one is marked. Loss is said above all."""
    tree = alert.process_tree
    lines = _doubt(alert.loss, width) if alert.loss else []
    at = epoch_ns(alert.time)
    lines += [_process(entry, depth, width, at, users) for depth, entry in enumerate(tree[:-1])]
    mark = (" ◀ alert", f"severity-{alert.rule.severity} strong")
    return [*lines, *(_process(entry, len(tree) - 1, width, at, users, mark=mark) for entry in tree[-1:])]


def _doubt(loss: int, width: int) -> list[Line]:
    events = "1 event was" if loss == 1 else f"{loss:,} events were"
    text = f"tree may be incomplete: {events} lost around it"
    return [((line, "bad strong"),) for line in fold(text, width, _FACT_LINES)]


def _process(  # noqa: PLR0913 - what it is, where it stands, and as of when
    entry: ProcessEntry, depth: int, width: int, at_ns: int, users: Mapping[int, str], *, mark: Span | None = None
) -> Line:
    """One process as it was at this time."""
    # A deep tree must leave room for the names: the indent stops at a third of the pane.
    branch = " " * min((depth - 1) * 2, width // 3) + "└ " if depth else ""
    facts = [str(entry.pid)]
    # In a container the number may be another user's.
    user = "" if entry.uid is None or entry.container else inert(users.get(entry.uid, ""), 32)
    facts += [f"uid {entry.uid}{user and f' {user}'}"] if entry.uid is not None else []
    facts += [inert(entry.tty, 20)] if entry.tty else []
    facts += [inert(entry.container, 32)] if entry.container else []
    facts += [inert(mark, 8) for mark in entry.exe_flags]
    facts += ["up " + figures.age((at_ns - epoch_ns(entry.start_time)) / 1e9)]
    how = entry.signal or (f"exit {entry.exit_code}" if entry.exit_code is not None else "exited")
    facts += [f"{how} {entry.exited[11:19]}"] if entry.exited else []
    # The mark stands before what may be long, so that no pane is too narrow for it.
    line = [(branch, "muted"), (inert(entry.comm or "?", 40), "strong" if mark else "text"), *([mark] if mark else [])]
    line.append((f" {' '.join(facts)}", "text" if mark else "muted"))
    room = width - sum(cell_len(text) for text, _ in line) - 2
    return (*line, (f"  {fit(' '.join(entry.argv), room)}", "text" if mark else "muted")) if room > 1 else tuple(line)


def fact_lines(alert: Alert, width: int) -> list[Line]:
    """What was found, by which rule, in which program."""
    rule = alert.rule
    lines = fact("what", f"{alert.message}  ×{alert.count}", width, "strong")
    lines += fact("when", f"{alert.time[:23].replace('T', ' ')} UTC", width)
    severity = f"severity-{rule.severity}"
    lines += fact("rule", f"{SEVERITY_MARKS[rule.severity]} {rule.severity}  {rule.id} {rule.version}", width, severity)
    if rule.attack:
        lines += fact("ATT&CK", " ".join(rule.attack), width)
    culprit = alert.process_tree[-1] if alert.process_tree else None
    if culprit:
        marks = f"  ({', '.join(culprit.exe_flags)})" if culprit.exe_flags else ""
        lines += fact("exe", f"{culprit.exe or 'unknown'}{marks}", width, "warn" if marks else "text")
        lines += fact("argv", shlex.join(culprit.argv), width) if culprit.argv else []
        lines += fact("cwd", culprit.cwd, width) if culprit.cwd else []
        lines += fact("where", _place(culprit), width)
    for log in alert.logs:
        lines += fact("log", log, width)
    return lines


def _place(process: ProcessEntry) -> str:
    """Whose workload it is, and who logged in to start it."""
    if process.container_id and process.container:
        whole = "" if process.container.endswith(process.container_id) else f" ({process.container_id})"
        where = f"container {process.container}{whole}"
    else:
        where = f"unit {process.unit}" if process.unit else "no container or unit known"
    return where if process.loginuid is None else f"{where}, logged in as uid {process.loginuid}"


def fact(label: str, text: str, width: int, style: str = "text", label_width: int = _LABEL_WIDTH) -> list[Line]:
    """A labelled value folded to the width; a very long one is cut."""
    parts = fold(text, max(1, width - label_width), _FACT_LINES) or [""]
    labels = [label, *[""] * (len(parts) - 1)]
    return [((fit(name, label_width), "muted"), (part, style)) for name, part in zip(labels, parts, strict=True)]
