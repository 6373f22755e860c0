"""What the responder does to processes of this host: end, stop, continue, one of them or all that it started.

A signal goes through a pidfd, never to a bare pid, and only after the process behind it was seen to have the start
time of the one that was meant: a number that was given to another process meanwhile is not hit.
"""

from __future__ import annotations

import enum
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from sentinel_engine.describe import epoch_ns
from sentinel_engine.processes import TICK_NS
from sentinel_engine.promise import promise
from sentinel_engine.records import Clock
from sentinel_engine.schema import MAX_ARGV
from sentinel_engine.text import inert, lossless

_PROC: Final = Path("/proc")
_PF_KTHREAD: Final = 0x00200000  # from sched.h
_MOST: Final = 20_000  # processes of one tree
_ROUNDS: Final = 50  # looks at everybody, for those whose parent ended while the others were being stopped
_PATIENCE: Final = 1.0  # seconds for a killed process to be gone

_T = TypeVar("_T")
Identity = tuple[int, int]  # pid, start time in ns since boot


class Deed(enum.StrEnum):
    """What is done to a process."""

    KILL = "kill"
    STOP = "stop"
    CONTINUE = "continue"


_SIGNALS: Final = {Deed.KILL: signal.SIGKILL, Deed.STOP: signal.SIGSTOP, Deed.CONTINUE: signal.SIGCONT}
_DONE: Final = {Deed.KILL: "killed", Deed.STOP: "stopped", Deed.CONTINUE: "continued"}


@dataclass(frozen=True, slots=True)
class Target:
    """Which process is meant; ``start_time`` as in a tree's entry, ``comm`` only for what is said."""

    pid: int
    start_time: str
    comm: str

    def __str__(self) -> str:
        return f"{inert(self.comm, 40)} ({self.pid})"


@dataclass(frozen=True, slots=True)
class Look:
    """What a target is right now. ``descendants``: ``name (pid)`` of what it started and is still there.

    ``warning``: what else would come of ending it; empty for nothing.
    """

    argv: str
    uid: int
    descendants: tuple[str, ...]
    warning: str = ""


class ResponseError(Exception):
    """Nothing was done; the text is a sentence for people."""


