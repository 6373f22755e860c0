"""Whom a scope lets through, on this kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.collector.scope import Scope, cgroup_mount, parse_scope, parse_scope_line
from sentinel_engine.records import Record

pytestmark = pytest.mark.kernel

Seen = Callable[[Callable[[], object]], list[Record]]


@pytest.fixture(scope="module", params=[Loader.CORE, Loader.BCC])
def source(request: pytest.FixtureRequest) -> Iterator[LiveSource]:
    live = LiveSource.open(Loading(request.param))
    yield live
    live.close()


@pytest.fixture
def seen(source: LiveSource) -> Iterator[Seen]:
    """What is reported while something is done."""

    def look(act: Callable[[], object]) -> list[Record]:
        while source.read(0.05):
            pass
        act()
        records: list[Record] = []
        while batches := source.read(0.2):
            records += [record for batch in batches for record in batch]
        return records

    yield look
    source.set_scope(Scope())


def run(*command: str, **options: object) -> None:
    subprocess.run([*command], stdout=subprocess.DEVNULL, check=True, **options)  # type: ignore[call-overload]


def exes(records: list[Record]) -> set[str]:
    return {Path(os.fsdecode(record.string("exe"))).name for record in records if record.kind.name == "exec"}


def test_users(source: LiveSource, seen: Seen) -> None:
    def act() -> None:
        run("cat", "/dev/null", user=4242)
        run("ls", "/dev/null")

    source.set_scope(parse_scope(["uid=4242"], []))
    assert exes(seen(act)) == {"cat"}
    source.set_scope(parse_scope([], ["uid=4242", "uid=nobody"]))
    found = exes(seen(act))
    assert "ls" in found
    assert "cat" not in found
    source.set_scope(Scope())
    assert {"cat", "ls"} <= exes(seen(act))


def test_what_is_kept_out_is_counted_and_no_loss(source: LiveSource, seen: Seen) -> None:
    source.set_scope(parse_scope(["uid=4242"], []))
    before = source.filtered().get("exec", 0)
    assert not seen(lambda: run("true"))
    assert source.filtered()["exec"] > before
    assert source.lost() == {}


def test_a_process_tree_with_what_is_not_born_yet(source: LiveSource, seen: Seen) -> None:
    tree = subprocess.Popen(["sh", "-c", "sh -c 'read line; cat /dev/null; (ls /dev/null)' ; read line; uname"],
                            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # fmt: skip
    assert tree.stdin is not None

    def act() -> None:
        assert tree.stdin is not None
        run("id")
        tree.stdin.write(b"\n\n")
        tree.stdin.flush()
        tree.wait()

    source.set_scope(parse_scope([f"pid={tree.pid}"], []))
    records = seen(act)
    assert exes(records) == {"cat", "ls", "uname"}
    assert {record.kind.name for record in records} >= {"fork", "exec", "exit", "open"}


def test_a_tree_that_is_ignored(source: LiveSource, seen: Seen) -> None:
    tree = subprocess.Popen(["sh", "-c", "read line; cat /dev/null; ls /dev/null"], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL)  # fmt: skip

    def act() -> None:
        run("id")
        tree.communicate(b"\n")

    source.set_scope(parse_scope([], [f"pid={tree.pid}"]))
    found = exes(seen(act))
    assert "id" in found
    assert not found & {"cat", "ls"}


@pytest.fixture
def cgroup() -> Iterator[Path]:
    mount = cgroup_mount()
    if mount is None:
        pytest.skip("no cgroup v2 hierarchy here")
    folder = mount / f"sentinel-test-{os.getpid()}"
    (folder / "inner").mkdir(parents=True)
    yield folder
    (folder / "inner").rmdir()
    folder.rmdir()


def test_cgroups_and_those_below(source: LiveSource, seen: Seen, cgroup: Path) -> None:
    def inside(folder: Path, program: str) -> None:
        code = (
            "import os, sys; open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()));"
            "os.execvp(sys.argv[2], sys.argv[2:])"
        )
        run(sys.executable, "-I", "-S", "-c", code, str(folder), program)

    def act() -> None:
        inside(cgroup, "true")
        inside(cgroup / "inner", "id")
        run("uname")

    source.set_scope(parse_scope([f"cgroup=/{cgroup.name}"], []))
    assert exes(seen(act)) == {"true", "id"}
    source.set_scope(parse_scope([f"cgroup={cgroup}"], [f"cgroup={cgroup}/inner"]))
    assert exes(seen(act)) == {"true"}


def test_fields_are_anded_and_values_ored(source: LiveSource, seen: Seen) -> None:
    def act() -> None:
        run("cat", "/dev/null", user=4242)
        run("ls", "/dev/null", user=4243)
        run("id")

    source.set_scope(parse_scope(["uid=4242", "uid=4243"], []))
    assert exes(seen(act)) == {"cat", "ls"}
    source.set_scope(parse_scope(["uid=4242", f"pid={os.getpid()}"], []))
    assert exes(seen(act)) == {"cat"}
    source.set_scope(parse_scope_line("--only uid=4242 --only pid=1 --ignore uid=0"))
    assert exes(seen(act)) == ({"cat"} if is_below(1) else set())


def is_below(pid: int) -> bool:
    """Whether this process descends from that one."""
    at = os.getpid()
    while at and at != pid:
        at = int(Path(f"/proc/{at}/stat").read_text().rpartition(") ")[2].split()[1])
    return at == pid
