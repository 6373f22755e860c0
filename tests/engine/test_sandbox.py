"""Rules that misbehave are contained, counted and named; what they did not break goes on."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_engine.rules.manifest import Limits
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.wasm import compiler
from tests.engine.wasm_kit import MODULES, Bench, abi0, abi1, opens

GOOD = abi0("i32.const 1")
PATHS = tuple(b"/p%d" % n for n in range(10))
QUICK = Limits(deadline_ms=40)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.sandbox.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("unreachable", "unreachable"),
        ("(i32.load (i32.const -8))", "out of bounds"),
        ("(call $deep) i32.const 0", "stack"),
        ("(i32.div_s (local.get 1) (i32.const 0))", "divide by zero"),
        ("(call_indirect (i32.const 9)) i32.const 0", "table"),
    ],
    ids=["trap", "out of bounds", "recursion", "division", "table"],
)
def test_failing_on_every_event_stops_after_the_patience(bench: Bench, body: str, reason: str) -> None:
    rule = bench.load(abi0(body, "(table 1 funcref) (func $deep (call $deep))"), limits=QUICK)
    matches, failures = bench.run(rule, opens(*PATHS), patience=3)
    assert matches == []
    assert [failure.index for failure in failures] == [0, 1, 2]
    assert all(reason in failure.reason for failure in failures)
    assert (rule.figures.traps, rule.figures.timeouts, rule.figures.skipped) == (3, 0, 7)


def test_being_stuck_once_is_enough_for_a_batch(bench: Bench) -> None:
    # The first of these events is answered, the second never.
    rule = bench.load(abi0("(if (i32.eq (local.get 1) (i32.const 2)) (then (loop br 0))) i32.const 1"), limits=QUICK)
    matches, failures = bench.run(rule, opens(b"/", b"/x", *[b"/"] * 8))
    assert [match.index for match in matches] == [0]
    assert [(failure.index, failure.reason, failure.timeout) for failure in failures] == [
        (1, "no answer within 40 ms", True)
    ]
    assert (rule.figures.calls, rule.figures.timeouts, rule.figures.skipped) == (2, 1, 8)
    assert len(bench.run(rule, opens(b"/"))[0]) == 1


def test_every_other_event_is_evaluated_once_around_traps(bench: Bench) -> None:
    # Traps on a path of 5 bytes; matches all others, counting them in its memory would not survive the trap.
    rule = bench.load(abi0("(if (i32.eq (local.get 1) (i32.const 5)) (then unreachable)) i32.const 1"))
    paths = [b"/long" if n in {0, 3, 4, 9} else b"/x" for n in range(10)]
    matches, failures = bench.run(rule, opens(*paths), patience=10)
    assert [failure.index for failure in failures] == [0, 3, 4, 9]
    assert [match.index for match in matches] == [1, 2, 5, 6, 7, 8]
    assert rule.figures.calls == 10


def test_a_trap_in_a_later_chunk_is_at_the_right_event(bench: Bench) -> None:
    rule = bench.load(abi0("(if (i32.eq (local.get 1) (i32.const 5)) (then unreachable)) "
                           "(i32.eq (local.get 1) (i32.const 6))"))  # fmt: skip
    paths = [b"/a" * 500] * 1500
    paths[1200], paths[1203], paths[7] = b"/trap", b"/match", b"/match"
    matches, failures = bench.run(rule, opens(*paths))
    assert [failure.index for failure in failures] == [1200]
    assert [match.index for match in matches] == [7, 1203]
    assert rule.figures.calls == 1500


def test_a_slow_rule_that_moves_is_not_stuck(bench: Bench) -> None:
    # Some two million turns an event take milliseconds, all events together many deadlines.
    body = """(local $n i32) (loop $turn (br_if $turn (i32.lt_u
      (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 4000000)))) i32.const 1"""
    rule = bench.load(abi0(body), limits=QUICK)
    began = time.monotonic()
    matches, failures = bench.run(rule, opens(*[b"/x"] * 120))
    assert (len(matches), failures) == (120, [])
    assert time.monotonic() - began > QUICK.deadline_ms / 1000


def test_a_memory_bomb_stays_within_its_limit(bench: Bench) -> None:
    body = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) i32.const 1"
    rule = bench.load(abi0(body), limits=Limits(memory_bytes=2 << 20))
    matches, failures = bench.run(rule, opens(*PATHS))
    assert (len(matches), failures) == (10, [])
    memory = rule.memory()
    assert memory.current <= memory.limit == 2 << 20
    assert memory.peak == memory.current


def test_a_table_bomb_stays_within_its_limit(bench: Bench) -> None:
    body = "(drop (table.grow 0 (ref.null func) (i32.const 1000000))) (i32.lt_u (table.size 0) (i32.const 20000))"
    matches, _ = bench.run(bench.load(abi0(body, "(table 1 funcref)")), opens(b"/x"))
    assert len(matches) == 1


def test_a_log_flood_is_bounded_and_counted(bench: Bench) -> None:
    body = """(local $n i32) (loop $more (call $log (i32.const 0) (i32.const 60000))
      (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000)))) i32.const 1"""
    rule = bench.load(abi0(body, '(import "host" "log_message" (func $log (param i32 i32)))'))
    matches, failures = bench.run(rule, opens(b"/x"))
    assert failures == []
    assert sum(len(line) for line in matches[0].logs) <= 16384
    assert rule.figures.logs + rule.figures.dropped_logs == 1000
    assert rule.figures.dropped_logs > 900


def test_logging_what_it_does_not_have_is_a_trap(bench: Bench) -> None:
    body = "(call $log (i32.const -1) (i32.const 10)) i32.const 1"
    rule = bench.load(abi0(body, '(import "host" "log_message" (func $log (param i32 i32)))'))
    _, failures = bench.run(rule, opens(b"/x"))
    assert "out of bounds" in failures[0].reason


@pytest.mark.parametrize(
    ("result", "matches", "errors"),
    [(0, 0, 0), (1, 1, 0), (100, 1, 0), (101, 0, 1), (-1, 0, 1), (2**31 - 1, 0, 1), (-(2**31), 0, 1)],
)
def test_return_values_of_abi_1(bench: Bench, result: int, matches: int, errors: int) -> None:
    rule = bench.load(abi1(f"i32.const {result}"))
    found, _ = bench.run(rule, opens(b"/x"))
    assert [match.score for match in found] == [result] * matches
    assert rule.figures.errors == errors


@pytest.mark.parametrize(("result", "matches"), [(0, 0), (1, 1), (2, 0), (-1, 0)])
def test_return_values_of_abi_0(bench: Bench, result: int, matches: int) -> None:
    assert len(bench.run(bench.load(abi0(f"i32.const {result}")), opens(b"/x"))[0]) == matches


def test_matches_beyond_the_list_are_counted(bench: Bench) -> None:
    rule = bench.load(GOOD)
    matches, _ = bench.run(rule, opens(*[b"/x"] * 300))
    assert (len(matches), rule.figures.matches, rule.figures.dropped_matches) == (256, 300, 44)


def test_what_is_no_module_is_refused(bench: Bench) -> None:
    whole = (MODULES / "example_abi0.wasm").read_bytes()
    for code in (b"", b"MZ\x90", b"\0asm", whole[:100], whole[:-1], b"\xff" * 50, whole + b"\0" * (1 << 20)):
        with pytest.raises(RuleError):
            bench.load(code)


def test_a_large_module_is_compiled_apart_and_runs(bench: Bench) -> None:
    functions = "".join(f"(func (result i32) i32.const {n})" for n in range(12_000))
    module = abi0("i32.const 1", functions)
    assert len(bench.run(bench.load(module), opens(*PATHS))[0]) == 10


def test_a_compile_bomb_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "SECONDS", 0.5)
    functions = "".join(f"(func (result i32) i32.const {n})" for n in range(60_000))
    with pytest.raises(RuleError, match=r"compiling took|most is"):
        bench.load(abi0("i32.const 1", functions))


def test_rules_of_the_same_code_share_what_was_compiled_and_it_goes_with_the_last(bench: Bench) -> None:
    code = abi0("i32.const 1", "(global i32 (i32.const 77))")
    first, second = bench.load(code), bench.load(code)
    assert bench.sandbox.compile(code)[0] is bench.sandbox.compile(code)[0]
    compiled = weakref.ref(bench.sandbox.compile(code)[0])
    first.close()
    del first
    assert compiled() is not None
    second.close()
    del second
    gc.collect()
    assert compiled() is None


def test_few_bytes_that_are_slow_to_compile_are_ended_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "SECONDS", 0.5)
    loops = "".join(
        f"(loop (local.set {n % 3000} (i32.add (local.get {n * 3 % 3000}) (i32.const 1))) (br_if 0 (local.get 0)))"
        for n in range(4000)
    )
    with pytest.raises(RuleError, match="compiling took"):
        bench.load(abi0(f"(local {'i32 ' * 3000}) {loops} i32.const 0"))


def test_all_of_it_runs_where_addresses_are_limited() -> None:
    code = """if True:
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        from sentinel_engine.collector.framer import Framer
        from tests.engine.wasm_kit import Bench, abi0, opens
        bench = Bench()
        rules = [bench.load(abi0("i32.const 1")), bench.load(abi0("(i32.load (i32.const -4))"))]
        batch = Framer().split(opens(b"/x").data)
        print([(len(matches), len(failures)) for matches, failures in (bench.run(rule, batch) for rule in rules)])
        bench.sandbox.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[(1, 0), (0, 1)]\n", "")
