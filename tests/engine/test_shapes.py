"""Several threads decode one struct for the first time: that has ended the console by SIGSEGV."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a new process each time: once msgspec knows the struct there is nothing to see.
RACE = """
import sys, threading, msgspec
from sentinel_engine.recording import Header
sys.setswitchinterval(1e-6)
raw = msgspec.json.encode(Header(1, "kernel", "host", []))
go = threading.Barrier(4)
def decode():
    go.wait()
    for _ in range(50):
        msgspec.json.decode(raw, type=Header)
threads = [threading.Thread(target=decode) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
KNOWN = """
import gc, importlib, sys
shape = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
sys.exit(not any(type(held).__name__ == "StructInfo" for held in gc.get_referents(shape)))
"""


def test_threads_that_decode_a_header_at_once_do_not_crash() -> None:
    # Without `prepare` every second of these dies.
    assert [subprocess.run([sys.executable, "-c", RACE], check=False).returncode for _ in range(8)] == [0] * 8


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        ("sentinel_engine.recording", "Header"),
        ("sentinel_engine.recording", "Names"),
        ("sentinel_engine.recording", "Resume"),
        ("sentinel_engine.recording", "Trailer"),
        ("sentinel_engine.export.document", "ExportDocument"),
        ("sentinel_engine.export.document", "ExportedAlert"),
        ("sentinel_engine.export.document", "Evidence"),
        ("sentinel_engine.session", "Alert"),
        ("sentinel_engine.session", "Action"),
        ("sentinel_engine.session", "KeptRule"),
        ("sentinel_engine.rules.testfile", "_EventsForm"),
        ("sentinel_engine.rules.testfile", "_RecordingForm"),
    ],
)
def test_a_struct_that_threads_decode_is_known_once_it_can_be_imported(module: str, shape: str) -> None:
    assert subprocess.run([sys.executable, "-c", KNOWN, module, shape], check=False).returncode == 0
