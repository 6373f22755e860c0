"""All about one rule: what it is, what it costs, what it did wrong, its generations and its shadow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from sentinel_engine.snapshot import Alert, Latency, RuleView, ShadowView
from sentinel_engine.text import inert
from sentinel_tui.keymap import RULES
from sentinel_tui.screens.report import LiveScreen, Page, passed_on
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import Line
from sentinel_tui.widgets.paint import SEVERITY_MARKS, fit
from sentinel_tui.widgets.rules import shadow_in_short
from sentinel_tui.widgets.tree import fact
from sentinel_tui.widgets.trends import SAMPLE_SECONDS, Sample

_BAR: Final = 40
_SHORT_HASH: Final = 12
_ALERTS: Final = 10


class RuleScreen(LiveScreen):
    """A rule's page, with the keys of the rules pane."""

    BINDINGS: ClassVar = passed_on(RULES)
    contexts = (RULES,)


def rule_page(rule: RuleView, trend: Sequence[Sample] = (), alerts: Sequence[Alert] = ()) -> Page:
    """Everything that is known about a rule. ``alerts``: its own, oldest first."""

    def page(width: int) -> list[Line]:
        lines = [line for label, text in _facts(rule).items() for line in fact(label, text, width)]
        if trend:
            lines += [(), *_trends(trend, width)]
        if rule.latency_ns.histogram:
            lines += [(), (("Latency of the calls that were timed", "accent strong"),)]
            lines += _histogram(rule.latency_ns, width)
        if rule.shadow:
            lines += [(), (("Its shadow: the same events, without a voice", "accent strong"),)]
            lines += _shadow(rule.shadow, width)
        for title, rows in _lists(rule, alerts).items():
            if rows:
                lines += [(), ((title, "accent strong"),)]
                lines += [((fit(label, 20), "muted"), (fit(text, width - 20), "text")) for label, text in rows]
        return lines

    return page


def _facts(rule: RuleView) -> Mapping[str, str]:
    memory, size, ns = rule.memory_bytes, figures.size, figures.nanoseconds
    before = f"  (rolling back: to {rule.previous_sha256[:_SHORT_HASH]})" if rule.previous_sha256 else ""
    kinds = ", ".join(f"{reason} ×{count:,}" for reason, count in rule.traps_by_kind.items())
    return {
        "title": rule.title,
        "state": f"{rule.state}{': ' if rule.reason else ''}{rule.reason}",
        "severity": f"{SEVERITY_MARKS[rule.severity]} {rule.severity}  {' '.join(rule.attack)}",
        "version": f"{rule.version}  generation {rule.generation}{before}",
        "sha256": rule.sha256,
        "file": rule.path,
        "kinds": " ".join(rule.kinds),
        "may use": rule.permissions,
        "calls": f"{rule.calls:,}  matches {rule.matches:,}  alerts {rule.alerts:,}",
        "latency": _latency(rule.latency_ns),
        "memory": f"{size(memory.current)}  peak {size(memory.peak)}  limit {size(memory.limit)}",
        "made in": f"{ns(rule.compile_ns)} to compile, {ns(rule.instantiate_ns)} to start",
        "errors": f"traps {rule.traps:,}  timeouts {rule.timeouts:,}  errors {rule.errors:,}",
        **({"skipped": f"{rule.skipped:,} events that it was not asked about, for that"} if rule.skipped else {}),
        **({"traps": inert(kinds, 2000)} if kinds else {}),
        **({"last": rule.last_failure} if rule.last_failure else {}),
        "logs": f"{rule.logs:,} kept  {rule.dropped_logs:,} dropped",
        "dropped": f"{rule.dropped_matches:,} matches that were counted only",
    }


def _lists(rule: RuleView, alerts: Sequence[Alert]) -> Mapping[str, Sequence[tuple[str, str]]]:
    """What there are several of, newest first."""
    return {
        "Its newest alerts": [(one.time[11:23], f"×{one.count}  {one.message}") for one in reversed(alerts[-_ALERTS:])],
        "What it logged last": [("", line) for line in reversed(rule.log_lines)],
        "Its generations": [
            (f"{one.number}  {one.since[:19].replace('T', ' ')[5:]}", f"{one.version}  sha256 {one.sha256}")
            for one in reversed(rule.generations)
        ],
    }


def _trends(trend: Sequence[Sample], width: int) -> list[Line]:
    """Latency and memory over the time that this console has looked."""
    room = max(1, min(len(trend), width - 36))
    minutes = room * SAMPLE_SECONDS / 60
    times, sizes = [one.mean_ns for one in trend[-room:]], [one.memory for one in trend[-room:]]
    over = f"over {minutes:.1f} min"
    return [
        ((fit("mean", 9), "muted"), (figures.sparkline(times, room), "accent"),
         (f"  now {figures.nanoseconds(times[-1])}, at most {figures.nanoseconds(max(times))}", "text")),
        ((fit("memory", 9), "muted"), (figures.sparkline(sizes, room), "accent"),
         (f"  now {figures.size(sizes[-1])}, {over}", "text")),
    ]  # fmt: skip


def _latency(latency: Latency) -> str:
    ns = figures.nanoseconds
    return f"p50 {ns(latency.p50)}  p99 {ns(latency.p99)}  max {ns(latency.max)}  mean {latency.mean:.1f}ns"


def _histogram(latency: Latency, width: int) -> list[Line]:
    """A bar for each power of two that has calls."""
    counts: Counter[int] = Counter()
    for most, count in latency.histogram:
        counts[most.bit_length()] += count
    longest = max(counts.values())
    room = min(_BAR, max(1, width - 24))
    return [
        (
            (f"under {figures.nanoseconds(1 << bits)}".rjust(14) + " ", "muted"),
            (fit("█" * max(1, round(room * counts[bits] / longest)) if counts[bits] else "", room), "accent"),
            (f" {counts[bits]:,}", "text"),
        )
        for bits in range(min(counts), max(counts) + 1)
    ]


def _shadow(shadow: ShadowView, width: int) -> Sequence[Line]:
    lines = fact("version", f"{shadow.version}  sha256 {shadow.sha256}", width)
    lines += fact("verdicts", f"{shadow_in_short(shadow)}  alike {shadow.both:,}  of {shadow.calls:,} calls", width)
    lines += fact("latency", _latency(shadow.latency_ns), width)
    for one in reversed(shadow.differences):
        lines += fact(one.only, f"{one.time[11:23]}  {one.message}", width)
    return lines
