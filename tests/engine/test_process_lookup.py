"""What a rule with the capability `process` is told: who a process was at the time of the event it looks at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinel_engine.records import Record, batch_of, decode, encode
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.schema import KIND_BY_NAME, RecordFlag
from tests.engine.wasm_kit import Bench, abi1

LOOK_UP = """(import "host" "log_message" (func $log (param i32 i32)))
  (import "host" "get_process" (func $process (param i32 i32 i32) (result i32)))"""
# Looks up the pid that a connect's second argument holds, logs what comes, and matches.
BODY = """(local $len i32)
  (local.set $len (call $process (i32.load offset=112 (local.get 0)) (i32.const 32) (i32.const 1008)))
  (if (i32.lt_s (local.get $len) (i32.const 1)) (then (return (i32.const 1))))
  (call $log (i32.const 32) (i32.const 512))
  (call $log (i32.const 544) (i32.const 496))
  (i32.const 1)"""  # a line takes 512 bytes
ROOM = "(i32.const 32) (i32.const 1008)"
MS = 1_000_000


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.sandbox.close()


def _exec(pid: int, at: int, exe: bytes, argv: bytes = b"", **fields: int) -> bytes:
    return encode(
        KIND_BY_NAME["exec"], strings=(exe, argv, b"/", b"pts/0"), args=(0, 0, 0, 1), tgid=pid, tid=pid,
        boot_ns=at * MS, comm=exe.rpartition(b"/")[2], leader_start=pid, **fields,
    )  # fmt: skip


def _fork(pid: int, child: int, at: int, **fields: int) -> bytes:
    return encode(
        KIND_BY_NAME["fork"], args=(child, child), tgid=pid, boot_ns=at * MS, leader_start=pid, comm=b"forker", **fields
    )


def _exit(pid: int, at: int) -> bytes:
    return encode(KIND_BY_NAME["exit"], tgid=pid, boot_ns=at * MS, leader_start=pid)


def _ask(pid: int, at: int) -> bytes:
    return encode(KIND_BY_NAME["connect"], args=(0, pid), boot_ns=at * MS, tgid=1)


def _answers(bench: Bench, *batches: list[bytes]) -> list[Record | None]:
    """What was told for each connect of these batches, in order."""
    rule = bench.load(abi1(BODY, LOOK_UP), kinds=("connect",))
    found: list[Record | None] = []
    for batch in batches:
        matches, failures = bench.run(rule, batch_of(batch))
        assert failures == []
        for match in matches:
            raw = b"".join(match.logs)
            found.append(decode(raw) if raw else None)
    return found


def test_a_program_is_told_as_the_kernel_recorded_it(bench: Bench) -> None:
    raw = _exec(7, 1, b"/usr/bin/curl", b"curl\0-s\0", ppid=3, uid=1000, flags=RecordFlag.TRUNCATED)
    (told,) = _answers(bench, [raw, _ask(7, 2)])
    assert told == decode(raw)


def test_nothing_is_told_of_whom_nobody_knows(bench: Bench) -> None:
    assert _answers(bench, [_exec(7, 1, b"/bin/a"), _ask(8, 2), _ask(7 + 65536, 2)]) == [None, None]


def test_each_event_is_told_what_was_true_at_its_own_time(bench: Bench) -> None:
    # The whole batch is known before the first event is looked at.
    first = [_exec(7, 1, b"/bin/a"), _exec(7, 3, b"/bin/b"), _exec(7, 5, b"/bin/c")]
    asks = [_ask(7, 2), _ask(7, 4), _ask(7, 6)]
    told = _answers(bench, [*first, *asks], [_ask(7, 7)])
    assert [one.comm if one else None for one in told] == [b"a", b"b", b"c", b"c"]


def test_a_child_is_its_parent_until_it_runs_something(bench: Bench) -> None:
    batch = [_exec(7, 1, b"/bin/sh", b"sh\0-c\0", uid=5), _fork(7, 8, 2, uid=6, cgroup=77), _ask(8, 3)]
    (told,) = _answers(bench, batch)
    assert told is not None
    assert (told.tgid, told.ppid, told.leader_start, told.uid, told.cgroup) == (8, 7, 8, 6, 77)
    assert (told.string("exe"), told.string("argv"), told.flags) == (b"/bin/sh", b"sh\0-c\0", RecordFlag.SNAPSHOT)
    told_later = _answers(bench, [_exec(8, 4, b"/bin/ls", ppid=7), _ask(8, 5)])[0]
    assert told_later is not None
    assert told_later.string("exe") == b"/bin/ls"


def test_a_child_of_an_unknown_parent_is_known_by_its_name(bench: Bench) -> None:
    (told,) = _answers(bench, [_fork(7, 8, 2, uid=6), _ask(8, 3)])
    assert told is not None
    assert (told.comm, told.ppid, told.uid, told.string("exe")) == (b"forker", 7, 6, b"")


def test_who_exits_is_known_until_the_end_of_the_batch_and_a_reused_pid_is_another_one(bench: Bench) -> None:
    told = _answers(
        bench,
        [_exec(7, 1, b"/bin/a"), _exit(7, 2), _ask(7, 1)],
        [_ask(7, 3)],
        [encode(KIND_BY_NAME["fork"], args=(7, 999), tgid=1, leader_start=1, boot_ns=4 * MS, comm=b"new"), _ask(7, 5)],
    )
    assert [one and (one.comm, one.leader_start) for one in told] == [(b"a", 7), None, (b"new", 999)]


def test_one_that_was_there_before_is_not_made_older_by_being_told_of_again(bench: Bench) -> None:
    snapshot = _exec(7, 0, b"/bin/sh", flags=RecordFlag.SNAPSHOT)
    told = _answers(bench, [snapshot], [_exec(7, 2, b"/bin/ls"), _ask(7, 3)], [snapshot, _ask(7, 4)])
    assert [one.comm if one else None for one in told] == [b"ls", b"ls"]


def test_long_strings_are_cut_and_say_so(bench: Bench) -> None:
    raw = encode(KIND_BY_NAME["exec"], strings=(b"/" + b"x" * 999, b"a\0" * 999, b"/" + b"c" * 999, b"pts/0"), tgid=7)
    (told,) = _answers(bench, [raw, _ask(7, 2)])
    assert told is not None
    assert [len(told.string(name)) for name in ("exe", "argv", "cwd", "tty")] == [384, 320, 128, 5]
    assert RecordFlag.TRUNCATED in told.flags


def test_many_processes_come_and_go_without_end(bench: Bench) -> None:
    pids = range(10, 3010)
    alive = [_exec(pid, 1, b"/bin/p%d" % pid) for pid in pids]
    _answers(bench, alive)
    grown = bench.sandbox.processes.data_len()
    for turn in range(5):
        again = [record for pid in pids for record in (_exit(pid, 2 + turn), _exec(pid, 3 + turn, b"/bin/p%d" % pid))]
        _answers(bench, again)
    told = _answers(bench, [_ask(pid, 100) for pid in (10, 1500, 3009)])
    assert [one.comm if one else None for one in told] == [b"p10", b"p1500", b"p3009"]
    assert bench.sandbox.processes.data_len() <= 2 * grown


def test_room_that_is_too_small_gets_nothing_and_a_pointer_out_of_memory_is_a_trap(bench: Bench) -> None:
    small = BODY.replace(ROOM, "(i32.const 32) (i32.const 100)")
    small = small.replace("(return (i32.const 1))", "(return (i32.eq (local.get $len) (i32.const -160)))")
    records = batch_of([_exec(7, 1, b"/bin/x"), _ask(7, 2)])
    matches, _ = bench.run(bench.load(abi1(small, LOOK_UP), kinds=("connect",)), records)
    assert len(matches) == 1
    outside = bench.load(abi1(BODY.replace(ROOM, "(i32.const -8) (i32.const 1008)"), LOOK_UP))
    assert "out of bounds" in bench.run(outside, records)[1][-1].reason


def test_looking_up_needs_its_capability(bench: Bench) -> None:
    with pytest.raises(RuleError, match="without the capability process"):
        bench.load(abi1(BODY, LOOK_UP), capabilities=frozenset({"log"}))
