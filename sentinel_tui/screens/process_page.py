"""All about one process: who it is, who started it, what it started, its alerts and events, and what it holds now."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sentinel_engine import held
from sentinel_engine.describe import rfc3339
from sentinel_engine.match.plain import Filter
from sentinel_engine.processes import ProcessKey, ProcessLine
from sentinel_engine.promise import aside
from sentinel_engine.response import Target
from sentinel_engine.snapshot import Alert
from sentinel_engine.text import lossless
from sentinel_tui.keymap import PROCESS, bindings, in_a_line
from sentinel_tui.screens.choice import ChoiceScreen
from sentinel_tui.screens.report import Page, ReportScreen
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.lines import Line
from sentinel_tui.widgets.paint import Span, fold
from sentinel_tui.widgets.process_tree import how_it_ended
from sentinel_tui.widgets.tree import fact

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sentinel_engine.pipeline import Pipeline

_EVENTS, _LISTED, _RELATIVES, _SECONDS = 30, 40, 200, 2.0
_FOLDED: Final = 4  # lines, for a path or a variable; a relative has one
_WAIT: Final = 1.0  # seconds that a look waits for what was asked aside, which goes on meanwhile
_RECORDING: Final = "this is a recording, and the processes of this host are others"

Sections = dict[str, Sequence[Span]]


class _Question:
    """What is asked aside, since it may hang: once at a time, whatever becomes of the page."""

    def __init__(self, ask: Callable[[], Sections]) -> None:
        self._ask = ask
        self._answer: Future[Sections] | None = None
        self._asked_at = 0.0

    @property
    def pending(self) -> bool:
        """Whether it is asked, and not answered yet."""
        return self._answer is not None

    async def answer(self, title: str) -> Sections:
        """What is told, or under this title why nothing is."""
        if self._answer is None:
            self._answer, self._asked_at = aside(self._ask), time.monotonic()
        try:
            told = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._answer)), _WAIT)
        except TimeoutError:
            waited = time.monotonic() - self._asked_at
            return {
                title: [(f"the kernel has not answered for {waited:.0f} s; it is asked no more until then", "warn")]
            }
        except held.HeldError as error:
            told = {title: [(f"not known: {error}", "muted")]}
        self._answer = None
        return told


class ProcessScreen(ReportScreen):
    """Looked at again every two seconds. ``line`` names the process, also once it has gone.

    ``related``: those among which its relatives are; ``open_process`` shows one of them, ``respond`` asks what to do to
    this one.
    """

    BINDINGS: ClassVar = bindings(PROCESS)

    def __init__(  # noqa: PLR0913 - what is shown, and where its keys lead
        self,
        pipeline: Pipeline,
        line: ProcessLine,
        related: Sequence[ProcessLine],
        *,
        users: Mapping[int, str],
        open_process: Callable[[ProcessLine], None],
        respond: Callable[[Target], None],
    ) -> None:
        super().__init__(f"Process: {lossless(line.image.comm)} {line.pid}", lambda _: ())
        self._pipeline, self._line = pipeline, line
        self._lines = {one.key: one for one in related}
        self._open, self._respond = open_process, respond
        self._is_live = pipeline.snapshot().source.live
        self._users = users
        self._events: deque[Mapping[str, Any]] = deque(maxlen=_EVENTS)
        self._seen = -1  # the newest event that was looked at
        self._lock = asyncio.Lock()  # one look after the other
        self._held = _Question(partial(_look, line.key))
        self._wanted: dict[str, _Question] = {}  # what was asked for by a key, and has not been told yet
        self._told: Sections = {}  # and what has

    async def on_mount(self) -> None:
        """Look now, and again and again."""
        self.tell(in_a_line(self.actions, PROCESS))
        self._look_again()
        self.set_interval(_SECONDS, self._look_on)

    def _look_on(self) -> None:
        if not self.rests and not self._lock.locked():
            self._look_again()

    def _look_again(self) -> None:
        self.run_worker(self._look())

    async def _look(self) -> None:
        async with self._lock:
            await self._take_in()

    async def _take_in(self) -> None:
        pipeline = self._pipeline
        self._lines |= {line.key: line for line in await asyncio.wrap_future(pipeline.processes.lines())}
        self._line = self._lines.get(self._line.key, self._line)
        await asyncio.to_thread(self._take_events)
        of_alert = pipeline.processes.key_of_alert
        alerts = [one for one in pipeline.snapshot().alerts if of_alert(one) == self._line.key]
        self.show_page(self._page(alerts, await self._ask()))

    def _take_events(self) -> None:
        """What it has done since the last look; all of it when a recording has begun anew."""
        newest = self._pipeline.events(None, 1)
        seen = newest[-1]["seq"] if newest else -1
        if seen < self._seen:
            self._events.clear()
            self._seen = -1
        where = Filter.of_process(*self._line.key)
        self._events.extend(self._pipeline.events(where, _EVENTS, seen + 1, self._seen))
        self._seen = seen

    async def _ask(self) -> Sections:
        """What it holds; what else was asked for is noted."""
        if not self._is_live:
            return {"What it holds": [(f"not known: {_RECORDING}", "muted")]}
        now = {} if self._line.exited_ns is not None else await self._held.answer("What it holds")
        for title, question in list(self._wanted.items()):
            self._told |= await question.answer(title)
            if not question.pending:
                del self._wanted[title]
        return now

    def _page(self, alerts: Sequence[Alert], asked: Sections) -> Page:
        line, relatives = self._line, self._relatives()
        told = [
            (f"{one.time[11:23]}  {one.rule.severity}  {one.rule.id}  {one.message}", "text")
            for one in reversed(alerts)
        ]
        sections: Sections = {
            **self._told,
            "Its alerts, newest first": _first(told),
            **asked,
            "What it did last": [(f"{one['time'][11:23]}  {one['kind']:<12} {one['detail']}", "text")
                                 for one in self._events],
            **{title: _first([(_name(one), "text") for one in found]) for title, found in relatives.items()},
        }  # fmt: skip
        facts, whole = self._facts(line), {*self._told, *asked}

        def page(width: int) -> list[Line]:
            out = [row for label, text in facts.items() for row in fact(label, text, width)]
            for title, found in sections.items():
                if found:
                    out += [(), ((title, "accent strong"),)]
                    lines = _FOLDED if title in whole else 1
                    out += [((part, style),) for text, style in found for part in fold(text, width, lines)]
            return out

        return page

    def _relatives(self) -> dict[str, Sequence[ProcessLine]]:
        line, every = self._line, self._lines.values()
        return {
            "Who started it, nearest first": _above(line, self._lines),
            "What it started, and is still known": sorted(
                (one for one in every if one.parent_key == line.key), key=_newest_there
            ),
            "Beside it": sorted(
                (one for one in every if line.parent and one.parent_key == line.parent_key and one.key != line.key),
                key=_newest_there,
            ),
        }

    def _facts(self, line: ProcessLine) -> dict[str, str]:
        image, clock = line.image, self._pipeline.processes.clock
        ended = (
            f"ended {rfc3339(clock.epoch_ns(line.exited_ns))[11:23]}: {how_it_ended(line)}"
            if line.exited_ns is not None else "is there"
        )  # fmt: skip
        user, contained = self._users.get(line.uid, ""), image.workload.container
        called = f"uid {line.uid}{f', which is {user} outside of the container' if contained else f' {user}'}"
        facts = {
            "state": ended,
            "started": f"{rfc3339(clock.epoch_ns(line.start_ns))[:19].replace('T', ' ')} UTC",
            "user": called if user else f"uid {line.uid}",
            "exe": lossless(image.exe) or "unknown",
            "argv": shlex.join(lossless(part) for part in image.argv),
            "cwd": lossless(image.cwd),
            "tty": lossless(image.tty),
            "where": lossless(contained or image.workload.unit),
        }
        return {label: text for label, text in facts.items() if text}

    def action_respond(self) -> None:
        """Ask what to do to it."""
        start = rfc3339(self._pipeline.processes.clock.epoch_ns(self._line.start_ns))
        self._respond(Target(self._line.pid, start, lossless(self._line.image.comm)))

    def action_relatives(self) -> None:
        """Choose who is shown next."""
        labels = ("above", "below", "beside")
        found = [
            (label, one)
            for label, lines in zip(labels, self._relatives().values(), strict=True)
            for one in lines[:_RELATIVES]
        ]
        if not found:
            self.tell("nobody is known who started it, whom it started, or who is beside it")
            return

        def chosen(at: int | None) -> None:
            if at is not None:
                self._open(found[at][1])

        options = [f"{label:<7}{_name(one)}" for label, one in found]
        self.app.push_screen(ChoiceScreen("Show which process?", options), chosen)

    def action_program(self) -> None:
        """Tell the SHA-256 of what it runs."""
        self._want("Its program", _program)

    def action_environment(self) -> None:
        """Tell its environment, which is never written to the session: it may hold secrets."""
        self._want("Its environment", _environment)

    def _want(self, title: str, ask: Callable[[ProcessKey], Sections]) -> None:
        if self._is_live:
            self._wanted.setdefault(title, _Question(partial(ask, self._line.key)))
            self._pane.scroll_to_row(0)  # the answer is shown at the top
            self._look_again()
        else:
            self.tell(f"not known: {_RECORDING}")


def _look(key: ProcessKey) -> Sections:
    found = held.look(key)
    unseen = f", {found.unseen:,} more not looked at" if found.unseen > 0 else ""
    sockets = [file for file in found.files if file.socket]
    files = [file for file in found.files if not file.socket]
    refused: Sequence[Span] = [("not known: we may not look into them", "muted")] if found.unseen < 0 else []
    return {
        "What it holds": [(
            f"memory {figures.size(found.resident)}, threads {found.threads}, processor {found.cpu:.1f} s",
            "text",
        )],
        "Its sockets": [_file(one, one.socket) for one in sockets],
        f"Open files{unseen}": [_file(one, one.target) for one in files] or refused,
    }  # fmt: skip


def _file(file: held.OpenFile, text: bytes) -> Span:
    # What has no name any more, and what listens to the wire, is what one looks for.
    unusual = file.target.endswith(b" (deleted)") or file.socket.startswith((b"packet", b"raw"))
    return f"{file.number:>4} {file.mode:<2}  {lossless(text)}", "warn" if unusual else "text"


def _program(key: ProcessKey) -> Sections:
    digest, size = held.program(key)
    return {"Its program": [(f"sha256 {digest}", "text"), (f"{size:,} bytes", "text")]}


def _environment(key: ProcessKey) -> Sections:
    found = held.environment(key)
    return {"Its environment": [(lossless(one), "text") for one in found] or [("it is empty", "muted")]}


def _first(rows: Sequence[Span]) -> Sequence[Span]:
    more = len(rows) - _LISTED
    return [*rows[:_LISTED], (f"… and {more:,} more", "muted")] if more > 0 else rows


def _above(line: ProcessLine, lines: Mapping[ProcessKey, ProcessLine]) -> list[ProcessLine]:
    found: list[ProcessLine] = []
    at = lines.get(line.parent_key) if line.parent_key else None
    while at is not None and len(found) < _LISTED:
        found.append(at)
        at = lines.get(at.parent_key) if at.parent_key else None
    return found


def _newest_there(line: ProcessLine) -> tuple[bool, int]:
    """In this order those that are there come first, each time the newest."""
    return line.exited_ns is not None, -line.start_ns


def _name(line: ProcessLine) -> str:
    ended = f"  ({how_it_ended(line)})" if line.exited_ns is not None else ""
    argv = lossless(b" ".join(line.image.argv))
    return f"{line.pid:>7}  {lossless(line.image.comm) or '?'}{ended}  {argv}"
