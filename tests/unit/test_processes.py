"""Trees from exec, fork and exit records, as they were at the time of an event."""

from __future__ import annotations

from sentinel_engine.collector.source import BootProcess
from sentinel_engine.processes import ProcessTable
from sentinel_engine.records import Clock, batch_of, decode, encode
from sentinel_engine.schema import EXE_DELETED, EXE_MEMFD, KIND_BY_NAME, RecordFlag

S = 1_000_000_000
CLOCK = Clock(0)
INIT = BootProcess(1, 0, 0, b"systemd", b"/sbin/init", (b"/sbin/init",), b"/", 0, b"")
SHELL = BootProcess(100, 1, 5 * S, b"bash", b"/bin/bash", (b"-bash",), b"/root", 0, b"pts/0")


def _fork(parent: int, child: int, at: int, start: int = 5 * S) -> bytes:
    return encode(KIND_BY_NAME["fork"], tgid=parent, leader_start=start, boot_ns=at, args=(child, at))


def _exec(pid: int, at: int, started: int, argv: bytes, ppid: int = 100) -> bytes:
    strings = (b"/usr/bin/" + argv.split(b"\0")[0], argv, b"/tmp", b"pts/0")
    return encode(
        KIND_BY_NAME["exec"], tgid=pid, ppid=ppid, leader_start=started, boot_ns=at, comm=argv.split(b"\0")[0],
        strings=strings,
    )  # fmt: skip


def _exit(pid: int, at: int, started: int) -> bytes:
    return encode(KIND_BY_NAME["exit"], tgid=pid, leader_start=started, boot_ns=at)


def _open(pid: int, at: int, started: int) -> bytes:
    return encode(KIND_BY_NAME["open"], tgid=pid, ppid=100, leader_start=started, boot_ns=at, comm=b"x")


def _argv0(table: ProcessTable, raw: bytes) -> list[str]:
    record = decode(raw)
    return [entry.argv[0] if entry.argv else entry.comm for entry in table.tree(record)]


def test_a_tree_runs_from_the_root_to_the_culprit() -> None:
    table = ProcessTable(CLOCK, [SHELL, INIT])
    table.apply(batch_of([_fork(100, 200, 10 * S), _exec(200, 11 * S, 10 * S, b"cat\0/etc/shadow\0")]))
    assert _argv0(table, _open(200, 12 * S, 10 * S)) == ["/sbin/init", "-bash", "cat"]


def test_a_process_that_has_gone_keeps_its_tree_and_says_so() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL])
    table.apply(batch_of([_fork(100, 200, 10 * S), _exec(200, 11 * S, 10 * S, b"cat\0"), _exit(200, 13 * S, 10 * S)]))
    record = decode(_open(200, 12 * S, 10 * S))
    last = table.tree(record)[-1]
    assert last.argv == ("cat",)
    assert last.exited == "1970-01-01T00:00:13.000000000Z"


def test_the_program_is_the_one_of_the_events_time() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL])
    table.apply(
        batch_of(
            [
                _fork(100, 200, 10 * S),
                _exec(200, 11 * S, 10 * S, b"sh\0"),
                _exec(200, 14 * S, 10 * S, b"cat\0"),
            ]
        )
    )
    assert _argv0(table, _open(200, 12 * S, 10 * S))[-1] == "sh"
    assert _argv0(table, _open(200, 15 * S, 10 * S))[-1] == "cat"
    assert _argv0(table, _open(200, 10 * S, 10 * S))[-1] == "-bash"


def test_a_recycled_pid_is_another_process() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL])
    table.apply(batch_of([_fork(100, 200, 10 * S), _exit(200, 11 * S, 10 * S), _fork(100, 200, 20 * S)]))
    first, second = table.find(200, 10 * S), table.find(200, 20 * S)
    assert first is not None
    assert second is not None
    assert first is not second
    assert (first.exited_ns, second.exited_ns) == (11 * S, None)


