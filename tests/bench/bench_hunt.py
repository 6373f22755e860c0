"""A rule over a million recorded events."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sentinel_engine.history import History
from sentinel_engine.hunt import Hunt, Past
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import Clock, batch_of, encode
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from tests.bench.table import Row
from tests.engine.wasm_kit import abi0, spec

EVENTS, BATCH, PLANTED = 1_000_000, 1024, 7


def rows() -> Iterator[Row]:
    """Each figure as it is measured."""
    with tempfile.TemporaryDirectory() as folder:
        _record(Path(folder) / "events-000001.rec")
        sandbox = Sandbox()
        rule = LoadedRule(sandbox, spec(), abi0("(i32.eq (local.get 1) (i32.const 5))"), Clock(0))
        found: list[int] = []
        began = time.perf_counter()
        hunt = Hunt(
            rule,
            sandbox.apart(),
            Past(Clock(0), History(0), Path(folder)),
            lambda _, verdicts: found.append(len(verdicts)),
        )
        said = hunt.answer.result()
        took = time.perf_counter() - began
        rule.close()
        sandbox.close()
    yield Row("retro-hunt over a million recorded events", took, "s", 2, note=said)
    yield Row("retro-hunt: planted matches that were not found", PLANTED - sum(found), "", 0)


def _record(path: Path) -> None:
    kind = KIND_BY_NAME["open"]
    ordinary = [
        encode(kind, strings=(b"/usr/lib/x86_64-linux-gnu/lib%d.so" % n,), tgid=n, comm=b"cc1", boot_ns=n)
        for n in range(BATCH)
    ]
    planted = encode(kind, strings=(b"/x/yz",), boot_ns=5)
    writer = RecordingWriter(path, Header(0, "", "", []), level=1)
    batches = EVENTS // BATCH
    for number in range(batches):
        last = planted if number % (batches // PLANTED + 1) == 0 else ordinary[-1]
        writer.append(batch_of([*ordinary[:-1], last]))
    writer.close(Trailer({}))
