"""Whom a scope lets through, on this kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.collector.scope import Scope, parse_scope, parse_scope_line
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


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs whose names nobody else on this host runs meanwhile."""
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o755)
    for name in ("one", "two", "three"):
        shutil.copy("/bin/true", tmp_path / f"scoped-{name}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def run(program: str, **options: object) -> None:
    subprocess.run([f"scoped-{program}"], check=True, **options)  # type: ignore[call-overload]


def exes(records: list[Record]) -> set[str]:
    """Which of our programs ran."""
    names = (Path(os.fsdecode(record.string("exe"))).name for record in records if record.kind.name == "exec")
    return {name.removeprefix("scoped-") for name in names if name.startswith("scoped-")}


def test_users(source: LiveSource, seen: Seen) -> None:
    def act() -> None:
        run("one", user=4242)
        run("two")

    source.set_scope(parse_scope(["uid=4242"], []))
    assert exes(seen(act)) == {"one"}
    source.set_scope(parse_scope([], ["uid=4242", "uid=nobody"]))
    assert exes(seen(act)) == {"two"}
    source.set_scope(Scope())
    assert exes(seen(act)) == {"one", "two"}


def test_what_is_kept_out_is_counted_and_no_loss(source: LiveSource, seen: Seen) -> None:
    source.set_scope(parse_scope(["uid=4242"], []))
    before = source.filtered().get("exec", 0)
    assert not seen(lambda: run("one"))
    assert source.filtered()["exec"] > before
    assert source.lost() == {}


def test_a_process_tree_with_what_is_not_born_yet(source: LiveSource, seen: Seen) -> None:
    command = "sh -c 'read line; scoped-one; (scoped-two)'; read line; scoped-three"
    tree = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE)

    def act() -> None:
        run("one")
        tree.communicate(b"\n\n")

    source.set_scope(parse_scope([f"pid={tree.pid}"], []))
    records = seen(act)
    assert exes(records) == {"one", "two", "three"}
    assert os.getpid() not in {record.ppid for record in records if record.kind.name == "exec"}
    assert {record.kind.name for record in records} >= {"fork", "exec", "exit", "open"}


def test_a_tree_that_is_ignored(source: LiveSource, seen: Seen) -> None:
    tree = subprocess.Popen(["sh", "-c", "read line; scoped-one; scoped-two; :"], stdin=subprocess.PIPE)

    def act() -> None:
        run("three")
        tree.communicate(b"\n")

    source.set_scope(parse_scope([], [f"pid={tree.pid}"]))
    assert exes(seen(act)) == {"three"}


def test_cgroups_and_those_below(source: LiveSource, seen: Seen, cgroup: Path) -> None:
    (cgroup / "inner").mkdir()

    def inside(folder: Path, program: str) -> None:
        code = (
            "import os, sys; open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()));"
            "os.execvp(sys.argv[2], sys.argv[2:])"
        )
        command = [sys.executable, "-I", "-S", "-c", code, str(folder), f"scoped-{program}"]
        subprocess.run(command, check=True)

    def act() -> None:
        inside(cgroup, "one")
        inside(cgroup / "inner", "two")
        run("three")

    source.set_scope(parse_scope([f"cgroup=/{cgroup.name}"], []))
    assert exes(seen(act)) == {"one", "two"}
    source.set_scope(parse_scope([f"cgroup={cgroup}"], [f"cgroup={cgroup}/inner"]))
    assert exes(seen(act)) == {"one"}


def test_fields_are_anded_and_values_ored(source: LiveSource, seen: Seen) -> None:
    def act() -> None:
        run("one", user=4242)
        run("two", user=4243)
        run("three")

    source.set_scope(parse_scope(["uid=4242", "uid=4243"], []))
    assert exes(seen(act)) == {"one", "two"}
    source.set_scope(parse_scope(["uid=4242", f"pid={os.getpid()}"], []))
    assert exes(seen(act)) == {"one"}
    # Another tree, which those processes are not of.
    stranger = subprocess.Popen(["sleep", "60"])
    source.set_scope(parse_scope_line(f"--only uid=4242 --only pid={stranger.pid} --ignore uid=0"))
    found = exes(seen(act))
    stranger.kill()
    stranger.wait()
    assert found == set()
