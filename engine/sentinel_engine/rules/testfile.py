"""A rule's ``tests.yaml``, understood: which events, and what is expected of them. Nothing is run here.

Events are written with the names of the event contract and encoded as the kernel would have written them, or are those
of a recording beside the rule; rules/README.md is the reference.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from sentinel_engine.rules.event_yaml import EventError, encode_event
from sentinel_engine.rules.excerpt import Excerpt
from sentinel_engine.rules.manifest import RuleSpec, read_beside
from sentinel_engine.rules.reading import RuleError, noting, parse_yaml
from sentinel_engine.shapes import prepare

TESTS: Final = "tests.yaml"
MAX_TESTS_FILE: Final = 256 << 10
MAX_RECORDING: Final = 8 << 20
_MAX_PLACES: Final = 10_000

Outcome = Literal["match", "no-match"]


class _OverAll(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected of a whole recording: how many matches, or at which events and no others."""

    matches: Annotated[int, msgspec.Meta(ge=0)] | None = None
    at: Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=_MAX_PLACES)] | None = None


class _EventsForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    expect: Outcome
    # A rule's matches are listed up to a bound per batch, and a test is one batch.
    events: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1, max_length=200)]


class _RecordingForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    recording: str
    expect: Outcome | _OverAll


prepare(_EventsForm, _RecordingForm)


@dataclass(frozen=True, slots=True)
class EventsCase:
    """Encoded records in order, and what is expected of some of them, by index; of the last one always."""

    name: str
    expected: Outcome
    records: list[bytes]
    expectations: dict[int, Outcome]


@dataclass(frozen=True, slots=True)
class RecordingCase:
    """A recording beside the rule, how often it must match at least and at most, and where when ``at`` is not None."""

    name: str
    expected: str
    recording: str
    least: int
    most: int | None
    at: frozenset[int] | None = None


Case: TypeAlias = EventsCase | RecordingCase


def read_tests(spec: RuleSpec) -> tuple[list[Case], list[RuleError]]:
    """The rule's tests, none when it has no ``tests.yaml``, and what is wrong with the others."""
    cases: list[Case] = []
    problems: list[RuleError] = []
    with noting(problems):
        for number, test in enumerate(_documents(spec), start=1):
            with noting(problems):
                cases.append(_case(number, test, spec))
    return cases, problems


def recording_of(spec: RuleSpec, name: str) -> Excerpt:
    """The recording of this name beside the rule. Raises RuleError."""
    return Excerpt(spec.path.parent / name, io.BytesIO(read_beside(spec, name, MAX_RECORDING)))


def _documents(spec: RuleSpec) -> list[Any]:
    if spec.folder is None or not (spec.folder / TESTS).exists():
        return []
    path = spec.folder / TESTS
    document = parse_yaml(read_beside(spec, TESTS, MAX_TESTS_FILE), path)
    if not isinstance(document, dict) or not isinstance(document.get("tests"), list):
        raise RuleError(f"{path}: has no list of tests", "begin it with 'tests:'")
    tests: list[Any] = document["tests"]
    return tests


def _case(number: int, test: Any, spec: RuleSpec) -> Case:
    where = f"{spec.path.parent / TESTS}: test {number}"
    if not isinstance(test, dict):
        raise RuleError(f"{where} is not a list of 'key: value' lines", "see rules/README.md")
    try:
        if "recording" in test:
            return _recording_case(msgspec.convert(test, _RecordingForm))
        return _events_case(msgspec.convert(_long_form(test), _EventsForm))
    except msgspec.ValidationError as error:
        fix = "a test has name, expect, and events or a recording; see rules/README.md"
        raise RuleError(f"{where}: {error}", fix) from None
    except EventError as error:
        raise RuleError(f"{where}: {error}", error.fix) from None


def _long_form(test: dict[Any, Any]) -> dict[Any, Any]:
    """The short form has the one event's fields beside name and expect."""
    if "events" in test:
        return test
    own = {key: test[key] for key in ("name", "expect") if key in test}
    return own | {"events": [{key: value for key, value in test.items() if key not in own}]}


def _events_case(form: _EventsForm) -> EventsCase:
    expectations: dict[int, Outcome] = {}
    records = []
    for index, fields in enumerate(form.events):
        expect = fields.get("expect", form.expect if index == len(form.events) - 1 else None)
        if expect is not None:
            expectations[index] = msgspec.convert(expect, Outcome)
        event = {key: value for key, value in fields.items() if key != "expect"}
        records.append(encode_event(event, order=index))
    return EventsCase(form.name, form.expect, records, expectations)


def _recording_case(form: _RecordingForm) -> RecordingCase:
    if Path(form.recording).name != form.recording:
        raise EventError(f"recording: {form.recording!r} is no file name", "name a file in the rule's folder")
    if form.expect == "match":
        return RecordingCase(form.name, "match", form.recording, 1, None)
    if form.expect == "no-match":
        return RecordingCase(form.name, "no-match", form.recording, 0, 0)
    assert isinstance(form.expect, _OverAll)
    count, places = form.expect.matches, form.expect.at
    if (count is None) == (places is None):
        raise EventError("expect: has not one of 'matches' and 'at'", "write {matches: 3} or {at: [17, 40]}")
    if places is not None:
        count = len(places)
        return RecordingCase(form.name, shown(sorted(places)), form.recording, count, count, frozenset(places))
    assert count is not None
    return RecordingCase(form.name, f"{count} matches", form.recording, count, count)


def shown(places: list[int]) -> str:
    """How a result tells of matches at these events."""
    more = ", …" if len(places) > 8 else ""
    return f"{len(places)} matches at {', '.join(map(str, places[:8]))}{more}" if places else "0 matches"
