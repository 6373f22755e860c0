"""A report of one case to read, print and file: one HTML file without script and without anything from elsewhere."""

from __future__ import annotations

import html
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template
from typing import Any, Final

from sentinel_engine.describe import detail
from sentinel_engine.export.case import Case
from sentinel_engine.export.document import ExportedAlert, Selection, Surroundings
from sentinel_engine.export.timeline import timeline
from sentinel_engine.snapshot import ProcessEntry, Summary, Triage
from sentinel_engine.text import inert

_LIMIT: Final = 8192  # characters of one text


def report(case: Case) -> Iterator[bytes]:
    """The page, piece by piece."""
    template = Template(Path(__file__).with_name("report.html").read_text("utf-8"))
    title = f"Case {case.facts.id} on {case.facts.host.hostname}"
    head, _, foot = template.substitute(title=_text(title), body="\0").partition("\0")
    yield head.encode()
    for piece in _body(case, title):
        yield piece.encode() + b"\n"
    yield foot.encode()


def _body(case: Case, title: str) -> Iterator[str]:
    host, facts = case.facts.host, case.facts
    yield f"<h1>{_text(title)}</h1>"
    for problem in case.problems:
        yield f'<p class="warning">Not complete: {_text(problem)}.</p>'
    if case.redacted:
        yield '<p class="warning">Redacted: home folders and what looks like a secret are blotted out.</p>'
    yield _facts([
        ("Host", f"{host.hostname} ({host.machine})"), ("System", f"{host.distribution}, kernel {host.kernel}"),
        ("Boot", host.boot_id), ("Session", f"{facts.id}, begun {facts.started} by {facts.operator}"),
        ("Source", f"{facts.source}, sentinel-tui {facts.version}"),
        ("Clock", f"wall time is boot time + {host.clock_offset_ns:,} ns"), ("Selection", _selection(case.selection)),
        *(_figures(case.summary) if case.summary else ()),
    ])  # fmt: skip
    yield "<h2>Timeline</h2>"
    yield timeline(case.moments(), (one.time for one in case.actions()))
    yield f"<h2>Alerts ({len(case):,})</h2>"
    yield from map(_alert, case.alerts())
    yield "<h2>Operator</h2>"
    yield from _table(("Time", "Who", "Action", "Target", "Detail"), (
        (one.time, one.operator, one.action, one.target, one.detail) for one in case.actions()
    ))  # fmt: skip
    yield "<h2>Rules</h2>"
    yield from _table(("Rule", "State", "Version", "Calls", "Alerts", "p99 ns", "Traps", "SHA-256"), (
        (one.id, one.state, one.version, f"{one.calls:,}", f"{one.alerts:,}", one.latency_ns.p99, one.traps, one.sha256)
        for one in case.rules
    ))  # fmt: skip


def _selection(selection: Selection) -> str:
    limits = (
        ("since", selection.since), ("until", selection.until), ("alerts", ", ".join(selection.alerts)),
        ("rules", ", ".join(selection.rules)), ("severity at least", selection.severity or ""),
    )  # fmt: skip
    return "; ".join(f"{name} {value}" for name, value in limits if value) or "everything"


def _figures(summary: Summary) -> list[tuple[str, str]]:
    lost = [
        f"{count:,} {kind} ({stage})" for stage, kinds in summary.lost.items() for kind, count in kinds.items() if count
    ]
    return [
        ("Events", f"{sum(summary.events.values()):,} in {summary.duration:,.1f} s"),
        ("Lost", ", ".join(lost) or "nothing"),
        ("Reported", summary.scope or "every process"),
    ]


def _alert(alert: ExportedAlert) -> str:
    rule = alert.rule
    seen = alert.first_time if alert.count == 1 else f"{alert.first_time} … {alert.last_time}, {alert.count:,} times"
    pieces = [
        f'<article class="{rule.severity}" id="{_text(alert.id)}">',
        f'<h3><span class="badge {rule.severity}">{rule.severity}</span> {_text(alert.message)}</h3>',
        f'<p class="muted">{_text(seen)} · {_text(rule.id)} {_text(rule.version)} · {_text(" ".join(rule.attack))}</p>',
        _tree(alert.process_tree),
        _facts([(name, _plain(value)) for name, value in alert.event.items() if name not in {"type", "raw_b64"}]),
    ]
    if alert.loss:
        said = f"{alert.loss:,} events were lost around this alert: its tree and surroundings may have gaps."
        pieces.append(f'<p class="warning">{said}</p>')
    if alert.triage != Triage():
        marks = ("acknowledged", "bookmarked", "suppressed")
        made = [name for name in marks if getattr(alert.triage, name)] + [alert.triage.note]
        pieces.append(f"<p>Operator: {_text('; '.join(filter(None, made)))}</p>")
    if alert.logs:
        pieces += ["<h4>What the rule said</h4>", *(f"<p><code>{_text(line)}</code></p>" for line in alert.logs)]
    if alert.surroundings:
        pieces += _surroundings(alert, alert.surroundings)
    return "\n".join([*pieces, "</article>"])


def _tree(tree: tuple[ProcessEntry, ...]) -> str:
    """A list in a list: each process hangs below the one that started it."""
    if not tree:
        return ""
    return '<ul class="tree">' + "<ul>".join(_item(one, tree[-1]) for one in tree) + "</li></ul>" * len(tree)


def _item(process: ProcessEntry, culprit: ProcessEntry) -> str:
    program = shlex.join(process.argv) or process.exe or ""
    return (
        f"<li><span{' class=culprit' * (process is culprit)}><b>{_text(process.comm)}</b> {process.pid} "
        f'<span class="muted">{_text(_about(process))}</span> <code>{_text(program)}</code></span>'
    )


def _about(process: ProcessEntry) -> str:
    known = (
        "" if process.uid is None else f"uid {process.uid}", process.tty, process.container or process.unit,
        " ".join(process.exe_flags), f"exited {process.exited}" if process.exited else "",
    )  # fmt: skip
    return ", ".join(one for one in known if one)


def _surroundings(alert: ExportedAlert, around: Surroundings) -> Iterator[str]:
    yield "<h4>What this process did before and after</h4>"
    own = [(True, alert.event)]
    events = [*((False, one) for one in around.before), *own, *((False, one) for one in around.after)]
    yield '<table class="surroundings mono">'
    for mine, event in events:
        cells = "".join(
            f"<td>{_text(_plain(one))}</td>" for one in (event.get("time"), event.get("kind"), _what(event))
        )
        yield f"<tr{' class=own' * mine}>{cells}</tr>"
    yield "</table>"


def _what(event: dict[str, Any]) -> str:
    try:
        return detail(event)
    except (KeyError, TypeError):  # of another version, or not readable: then as it is
        return ", ".join(f"{name} {_plain(value)}" for name, value in event.items() if name not in {"time", "kind"})


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    rows = (f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts)
    return f"<table>{''.join(rows)}</table>"


def _table(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    yield f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{_text(_plain(cell))}</td>' for cell in row)}</tr>"
    yield "</table>"


def _plain(value: Any) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)


def _text(value: str) -> str:
    """Inert, and nothing that a browser takes for markup."""
    return html.escape(inert(value, _LIMIT))