class Host(Protocol):
    """The pipeline, as far as a response is concerned."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""

    def started_by(self, process: Identity) -> list[Identity]:
        """What this process started, and they in turn, that has not ended. Engine thread."""

    def record_action(self, action: str, target: str, detail: str) -> None:
        """Write it to the session. Engine thread."""


class Response:
    """Acts on processes of this host, in a thread of its own for each deed. Any thread."""

    def __init__(self, clock: Clock, host: Host) -> None:
        self._clock = clock
        self._host = host

    def look(self, target: Target) -> Future[Look]:
        """What it is now. The future raises ResponseError when nothing can be done to it."""
        return _in_thread(lambda: self._look(target))

    def do(self, deed: Deed, target: Target, *, tree: bool) -> Future[str]:
        """Do it, to the process or with ``tree`` to all that it started too; the result is one sentence."""
        return _in_thread(lambda: self._recorded(deed, target, tree))

    def _identity(self, target: Target) -> Identity:
        return target.pid, epoch_ns(target.start_time) - self._clock.offset_ns

    def _look(self, target: Target) -> Look:
        identity = self._identity(target)
        _refuse(identity, target)
        found = self._started_by([identity])
        names = tuple(f"{inert(_comm(pid), 40)} ({pid})" for pid, _ in found)
        below = _ancestors() & {target.pid, *(pid for pid, _ in found)}
        warning = "this console runs below it: its connection would end too" if below else ""
        folder = _PROC / str(target.pid)
        argv = (folder / "cmdline").read_bytes()[:MAX_ARGV].replace(b"\0", b" ").strip()
        return Look(lossless(argv), folder.stat().st_uid, names, warning)

    def _recorded(self, deed: Deed, target: Target, tree: bool) -> str:
        action = f"{deed}-tree" if tree else str(deed)
        subject = f"{target.pid} {target.start_time} {target.comm}"
        try:
            said = self._do(deed, target, tree)
        except (ResponseError, OSError) as error:
            said = str(error) if isinstance(error, ResponseError) else f"{deed} {target}: {error.strerror}"
            self._record(action, subject, f"refused: {said}")
            raise ResponseError(said) from error
        self._record(action, subject, said)
        return said

    def _record(self, action: str, subject: str, said: str) -> None:
        def record() -> str:
            self._host.record_action(action, subject, said)
            return said

        self._host.at_rest(record).result()

    def _do(self, deed: Deed, target: Target, tree: bool) -> str:
        identity = self._identity(target)
        _refuse(identity, target)
        meant = self._hold(identity, deed) if tree else [identity]
        hit = [one for one in meant if _send(one, _SIGNALS[deed])]
        left = _still_there(hit) if deed is Deed.KILL else 0
        others = f" and {len(hit) - 1} that it started" if len(hit) > 1 else ""
        slow = f"; {left} of them not gone yet, since the kernel still works for them" if left else ""
        return f"{_DONE[deed]} {target}{others}{slow}" if hit else f"{target} had ended before"

    def _hold(self, root: Identity, deed: Deed) -> list[Identity]:
        """The whole tree; unless it is to go on, each is stopped as it is found, so that none starts another one."""
        new = self._started_by([root])
        if os.getpid() in {pid for pid, _ in new}:
            raise ResponseError("this console is in that tree: choose single processes of it instead")
        if deed is Deed.CONTINUE:
            return [root, *new]
        held: list[Identity] = []
        new = [root, *new]
        for _ in range(_ROUNDS):
            while new and len(held) < _MOST:
                one = new.pop()
                if one not in held and _send(one, signal.SIGSTOP):
                    held.append(one)
                    new += _children(one[0])  # at once: one that forks in a chain is ahead of any look at them all
            new = [one for one in self._started_by([root, *held]) if one not in held]
            if not new:
                break
        return held

    def _started_by(self, roots: Sequence[Identity]) -> list[Identity]:
        """By the table, which knows who started whom even after a parent ended, and by /proc, which is never late."""
        found: list[Identity] = []

        def ask() -> str:
            found.extend(self._host.started_by(roots[0]))
            return ""

        self._host.at_rest(ask).result()
        there = _everybody()
        tree = {pid for pid, start_ns in (*roots, *found) if pid in there and there[pid].start_ns == _tick(start_ns)}
        while more := {stat.pid for stat in there.values() if stat.ppid in tree} - tree:
            tree |= more
        return [(pid, there[pid].start_ns) for pid in sorted(tree - {pid for pid, _ in roots})]


@dataclass(frozen=True, slots=True)
class _Stat:
    """Of a process: ``flags`` as in sched.h, ``start_ns`` since boot, in whole clock ticks."""

    pid: int
    ppid: int
    flags: int
    start_ns: int


def _stat(pid: int) -> _Stat | None:
    """Of the process that has this number now; None when none has."""
    try:
        line = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in brackets and may hold brackets and spaces itself.
    fields = line.rpartition(b") ")[2].split()
    return _Stat(pid, int(fields[1]), int(fields[6]), int(fields[19]) * TICK_NS)


def _everybody() -> dict[int, _Stat]:
    pids = (int(path.name) for path in _PROC.iterdir() if path.name.isdecimal())
    return {pid: stat for pid in pids if (stat := _stat(pid))}


def _children(pid: int) -> list[Identity]:
    """Of a stopped process, by the kernel's own list."""
    try:
        lists = [(task / "children").read_text() for task in (_PROC / str(pid) / "task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended, or this kernel keeps no such list
    stats = (_stat(int(child)) for line in lists for child in line.split())
    return [(stat.pid, stat.start_ns) for stat in stats if stat]


@contextmanager
def _opened(identity: Identity) -> Iterator[tuple[int, _Stat]]:
    """A pidfd whose process was seen to be the one that is meant. Raises ResponseError when that has ended."""
    pid, start_ns = identity
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError as error:
        raise ResponseError(f"process {pid} has ended already") from error
    try:
        stat = _stat(pid)
        # What was read is of the process behind the descriptor only if that has not ended by now.
        if stat is None or _ended(fd):
            raise ResponseError(f"process {pid} has ended already")
        if stat.start_ns != _tick(start_ns):
            raise ResponseError(f"process {pid} has ended already; another one has its number now, and is left alone")
        yield fd, stat
    finally:
        os.close(fd)


def _send(identity: Identity, number: signal.Signals) -> bool:
    """Whether it was there to take the signal. Raises OSError when we may not send it."""
    try:
        with _opened(identity) as (fd, _):
            signal.pidfd_send_signal(fd, number)
    except (ResponseError, ProcessLookupError):
        return False
    return True


def _ended(fd: int, seconds: float = 0) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def _still_there(killed: Sequence[Identity]) -> int:
    """How many are not gone when our patience is over."""
    deadline = time.monotonic() + _PATIENCE
    left = 0
    for identity in killed:
        with suppress(ResponseError), _opened(identity) as (fd, _):
            left += not _ended(fd, max(0.0, deadline - time.monotonic()))
    return left


def _tick(start_ns: int) -> int:
    return start_ns // TICK_NS * TICK_NS


def _ancestors() -> set[int]:
    """Whom this console descends from."""
    found: set[int] = set()
    stat = _stat(os.getpid())
    while stat and stat.ppid and stat.ppid not in found:
        found.add(stat.ppid)
        stat = _stat(stat.ppid)
    return found


def _refuse(identity: Identity, target: Target) -> None:
    """Raises ResponseError when nothing may be done to it, or it has ended."""
    with _opened(identity) as (_, stat):
        if stat.pid == 1:
            raise ResponseError(f"{target} is the first process: nothing is done to it, or the host would go down")
        if stat.flags & _PF_KTHREAD:
            raise ResponseError(f"{target} is a thread of the kernel, which takes no signal")
        if stat.pid == os.getpid():
            raise ResponseError(f"{target} is this console itself")


def _comm(pid: int) -> str:
    try:
        return lossless((_PROC / str(pid) / "comm").read_bytes().rstrip(b"\n"))
    except (FileNotFoundError, ProcessLookupError):
        return "?"


def _in_thread(work: Callable[[], _T]) -> Future[_T]:
    future: Future[_T] = promise()

    def run() -> None:
        try:
            future.set_result(work())
        except OSError as error:
            future.set_exception(
                ResponseError(f"nothing was done: {error.strerror}; `sentinel-tui doctor` says what it may do")
            )
        except Exception as error:  # noqa: BLE001 - whoever waits for the future is told
            future.set_exception(error)

    threading.Thread(target=run, name="response", daemon=True).start()
    return future