def test_a_fork_seen_both_in_proc_and_in_the_ring_is_one_process() -> None:
    # /proc gives the start in clock ticks, the kernel program to the nanosecond.
    child = BootProcess(200, 100, 10 * S, b"sleep", b"/bin/sleep", (b"sleep",), b"/", 0, b"")
    table = ProcessTable(CLOCK, [INIT, SHELL, child])
    fork = encode(KIND_BY_NAME["fork"], tgid=100, leader_start=5 * S, boot_ns=10 * S, args=(200, 10 * S + 3_456_789))
    table.apply(batch_of([fork]))
    assert len(table) == 3
    assert _argv0(table, _open(200, 11 * S, 10 * S + 3_456_789)) == ["/sbin/init", "-bash", "sleep"]


def test_the_fork_knows_the_parent_better_than_proc() -> None:
    adopted = BootProcess(200, 1, 10 * S, b"sleep", b"/bin/sleep", (b"sleep",), b"/", 0, b"")  # its parent has ended
    table = ProcessTable(CLOCK, [INIT, SHELL, adopted])
    table.apply(batch_of([_fork(100, 200, 10 * S + 5)]))
    assert _argv0(table, _open(200, 11 * S, 10 * S + 5)) == ["/sbin/init", "-bash", "sleep"]


def test_two_of_one_number_in_one_tick_are_two() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL], max_exited=1000)
    first, second = 10 * S + 1, 10 * S + 9
    table.apply(batch_of([_fork(100, 200, first), _exit(200, first + 1, first), _fork(100, 200, second)]))
    process = table.find(200, second)
    assert process is not None
    assert (process.start_ns, process.exited_ns) == (second, None)
    table.apply(batch_of([_fork(100, 201, 11 * S), _exit(201, 12 * S, 11 * S)]))  # the first one is forgotten
    assert table.find(200, second) is process


def test_an_unknown_process_that_ends_has_its_name() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL])
    raw = encode(KIND_BY_NAME["exit"], tgid=300, ppid=100, leader_start=11 * S, boot_ns=12 * S, comm=b"brief")
    table.apply(batch_of([raw]))
    assert _argv0(table, raw) == ["/sbin/init", "-bash", "brief"]


def test_an_unknown_process_is_made_from_its_record() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL])
    assert _argv0(table, _open(300, 12 * S, 11 * S)) == ["/sbin/init", "-bash", "x"]


def test_memory_is_bounded_under_a_chain_of_daemons_that_fork_and_exit() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL], max_exited=7000)
    previous, started = 100, 5 * S
    for n in range(200):
        at = (10 + n) * S
        table.apply(batch_of([_fork(previous, 1000 + n, at, started), _exit(previous, at + 1, started)]))
        previous, started = 1000 + n, at
    tree = table.tree(decode(_open(previous, 500 * S, started)))
    assert len(table) <= 13
    assert 2 <= len(tree) <= 14
    assert tree[0].pid == 1


def test_long_arguments_count_against_what_is_kept_of_the_gone() -> None:
    table = ProcessTable(CLOCK, [INIT, SHELL], max_exited=100_000)
    argv = (b"x" * 4000 + b"\0",)
    for pid in range(200, 300):
        start = pid * S
        raw = encode(KIND_BY_NAME["exec"], strings=(b"/bin/x", *argv), tgid=pid, ppid=100, leader_start=start,
                     boot_ns=start + 1, comm=b"x")  # fmt: skip
        table.apply(batch_of([_fork(100, pid, start), raw, _exit(pid, start + 2, start)]))
    assert 15 <= len(table) <= 30


def test_a_snapshot_holds_the_living_as_exec_records() -> None:
    hidden = BootProcess(300, 1, 7 * S, b"x", b"/memfd:x", (b"x", b"-d"), b"/", 33, b"", EXE_MEMFD | EXE_DELETED)
    table = ProcessTable(CLOCK, [INIT, SHELL, hidden])
    table.apply(batch_of([_fork(100, 200, 10 * S), _exit(100, 11 * S, 5 * S)]))
    batch = table.snapshot()
    assert batch is not None
    records = {record.tgid: record for record in batch}
    assert set(records) == {1, 200, 300}
    assert all(record.flags == RecordFlag.SNAPSHOT and record.kind.name == "exec" for record in records.values())
    found = records[300]
    assert (found.string("exe"), found.string("argv"), found.uid) == (b"/memfd:x", b"x\0-d\0", 33)
    assert (found.arg("exe_flags"), found.ppid, found.leader_start) == (EXE_MEMFD, 1, 7 * S)
