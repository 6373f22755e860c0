"""Rules that misbehave are contained, counted and named; what they did not break goes on."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sentinel_engine.rules.manifest import Limits, RuleError
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


STARTS_BADLY = {
    "loop in start": ("(module (memory (export \"memory\") 1) (func $s (loop br 0)) (start $s) "
                      "(func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))", "40 ms"),
    "loop in _initialize": (abi0("i32.const 0", '(func (export "_initialize") (loop br 0))').decode(), "40 ms"),
    "loop in sentinel_alloc": (
        abi0("i32.const 0", '(func (export "sentinel_alloc") (param i32) (result i32) (loop br 0) i32.const 0)')
        .decode(), "40 ms"),
    "trap in start": ("(module (memory (export \"memory\") 1) (func $s unreachable) (start $s) "
                      "(func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))", "unreachable"),
    "alloc outside": (
        abi0("i32.const 0", '(func (export "sentinel_alloc") (param i32) (result i32) i32.const 65000)').decode(),
        "sentinel_alloc"),
    "memory over the limit": ("(module (memory (export \"memory\") 300) "
                              "(func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))",
                              "memory"),
    "memory that cannot grow": ("(module (memory (export \"memory\") 1 1) "
                                "(func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))",
                                "cannot grow"),
    "table over the limit": (abi0("i32.const 0", "(table 20000 funcref)").decode(), "table"),
    "unknown import": (abi0("i32.const 0", '(import "env" "system" (func (param i32)))').decode(), "env.system"),
    "import of another type": (
        abi0("i32.const 0", '(import "host" "log_message" (func (param i64)))').decode(), "host.log_message"),
    "memory import": ("(module (import \"host\" \"memory\" (memory 1)) (export \"memory\" (memory 0)) "
                      "(func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))",
                      "host.memory"),
    "wasi memory": ("(module (import \"wasi_snapshot_preview1\" \"m\" (memory 1)) (export \"memory\" (memory 0)) "
                    "(func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))",
                    "wasi_snapshot_preview1.m"),
    "no memory": ("(module (func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))", "memory"),
    "two memories": (abi0("i32.const 0", "(memory 1)").decode(), "multiple memories"),
    "no check": ("(module (memory (export \"memory\") 1))", "check_file_access"),
    "check of another type": ("(module (memory (export \"memory\") 1) "
                              "(func (export \"check_file_access\") (param i64) (result i32) i32.const 0))",
                              "wrong type"),
    "eval that is a memory": ("(module (memory (export \"memory\") 1) (export \"sentinel_eval\" (memory 0)) "
                              "(func (export \"sentinel_abi_v1\")))", "wrong type"),
    "threads": ("(module (memory (export \"memory\") 1 2 shared) "
                "(func (export \"check_file_access\") (param i32 i32) (result i32) i32.const 0))", "not a valid"),
}  # fmt: skip


@pytest.mark.parametrize("name", STARTS_BADLY)
def test_a_module_that_cannot_start_is_refused_in_one_sentence(bench: Bench, name: str) -> None:
    text, words = STARTS_BADLY[name]
    began = time.monotonic()
    with pytest.raises(RuleError) as refused:
        bench.load(text.encode(), limits=QUICK)
    assert time.monotonic() - began < 1
    assert words in refused.value.reason
    assert "\n" not in str(refused.value)
    assert refused.value.fix
    assert len(bench.run(bench.load(GOOD), opens(*PATHS))[0]) == 10


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("unreachable", "unreachable"),
        ("(loop br 0) i32.const 0", "no answer within 40 ms"),
        ("(i32.load (i32.const -8))", "out of bounds"),
        ("(call $deep) i32.const 0", "stack"),
        ("(i32.div_s (local.get 1) (i32.const 0))", "divide by zero"),
        ("(call_indirect (i32.const 9)) i32.const 0", "table"),
    ],
    ids=["trap", "loop", "out of bounds", "recursion", "division", "table"],
)
def test_failing_on_every_event_stops_after_the_patience(bench: Bench, body: str, reason: str) -> None:
    rule = bench.load(abi0(body, "(table 1 funcref) (func $deep (call $deep))"), limits=QUICK)
    matches, failures = bench.run(rule, opens(*PATHS), patience=3)
    assert matches == []
    assert [failure.index for failure in failures] == [0, 1, 2]
    assert all(reason in failure.reason for failure in failures)
    assert rule.figures.traps + rule.figures.timeouts == 3
    assert rule.figures.timeouts == (3 if "no answer" in reason else 0)


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


def test_flipped_bits_end_in_a_rule_or_a_sentence(bench: Bench) -> None:
    whole = (MODULES.parents[2] / "rules" / "sensitive-file-read" / "rule.wasm").read_bytes()
    good = bench.load(GOOD)
    loaded = 0
    for n in range(300):
        at = (n * 7919) % len(whole)
        mutant = whole[:at] + bytes([whole[at] ^ (1 << n % 8)]) + whole[at + 1 :]
        try:
            rule = bench.load(mutant, limits=QUICK)
        except RuleError:
            continue
        bench.run(rule, opens(b"/etc/shadow", b"\xff\xfe"), patience=1)
        rule.close()
        loaded += 1
    assert loaded > 20
    assert len(bench.run(good, opens(*PATHS))[0]) == 10


def test_a_large_module_is_compiled_apart_and_runs(bench: Bench) -> None:
    functions = "".join(f"(func (result i32) i32.const {n})" for n in range(12_000))
    module = abi0("i32.const 1", functions)
    assert len(bench.run(bench.load(module), opens(*PATHS))[0]) == 10


def test_a_compile_bomb_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "SECONDS", 0.5)
    functions = "".join(f"(func (result i32) i32.const {n})" for n in range(60_000))
    with pytest.raises(RuleError, match=r"compiling took|most is"):
        bench.load(abi0("i32.const 1", functions))


def test_loading_and_unloading_does_not_leak(bench: Bench) -> None:
    def rounds(count: int) -> int:
        for n in range(count):
            rule = bench.load(abi0(f"i32.const {n % 2}"))
            bench.run(rule, opens(*PATHS))
            rule.close()
            with pytest.raises(RuleError):
                bench.load(abi0(f"i32.const {n}", '(func (export "_initialize") unreachable)'))
        return int(psutil.Process().memory_info().rss)

    rounds(100)
    before = rounds(100)
    assert rounds(300) - before < 8 << 20


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
