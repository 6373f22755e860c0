"""A rule's own tests: ``tests.yaml`` beside it says which events it must match and which not.

Each test has one event or a list of them, run in order through a fresh instance of the rule. Events are written with
the names of the event contract and encoded as the kernel would have written them; rules/README.md is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from sentinel_engine.records import Clock, batch_of
from sentinel_engine.rules.event_yaml import EventError, encode_event
from sentinel_engine.rules.manifest import (
    RuleError,
    RuleSpec,
    parse_yaml,
    read_beside,
)
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selector

TESTS: Final = "tests.yaml"
MAX_TESTS_FILE: Final = 256 << 10
_CLOCK: Final = Clock(offset_ns=1_767_225_600_000_000_000)  # any fixed day, so that a test is the same each time

Outcome = Literal["match", "no-match"]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's outcome. ``got`` is ``match``, ``no-match`` or ``error``; ``detail`` says which event went wrong."""

    __test__ = False  # not a test of pytest's

    name: str
    expected: str
    got: str
    ok: bool
    detail: str = ""


class _Test(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    expect: Outcome
    # A rule's matches are listed up to a bound per batch, and a test is one batch.
    events: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class _Case:
    """A test ready to run: encoded records, and what is expected of some of them."""

    name: str
    expected: str
    records: list[bytes]
    expectations: dict[int, Outcome]


def run_tests(spec: RuleSpec, module: bytes, sandbox: Sandbox) -> list[TestResult]:
    """Run the rule's ``tests.yaml`` over this module; an empty list when it has none.

    Raises RuleError, naming the test, for a file that cannot be read or understood, and for a module that cannot
    be loaded.
    """
    selector = Selector(sandbox)
    return [_run(case, spec, module, sandbox, selector) for case in _cases(spec)]


def _cases(spec: RuleSpec) -> list[_Case]:
    if spec.folder is None or not (spec.folder / TESTS).exists():
        return []
    path = spec.folder / TESTS
    document = parse_yaml(read_beside(spec, TESTS, MAX_TESTS_FILE), path)
    if not isinstance(document, dict) or not isinstance(document.get("tests"), list):
        raise RuleError(f"{path}: has no list of tests", "begin it with 'tests:'")
    return [_case(number, test, path) for number, test in enumerate(document["tests"], start=1)]


def _case(number: int, test: Any, path: Path) -> _Case:
    where = f"{path}: test {number}"
    if not isinstance(test, dict):
        raise RuleError(f"{where} is not a list of 'key: value' lines", "see rules/README.md")
    if "events" not in test:
        # The short form: the one event's fields stand beside name and expect.
        test = {
            **{key: test[key] for key in ("name", "expect") if key in test},
            "events": [{key: value for key, value in test.items() if key not in ("name", "expect")}],
        }
    try:
        form = msgspec.convert(test, _Test)
        records, expectations = _encode(form)
    except msgspec.ValidationError as error:
        raise RuleError(f"{where}: {error}", "a test has name, expect and events") from None
    except EventError as error:
        raise RuleError(f"{where}: {error}", error.fix) from None
    return _Case(form.name, form.expect, records, expectations)


def _encode(form: _Test) -> tuple[list[bytes], dict[int, Outcome]]:
    expectations: dict[int, Outcome] = {}
    records = []
    for index, fields in enumerate(form.events):
        expect = fields.get("expect", form.expect if index == len(form.events) - 1 else None)
        if expect is not None:
            expectations[index] = msgspec.convert(expect, Outcome)
        event = {key: value for key, value in fields.items() if key != "expect"}
        records.append(encode_event(event, order=index))
    return records, expectations


def _run(case: _Case, spec: RuleSpec, module: bytes, sandbox: Sandbox, selector: Selector) -> TestResult:
    rule = LoadedRule(sandbox, spec, module, _CLOCK)
    selector.forget_processes()
    selector.load(batch_of(case.records), processes="process" in rule.abi.uses)
    try:
        selection = selector.select(rule.abi.mask)
        matches, failures = rule.run(selection, patience=1) if selection else ([], [])
    finally:
        rule.close()
    if failures:
        detail = f"event {failures[0].index + 1} of {len(case.records)}: {failures[0].reason}"
        return TestResult(case.name, case.expected, "error", ok=False, detail=detail)
    if rule.figures.errors:
        return TestResult(case.name, case.expected, "error", ok=False, detail="the rule returned a negative number")
    matched = {match.index for match in matches}
    got = {index: "match" if index in matched else "no-match" for index in case.expectations}
    wrong = [index for index, expected in case.expectations.items() if got[index] != expected]
    last = len(case.records) - 1
    detail = f"event {wrong[0] + 1} of {last + 1}: {got[wrong[0]]}" if wrong else ""
    return TestResult(case.name, case.expected, got[last], ok=not wrong, detail=detail)
