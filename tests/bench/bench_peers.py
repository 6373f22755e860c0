"""The same load beside bpftrace and the BCC tools, in the same run: what each loses, costs and needs.

BCC's tools come twice: its Python ones, and libbpf-tools, the same programs compiled ahead. Each writes a line for each
event; `watch` without --events does not, but gives each to its rules.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

from tests.bench.loads import Loads, prepared
from tests.bench.peers import Peer, UnavailableError
from tests.bench.table import Row
from tests.bench.watched import COMMAND, Watched, lost

STORM_SECONDS = 4
UNTRACED_SECONDS = 1
LATENCIES = 15
PACE = 0.1  # of the untraced speed
OPENS = """
tracepoint:syscalls:sys_enter_openat { @path[tid] = args->filename; }
tracepoint:syscalls:sys_exit_openat /@path[tid]/
{ printf("%d %s %d %s\\n", pid, comm, args->ret, str(@path[tid])); delete(@path[tid]); }
END { clear(@path); }
"""
Tracer = TypeVar("Tracer", Peer, Watched)
EXECS = 'tracepoint:syscalls:sys_enter_execve { printf("%d %s %s\\n", pid, comm, str(args->filename)); }'


class Load(NamedTuple):
    """What is traced: the program, the kind of event that it makes, how to make one, and what else sees it."""

    program: str
    kind: str
    cause: Callable[[str], None]
    paces: tuple[float, ...]  # of its untraced speed; 1 is as fast as it can
    script: str
    snoop: str


class Tool(NamedTuple):
    """A tracer: ``quick`` writes each line at once, ``bulk`` is left to its own buffers."""

    name: str
    quick: tuple[str, ...]
    bulk: tuple[str, ...]


def _open(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def _spawn(path: str) -> None:
    subprocess.run([path], check=True)


LOADS = (
    Load("opens", "open", _open, (1, PACE), OPENS, "opensnoop"),
    Load("spawns", "exec", _spawn, (1,), EXECS, "execsnoop"),
)


def rows() -> Iterator[Row]:
    """Each figure as it is measured."""
    with prepared() as loads:
        for load in LOADS:
            yield from _beside(loads, load, "watch", partial(Watched, loads.folder), partial(_lost_by_watch, load))
            yield from _all_lines(loads, load)


def _all_lines(loads: Loads, load: Load) -> Iterator[Row]:
    path = str(loads.programs / load.program)
    ours = (COMMAND, "watch", "--events", "--session-dir", str(loads.folder / "sessions"))
    for tool, missed in (
        (Tool("watch --events", ours, ours), partial(_lost_by_summary, load)),
        (Tool("bpftrace", ("bpftrace", "-B", "line", "-e", load.script), ("bpftrace", "-e", load.script)), _lost_lines),
        (Tool(f"libbpf-tools {load.snoop}", ("stdbuf", "-oL", load.snoop), (load.snoop,)), _lost_lines),
        (Tool(f"BCC {load.snoop}", (f"{load.snoop}-bpfcc",), (f"{load.snoop}-bpfcc",)), _lost_lines),
    ):
        start = partial(Peer, folder=loads.folder, marker=path.encode(), cause=partial(load.cause, path))
        try:
            yield from _alone(f"{load.program}, {tool.name}", partial(start, tool.quick))
            yield from _beside(loads, load, tool.name, partial(start, tool.bulk), missed)
        except UnavailableError as error:
            yield Row(f"{load.program}, {tool.name}: cannot run here", None, note=str(error))


def _alone(name: str, start: Callable[[], Peer]) -> Iterator[Row]:
    peer = start()
    try:
        took = [peer.latency_ms() for _ in range(LATENCIES)]
        size = peer.resident_mb()
    finally:
        peer.end()
    yield Row(f"{name}: start to first event", peer.start_seconds, "s")
    yield Row(f"{name}: event to line, quiet host, p50", statistics.median(took), "ms")
    yield Row(f"{name}: resident memory", size, "MB")


def _beside(
    loads: Loads, load: Load, name: str, start: Callable[[], Tracer], missed: Callable[[Tracer, int], int]
) -> Iterator[Row]:
    for pace in load.paces:
        _, before = loads.run(load.program, UNTRACED_SECONDS)
        tracer = start()
        cpu = tracer.cpu_seconds()
        done, traced = loads.run(load.program, STORM_SECONDS, 0 if pace == 1 else int(pace * before))
        cpu = tracer.cpu_seconds() - cpu
        gone = missed(tracer, done)
        _, after = loads.run(load.program, UNTRACED_SECONDS)
        what = f"{load.program}, {name}" + (" (paced)" if pace < 1 else "")
        yield Row(f"{what}: lost", 100 * gone / done, "%", note=f"{gone} of {done}, {traced:.0f}/s")
        yield Row(f"{what}: of one core", 100 * cpu / STORM_SECONDS, "%", note=f"{cpu / done * 1e6:.2f} us/event")
        if pace == 1:
            yield Row(f"{what}: traced speed, of untraced", traced / ((before + after) / 2))


def _lost_by_watch(load: Load, watched: Watched, _done: int) -> int:
    return lost(watched.end(), load.kind)


def _lost_by_summary(load: Load, peer: Peer, _done: int) -> int:
    return lost(json.loads(peer.end().splitlines()[-1]), load.kind)


def _lost_lines(peer: Peer, done: int) -> int:
    return max(0, done - peer.end().count(peer.marker))
