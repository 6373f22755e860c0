"""The filter: words that are AND-ed, each a substring or a field that is compared with a value.

``field=value``, ``!=``, ``~=`` (contains it); numbers, times and severities with ``>``, ``>=``, ``<``, ``<=``.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME, KINDS
from sentinel_engine.snapshot import Severity

MAX_FILTER: Final = 1024
_COMMON: Final = (
    "seq", "time", "kind", "pid", "tid", "ppid", "uid", "euid", "gid", "loginuid", "comm", "exe", "argv", "cwd",
    "tty", "exe_flags", "ret", "cgroup", "container", "container_id", "unit", "mntns", "pidns", "cpu", "cpu_seq",
    "marks",
)  # fmt: skip
# Each field, and the kinds that have it.
FIELDS: Final = dict.fromkeys(_COMMON, ALL_KINDS) | {
    name: sum(kind.bit for kind in KINDS if name in kind.args + kind.strings)
    for name in {slot for kind in KINDS for slot in kind.args + kind.strings} - set(_COMMON)
}
# What an alert has beside the fields of its event.
ALERT_FIELDS: Final = ("rule", "severity", "attack", "message", "acknowledged", "bookmarked", "note")
# What a bare word is looked for in; ``kind`` only as a whole word, or "exec" would find every exec_failed.
_TEXT_FIELDS: Final = ("comm", "exe", "argv", "path", "new_path", "addr", "name", "source", "rule", "message", "note")
# Fields whose text is in the record's bytes just as it is shown; exe, argv and cwd come from the process table too.
_RAW_FIELDS: Final = frozenset({"comm", "path", "new_path", "name", "source", "fstype", "params"})
OPERATOR: Final = r"(?>[!~<>]?=|[<>])"
_WORD: Final = re.compile(
    rf'\s*(?:(?P<field>[A-Za-z]\w*)\s*(?P<op>{OPERATOR})\s*)?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))'
)
_HALF: Final = re.compile(rf"[A-Za-z]\w*\s*{OPERATOR}\s*$")
_ORDERED: Final = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_TIME: Final = re.compile(r"(?P<day>\d{4}-\d\d-\d\dT)?\d\d:\d\d(:\d\d(\.\d+)?)?")
_SEVERITIES: Final = [severity.value for severity in reversed(Severity)]

_Test = Callable[[dict[str, Any]], bool]


class FilterError(ValueError):
    """A filter that cannot be understood: one sentence, and the ``position`` of what is wrong."""

    def __init__(self, sentence: str, position: int) -> None:
        super().__init__(sentence)
        self.position = position


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter.

    ``mask``: the kinds that can match. ``needle``: bytes that each matching record contains, None when unknown.
    ``pid``, and ``tick`` of the start: of the one process whose events can match; None for any.
    """

    text: str
    mask: int
    needle: bytes | None
    tests: tuple[_Test, ...]
    pid: int | None = None
    tick: int | None = None

    @classmethod
    def of_process(cls, pid: int, tick: int) -> Filter:
        """All that this process does; not another one, which had its number before or has it later."""
        return cls(f"pid={pid}", ALL_KINDS, None, (), pid, tick)

    def accepts(self, event: dict[str, Any]) -> bool:
        """Whether this event object matches every word."""
        return all(test(event) for test in self.tests)


def parse(text: str, also: Collection[str] = ()) -> Filter:
    """Understand a filter; an empty one matches everything. ``also``: fields beside an event's. Raises FilterError."""
    if len(text) > MAX_FILTER:
        raise FilterError(f"a filter has at most {MAX_FILTER} characters", MAX_FILTER)
    mask, needles, tests, pid = ALL_KINDS, [], [], None
    at, end = 0, len(text.rstrip())
    while at < end:
        word = _WORD.match(text, at, end)
        if word is None or (word["bare"] and _HALF.fullmatch(word["bare"])):
            raise _broken(text[at:end], at)
        at = word.end()
        value = word["bare"] if word["quoted"] is None else word["quoted"]
        if word["field"] is None:
            tests.append(_contains(value))
            continue
        name, op, start = word["field"].lower(), word["op"], word.start("field")
        if name not in also:
            _check(name, op, value, start)
            mask &= _kinds(name, op, value)
        tests.append(_test(name, op, value, start))
        # A backslash may stand for a byte that is not UTF-8, so such text is not the record's own bytes.
        if op == "=" and name in _RAW_FIELDS and value and "\\" not in value:
            needles.append(value.encode("utf-8", "surrogatepass"))
        if (name, op) == ("pid", "=") and value.isdecimal():
            pid = int(value)
    return Filter(text.strip(), mask, max(needles, key=len, default=None), tuple(tests), pid)


def _broken(rest: str, at: int) -> FilterError:
    at += len(rest) - len(rest.lstrip())
    if _HALF.match(rest.lstrip()):
        return FilterError(f"a value is missing after {rest.strip()}", at + len(rest.strip()))
    return FilterError("a quote is opened and not closed", at)


def _check(name: str, op: str, value: str, at: int) -> None:
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, 3) or ["kind", "pid", "comm", "path"]
        raise FilterError(f"no event has a field {name}; near: {', '.join(near)}", at)
    if name == "kind" and op in {"=", "!="} and value not in KIND_BY_NAME:
        near = difflib.get_close_matches(value, KIND_BY_NAME, 3) or list(KIND_BY_NAME)[:5]
        raise FilterError(f"there is no kind {value}; near: {', '.join(near)}", at)


def _kinds(name: str, op: str, value: str) -> int:
    if op == "!=":  # an event without the field differs from any value
        return ALL_KINDS & ~KIND_BY_NAME[value].bit if name == "kind" else ALL_KINDS
    return KIND_BY_NAME[value].bit if (name, op) == ("kind", "=") else FIELDS[name]


def _test(name: str, op: str, value: str, at: int) -> _Test:
    if op == "~=":
        return _within(name, value)
    return _in_order(name, op, value, at) if op in _ORDERED else _equals(name, value, op == "=")


def _equals(name: str, value: str, equal: bool) -> _Test:
    def test(event: dict[str, Any]) -> bool:
        found = event.get(name)
        same = value in found if isinstance(found, list) else found is not None and str(found) == value
        return same is equal

    return test


def _within(name: str, part: str) -> _Test:
    part = part.casefold()
    return lambda event: part in _text(event.get(name, "")).casefold()


def _in_order(name: str, op: str, value: str, at: int) -> _Test:
    """An event without the field is on neither side. Raises FilterError when the value has no order."""
    compare = _ORDERED[op]
    if name == "severity":
        if value not in _SEVERITIES:
            raise FilterError(f"there is no severity {value}; there are {', '.join(_SEVERITIES)}", at)
        least = _SEVERITIES.index(value)
        return lambda event: compare(_SEVERITIES.index(event["severity"]), least)
    if name == "time":
        if (time := _TIME.fullmatch(value)) is None:
            raise FilterError(f"{value} is no time; write 10:22, 10:22:31 or 2026-01-31T10:22, in UTC", at)
        start = 0 if time["day"] else len("2026-01-31T")
        return lambda event: compare(event["time"][start:], value)
    try:
        number = int(value, 0)
    except ValueError:
        raise FilterError(f"{op} compares numbers, times and severities; {value} is none", at) from None
    return lambda event: isinstance(event.get(name), int) and compare(event[name], number)


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _contains(word: str) -> _Test:
    word = word.casefold()

    def test(event: dict[str, Any]) -> bool:
        if event["kind"] == word:
            return True
        found = (event.get(name, "") for name in _TEXT_FIELDS)
        return any(word in _text(one).casefold() for one in found)

    return test
