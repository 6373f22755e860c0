"""A process over its limit: what is not reported is told, to the last event."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.records import Record
from sentinel_engine.schema import KIND_BY_NAME
from tests.system.kinds.causes import Cause, of, only

pytestmark = pytest.mark.kernel

LIMIT = 100
# Tries to remove what is not there for so many seconds, and then says how often by an event that no limit holds for.
STORM = """
import time
end = time.monotonic() + float(sys.argv[1])
count = 0
while time.monotonic() < end:
    for _ in range(50):
        libc.unlink(b"/no/such/file")
    count += 50
os.memfd_create(str(count))
"""


@pytest.fixture
def limited(source: LiveSource) -> Iterator[LiveSource]:
    source.set_limit(LIMIT)
    yield source
    source.set_limit(0)


def told(records: list[Record], kind: str) -> list[Record]:
    """The suppressed events about this kind."""
    return [
        record for record in of(records, "suppressed") if record.arg("suppressed_kind") == KIND_BY_NAME[kind].number
    ]


def test_what_is_over_the_limit_is_told_exactly(limited: LiveSource, cause: Cause) -> None:
    before = limited.suppressed()
    records = cause(STORM, "2.2")
    unlinks = len(of(records, "unlink"))
    done = int(only(records, "memfd_create").string("name"))
    summaries = told(records, "unlink")
    assert sum(record.arg("count") for record in summaries) + unlinks == done > 10_000
    # A full bucket at the start, and what flows in during the run.
    assert 3 * LIMIT <= unlinks <= 4 * LIMIT
    # At most one a second, by a look at the clock just before the record's, and the rest when the process ends.
    assert len(summaries) == 3
    assert all(later.boot_ns - earlier.boot_ns > 0.98e9 for earlier, later in pairwise(summaries[:-1]))
    assert summaries[-1].boot_ns <= of(records, "exit")[0].boot_ns
    after = limited.suppressed()
    assert after["unlink"] - before.get("unlink", 0) == sum(record.arg("count") for record in summaries)


def test_below_the_limit_nothing_is_kept_back(limited: LiveSource, cause: Cause) -> None:
    records = cause("""
        for _ in range(90): libc.unlink(b"/no/such/file")
    """)
    assert len(of(records, "unlink")) == 90
    assert not told(records, "unlink")
