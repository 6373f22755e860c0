"""Whose each process is: real cgroups and mount namespaces on this kernel, through a real pipeline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine.cgroups import NO_WORKLOAD, Cgroups
from sentinel_engine.collector.cgroupfs import CgroupFiles
from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.match.plain import parse
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.rules.registry import Registry
from sentinel_engine.snapshot import Alert

pytestmark = pytest.mark.kernel

DEADLINE = 15.0
ID = "0123456789abcdef" * 4
# Alerts on each exec of a file called `marked`.
RULE = """
id: marked
version: "1"
title: a marked program ran
severity: low
kinds: [exec]
module: marked.wat
"""
MODULE = f"""(module (memory (export "memory") 1)
  (func (export "check_file_access") (param $path i32) (param $len i32) (result i32)
    (i64.eq (i64.load (i32.sub (i32.add (local.get $path) (local.get $len)) (i32.const 8)))
            (i64.const {int.from_bytes(b"/marked1", "little")}))))"""
OLDER = [
    Path(left.split()[4])
    for left, _, right in (line.partition(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines())
    if right.startswith("cgroup ") and right.endswith(",pids")
]
# Goes into the cgroup argv[1], runs argv[2:].
ENTER = """
import os, sys
open(os.fsencode(sys.argv[1]) + b"/cgroup.procs", "w").write(str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    program = tmp_path / "marked1"
    shutil.copy("/bin/sleep", program)
    return program


@pytest.fixture
def start(tmp_path: Path, loader: Loader) -> Iterator[Any]:
    folder = tmp_path / "rules" / "marked"
    folder.mkdir(parents=True)
    (folder / "rule.yaml").write_text(RULE)
    (folder / "marked.wat").write_text(MODULE)
    running: list[Pipeline] = []

    def begin() -> Pipeline:
        loading = Loading(loader)
        registry = Registry([(tmp_path / "rules", False)], clock=loading.clock)
        registry.load()
        running.append(Pipeline(LiveSource.open(loading), registry))
        running[-1].start()
        return running[-1]

    yield begin
    for pipeline in running:
        pipeline.close()


def enter(cgroup: Path, *command: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", ENTER, str(cgroup), *map(str, command)])


def until_it_runs(child: subprocess.Popen[bytes], name: str = "marked1") -> None:
    end = time.monotonic() + DEADLINE
    while Path(f"/proc/{child.pid}/comm").read_text() != f"{name}\n":
        assert time.monotonic() < end


def alert_of(pipeline: Pipeline, pid: int) -> Alert:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        for alert in pipeline.snapshot().alerts:
            if alert.event["pid"] == pid:
                return alert
        time.sleep(0.02)  # between two looks
    raise AssertionError(f"no alert about {pid}")


def exit_of(pipeline: Pipeline, pid: int) -> dict[str, Any]:
    where = parse(f"kind=exit pid={pid}")
    end = time.monotonic() + DEADLINE
    while not (found := pipeline.events(where, 1)):
        assert time.monotonic() < end
        time.sleep(0.02)  # between two looks
    return found[0]


def test_a_container_is_named_and_stays_so_when_it_has_gone(start: Any, cgroup: Path, marked: Path) -> None:
    pipeline = start()
    inside = cgroup / f"docker-{ID}.scope"
    inside.mkdir()
    child = enter(inside, marked, "0")
    alert = alert_of(pipeline, child.pid)
    child.wait()
    inside.rmdir()
    assert exit_of(pipeline, child.pid)["container_id"] == ID
    for found in (alert.event["container"], alert.process_tree[-1].container):
        assert found == "docker:0123456789ab"
    for found in (alert.event["container_id"], alert.process_tree[-1].container_id):
        assert found == ID
    assert "unit" not in alert.event
    assert alert.process_tree[-2].container is None  # its parent, this process, is in none


def test_containers_that_live_for_a_moment_are_all_named(start: Any, cgroup: Path, marked: Path) -> None:
    pipeline = start()
    ids = {}
    for number in range(20):
        inside = cgroup / f"crio-{number:064x}.scope"
        # Not by this process: it holds the collector, which never reports itself.
        subprocess.run(["mkdir", inside], check=True)
        child = enter(inside, marked, "0")
        child.wait()
        inside.rmdir()  # nobody can look it up from here on
        ids[child.pid] = f"{number:064x}"
    found = {pid: alert_of(pipeline, pid).event.get("container_id") for pid in ids}
    assert found == ids


def test_a_unit_and_a_hostile_name(start: Any, cgroup: Path, marked: Path) -> None:
    pipeline = start()
    (cgroup / "web.service").mkdir()
    child = enter(cgroup / "web.service", marked, "0")
    child.wait()
    assert alert_of(pipeline, child.pid).event["unit"] == "web.service"
    name = b"a\x1b[31m\xff\\x0ab.service"
    hostile = cgroup / os.fsdecode(name)
    hostile.mkdir()
    child = enter(hostile, marked, "0")
    child.wait()
    event = alert_of(pipeline, child.pid).event
    assert event["unit"] == "a\x1b[31m\\xff\nb.service"
    assert "unit" in event["raw_b64"]


def test_who_was_there_before_is_attributed_too(start: Any, cgroup: Path, marked: Path) -> None:
    inside = cgroup / f"libpod-{ID}.scope"
    inside.mkdir()
    child = enter(inside, marked, "30")
    until_it_runs(child)
    try:
        pipeline = start()
        alert = alert_of(pipeline, child.pid)  # rules are shown who is there
    finally:
        child.kill()
        child.wait()
    entry = alert.process_tree[-1]
    assert (entry.container, entry.container_id) == ("podman:0123456789ab", ID)
    assert entry.exe == str(marked)
    assert entry.mntns == Path("/proc/self/ns/mnt").stat().st_ino
    assert entry.pidns == Path("/proc/self/ns/pid").stat().st_ino


def test_deleted_programs_are_marked_before_and_after_the_start(start: Any, marked: Path) -> None:
    second = marked.with_name("second") / "marked1"
    second.parent.mkdir()
    shutil.copy(marked, second)
    before = subprocess.Popen([str(marked), "30"])
    marked.unlink()
    fd = os.open(second, os.O_RDONLY)
    second.unlink()
    try:
        pipeline = start()
        after = subprocess.Popen(["x", "0"], executable=f"/proc/self/fd/{fd}", pass_fds=[fd])
        after.wait()
        for pid, path in ((before.pid, marked), (after.pid, second)):
            entry = alert_of(pipeline, pid).process_tree[-1]
            assert (entry.exe, entry.exe_flags) == (str(path), ("deleted",))
    finally:
        os.close(fd)
        before.kill()
        before.wait()


def test_programs_in_another_mount_namespace_have_their_real_path(start: Any, tmp_path: Path, marked: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    command = f"mount -t tmpfs none {inner}; cp {marked} {inner}/marked1; exec {inner}/marked1"
    before = subprocess.Popen(["unshare", "-m", "sh", "-ec", f"{command} 30"])
    until_it_runs(before)
    try:
        pipeline = start()
        after = subprocess.Popen(["unshare", "-m", "sh", "-ec", f"{command} 0"])
        after.wait()
        for child in (before, after):
            alert = alert_of(pipeline, child.pid)
            assert alert.process_tree[-1].exe == str(inner / "marked1")
            assert alert.process_tree[-1].mntns != Path("/proc/self/ns/mnt").stat().st_ino
    finally:
        before.kill()
        before.wait()


@pytest.fixture
def older() -> Iterator[Path]:
    """A container's cgroup in a v1 hierarchy."""
    if not OLDER:
        pytest.skip("no cgroup v1 hierarchy of pids here")
    made = OLDER[0] / f"sentinel-test-{os.getpid()}"
    folder = made / "docker" / ID
    folder.mkdir(parents=True)
    yield folder
    for path in (folder, folder.parent, made):
        path.rmdir()


def test_a_container_of_an_older_hierarchy_is_found(start: Any, older: Path, marked: Path) -> None:
    before = enter(older, marked, "30")
    try:
        until_it_runs(before)
        pipeline = start()
        after = enter(older, marked, "30")
        try:
            for child in (before, after):
                alert = alert_of(pipeline, child.pid)
                assert (alert.event["container_id"], alert.process_tree[-1].container_id) == (ID, ID)
        finally:
            after.kill()
            after.wait()
    finally:
        before.kill()
        before.wait()


def test_a_memfd_is_marked_before_and_after_the_start(start: Any, marked: Path) -> None:
    fd = os.memfd_create("x/marked1")
    os.write(fd, marked.read_bytes())
    script = f"exec -a x /proc/self/fd/{fd} 30"
    before = subprocess.Popen(["bash", "-c", script], pass_fds=[fd])
    try:
        until_it_runs(before, str(fd))
        pipeline = start()
        after = subprocess.Popen(["bash", "-c", script.replace("30", "0")], pass_fds=[fd])
        after.wait()
        for child in (before, after):
            alert = alert_of(pipeline, child.pid)
            entry = alert.process_tree[-1]
            assert (entry.exe, entry.exe_flags) == ("/memfd:x/marked1", ("memfd", "deleted"))
            assert (alert.event["exe"], alert.event["exe_flags"]) == ("/memfd:x/marked1", ["memfd", "deleted"])
    finally:
        os.close(fd)
        before.kill()
        before.wait()


def test_a_path_longer_than_paths_can_be_hides_no_container(cgroup: Path) -> None:
    names = [f"docker-{ID}.scope", *["x" * 250] * 20]
    chain = [os.open(cgroup, os.O_PATH)]
    for name in names:
        os.mkdir(name, dir_fd=chain[-1])
        chain.append(os.open(name, os.O_PATH, dir_fd=chain[-1]))
    found = Cgroups(CgroupFiles()).of(os.fstat(chain[-1]).st_ino)
    os.close(chain.pop())
    for name in reversed(names):
        os.rmdir(name, dir_fd=chain[-1])
        os.close(chain.pop())
    assert (found.runtime, found.container_id) == ("docker", ID.encode())


def test_without_the_right_to_open_handles_the_tree_is_walked(cgroup: Path) -> None:
    folder = cgroup / f"libpod-{ID}.scope"
    folder.mkdir()
    code = (
        "import sys; from sentinel_engine.collector.cgroupfs import CgroupFiles; "
        "print(CgroupFiles().path_of(int(sys.argv[1])).decode())"
    )
    command = ["setpriv", "--bounding-set=-dac_read_search", sys.executable, "-c", code, str(folder.stat().st_ino)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert done.stdout.strip() == f"/{cgroup.name}/libpod-{ID}.scope"


def test_an_id_that_is_gone_is_nobodys_and_no_name_has_two_lines(cgroup: Path) -> None:
    folder = cgroup / f"docker-{ID}.scope"
    folder.mkdir()
    gone = folder.stat().st_ino
    folder.rmdir()
    assert Cgroups(CgroupFiles()).of(gone) == NO_WORKLOAD
    with pytest.raises(OSError, match="Invalid argument"):  # the kernel's own promise, which paths_in relies on
        (cgroup / "two\n0::lines").mkdir()
