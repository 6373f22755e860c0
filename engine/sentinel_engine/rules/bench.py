"""What a rule costs per event: time, which is this machine's, and fuel, which is the same on any."""

from __future__ import annotations

import statistics
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import msgspec

from sentinel_engine.records import Batch, Clock, batch_of
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.excerpt import Excerpt
from sentinel_engine.rules.manifest import RuleSpec, read_module
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.testfile import EventsCase, read_tests
from sentinel_engine.schema import KIND_BY_NUMBER
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selection, Selector

BATCH: Final = 1024
_MAX_BATCHES: Final = 64  # different ones; more events than these hold come from going over them again
_FUEL_BATCHES: Final = 8  # fuel is counted by single calls, which take a thousand times as long
_KIND_AT: Final = 4
_ROUNDS: Final = 7
_ANY_DAY: Final = Clock(1_767_225_600_000_000_000)


class NoEventsError(RuleError):
    """There is nothing to measure the rule by."""


class Cost(msgspec.Struct, frozen=True):
    """Of one rule. ``memory_bytes``: the most that an instance had.

    ``fuel_per_event``: its Wasm instructions, and the bytes that it fills or copies in bulk.
    """

    id: str
    ns_per_event: float
    fuel_per_event: float
    memory_bytes: int


class RuleBench:
    """Runs rules over events of theirs: of this recording, else of their own tests, else of the demo's recording.

    ``events``: about how many. ``close`` frees its sandboxes.
    """

    def __init__(self, events: int, recording: Path | None = None) -> None:
        self._events = events
        self._recording = recording
        self._sandbox, self._fueled = Sandbox(), Sandbox(fuel=True)

    def measure(self, spec: RuleSpec) -> tuple[Cost, str]:
        """What the rule costs, and where its events are from.

        Raises NoEventsError, and RuleError for one that cannot be loaded or fails at an event.
        """
        code = read_module(spec)
        rule = LoadedRule(self._sandbox, spec, code, _ANY_DAY)
        try:
            records, source = self._material(spec, rule.abi.mask)
            batches = _batches(records, self._events)
            nanoseconds = self._nanoseconds(rule, batches)
            memory = rule.memory().peak
        finally:
            rule.close()
        fuel = self._fuel(LoadedRule(self._fueled, spec, code, _ANY_DAY), batches[:_FUEL_BATCHES])
        return Cost(spec.id, round(nanoseconds, 1), round(fuel, 2), memory), source

    def close(self) -> None:
        """Free the sandboxes."""
        self._sandbox.close()
        self._fueled.close()

    def _material(self, spec: RuleSpec, mask: int) -> tuple[list[bytes], str]:
        """Records that the rule is asked about, of the first source that has any, and its name."""
        cases = read_tests(spec)[0] if self._recording is None else []
        own = [record for case in cases if isinstance(case, EventsCase) for record in case.records]
        if found := _wanted(own, mask):
            return found, "its own tests"
        path = self._recording or data_dir("rules") / "demo.rec"
        # An object for each record: here they are made ready, and what is measured comes later.
        recorded = [record.raw for batch in Excerpt(path).batches(BATCH) for record in batch]
        if found := _wanted(recorded, mask):
            return found, str(path)
        raise NoEventsError(f"{path} has no event of the kinds it asks for", "give it tests, or --recording another")

    def _nanoseconds(self, rule: LoadedRule, batches: list[Batch]) -> float:
        """Per event, all that the rule adds to handling a batch; taking it up is done once for all rules.

        The median of several rounds.
        """
        selector = Selector(self._sandbox)
        turns = -(-self._events // BATCH)
        rounds = []
        for _ in range(_ROUNDS):
            took = 0
            for batch in islice(cycle(batches), turns):
                selection = _taken_up(selector, rule, batch)
                began = time.perf_counter_ns()
                _, failures = rule.run(selection, patience=1)
                took += time.perf_counter_ns() - began
                if failures:
                    raise RuleError(f"it failed at one of these events: {failures[0].reason}", "correct it first")
            rounds.append(took / (turns * BATCH))
        return statistics.median(rounds)

    def _fuel(self, rule: LoadedRule, batches: list[Batch]) -> float:
        """Per event, what the rule itself burns: called without the driver, whose clock takes another way each time."""
        selector, burnt = Selector(self._fueled), 0
        try:
            for batch in batches:
                _taken_up(selector, rule, batch)  # for the processes that it may look up
                burnt += sum(rule.burn(record) for record in batch)
        finally:
            rule.close()
        return burnt / sum(map(len, batches))


def _taken_up(selector: Selector, rule: LoadedRule, batch: Batch) -> Selection:
    selector.load(batch, processes="process" in rule.abi.uses)
    selection = selector.select(rule.abi.mask)
    assert selection is not None
    return selection


def _wanted(records: list[bytes], mask: int) -> list[bytes]:
    return [record for record in records if KIND_BY_NUMBER[record[_KIND_AT]].bit & mask]


def _batches(records: list[bytes], events: int) -> list[Batch]:
    """Full batches of these records over and over, for so many events or as many as are kept."""
    endless, count = cycle(records), min(-(-events // BATCH), _MAX_BATCHES)
    return [batch_of(list(islice(endless, BATCH)), number * BATCH) for number in range(count)]
