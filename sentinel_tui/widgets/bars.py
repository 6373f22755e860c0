"""The lines at the top and the bottom: header, tabs, status, keys. None of them ever wraps or cuts a figure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from textual.strip import Strip

from sentinel_engine.snapshot import RuleState, Severity, Snapshot, SourceView
from sentinel_engine.text import inert
from sentinel_tui.keymap import Action
from sentinel_tui.terminal_driver import Link
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.paint import SEVERITY_MARKS, Painted, Span, fit

_GAP: Final = 2
_SPARK_WIDTHS: Final = (24, 12, 8)
_LOUD: Final = "bad loud @screen.loss"  # a click says more

# One item of a bar, from its longest form to its shortest; an empty last form may be left out altogether.
Forms = Sequence[Sequence[Span]]


class Bar(Painted):
    """One line, drawn again only when it says something else."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.line: Sequence[Span] = ()

    def say(self, line: Sequence[Span]) -> None:
        """Show these spans."""
        if line != self.line:
            self.line = line
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one line
        """Textual's line API."""
        return self.paint(self.line, self.size.width)


class HeaderBar(Bar):
    """Host, state, rate, loss, rules, alerts, our own cost."""

    def show(self, snapshot: Snapshot, frozen: float | None, link: Link) -> None:
        """Show this snapshot; ``frozen`` is for how many seconds the view has been paused."""
        source = snapshot.source
        host, kernel = _identity(source)
        # In the order of importance: what comes last becomes shorter first.
        items = {
            "state": _state(snapshot, frozen),
            "link": [[(f" slow link {link.delay:.1f} s ", "warn loud")] if link.slow else []],
            "unsaved": [[(" NOT SAVED ", _LOUD)] if snapshot.warnings else []],
            "lost": _lost(snapshot.total_lost),
            "suppressed": _suppressed(sum(snapshot.suppressed.values())),
            "alerts": _alerts(snapshot),
            "rate": [[(f"{figures.count(next(reversed(snapshot.events_per_second), 0))} ev/s", "text")]],
            "rules": _rules(snapshot),
            "host": [[(host, "strong")], []],
            "cost": _cost(snapshot),
            "spark": [
                *([(figures.sparkline(snapshot.events_per_second, width), "accent")] for width in _SPARK_WIDTHS),
                [],
            ],
            "kernel": [[(kernel, "muted")], []],
        }
        shown = squeeze(list(items.values()), self.size.width - 2)
        by_name = dict(zip(items, shown, strict=True))
        order = (
            "host", "kernel", "state", "link", "rate", "spark", "unsaved", "lost", "suppressed", "rules", "alerts",
            "cost",
        )  # fmt: skip
        self.say(_joined([by_name[name] for name in order if by_name[name]]))


def squeeze(items: Sequence[Forms], width: int) -> list[Sequence[Span]]:
    """One form of each item, so that all fit: the last, least important items become short first."""
    chosen = [0] * len(items)

    def total() -> int:
        shown = [forms[at] for forms, at in zip(items, chosen, strict=True) if forms[at]]
        return sum(cell_len(text) for form in shown for text, _ in form) + _GAP * max(0, len(shown) - 1)

    for index in reversed(range(len(items))):
        while total() > width and chosen[index] < len(items[index]) - 1:
            chosen[index] += 1
    return [forms[at] for forms, at in zip(items, chosen, strict=True)]


def _joined(items: Sequence[Sequence[Span]]) -> list[Span]:
    line: list[Span] = [(" ", "text")]
    for index, item in enumerate(items):
        line += [(" " * _GAP, "text")] if index else []
        line += item
    return line


def _identity(source: SourceView) -> tuple[str, str]:
    if not source.live:
        return inert(source.name, 24), "recording"
    host = os.uname()
    return inert(host.nodename, 24), inert(host.release, 32)


def _state(snapshot: Snapshot, frozen: float | None) -> Forms:
    source, elapsed = snapshot.source, figures.elapsed(snapshot.elapsed)
    at = (f" {elapsed if source.live else f'{source.time[11:19]} {source.share:.0%}'}", "text")
    if frozen is not None:
        clock = f"{int(frozen) // 60:02d}:{int(frozen) % 60:02d}"
        return [[("‖ PAUSED", "warn strong"), (f" frozen {clock}", "warn")]]
    return [[_mark(source), at]]


