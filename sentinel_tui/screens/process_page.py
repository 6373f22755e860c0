"""All about one process: who it is, who started it, what it started, its alerts and events, and what it holds now."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import psutil
from textual.binding import Binding

from sentinel_engine.describe import epoch_ns, rfc3339
from sentinel_engine.match.plain import parse
from sentinel_engine.processes import TICK_NS, ProcessKey, ProcessLine
from sentinel_engine.response import Target
from sentinel_engine.snapshot import Alert
from sentinel_engine.text import lossless
from sentinel_engine.users import user_names
from sentinel_tui.screens.report import Page, ReportScreen
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import Line
from sentinel_tui.widgets.paint import fit
from sentinel_tui.widgets.process_tree import how_it_ended
from sentinel_tui.widgets.tree import fact

if TYPE_CHECKING:
    from sentinel_engine.pipeline import Pipeline

_EVENTS, _LISTED, _SECONDS = 30, 40, 2.0
_SLOW: Final = 3.0  # seconds that the kernel may take to say what a process holds


class ProcessScreen(ReportScreen):
    """Looked at again every two seconds. ``key`` names the process, also once it has gone."""

    BINDINGS: ClassVar = [Binding("K", "respond", "kill", priority=True)]

    def __init__(self, pipeline: Pipeline, line: ProcessLine, respond: Callable[[Target], None]) -> None:
        super().__init__(f"Process: {lossless(line.image.comm)} {line.pid}", lambda _: ())
        self._pipeline = pipeline
        self._line = line
        self._respond = respond
        self._users = user_names() if pipeline.snapshot().source.live else {}

    async def on_mount(self) -> None:
        """Look now, and again and again."""
        self.tell("K kill  esc back")
        self.run_worker(self._look())
        self.set_interval(_SECONDS, lambda: self.run_worker(self._look(), exclusive=True))

    async def _look(self) -> None:
        pipeline = self._pipeline
        lines = {line.key: line for line in await asyncio.wrap_future(pipeline.processes.lines())}
        self._line = line = lines.get(self._line.key, self._line)
        where = parse(f"pid={line.pid}")
        events = await asyncio.to_thread(pipeline.events, where, _EVENTS)
        held = await _held(line) if pipeline.snapshot().source.live else _ELSEWHERE
        alerts = [one for one in pipeline.snapshot().alerts if _is_of(one, line, pipeline.processes.clock.offset_ns)]
        self.show_page(self._page(line, lines, events, alerts, held))

    def _page(
        self,
        line: ProcessLine,
        lines: Mapping[ProcessKey, ProcessLine],
        events: Sequence[Mapping[str, Any]],
        alerts: Sequence[Alert],
        held: Mapping[str, Sequence[str]],
    ) -> Page:
        def page(width: int) -> list[Line]:
            out = [row for label, text in self._facts(line).items() for row in fact(label, text, width)]
            sections: dict[str, Sequence[str]] = {
                "Who started it, oldest first": [_name(one) for one in reversed(_above(line, lines))],
                "What it started, and is still known": [
                    _name(one) for one in lines.values() if one.parent_key == line.key
                ],
                "Beside it": [
                    _name(one) for one in lines.values()
                    if line.parent and one.parent_key == line.parent_key and one.key != line.key
                ],
                "Its alerts, newest first": [
                    f"{one.time[11:23]}  {one.rule.severity}  {one.rule.id}  {one.message}" for one in reversed(alerts)
                ],
                "What it did last": [f"{one['time'][11:23]}  {one['kind']:<12} {one['detail']}" for one in events],
                **held,
            }  # fmt: skip
            for title, found in sections.items():
                if found:
                    more = f", {len(found) - _LISTED:,} more" if len(found) > _LISTED else ""
                    out += [(), ((f"{title}{more}", "accent strong"),)]
                    out += [((fit(one, width), "text"),) for one in found[:_LISTED]]
            return out

        return page

    def _facts(self, line: ProcessLine) -> dict[str, str]:
        image, clock = line.image, self._pipeline.processes.clock
        ended = (
            f"ended {rfc3339(clock.epoch_ns(line.exited_ns))[11:23]}: {how_it_ended(line)}"
            if line.exited_ns is not None else "is there"
        )  # fmt: skip
        user = self._users.get(line.uid, "")
        facts = {
            "state": ended,
            "started": f"{rfc3339(clock.epoch_ns(line.start_ns))[:19].replace('T', ' ')} UTC",
            "user": f"{user} ({line.uid})" if user else f"uid {line.uid}",
            "exe": lossless(image.exe) or "unknown",
            "argv": shlex.join(lossless(part) for part in image.argv),
            "cwd": lossless(image.cwd),
            "tty": lossless(image.tty),
            "where": lossless(image.workload.container or image.workload.unit),
        }
        return {label: text for label, text in facts.items() if text}

    def action_respond(self) -> None:
        """Ask what to do to it."""
        start = rfc3339(self._pipeline.processes.clock.epoch_ns(self._line.start_ns))
        self._respond(Target(self._line.pid, start, lossless(self._line.image.comm)))


_ELSEWHERE: Final[Mapping[str, Sequence[str]]] = {
    "What it holds": ["not known: this is a recording, and the processes of this host are others"]
}


async def _held(line: ProcessLine) -> Mapping[str, Sequence[str]]:
    """What the kernel says of a process that is there: files, connections, memory."""
    if line.exited_ns is not None:
        return {}
    try:
        return await asyncio.wait_for(asyncio.to_thread(_ask_kernel, line), _SLOW)
    except TimeoutError:
        return {"What it holds": [f"not known: the kernel has not said it within {_SLOW:.0f} s"]}
    except psutil.AccessDenied:
        return {"What it holds": ["not known: we may not look into it"]}
    except (psutil.NoSuchProcess, OSError):
        return {"What it holds": ["it has ended meanwhile"]}


def _ask_kernel(line: ProcessLine) -> Mapping[str, Sequence[str]]:
    process = psutil.Process(line.pid)
    with process.oneshot():
        memory, threads, cpu = process.memory_info(), process.num_threads(), process.cpu_times()
        files = [f"{one.fd:>4}  {one.path}" for one in process.open_files()]
        connections = [
            f"{one.fd:>4}  {_end(one.laddr)} → {_end(one.raddr)}  {one.status}" for one in process.net_connections()
        ]
    with open(f"/proc/{line.pid}/stat", "rb") as stat:  # noqa: PTH123 - a file of the kernel's, read at once
        started = int(stat.read().rpartition(b") ")[2].split()[19])
    if started != line.key[1]:
        raise psutil.NoSuchProcess(line.pid)  # what was read is of another one, which has its number now
    return {
        "What it holds": [
            f"{figures.size(memory.rss)} of memory, {threads} threads, {cpu.user + cpu.system:.1f} s of the processor"
        ],
        "Open files": files,
        "Connections": connections,
    }


def _end(address: Any) -> str:
    return f"{address.ip}:{address.port}" if address and hasattr(address, "ip") else str(address or "–")


def _above(line: ProcessLine, lines: Mapping[ProcessKey, ProcessLine]) -> list[ProcessLine]:
    found: list[ProcessLine] = []
    at = lines.get(line.parent_key) if line.parent_key else None
    while at is not None and len(found) < _LISTED:
        found.append(at)
        at = lines.get(at.parent_key) if at.parent_key else None
    return found


def _name(line: ProcessLine) -> str:
    ended = f"  ({how_it_ended(line)})" if line.exited_ns is not None else ""
    argv = lossless(b" ".join(line.image.argv))
    return f"{line.pid:>7}  {lossless(line.image.comm) or '?'}{ended}  {argv}"


def _is_of(alert: Alert, line: ProcessLine, offset_ns: int) -> bool:
    culprit = alert.process_tree[-1] if alert.process_tree else None
    if culprit is None or culprit.pid != line.pid:
        return False
    return (epoch_ns(culprit.start_time) - offset_ns) // TICK_NS == line.key[1]
