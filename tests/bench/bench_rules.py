"""What a rule costs: the call, many rules, skipped events, a new instance after a trap, the framer."""

from __future__ import annotations

import ctypes
import statistics
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial

from sentinel_engine.collector.framer import Framer
from sentinel_engine.records import Batch, batch_of, encode
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME
from sentinel_engine.wasm.rule import LoadedRule
from tests.bench.table import Row
from tests.engine.wasm_kit import MODULES, Bench, abi0, abi1, opens

BATCH = 1024
RULES = 200
_PATHS = [b"/usr/lib/x86_64-linux-gnu/lib%d.so" % n for n in range(BATCH)]
_TRIVIAL = abi0("i32.const 0")


def rows() -> Iterator[Row]:
    """Each figure as it is measured; the median of 7 runs."""
    bench = Bench()
    batch = opens(*_PATHS)
    floor = _per_event(lambda: _copy(batch), 2000)
    yield Row("copying the batch once (what any call costs at least)", floor, "ns/event")
    for name, code, target in (
        ("trivial rule, ABI 0, all-in, batch 1024", _TRIVIAL, 10),
        ("trivial rule, ABI 1, all-in, batch 1024", abi1("i32.const 0"), 15),
        ("the original example (two contains), all-in", (MODULES / "example_abi0.wasm").read_bytes(), None),
    ):
        rule = bench.load(code)
        bench.selector.load(batch)
        selection = bench.selector.select(rule.abi.mask)
        assert selection is not None
        # All that one more rule costs: copying into its arena, the calls, the deadline, the verdicts.
        call = _per_event(partial(rule.run, selection, 5), 500)
        alone = _per_event(partial(bench.run, rule, batch), 500)
        yield Row(name, call, "ns/event", target, note=f"as the only rule, with taking up the batch: {alone:.1f}")
        rule.close()
    yield Row("taking up a batch, once for all rules", _per_event(lambda: _take_up(bench, batch), 500), "ns/event")
    yield from _many(bench, batch)
    yield Row("new instance after a trap", _rebuild(bench), "ms", 1)
    yield Row("small batch (8 events), per rule", _small(bench), "us")
    yield Row("framer, ring to batch", _framer(batch), "ns/event", 60)
    bench.sandbox.close()


def _take_up(bench: Bench, batch: Batch) -> None:
    bench.selector.load(batch)
    bench.selector.select(ALL_KINDS)


def _many(bench: Bench, batch: Batch) -> Iterator[Row]:
    wanted = [bench.load(_TRIVIAL) for _ in range(RULES)]
    once = _per_event(lambda: _all(bench, wanted[:10], batch), 20) / 10
    all_of_them = _per_event(lambda: _all(bench, wanted, batch), 5) / RULES
    yield Row(f"{RULES} rules on one kind, per rule", all_of_them, "ns/event", 15, note=f"10 rules: {once:.1f}")
    _close(wanted)
    others = [bench.load(abi1("i32.const 0"), kinds=("ptrace", "exec")) for _ in range(RULES)]
    # One event in 64 is wanted, so that each rule has to be called for the batch.
    kinds = [KIND_BY_NAME["open" if n % 64 else "exec"] for n in range(BATCH)]
    mixed = batch_of([encode(kind, strings=(path,)) for kind, path in zip(kinds, _PATHS, strict=True)])
    skipped = _per_event(lambda: _all(bench, others, mixed), 5)
    yield Row(f"{RULES} rules that skip 63 of 64 events, per rule", skipped / RULES, "ns/event", 3)
    _close(others)


def _all(bench: Bench, rules: list[LoadedRule], batch: Batch) -> None:
    bench.selector.load(batch)
    selection = bench.selector.select(rules[0].abi.mask)
    assert selection is not None
    for rule in rules:
        rule.run(selection, 5)


def _close(rules: list[LoadedRule]) -> None:
    for rule in rules:
        rule.close()


def _rebuild(bench: Bench) -> float:
    rule = bench.load(abi0("unreachable"))
    took = []
    for _ in range(20):
        began = time.perf_counter()
        bench.run(rule, opens(b"/x", b"/y"), patience=2)
        took.append((time.perf_counter() - began) / 2 * 1000)
    return statistics.median(took)


def _small(bench: Bench) -> float:
    rule, batch = bench.load(abi1("i32.const 0")), opens(*_PATHS[:8])
    return _per_event(lambda: bench.run(rule, batch), 2000) * BATCH / 1000


def _framer(batch: Batch) -> float:
    framer = Framer()
    span = b"".join(struct.pack("<II", len(record.raw), 0) + record.raw for record in batch)
    memory = ctypes.create_string_buffer(span, len(span))
    return _per_event(lambda: framer.frame(ctypes.addressof(memory), len(span)), 200)


def _copy(batch: Batch) -> None:
    ctypes.memmove(_TARGET, batch.data, len(batch.data))


_TARGET = ctypes.create_string_buffer(1 << 20)


def _per_event(call: Callable[[], object], times: int) -> float:
    """Nanoseconds per event of a batch, the median of 7 runs of so many calls."""
    runs = []
    for _ in range(7):
        began = time.perf_counter_ns()
        for _ in range(times):
            call()
        runs.append((time.perf_counter_ns() - began) / times / BATCH)
    return statistics.median(runs)