def _mark(source: SourceView) -> Span:
    if source.problem:
        return "✗ BROKEN", "loud bad"
    if source.ended:
        return ("■ ENDED, NOT WHOLE" if source.cut else "■ ENDED"), "warn strong"
    if source.live:
        return "● LIVE", "good strong"
    if source.goal:
        return "» SEEKING", "warn strong"
    if not source.playing:
        return "■ STOPPED", "warn strong"
    speed = "" if source.speed == 1 else f" ×{source.speed:g}" if source.speed else " unpaced"
    return f"▶ REPLAY{speed}", "good strong"


def _lost(total: int) -> Forms:
    return [[(f" LOST {total:,} EVENTS ", _LOUD)], [(f" LOST {total:,} ", _LOUD)]] if total else [[("lost 0", "muted")]]


def _suppressed(total: int) -> Forms:
    if not total:
        return [[]]
    return [[(f"suppressed {figures.count(total)}", "warn @screen.loss")], [(f"supp {figures.count(total)}", "warn")]]


def _rules(snapshot: Snapshot) -> Forms:
    states = Counter(rule.state for rule in snapshot.rules)
    on = states[RuleState.ENABLED]
    bad = states[RuleState.FAILED] + states[RuleState.QUARANTINED]
    resting = states[RuleState.LOADED]
    failed: Span = (f" {bad} bad", "bad strong" if bad else "muted")
    # What the operator has switched off is a hole in what is seen: no screen is too small to say so.
    holes = [(f" {off} off", "warn strong")] if (off := states[RuleState.DISABLED]) else []
    rested: list[Span] = [(f" {resting} resting", "muted")] if resting else []
    return [
        [(f"rules {on} on", "text"), *holes, *rested, failed],
        [(f"rules {on} on", "text"), *holes, failed],
        [(f"{on} on", "text"), *holes, failed],
    ]


def _alerts(snapshot: Snapshot) -> Forms:
    counts = Counter(snapshot.severities)
    found = [severity for severity in Severity if counts[severity]]
    if not found:
        return [[("no alerts", "muted")]]

    def form(severities: Sequence[Severity]) -> list[Span]:
        return [
            (
                f"{' ' if index else ''}{SEVERITY_MARKS[one]} {figures.count(counts[one])} {one}",
                f"severity-{one} strong",
            )
            for index, one in enumerate(severities)
        ]

    total = figures.count(counts.total())
    return [form(found), form(found[:2]), form(found[:1]), [(f"▲ {total} alerts", f"severity-{found[0]} strong")]]


def _cost(snapshot: Snapshot) -> Forms:
    cpu = f"cpu {snapshot.cpu_percent:.0f}%"
    return [[(f"{cpu} {figures.size(snapshot.rss_bytes)}", "muted")], [(cpu, "muted")], []]


class TabBar(Bar):
    """The panes' names, on a screen that has room for one pane only."""

    def show(self, panes: Sequence[tuple[str, str]], current: str) -> None:
        """Show these (id, name) panes; a click goes to one."""
        line: list[Span] = []
        for number, (pane, name) in enumerate(panes, 1):
            style = "accent loud" if pane == current else "muted"
            line += [(f" {number} {name} ", f"{style} @screen.pane('{pane}')"), (" ", "text")]
        self.say(line)


class StatusBar(Bar):
    """The newest thing to know, in one sentence."""

    def tell(self, sentence: str, *, bad: bool = False) -> None:
        """Show this sentence, which may hold text of the host."""
        self.say([(" ✗ ", "bad strong") if bad else (" ", "text"), (inert(sentence, 500), "bad" if bad else "text")])

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one line
        """The sentence; what has no room is cut where it can be seen."""
        left = self.size.width - sum(cell_len(text) for text, _ in self.line[:-1])
        return self.paint(
            [*self.line[:-1], *((fit(text, left), style) for text, style in self.line[-1:])], self.size.width
        )


class KeyBar(Bar):
    """What the keys do here; keys that have no room are in the help."""

    def show(self, actions: Sequence[Action]) -> None:
        """Show the keys of these actions, as many as there is room for."""
        left = self.size.width - 1
        line: list[Span] = [(" ", "text")]
        for action in actions:
            width = cell_len(action.shown) + len(action.label) + 3
            if not action.label or width > left:
                continue
            left -= width
            click = f"@{action.name}"
            line += [(action.shown, f"accent strong {click}"), (f" {action.label}  ", f"text {click}")]
        self.say(line)
