"""The live source as a whole: what it loses, how fast it is woken, and what stays behind."""

from __future__ import annotations

import mmap
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from sentinel_engine.collector import core
from sentinel_engine.collector import loader as loader_module
from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.collector.source import CollectorError
from sentinel_engine.processes import TABLE_KINDS
from sentinel_engine.records import Batch, Record
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME, KINDS, Ring, mask_of

pytestmark = pytest.mark.kernel

DEADLINE = 15.0
# Opens and closes as fast as it can, for argv[1] opens or argv[1] seconds ("3s"), on CPU argv[2].
STORM = """
import os, sys, time
os.sched_setaffinity(0, [int(sys.argv[2])])
amount = sys.argv[1]
end = time.monotonic() + float(amount[:-1]) if amount.endswith("s") else None
count = 0
while (time.monotonic() < end) if end else (count < int(amount)):
    for _ in range(100):
        os.close(os.open("/etc/hostname", os.O_RDONLY))
    count += 100
print(count)
"""
# Starts one program after the other, argv[1] of them.
SPAWNS = """
import os, sys
for _ in range(int(sys.argv[1])):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
"""


def storm(amount: str, cpu: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", STORM, amount, str(cpu)], stdout=subprocess.PIPE)


def drain(source: LiveSource) -> list[Record]:
    """Everything that is in the rings, and nothing more is let in meanwhile."""
    source.set_mask(0)
    records: list[Record] = []
    while batches := source.read(0.1):
        records += [record for batch in batches for record in batch]
    return records


def test_loss_is_counted_exactly_when_the_reader_stalls(loader: Loader) -> None:
    source = LiveSource.open(Loading(loader, bulk_bytes=16 * mmap.PAGESIZE))
    output, _ = storm("20000", 0).communicate()
    assert int(output) == 20000
    source.stop()  # from here on the counters say how far the sequence of each CPU went
    received: Counter[str] = Counter()
    while not source.ended():
        received.update(record.kind.name for batch in source.read(0.1) for record in batch)
    lost = source.lost()
    assert lost["open"] > 10000
    assert received == source.emitted()
    assert source.gaps() == sum(lost.values())
    assert received["open"] + lost["open"] >= 20000
    assert not [kind for kind in lost if KIND_BY_NAME[kind].ring is Ring.LIFECYCLE]
    source.close()


def test_a_storm_of_opens_is_read_without_loss_and_quiet_again_wakes(loader: Loader) -> None:
    source = LiveSource.open(Loading(loader))
    received: Counter[str] = Counter()
    child = storm("3s", max(os.sched_getaffinity(0)))
    while child.poll() is None:
        for batch in source.read(0.2):
            received.update({kind.name: batch.counts[kind.number] for kind in KINDS})
    output, _ = child.communicate()
    received.update(record.kind.name for record in drain(source))
    assert source.lost() == {}
    assert source.gaps() == 0
    assert received["open"] >= int(output) > 100_000
    source.set_mask(ALL_KINDS)
    assert statistics.median(delay(source) for _ in range(9)) < 0.008  # a reader on the timer would take up to 10 ms
    source.close()


def test_no_exec_fork_or_exit_is_lost_beside_a_storm_of_opens(loader: Loader) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    source = LiveSource.open(Loading(loader))
    opens = storm("4s", cpus[-1])
    spawner = subprocess.Popen(["taskset", "-c", str(cpus[0]), sys.executable, "-I", "-S", "-c", SPAWNS, "1500"])
    counted: Counter[str] = Counter()

    def count(batches: list[Batch]) -> None:
        for batch in batches:
            if any(batch.counts[number] for number in TABLE_KINDS):  # not the storm's: too many to look at each
                counted.update(record.kind.name for record in batch if relates(record))

    def relates(record: Record) -> bool:
        return record.kind.number in TABLE_KINDS and spawner.pid == (
            record.tgid if record.kind.name == "fork" else record.ppid
        )

    while opens.poll() is None or spawner.poll() is None:
        count(source.read(0.2))
    source.stop()
    while not source.ended():
        count(source.read(0))
    done, _ = opens.communicate()
    assert spawner.returncode == 0
    assert counted == {"fork": 1500, "exec": 1500, "exit": 1500}
    assert source.emitted()["open"] + source.lost().get("open", 0) >= int(done)
    assert source.gaps() == sum(source.lost().values())
    source.close()


def delay(source: LiveSource) -> float:
    """Seconds from an open to its record in our hands."""
    child = subprocess.Popen(["cat", "/etc/hostname"], stdout=subprocess.DEVNULL)
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        batches = source.read(1.0)
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        records = [record for batch in batches for record in batch if record.tgid == child.pid]
        if hits := [record for record in records if record.string("path") == b"/etc/hostname"]:
            child.wait()
            return (now - hits[0].boot_ns) / 1e9
    raise AssertionError("the open never came")


def test_own_processes_and_masked_kinds_are_not_reported(loader: Loader) -> None:
    source = LiveSource.open(Loading(loader), mask=mask_of(["exec", "exit"]))
    subprocess.run(["cat", "/etc/hostname"], stdout=subprocess.DEVNULL, check=True)
    assert {"exec", "exit"} == {record.kind.name for record in drain(source)}
    assert source.filtered()["open"] > 0
    source.set_mask(mask_of(["open"]))
    Path("/etc/hostname").read_bytes()
    child = subprocess.Popen(["cat", "/etc/hostname"], stdout=subprocess.DEVNULL)
    child.wait()
    records = drain(source)
    assert {record.kind.name for record in records} == {"open"}
    assert child.pid in {record.tgid for record in records}
    assert os.getpid() not in {record.tgid for record in records}
    source.close()


def test_what_was_there_is_listed(loader: Loader) -> None:
    sleeper = subprocess.Popen(["sleep", "60"], cwd="/usr")
    try:
        source = LiveSource.open(Loading(loader), mask=0)
        found = {process.pid: process for process in source.processes}
        source.close()
    finally:
        sleeper.kill()
        sleeper.wait()
    entry = found[sleeper.pid]
    assert (entry.ppid, entry.comm, entry.argv, entry.cwd) == (os.getpid(), b"sleep", (b"sleep", b"60"), b"/usr")
    assert entry.exe.endswith(b"sleep")
    assert abs(entry.start_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < DEADLINE * 1e9
    assert found[2].comm == b"kthreadd"
    assert found[2].argv == ()


def test_close_may_be_called_twice_and_read_afterwards(loader: Loader) -> None:
    source = LiveSource.open(Loading(loader), mask=0)
    source.close()
    source.close()
    assert source.read(0.0) == []
    assert source.lost() == {}


def test_a_bcc_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__init__.py").write_text("\nclass BPF(object):\n    pass\nraise OSError('libbcc.so.0: not found')\n")
    monkeypatch.setenv("SENTINEL_BCC", str(tmp_path))
    with pytest.raises(CollectorError, match=r"BCC could not load .*libbcc.so.0: not found.*SENTINEL_DEBUG=1"):
        LiveSource.open(Loading(Loader.BCC))


def test_an_object_that_the_kernel_refuses_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = core.object_path().read_bytes()
    unknown = whole.replace(b"start_boottime\0", b"start_teatime_\0")  # a member that this kernel has not
    cut = whole[: len(whole) // 2]
    for content, reason in ((cut, "format invalid"), (b"no ELF", "format invalid"), (unknown, "Invalid")):
        bad = tmp_path / "bad.o"
        bad.write_bytes(content)
        monkeypatch.setattr(core, "object_path", lambda bad=bad: bad)
        with pytest.raises(CollectorError, match=rf"^libbpf could not load .*{reason}.*--loader bcc") as caught:
            LiveSource.open(Loading(Loader.CORE))
        assert "\n" not in str(caught.value)


def older(loader: Loader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this kernel look like one without audit and without the io_uring structs of today."""
    if loader is Loader.CORE:
        content = core.object_path().read_bytes()
        assert content.count(b"\0loginuid\0") == content.count(b"\0io_open\0") == 1
        changed = tmp_path / "older.o"
        changed.write_bytes(content.replace(b"\0loginuid\0", b"\0l0ginuid\0").replace(b"\0io_open\0", b"\0io_0pen\0"))
        monkeypatch.setattr(core, "object_path", lambda: changed)
    else:
        fields = {"loginuid": ("task_struct.l0ginuid",), "io_uring": ("io_0pen.filename",)}
        monkeypatch.setattr(loader_module, "_OPTIONAL_FIELDS", fields)


def test_what_a_kernel_cannot_give_is_absent_and_no_reason_not_to_run(
    loader: Loader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    older(loader, monkeypatch, tmp_path)
    source = LiveSource.open(Loading(loader))
    child = subprocess.Popen(["true"])
    child.wait()
    records = [record for record in drain(source) if record.tgid == child.pid]
    assert {record.loginuid for record in records} == {0xFFFFFFFF}
    assert {"exec", "exit"} <= {record.kind.name for record in records}
    source.close()


def test_a_kernel_without_the_tracepoint_of_io_uring(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_module, "_OPTIONAL_TRACEPOINTS", {"io_uring_of_tomorrow": loader_module._IO_URING})
    assert "io_uring operations" in loader_module.fields().detail
    source = LiveSource.open(Loading(loader))
    subprocess.run(["true"], check=True)
    assert {"exec", "exit"} <= {record.kind.name for record in drain(source)}
    source.close()


def test_doctor_names_what_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loader_module.fields().detail == "all"
    monkeypatch.setattr(loader_module, "_OPTIONAL_FIELDS", {"loginuid (no CONFIG_AUDIT)": ("task_struct.l0ginuid",)})
    check = loader_module.fields()
    assert (check.check, check.ok, check.detail) == ("fields", True, "absent: loginuid (no CONFIG_AUDIT)")
