"""A loaded rule: runs over selections of batches, goes on after a trap at the next event, keeps its figures."""

from __future__ import annotations

import copy
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import wasmtime

from sentinel_engine.records import Clock, Record
from sentinel_engine.rules.manifest import RuleSpec
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.snapshot import Latency, Memory
from sentinel_engine.wasm.histogram import added, percentile, value_of
from sentinel_engine.wasm.instance import DeadlineError, Instance, Outcome
from sentinel_engine.wasm.sandbox import Sandbox, one_line
from sentinel_engine.wasm.selection import Selection

_TEXT_LIMIT: Final = 512
_TRAP_KINDS: Final = 8
_LOGS_KEPT: Final = 12


@dataclass(slots=True)
class Figures:
    """What a rule has done so far, over all its instances. Times in nanoseconds."""

    calls: int = 0
    matches: int = 0
    dropped_matches: int = 0
    errors: int = 0
    traps: int = 0
    timeouts: int = 0
    skipped: int = 0  # events that it was not asked about, since it had failed too often or was stuck
    logs: int = 0
    dropped_logs: int = 0
    total_ns: int = 0
    timed_calls: int = 0
    longest_ns: int = 0
    peak_memory: int = 0
    histogram: Sequence[int] = ()
    traps_by_kind: Counter[str] = field(default_factory=Counter)
    last_logs: deque[bytes] = field(default_factory=lambda: deque(maxlen=_LOGS_KEPT))  # oldest first


