"""What the tests of kinds share: a child that causes events, and its records."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.records import Record

DEADLINE = 15.0  # seconds until a record that has not come will not come
# What each child begins with: libc, and a call that reports the result and errno together.
PRELUDE = """
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*args)
    return result, ctypes.get_errno()
"""

Cause = Callable[..., list[Record]]


def until_exit(source: LiveSource, child: subprocess.Popen[bytes], *, family: bool = False) -> list[Record]:
    """The child's records, with ``family`` those of its descendants too, until it has ended and its exit has come."""
    found: list[Record] = []
    pids = {child.pid}
    with child:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            ended = any(record.kind.name == "exit" and record.tgid == child.pid for record in found)
            for record in (record for batch in source.read(0.0 if ended else 0.2) for record in batch):
                if record.tgid not in pids:
                    continue
                found.append(record)
                if family and record.kind.name == "fork":
                    pids.add(record.arg("child_pid"))
            if ended:  # in one read the lifecycle ring comes first: what the exit followed came with the next
                return found
    raise AssertionError(f"no exit of {child.pid} among {[record.kind.name for record in found]}")


def of(records: list[Record], kind: str) -> list[Record]:
    """Those of this kind."""
    return [record for record in records if record.kind.name == kind]


def only(records: list[Record], kind: str) -> Record:
    """The one of this kind."""
    (record,) = of(records, kind)
    return record
