"""Paths of cgroups as runtimes, orchestrators and systemd make them, and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_engine import cgroups as cgroups_module
from sentinel_engine.cgroups import Cgroups, Names, Workload, paths_in, workload_of
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.collector.source import BootProcess
from sentinel_engine.match.plain import parse
from sentinel_engine.processes import ProcessTable
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import Clock, batch_of, decode, encode
from sentinel_engine.schema import EXE_DELETED, KIND_BY_NAME

ID = b"0123456789abcdef" * 4
OTHER = b"fedcba9876543210" * 4
POD = b"0a1b2c3d_0a1b_0a1b_0a1b_0a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("path", "runtime"),
    [
        (b"/docker/" + ID, "docker"),
        (b"/system.slice/docker-" + ID + b".scope", "docker"),
        (b"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" + ID + b".scope", "docker"),
        (b"/docker/" + ID + b"/init.scope", "docker"),
        (b"/docker/" + OTHER + b"/kubelet.slice/docker/" + ID, "docker"),
        (b"/ecs/task-1/" + ID, "docker"),
        (b"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + POD + b".slice/cri-containerd-" + ID
         + b".scope", "containerd"),
        (b"/kubepods/besteffort/pod" + POD.replace(b"_", b"-") + b"/" + ID, "containerd"),
        (b"/k8s.io/" + ID, "containerd"),
        (b"/system.slice/containerd.service/kubepods-pod" + POD + b".slice:cri-containerd:" + ID, "containerd"),
        (b"/docker/" + OTHER + b"/kubelet.slice/kubelet-kubepods.slice/cri-containerd-" + ID + b".scope", "containerd"),
        (b"/default/" + ID, "containerd"),
        (b"/system.slice/nerdctl-" + ID + b".scope", "containerd"),
        (b"/kubepods.slice/kubepods-pod" + POD + b".slice/crio-" + ID + b".scope", "cri-o"),
        (b"/machine.slice/libpod-" + ID + b".scope", "podman"),
        (b"/system.slice/web.service/libpod-payload-" + ID, "podman"),
        (b"/kubepods/burstable/pod1/crio-" + ID, "cri-o"),
        (b"/machine.slice/libpod-" + ID + b".scope/container", "podman"),
        (b"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + ID + b".scope/container", "podman"),
        (b"/libpod_parent/libpod-" + ID, "podman"),
        (b"/elsewhere/" + ID, "oci"),
    ],
)  # fmt: skip
def test_containers_by_their_id(path: bytes, runtime: str) -> None:
    found = workload_of(path)
    assert (found.runtime, found.container_id) == (runtime, ID)
    assert found.container == runtime.encode() + b":0123456789ab"
    assert found.unit == b""


@pytest.mark.parametrize(
    ("path", "container"),
    [
        (b"/lxc.payload.web", b"lxc:web"),
        (b"/lxc.payload.web/system.slice/nginx.service", b"lxc:web"),
        (b"/lxc/web", b"lxc:web"),
        (b"/lxc.payload/web/init.scope", b"lxc:web"),
        (b"/machine.slice/machine-lxc\\x2d4711\\x2dbox.scope", b"libvirt-lxc:box"),
        (b"/docker/buildkit/t4967jvf8rbufklrhkicskyes", b"buildkit:t4967jvf8rbufklrhkicskyes"),
        (b"/machine.slice/machine-web\\x2d1.scope/payload", b"nspawn:web-1"),
        (b"/machine.slice/systemd-nspawn@web.service/payload", b"nspawn:web"),
    ],
)
def test_containers_by_their_name(path: bytes, container: bytes) -> None:
    assert workload_of(path).container == container


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (b"/system.slice/ssh.service", b"ssh.service"),
        (b"/system.slice/system-getty.slice/getty@tty1.service", b"getty@tty1.service"),
        (b"/user.slice/user-1000.slice/session-3.scope", b"session-3.scope"),
        (b"/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", b"foo.service"),
        (b"/system.slice/dev-disk-by\\x2duuid.swap", b"dev-disk-by-uuid.swap"),
        (b"/init.scope", b"init.scope"),
        (b"/system.slice/foo.service/worker/1", b"foo.service"),
        (b"/machine.slice/libpod-conmon-" + ID + b".scope", b"libpod-conmon-" + ID + b".scope"),
        (b"/system.slice/crio-conmon-" + ID + b".scope", b"crio-conmon-" + ID + b".scope"),
        (b"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", b"machine-qemu-1-vm.scope"),
        (b"/machine.slice/systemd-nspawn@web.service/supervisor", b"systemd-nspawn@web.service"),
        (b"/system.slice/_cpu.service", b"cpu.service"),
        (b"/system.slice/docker-" + ID[:-1] + b".scope", b"docker-" + ID[:-1] + b".scope"),
        (b"/system.slice/docker-" + ID.upper() + b".scope", b"docker-" + ID.upper() + b".scope"),
    ],
)
def test_units(path: bytes, unit: bytes) -> None:
    found = workload_of(path)
    assert (found.runtime, found.unit) == ("", unit)


@pytest.mark.parametrize("path", [b"", b"/", b"/something", b"/docker", b"/docker/" + ID[:-1], b"///"])
def test_paths_that_say_nothing(path: bytes) -> None:
    assert workload_of(path) == Workload()


@given(st.binary(max_size=400))
def test_no_path_is_too_strange(path: bytes) -> None:
    found = workload_of(path)
    assert bool(found.container) == bool(found.runtime)
    assert not (found.container and found.unit)


def test_hostile_names_stay_bytes() -> None:
    name = b"a\n\x1b[31m\xff\\x0a" + b"b" * 4000
    assert workload_of(b"/system.slice/" + name + b".service").unit == name.replace(b"\\x0a", b"\n") + b".service"
    assert workload_of(b"/docker/" + ID + b"\n").runtime == ""


def test_the_hierarchy_that_says_most_wins() -> None:
    unified, best = paths_in(b"12:pids:/docker/" + ID + b"\n1:name=systemd:/system.slice/docker.service\n0::/\n")
    assert (unified, best) == (b"/", b"/docker/" + ID)
    unified, best = paths_in(b"1:name=systemd:/user.slice/session-2.scope\n0::/user.slice\n")
    assert (unified, best) == (b"/user.slice", b"/user.slice")
    assert paths_in(b"0::/system.slice/a.service (deleted)\n") == (b"/system.slice/a.service",) * 2
    assert paths_in(b"9:name=systemd:/a:b\r.service\n4:memory:/\n") == (b"", b"/a:b\r.service")
    assert paths_in(b"") == (b"", b"")


class Host:
    """A host whose cgroups are in a dict, and whose older hierarchies know these processes."""

    def __init__(self, paths: dict[int, bytes], processes: dict[int, bytes] | None = None) -> None:
        self.paths = paths
        self.processes = processes or {}
        self.asked = 0

    def path_of(self, cgroup: int) -> bytes:
        self.asked += 1
        return self.paths.get(cgroup, b"")

    def path_of_process(self, pid: int) -> bytes | None:
        return self.processes.get(pid)


def test_what_was_found_out_stays_when_the_cgroup_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(cgroups_module.time, "monotonic", lambda: now[0])
    host = Host({7: b"/docker/" + ID})
    cgroups = Cgroups(host)
    assert cgroups.of(7).runtime == "docker"
    host.paths.clear()
    assert cgroups.of(7).runtime == "docker"
    assert host.asked == 1
    assert cgroups.of(8) == cgroups.of(8) == Workload()
    assert host.asked == 2  # a miss is not looked up again at once
    host.paths[8] = b"/b.service"
    now[0] += 1.1
    assert cgroups.of(8).unit == b"b.service"


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups_module, "_MAX_KNOWN", 10)
    host = Host({number: b"/%d.service" % number for number in range(100)})
    cgroups = Cgroups(host)
    assert [cgroups.of(number).unit for number in range(100)] == [b"%d.service" % number for number in range(100)]
    host.asked = 0
    assert (cgroups.of(99).unit, host.asked) == (b"99.service", 0)
    assert (cgroups.of(0).unit, host.asked) == (b"0.service", 1)


def test_a_recording_knows_what_the_host_knew() -> None:
    live = Cgroups(Host({7: b"/docker/" + ID}))
    live.of(7)
    learned = live.learned()
    assert learned is not None
    assert learned == Names({7: b"/docker/" + ID}, [])
    assert live.learned() is None
    recorded = Cgroups()
    assert recorded.of(7) == Workload()
    recorded.learn(learned)
    assert recorded.of(7).container == b"docker:0123456789ab"


S = 1_000_000_000
CONTAINER = b"/docker/" + ID
NAMED = ("docker:0123456789ab", ID.decode())
SHELL = BootProcess(
    100, 1, 5 * S, b"bash", b"/bin/bash", (b"-bash",), b"/root", 0, b"pts/0",
    cgroup=b"/user.slice/session-3.scope", cgroup_id=3, mntns=11, pidns=12, loginuid=1000,
)  # fmt: skip


def _fork(parent: int, child: int, at: int, start: int, cgroup: int) -> bytes:
    return encode(KIND_BY_NAME["fork"], tgid=parent, leader_start=start, boot_ns=at, cgroup=cgroup, args=(child, at))


def _exec(pid: int, at: int, start: int, cgroup: int, flags: int = 0) -> bytes:
    return encode(
        KIND_BY_NAME["exec"], tgid=pid, ppid=100, leader_start=start, boot_ns=at, comm=b"x", cgroup=cgroup,
        args=(flags, 0, 0, 1), strings=(b"/bin/x", b"x\0", b"/", b""), mntns=21, pidns=22, loginuid=1000,
    )  # fmt: skip


def _open(pid: int, at: int, start: int, cgroup: int) -> bytes:
    return encode(KIND_BY_NAME["open"], tgid=pid, leader_start=start, boot_ns=at, cgroup=cgroup, strings=(b"/etc/x",))


def test_event_and_tree_entry_say_the_same() -> None:
    table = ProcessTable(Clock(0), [SHELL], cgroups=Cgroups(Host({7: CONTAINER})))
    table.apply(batch_of([_fork(100, 200, 10 * S, 5 * S, 3), _exec(200, 11 * S, 10 * S, 7, EXE_DELETED)]))
    record = decode(_open(200, 12 * S, 10 * S, 7))
    shell, culprit = table.tree(record)
    event = table.event(record)
    assert (event["container"], event["container_id"]) == (culprit.container, culprit.container_id) == NAMED
    assert (event["exe_flags"], culprit.exe_flags) == (["deleted"], ("deleted",))
    assert parse("container=docker:0123456789ab exe_flags=deleted unit!=session-3.scope").accepts(event)
    assert not parse("unit=session-3.scope").accepts(event)
    assert "unit" not in event
    assert (shell.unit, shell.container, shell.tty) == ("session-3.scope", None, "pts/0")
    assert (shell.mntns, shell.pidns, shell.loginuid) == (11, 12, 1000)
    assert table.event(decode(_open(100, 12 * S, 5 * S, 3)))["unit"] == "session-3.scope"
    assert table.event(decode(_open(100, 12 * S, 5 * S, 3)))["tty"] == "pts/0"


def test_a_process_that_was_moved_is_where_its_event_says_and_so_are_its_children() -> None:
    table = ProcessTable(Clock(0), [SHELL], cgroups=Cgroups(Host({7: CONTAINER})))
    moved = decode(_open(100, 12 * S, 5 * S, 7))
    assert table.event(moved)["container"] == table.tree(moved)[-1].container == NAMED[0]
    table.apply(batch_of([_fork(100, 200, 13 * S, 5 * S, 7)]))
    child = table.tree(decode(_open(200, 14 * S, 13 * S, 7)))
    assert [entry.container for entry in child] == [NAMED[0], NAMED[0]]
    before = table.tree(decode(_open(100, 11 * S, 5 * S, 3)))
    assert [entry.unit for entry in before] == ["session-3.scope"]


def test_an_older_hierarchy_is_asked_when_the_id_names_no_container() -> None:
    files = Host({1: b"/"}, {200: CONTAINER})
    table = ProcessTable(Clock(0), [SHELL], cgroups=Cgroups(files))
    table.apply(batch_of([_exec(200, 11 * S, 10 * S, 1), _fork(200, 201, 12 * S, 10 * S, 1)]))
    files.processes.clear()  # it is gone, and its child execs
    table.apply(batch_of([_exec(201, 13 * S, 12 * S, 1)]))
    assert table.event(decode(_open(201, 14 * S, 12 * S, 1)))["container"] == NAMED[0]
    files.processes[201] = b"/"  # and now it is outside
    table.apply(batch_of([_exec(201, 15 * S, 12 * S, 1)]))
    assert "container" not in table.event(decode(_open(201, 16 * S, 12 * S, 1)))
    assert table.event(decode(_open(201, 14 * S, 12 * S, 1)))["container"] == NAMED[0]


def test_names_that_are_no_text_are_kept_exactly() -> None:
    table = ProcessTable(Clock(0), [], cgroups=Cgroups(Host({7: b"/lxc.payload.\xff\x1b[2J"})))
    event = table.event(decode(_open(200, 12 * S, 10 * S, 7)))
    assert event["container"] == "lxc:\\xff\x1b[2J"
    assert set(event["raw_b64"]) == {"container", "container_id"}


def test_a_replay_knows_what_the_recording_learned_and_asks_no_host(tmp_path: Path) -> None:
    batch = batch_of([_exec(200, 11 * S, 10 * S, 1), _exec(201, 12 * S, 11 * S, 7), _exec(200, 13 * S, 10 * S, 1)])
    live = Cgroups(Host({1: b"/", 7: b"/a.service"}, {200: CONTAINER}))
    ProcessTable(Clock(0), [SHELL], cgroups=live).apply(batch)
    names = live.learned()
    assert names == Names({1: b"/", 7: b"/a.service"}, [(200, 11 * S, CONTAINER)])
    assert live.learned() is None
    writer = RecordingWriter(tmp_path / "x.rec", Header(0, "6.1", "web-03", [SHELL]))
    assert names is not None
    writer.name(names)
    writer.append(batch)
    writer.close(Trailer({}))

    source = RecordedSource(tmp_path / "x.rec", speed=None)
    assert source.processes == [SHELL]
    table = ProcessTable(Clock(0), source.processes, cgroups=source.cgroups)
    for one in source.read(0):
        table.apply(one)
    assert source.problem == ""
    assert table.event(decode(_open(200, 14 * S, 10 * S, 1)))["container_id"] == NAMED[1]
    assert table.event(decode(_open(201, 14 * S, 11 * S, 7)))["unit"] == "a.service"