@dataclass(frozen=True, slots=True)
class Match:
    """One event that a rule matched: its index in the batch, the score, what the rule logged about it."""

    index: int
    score: int
    logs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A trap or timeout at one event, in one sentence."""

    index: int
    reason: str
    timeout: bool


class LoadedRule:
    """One generation of a rule. Engine thread only.

    Raises RuleError when the module is refused, see Sandbox.compile and Instance.
    """

    def __init__(self, sandbox: Sandbox, spec: RuleSpec, code: bytes, clock: Clock) -> None:
        self.spec = spec
        self.code = code
        self._sandbox = sandbox
        self._clock = clock
        began = time.perf_counter_ns()
        self._module, self.sha256 = sandbox.compile(code)
        self.compile_ns = time.perf_counter_ns() - began
        self._begin()

    def _begin(self) -> None:
        self.figures = Figures()
        self.keeps_state = False  # of the generation before
        self._instance: Instance | None = self._instantiate()

    def again(self, sandbox: Sandbox | None = None) -> LoadedRule:
        """The same module in a new instance, with figures of its own. Raises RuleError.

        ``sandbox``: this one's, or that apart from it.
        """
        twin = copy.copy(self)
        twin._sandbox = sandbox or self._sandbox
        twin._begin()
        return twin

    def state(self) -> bytes | None:
        """What it leaves to its successor, see Instance.state. Raises RuleError."""
        return self._instance.state() if self._instance and "state" in self.spec.capabilities else None

    def restore(self, state: bytes) -> bool:
        """Take over a predecessor's state, see Instance.restore. Raises RuleError; it then is as if new."""
        if self._instance is None or "state" not in self.spec.capabilities:
            return False
        try:
            return self._instance.restore(state)
        except RuleError:
            self._instance.close()
            self._instance = self._instantiate()
            raise

    def _instantiate(self) -> Instance:
        instance = Instance(self._sandbox, self._module, self.spec, self._clock)
        self.abi = instance.abi
        self.instantiate_ns = instance.instantiate_ns
        self.figures.dropped_logs += instance.early_logs
        return instance

    def run(self, selection: Selection, patience: int) -> tuple[list[Match], list[Failure]]:
        """Evaluate every record of the selection, in order. Stops after ``patience`` failures, or one timeout.

        After a failure the instance is thrown away, since it may be in any state, and a new one goes on
        with the next record. A rule that was stuck once has cost the others its deadline: that is enough for a batch.
        """
        matches: list[Match] = []
        failures: list[Failure] = []
        first = 0
        while first < selection.size:
            if len(failures) >= patience or (self._instance is None and not self._rebuild(failures)):
                break
            assert self._instance is not None
            told, failure = self._call(self._instance, selection, first)
            if not told:
                evaluated, total_ns = self._instance.plain()
                self._count_calls(evaluated, total_ns)
                first += evaluated
                continue
            outcome = self._instance.outcome()
            self._count(outcome)
            if outcome.listed:
                matches += _matches(outcome, selection, first)
            first += outcome.evaluated
            if failure is not None:
                failures.append(Failure(selection.place(first), *failure))
                first += 1
                self._discard()
                if failures[-1].timeout:
                    break
        self.figures.skipped += selection.size - first
        return matches, failures

    def burn(self, record: Record) -> int:
        """See Instance.burn. Raises RuleError."""
        assert self._instance is not None
        try:
            return self._instance.burn(record)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise RuleError(f"it failed at one of these events: {one_line(error)}", "correct it first") from error

    def _call(self, instance: Instance, selection: Selection, first: int) -> tuple[bool, tuple[str, bool] | None]:
        """Whether there is an outcome to look at, and how the call failed, if it did."""
        try:
            return instance.run(selection, first), None
        except DeadlineError:
            self.figures.timeouts += 1
            return True, (f"no answer within {self.spec.limits.deadline_ms} ms", True)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            return True, (self._count_trap(one_line(error)), False)

    def _count_trap(self, reason: str) -> str:
        figures = self.figures
        figures.traps += 1
        known = reason in figures.traps_by_kind or len(figures.traps_by_kind) < _TRAP_KINDS
        figures.traps_by_kind[reason if known else "other"] += 1
        return reason

    def _count_calls(self, evaluated: int, total_ns: int) -> None:
        figures = self.figures
        figures.calls += evaluated
        if total_ns:
            figures.total_ns += total_ns
            figures.timed_calls += evaluated

    def _count(self, outcome: Outcome) -> None:
        self._count_calls(outcome.evaluated, outcome.total_ns)
        figures = self.figures
        if outcome.matches:
            figures.matches += outcome.matches
            figures.dropped_matches += outcome.matches - len(outcome.listed)
        figures.errors += outcome.errors
        if outcome.logs:
            figures.logs += len(outcome.logs)
            figures.dropped_logs += outcome.dropped_logs
            figures.last_logs.extend(line[:_TEXT_LIMIT] for _, line in outcome.logs[-_LOGS_KEPT:])

    def _discard(self) -> None:
        assert self._instance is not None
        self.figures.calls += 1  # the one that failed
        self._take_figures(self._instance)
        self._instance.close()
        self._instance = None

    def _take_figures(self, instance: Instance) -> None:
        figures = self.figures
        figures.histogram = added(figures.histogram, instance.histogram())
        figures.longest_ns = max(figures.longest_ns, instance.longest_ns())
        figures.peak_memory = max(figures.peak_memory, instance.memory_bytes)

    def _rebuild(self, failures: list[Failure]) -> bool:
        try:
            self._instance = self._instantiate()
        except RuleError as error:
            # It started once and does not any more: as good as a trap, and counted as one.
            failures.append(Failure(0, self._count_trap(error.reason), timeout=False))
            return False
        return True

    def latency(self) -> Latency:
        """Percentiles of the sampled calls, and the mean of all calls that were timed."""
        counts, longest = self._sampled(), self.figures.longest_ns
        if self._instance is not None:
            longest = max(longest, self._instance.longest_ns())
        calls = self.figures.timed_calls
        mean = self.figures.total_ns / calls if calls else 0.0
        low, high = percentile(counts, 0.5), percentile(counts, 0.99)
        shown = tuple((value_of(bucket), count) for bucket, count in enumerate(counts) if count)
        return Latency(min(low, longest), min(high, longest), longest, round(mean, 1), shown)

    def _sampled(self) -> Sequence[int]:
        before = self.figures.histogram
        if self._instance is None:
            return before
        return added(before, self._instance.histogram()) if before else self._instance.histogram()

    def memory(self) -> Memory:
        """The linear memory of this instance, the most any instance had, and the limit."""
        current = self._instance.memory_bytes if self._instance is not None else 0
        self.figures.peak_memory = max(self.figures.peak_memory, current)
        return Memory(current, self.figures.peak_memory, self.spec.limits.memory_bytes)

    def close(self) -> None:
        """Free the instance."""
        if self._instance is not None:
            self._instance.close()
            self._instance = None


def _matches(outcome: Outcome, selection: Selection, first: int) -> list[Match]:
    logs: dict[int, list[bytes]] = {}
    for index, line in outcome.logs:
        logs.setdefault(index, []).append(line[:_TEXT_LIMIT])
    return [Match(selection.place(first + index), score, tuple(logs.get(index, ()))) for index, score in outcome.listed]
