"""What the export of a session of a million events takes: memory at its highest, and time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sentinel_engine.export.write import Format
from tests.bench.table import Row
from tests.engine.export_kit import S, alert, opened, record, session

EVENTS, BATCH, ALERTS = 1_000_000, 1_000, 20_000
# In a process of its own, so that its peak is the export's; ru_maxrss would be that of this process, if it is larger.
_EXPORT = """
import re, sys, time
from pathlib import Path
from sentinel_engine.export.write import Format, Request, export_session
began = time.monotonic()
request = Request(Format(sys.argv[2]), redact=sys.argv[3] == "redact")
count = export_session(Path(sys.argv[1]), Path(sys.argv[1]) / f"case-{time.time_ns()}", request)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(count, peak, time.monotonic() - began)
"""


def rows() -> Iterator[Row]:
    """Each format over the same session, one after the other."""
    with tempfile.TemporaryDirectory() as root:
        began = time.monotonic()
        folder = _session(Path(root))
        note = f"{EVENTS:,} events, {ALERTS:,} alerts; made in {time.monotonic() - began:.0f} s"
        for form in Format:
            yield from _export(folder, form, "plain", note)
        yield from _export(folder, Format.JSON, "redact", note)


def _export(folder: Path, form: Format, how: str, note: str) -> Iterator[Row]:
    command = [sys.executable, "-c", _EXPORT, str(folder), form.value, how]
    count, kilobytes, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    if int(count) != ALERTS:
        raise RuntimeError(f"{count} alerts were exported, not {ALERTS}")
    name = f"export as {form}{', redacted' * (how == 'redact')}"
    yield Row(f"{name}: most memory", int(kilobytes) / 1024, "MB", 200, note)
    yield Row(f"{name}: time", float(seconds), "s")


def _session(root: Path) -> Path:
    """Every event is one of the alerts' own process, which is the most that there is to hold."""
    alerts = (alert((1_000 + n * EVENTS // ALERTS) * S) for n in range(ALERTS))
    # Each is in the journal more than once, as one that goes on is.
    repeated = (msgspec.structs.replace(one, count=count) for one in alerts for count in (1, 2, 3))
    folder = session(root, *repeated)
    batches = ([opened(b"/srv/data/%d" % n, n * S) for n in range(at, at + BATCH)] for at in range(0, EVENTS, BATCH))
    record(folder / "events-000001.rec", *batches)
    return folder
