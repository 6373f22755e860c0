"""Collection begins while processes come and go: each is in the table once, below the one that made it."""

from __future__ import annotations

import os
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
from sentinel_engine.processes import TICK_NS, ProcessTable
from sentinel_engine.records import Record
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
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert started[0].stdout is not None
        assert started[0].stdout.readline() == "go\n"
        return started[0], path

    yield start
    for one in told(path):
        if one.alive():
            os.kill(one.pid, signal.SIGKILL)
    for process in started:
        process.kill()
        process.communicate()


def told(path: Path) -> list[Told]:
    rows = [line.split() for line in path.read_text().splitlines()]
    return [Told(sort, *map(int, numbers)) for sort, *numbers in rows]


def until_told(process: subprocess.Popen[str], path: Path) -> list[Told]:
    """What all have said, once those that do not stay have ended and the others are what they are to be."""
    assert process.stdout is not None
    count = int(process.stdout.readline())
    deadline = time.monotonic() + DEADLINE
    while True:
        found = told(path)
        if len(found) == count and all(one.settled() for one in found):
            return found
        assert time.monotonic() < deadline, Counter(one.sort for one in found if not one.settled())
        time.sleep(0.05)  # the last ones of two thousand tell nobody when they have ended


def rest(source: LiveSource, table: ProcessTable) -> list[Record]:
    """Let nothing new in, and give the table all that came. Returns the forks."""
    source.stop()
    forks = []
    while not source.ended():
        for batch in source.read(0):
            table.apply(batch)
            forks += [record for record in batch if record.kind.name == "fork"]
    return forks


def test_a_storm_of_forks_during_the_start_is_in_the_table_once(loader: Loader, storm: Storm) -> None:
    loading = Loading(loader)
    loading.result()  # what takes long is done: the storm meets attaching, and looking around
    process, path = storm()
    source = LiveSource.open(loading, mask=LIFECYCLE)
    after = source.now()
    table = ProcessTable(source.clock, source.processes)
    introduced = table.snapshot()
    assert introduced is not None
    family = until_told(process, path)
    forks = {(record.arg("child_pid"), record.arg("child_start")): record.tgid for record in rest(source, table)}
    assert source.lost() == {}
    source.close()

    known = {(pid, start // TICK_NS) for pid, start in forks}
    assert 100 < len([one for one in family if one.identity in known]) < len(family) - 100  # it began in the midst
    found = {one: table.find(one.pid, one.start * TICK_NS) for one in family}
    assert [one for one, process in found.items() if one.stays and (not process or process.exited_ns)] == []
    assert [one for one, process in found.items() if not one.stays and process and not process.exited_ns] == []
    assert [one for one in family if one.start * TICK_NS > after and not found[one]] == []

    above = {one: found_one.parent for one, found_one in found.items() if found_one}
    members = {one.identity: one for one in family}
    wrong = [
        one
        for one, parent in above.items()
        if not parent
        or ((parent.pid, parent.start_ns // TICK_NS) != one.parent_identity and must_know(one, members, known))
    ]
    assert wrong == []

    alive = table.snapshot()
    assert alive is not None
    pids = Counter(record.tgid for record in alive)
    assert {pids[one.pid] for one in family if one.stays} == {1}
    # No rule is told of one process twice, as one that was there and as one that is new.
    assert {(record.tgid, record.leader_start // TICK_NS) for record in introduced} & {
        (pid, start // TICK_NS) for pid, start in forks if start > after
    } == set()
    programs = {record.tgid: record.string("argv") for record in alive}
    assert {programs[one.pid] for one in family if one.sort == "program"} == {b"storm\0stay\0"}


def must_know(one: Told, members: dict[tuple[int, int], Told], forks: set[tuple[int, int]]) -> bool:
    """Whether the table can know who made this one: its fork was seen, or its parent was still there at the start."""
    parent = members.get(one.parent_identity)
    return one.identity in forks or parent is None or parent.stays
