"""What a process did, found and counted from the raw records: by its number and its start, in every order of looks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from sentinel_engine.history import History
from sentinel_engine.match.plain import Filter, parse
from sentinel_engine.process_view import ProcessView
from sentinel_engine.processes import TICK_NS, ProcessKey, ProcessLine
from sentinel_engine.records import Batch, Clock, Record, batch_of, encode
from sentinel_engine.schema import KIND_BY_NAME

OPEN = KIND_BY_NAME["open"]
FIRST, SECOND = (7, 10), (7, 20)  # one number, given twice
OTHER = (8, 10)


def batch(*whose: ProcessKey, base: int = 0) -> Batch:
    return batch_of(
        [encode(OPEN, tgid=pid, tid=pid, leader_start=tick * TICK_NS + 5, strings=(b"/x",)) for pid, tick in whose],
        base,
    )


def view(record: Record) -> dict[str, Any]:
    return {"seq": record.seq, "pid": record.tgid, "kind": record.kind.name}


class Nobody:
    """A host that knows of no process."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        raise NotImplementedError

    def process_lines(self, gone_seconds: float) -> list[ProcessLine]:
        raise NotImplementedError


@pytest.fixture
def history() -> History:
    kept = History()
    kept.append(batch(FIRST, OTHER, FIRST))
    kept.append(batch(SECOND, OTHER, SECOND, base=3))
    return kept


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Filter.of_process(*FIRST), [0, 2]), (Filter.of_process(*SECOND), [3, 5]), (Filter.of_process(7, 11), []),
        (parse("pid=7"), [0, 2, 3, 5]), (parse("pid=7 pid=8"), []), (parse("pid=7 kind=exec"), []),
        (parse("pid=9"), []), (parse("pid!=7"), [1, 4]), (parse(f"pid={2**40}"), []),
    ],
)  # fmt: skip
def test_a_process_is_found_without_decoding_others(history: History, where: Filter, found: list[int]) -> None:
    decoded: list[int] = []

    def counting(record: Record) -> dict[str, Any]:
        decoded.append(record.seq)
        return view(record)

    assert [event["seq"] for event in history.tail(counting, where, 10)] == found
    if where.pid is not None and found:
        assert sorted(decoded) == found
    assert [event["seq"] for event in history.head(view, where, 10, -1)] == found
    assert [event["seq"] for event in history.tail(view, where, 1, before=5)] == [n for n in found if n < 5][-1:]


def test_each_event_is_counted_once_for_its_process(history: History) -> None:
    looked = ProcessView(Nobody(), history, Clock(0))
    assert looked.events({FIRST, SECOND, OTHER}) == {FIRST: 2, SECOND: 2, OTHER: 2}
    history.append(batch(OTHER, base=6))
    assert looked.events({FIRST, SECOND, OTHER}) == {FIRST: 2, SECOND: 2, OTHER: 3}


def test_who_began_since_the_question_who_is_there_is_counted_from_its_first_event(history: History) -> None:
    looked = ProcessView(Nobody(), history, Clock(0))
    assert looked.events({FIRST}) == {FIRST: 2}
    assert looked.events({FIRST, SECOND}) == {FIRST: 2, SECOND: 2}


def test_who_has_gone_leaves_nothing(history: History) -> None:
    looked = ProcessView(Nobody(), history, Clock(0))
    for _ in range(3):
        looked.events({SECOND})
    assert set(looked._counts) == {key for key in looked._counts if key[:4] == (7).to_bytes(4, "little")}
    assert len(looked._counts) == 1
