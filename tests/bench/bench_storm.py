"""The whole pipeline with the full rule pack under load: storms, pace, latency, size."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator

from tests.bench.loads import CPU, Loads, prepared, result
from tests.bench.table import Row
from tests.bench.watched import Watched, lost

STORM_SECONDS = 20
LONG_SECONDS = 60
SPAWN_SECONDS = 6
PACES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # of the untraced speed
BESIDE = 300  # spawns a second beside the long storm
LATENCIES = 30
LIFECYCLE = ("fork", "exec", "exit")


def rows() -> Iterator[Row]:
    """Each figure as it is measured."""
    with prepared() as loads:
        yield from _storm(loads)
        yield from _long(loads)
        yield from _spawns(loads)
        yield from _pace(loads)
        yield from _latency(loads)


def _storm(loads: Loads) -> Iterator[Row]:
    _, before = loads.run("opens", 3)
    watched = Watched(loads.folder)
    cpu = watched.cpu_seconds()
    done, traced = loads.run("opens", STORM_SECONDS)
    cpu = (watched.cpu_seconds() - cpu) / STORM_SECONDS
    size = watched.resident_mb()
    summary = watched.end()
    _, after = loads.run("opens", 3)
    yield Row(f"open storm, {STORM_SECONDS} s: lost", lost(summary), "events", 0, note=f"of {done}")
    yield Row("open storm: traced speed, of untraced", traced / ((before + after) / 2), "", 0.55, at_least=True)
    yield Row("open storm: reader and rules, of one core", cpu * 100, "%", 60)
    yield Row("open storm: reader and rules", cpu * STORM_SECONDS / done * 1e6, "us/event")
    yield Row("open storm: resident memory after it", size, "MB", 60)


def _long(loads: Loads) -> Iterator[Row]:
    """A storm of opens with spawns beside it: no lifecycle event is lost, and each open is seen or counted as lost."""
    watched = Watched(loads.folder)
    opens = loads.start("opens", LONG_SECONDS, CPU)
    spawns = loads.start("spawns", LONG_SECONDS, 1 - CPU, BESIDE)
    opened, spawned = result(opens)[0], result(spawns)[0]
    summary = watched.end()
    name = f"{LONG_SECONDS} s of opens and spawns"
    yield Row(f"{name}: lost fork, exec, exit", lost(summary, *LIFECYCLE), "events", 0, note=f"of {3 * spawned}")
    yield Row(f"{name}: lost opens", lost(summary, "open"), "events", 0, note=f"of {opened}")
    for kind, made in (("open", opened), *((kind, spawned) for kind in LIFECYCLE)):
        known = summary["events"].get(kind, 0) + lost(summary, kind)
        silent, other = max(0, made - known), max(0, known - made)
        yield Row(
            f"{name}: {kind} neither seen nor counted",
            silent,
            "events",
            0,
            note=f"{other} more than made: the host's own",
        )


def _spawns(loads: Loads) -> Iterator[Row]:
    _, before = loads.run("spawns", SPAWN_SECONDS / 2)
    watched = Watched(loads.folder)
    cpu = watched.cpu_seconds()
    done, traced = loads.run("spawns", SPAWN_SECONDS)
    cpu = (watched.cpu_seconds() - cpu) / SPAWN_SECONDS
    size = watched.resident_mb()
    summary = watched.end()
    _, after = loads.run("spawns", SPAWN_SECONDS / 2)
    yield Row("spawn storm: traced speed, of untraced", traced / ((before + after) / 2), "", 0.9, at_least=True)
    yield Row("spawn storm: reader and rules, of one core", cpu * 100, "%", 10, note=f"{traced:.0f} spawns/s")
    yield Row("spawn storm: lost", lost(summary), "events", 0, note=f"of {3 * done}")
    yield Row("spawn storm: resident memory after it", size, "MB", 60)


def _pace(loads: Loads) -> Iterator[Row]:
    _, most = loads.run("opens", 1)
    kept, cost = 0.0, 0.0
    for pace in PACES:
        watched = Watched(loads.folder)
        cpu = watched.cpu_seconds()
        done, reached = loads.run("opens", 4, int(pace * most))
        cpu = watched.cpu_seconds() - cpu
        if lost(watched.end()) or reached < 0.97 * pace * most:
            break
        kept, cost = pace, cpu / done * 1e6
    yield Row("largest paced rate without loss, of untraced", kept, note=f"of {most:.0f} opens/s untraced")
    yield Row("the reader and the rules at that rate", cost, "us/event")


def _latency(loads: Loads) -> Iterator[Row]:
    watched = Watched(loads.folder)
    took = []
    for number in range(LATENCIES):
        path = loads.folder / f"home{number}" / ".ssh" / "id_rsa"
        path.parent.mkdir(parents=True)
        path.touch()
        watched.alert_on(str(path))
        time.sleep(0.1)  # a quiet host is what is measured
        path = loads.folder / f"home{number}" / ".ssh" / "id_ed25519"
        began = time.monotonic()
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
        watched.alert_on(str(path))
        took.append((time.monotonic() - began) * 1000)
    watched.end()
    took.sort()
    yield Row("open to alert line, quiet host, p50", statistics.median(took), "ms", 2)
    yield Row("open to alert line, quiet host, p95", took[int(len(took) * 0.95)], "ms", 5)
