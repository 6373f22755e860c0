"""What the collector adds to a system call, kind by kind: reported, and masked off in the kernel."""

from __future__ import annotations

import statistics
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME
from tests.bench.loads import Loads, prepared
from tests.bench.table import Row

SECONDS = 0.15  # of one kind in one state
ROUNDS = 3
# A call and what it brings along.
ALSO = {"exec": ("fork", "exit")}


class Cost(NamedTuple):
    """Nanoseconds of one call in each state, the least of the rounds: what else the host does only adds."""

    untraced: float
    masked: float
    reported: float


def rows() -> Iterator[Row]:
    """Each figure as it is measured."""
    with prepared() as loads:
        costs = _costs(loads)
    for kind, cost in costs.items():
        added = f"+{cost.reported - cost.untraced:.0f} ns reported, +{cost.masked - cost.untraced:.0f} ns masked off"
        note = f"{added}, of {cost.untraced:.0f} ns"
        yield Row(f"{kind}: time traced, of untraced", cost.reported / cost.untraced, "x", note=note)
    # Not of exec: beside half a millisecond the difference is lost in what else the host does.
    simple = {kind: cost for kind, cost in costs.items() if kind not in ALSO}
    ratios = {kind: (cost.masked - cost.untraced) / (cost.reported - cost.untraced) for kind, cost in simple.items()}
    note = ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in ratios.items())
    yield Row("what a masked kind adds, of a reported one, median", statistics.median(ratios.values()), "x", 0.33, note)


def _costs(loads: Loads) -> dict[str, Cost]:
    kinds = loads.kinds()
    untraced, masked, reported = (defaultdict[str, list[float]](list) for _ in range(3))
    for _ in range(ROUNDS):
        for kind in kinds:
            untraced[kind].append(loads.call_ns(kind, SECONDS))
        with _reading() as source:
            for kind in kinds:
                bits = sum(KIND_BY_NAME[name].bit for name in (kind, *ALSO.get(kind, ())))
                source.set_mask(ALL_KINDS & ~bits)
                masked[kind].append(loads.call_ns(kind, SECONDS))
                source.set_mask(ALL_KINDS)
                reported[kind].append(loads.call_ns(kind, SECONDS))
    return {kind: Cost(min(untraced[kind]), min(masked[kind]), min(reported[kind])) for kind in kinds}


@contextmanager
def _reading() -> Iterator[LiveSource]:
    """An attached source whose rings are emptied."""
    source = LiveSource.open()
    ending = threading.Event()

    def read() -> None:
        while not ending.is_set():
            source.read(0.1)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield source
    finally:
        ending.set()
        reader.join()
        source.close()
