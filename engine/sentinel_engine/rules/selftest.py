"""Runs a rule's own tests: each through a fresh instance of the rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sentinel_engine.describe import detail, event_dict
from sentinel_engine.records import Batch, Clock, batch_of
from sentinel_engine.rules.manifest import RuleSpec
from sentinel_engine.rules.testfile import Case, EventsCase, RecordingCase, read_tests, recording_of, shown
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selector

_CLOCK: Final = Clock(offset_ns=1_767_225_600_000_000_000)  # any fixed day, so that a test is the same each time
_BATCH: Final = 256  # as many matches as are listed of one call


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's outcome. ``got`` is ``match``, ``no-match``, ``error`` or what was found in a recording.

    ``detail`` says which event went wrong.
    """

    __test__ = False  # not a test of pytest's

    name: str
    expected: str
    got: str
    ok: bool
    detail: str = ""


def run_tests(spec: RuleSpec, module: bytes, sandbox: Sandbox) -> list[TestResult]:
    """Run the rule's ``tests.yaml`` over this module; an empty list when it has none.

    Raises RuleError, naming the test, for a file that cannot be read or understood, and for a module that cannot
    be loaded.
    """
    cases, problems = read_tests(spec)
    if problems:
        raise problems[0]
    runner = _Runner(spec, module, sandbox)
    return [runner.run(case) for case in cases]


class _FailedError(Exception):
    """The rule itself failed; the text says how, and at which event."""


class _Runner:
    def __init__(self, spec: RuleSpec, module: bytes, sandbox: Sandbox) -> None:
        self._spec = spec
        self._module = module
        self._sandbox = sandbox
        self._selector = Selector(sandbox)

    def run(self, case: Case) -> TestResult:
        self._selector.forget_processes()
        try:
            return self._events(case) if isinstance(case, EventsCase) else self._recording(case)
        except _FailedError as error:
            return TestResult(case.name, case.expected, "error", ok=False, detail=str(error))

    def _events(self, case: EventsCase) -> TestResult:
        batch = batch_of(case.records)
        rule = LoadedRule(self._sandbox, self._spec, self._module, _CLOCK)
        try:
            matched = self._matched(rule, batch, f"event {{}} of {len(batch)}", 1)
        finally:
            rule.close()
        got = {index: "match" if index in matched else "no-match" for index in case.expectations}
        wrong = [index for index, expected in case.expectations.items() if got[index] != expected]
        said = f"event {wrong[0] + 1} of {len(batch)}: {got[wrong[0]]}" if wrong else ""
        return TestResult(case.name, case.expected, got[len(batch) - 1], ok=not wrong, detail=said)

    def _recording(self, case: RecordingCase) -> TestResult:
        excerpt = recording_of(self._spec, case.recording)
        rule = LoadedRule(self._sandbox, self._spec, self._module, excerpt.clock)
        found: dict[int, str] = {}
        try:
            if excerpt.there:
                self._matched(rule, excerpt.there, "process {} that was there", 1)
            for batch in excerpt.batches(_BATCH):
                for index in self._matched(rule, batch, "event {}", batch.base):
                    record = batch.at(index)
                    found[record.seq] = f"{record.kind.name} {detail(event_dict(record, excerpt.clock))}"
        finally:
            rule.close()
        return _judged(case, found)

    def _matched(self, rule: LoadedRule, batch: Batch, where: str, first: int) -> set[int]:
        """The indexes that the rule matched. Raises _FailedError; ``where`` names an event by its number."""
        self._selector.load(batch, processes="process" in rule.abi.uses)
        selection = self._selector.select(rule.abi.mask)
        errors = rule.figures.errors
        matches, failures = rule.run(selection, patience=1) if selection else ([], [])
        if failures:
            raise _FailedError(f"{where.format(failures[0].index + first)}: {failures[0].reason}")
        if rule.figures.errors > errors:
            raise _FailedError("the rule returned a number that is no verdict")
        return {match.index for match in matches}


def _judged(case: RecordingCase, found: dict[int, str]) -> TestResult:
    places = sorted(found)
    got = shown(places)
    if case.at is not None:
        wrong = sorted(case.at.symmetric_difference(places))
        said = [f"event {seq}: " + (f"matched, {found[seq]}" if seq in found else "not matched") for seq in wrong[:3]]
        return TestResult(case.name, case.expected, got, ok=not wrong, detail="; ".join(said))
    ok = case.least <= len(places) and (case.most is None or len(places) <= case.most)
    said = [f"event {seq}: {found[seq]}" for seq in places[:3]]
    return TestResult(case.name, case.expected, got, ok=ok, detail="" if ok else "; ".join(said) or "no event matched")
