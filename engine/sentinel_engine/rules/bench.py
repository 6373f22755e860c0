"""What a rule costs per event: time, which is this machine's, and fuel, which is the same on any."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import msgspec

from sentinel_engine.records import Batch, Clock, batch_of
from sentinel_engine.rules.excerpt import Excerpt
from sentinel_engine.rules.manifest import RuleError, RuleSpec, read_module
from sentinel_engine.rules.testfile import EventsCase, read_tests
from sentinel_engine.schema import KIND_BY_NUMBER
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selector

BATCH: Final = 1024
_KIND_AT: Final = 4
_ROUNDS: Final = 7
_ANY_DAY: Final = Clock(1_767_225_600_000_000_000)


class Cost(msgspec.Struct, frozen=True):
    """Of one rule. ``fuel_per_event``: Wasm instructions, about; ``memory_bytes``: the most that an instance had."""

    id: str
    ns_per_event: float
    fuel_per_event: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Trial:
    """Events to run a rule over, all of them of its kinds, and where they are from."""

    batches: list[Batch]
    source: str

    def __len__(self) -> int:
        return sum(map(len, self.batches))


def trial(spec: RuleSpec, events: int, recording: Path | None, default: Path) -> Trial:
    """At least so many events for this rule: of the recording named, else of its own tests, else of the default one.

    Raises RuleError when none of them has an event that the rule asks for.
    """
    if recording is None and (found := _own_events(spec)):
        return Trial(_repeated(found, events), "its own tests")
    path = recording or default
    # A tool that is run by hand: its hot path is what it measures.
    found = [record.raw for batch in Excerpt(path).batches(BATCH) for record in batch if _is_wanted(spec, record.raw)]
    if not found:
        raise RuleError(
            f"{path} has no event of the kinds it asks for", "name another with --recording, or write tests"
        )
    return Trial(_repeated(found, events), str(path))


def cost(spec: RuleSpec, sandbox: Sandbox, fueled: Sandbox, over: Trial) -> Cost:
    """Run the rule over these events. ``fueled``: a sandbox made with ``fuel=True``. Raises RuleError."""
    code = read_module(spec)
    rule = LoadedRule(sandbox, spec, code, _ANY_DAY)
    try:
        nanoseconds = statistics.median(_nanoseconds(rule, sandbox, over) for _ in range(_ROUNDS)) / len(over)
        memory = rule.memory().peak
    finally:
        rule.close()
    fuel = _fuel(LoadedRule(fueled, spec, code, _ANY_DAY), over) / len(over)
    return Cost(spec.id, round(nanoseconds, 1), round(fuel, 2), memory)


def _own_events(spec: RuleSpec) -> list[bytes]:
    cases, _ = read_tests(spec)
    records = [record for case in cases if isinstance(case, EventsCase) for record in case.records]
    return [record for record in records if _is_wanted(spec, record)]


def _is_wanted(spec: RuleSpec, record: bytes) -> bool:
    """Whether the rule is asked about it; a rule that names no kinds is taken to want all that its tests have."""
    return not spec.kinds or KIND_BY_NUMBER[record[_KIND_AT]].name in spec.kinds


def _repeated(records: list[bytes], events: int) -> list[Batch]:
    endless = cycle(records)
    return [batch_of(list(islice(endless, BATCH)), first) for first in range(0, events, BATCH)]


def _nanoseconds(rule: LoadedRule, sandbox: Sandbox, over: Trial) -> float:
    """All that the rule adds to handling these batches; taking them up is there for the others, too."""
    selector, took = Selector(sandbox), 0
    for batch in over.batches:
        selector.load(batch, processes="process" in rule.abi.uses)
        if selection := selector.select(rule.abi.mask):
            began = time.perf_counter_ns()
            _, failures = rule.run(selection, patience=1)
            took += time.perf_counter_ns() - began
            if failures:
                raise RuleError(f"it failed at one of these events: {failures[0].reason}", "correct it first")
    return took


def _fuel(rule: LoadedRule, over: Trial) -> int:
    """What its own instructions burn: without the driver, whose clock takes another way each time."""
    try:
        return sum(rule.burn(record) for batch in over.batches for record in batch)
    finally:
        rule.close()
