"""Collection begins while processes come and go: each is in the table once, below the one that made it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.processes import TICK_NS, Process, ProcessTable
from sentinel_engine.schema import KINDS
from sentinel_engine.schema import Ring as RingId

pytestmark = pytest.mark.kernel
PROCESSES = 2000
DEADLINE = 30.0
LIFECYCLE = sum(kind.bit for kind in KINDS if kind.ring is RingId.LIFECYCLE)


@dataclass(frozen=True)
class Told:
    """What one process of the storm said of itself. Starts are in ticks."""

    sort: str
    pid: int
    start: int
    parent: int
    parent_start: int

    @property
    def identity(self) -> tuple[int, int]:
        return self.pid, self.start

    @property
    def parent_identity(self) -> tuple[int, int]:
        return self.parent, self.parent_start

    @property
    def stays(self) -> bool:
        return self.sort not in {"short", "link"}

    def alive(self) -> bool:
        """Whether it is there still, and has not ended."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return int(fields[19]) == self.start and fields[0] != "Z"

    def settled(self) -> bool:
        """Whether it has done all that it does."""
        if self.sort == "program":
            return Path(f"/proc/{self.pid}/cmdline").read_bytes() == b"storm\0stay\0"
        return self.alive() == self.stays


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("storm") / "storm"
    subprocess.run(["gcc", "-O1", "-o", str(target), str(Path(__file__).with_name("storm.c"))], check=True)
    return target


Storm = Callable[[], tuple[subprocess.Popen[str], Path]]


@pytest.fixture
def storm(program: Path, tmp_path: Path) -> Iterator[Storm]:
    """Starts the storm; when it has begun, its process and the file that it tells in. Ends all of it afterwards."""
    path = tmp_path / "told"
    command = ["sh", "-c", f'exec "$0" {PROCESSES} 3>>"$1"', str(program), str(path)]
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], Path]:
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[0].stdout is not None
        assert started[0].stdout.readline() == "go\n"
        return started[0], path

    yield start
    for one in told(path):
        if one.alive():
            os.kill(one.pid, signal.SIGKILL)
    for process in started:
        process.kill()
        process.wait()


def told(path: Path) -> list[Told]:
    rows = [line.split() for line in path.read_text().splitlines()]
    return [Told(sort, *map(int, numbers)) for sort, *numbers in rows]


class Reader:
    """Gives all that comes to the table, and keeps the forks: (pid, start in ns) -> who called."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self.table = ProcessTable(source.clock, source.processes, max_exited=1 << 30)
        self.forks: dict[tuple[int, int], int] = {}

    def read(self, timeout: float) -> None:
        for batch in self._source.read(timeout):
            self.table.apply(batch)
            forks = [record for record in batch if record.kind.name == "fork"]
            self.forks |= {(record.arg("child_pid"), record.arg("child_start")): record.tgid for record in forks}

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline
            self.read(0.05)


def test_a_storm_of_forks_during_the_start_is_in_the_table_once(loader: Loader, storm: Storm) -> None:
    loading = Loading(loader, lifecycle_bytes=16 << 20)
    loading.result()  # what takes long is done: the storm meets attaching, and looking around
    process, path = storm()
    source = LiveSource.open(loading, mask=LIFECYCLE)
    after = source.now()
    reader = Reader(source)
    introduced = reader.table.snapshot()
    assert introduced is not None
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    reader.until(lambda: process.stdout in select.select([process.stdout], [], [], 0)[0])
    count = int(process.stdout.readline())
    reader.until(lambda: len(told(path)) == count and all(one.settled() for one in told(path)))
    source.stop()
    reader.until(source.ended)
    assert (source.lost(), source.gaps()) == ({}, 0)
    source.close()

    family, forked = told(path), {(pid, start // TICK_NS) for pid, start in reader.forks}
    assert 100 < len([one for one in family if one.identity in forked]) < len(family) - 100  # it began in the midst
    found = {one: reader.table.find(one.pid, one.start * TICK_NS) for one in family}
    assert [one for one in family if one.start * TICK_NS > after and not found[one]] == []
    assert [one for one in family if one.stays and (not (it := found[one]) or it.exited_ns)] == []
    assert [one for one in family if not one.stays and (it := found[one]) and not it.exited_ns] == []

    members = {one.identity: one for one in family}
    # Who had made one that was there, and was gone, nobody can know: it was given to another before we came.
    knowable = [
        one for one in family if one.identity in forked or (of := members.get(one.parent_identity)) is None or of.stays
    ]
    assert [one for one in knowable if (it := found[one]) and identity(it.parent) != one.parent_identity] == []
    assert [one for one in family if (it := found[one]) and it.parent is None] == []

    alive = reader.table.snapshot()
    assert alive is not None
    times, programs = Counter(record.tgid for record in alive), {record.tgid: record.string("argv") for record in alive}
    assert {times[one.pid] for one in family if one.stays} == {1}
    assert {programs[one.pid] for one in family if one.sort == "program"} == {b"storm\0stay\0"}
    # No rule is told of one process twice, as one that was there and as a new one; but for the ticks of the beginning.
    twice = {(record.tgid, record.leader_start // TICK_NS) for record in introduced} & forked
    assert len({start for _, start in twice}) <= 2


def identity(process: Process | None) -> tuple[int, int] | None:
    return (process.pid, process.start_ns // TICK_NS) if process else None
