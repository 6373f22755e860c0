"""Paths of cgroups as runtimes, orchestrators and systemd make them, and what they say."""

from __future__ import annotations

import pytest

from sentinel_engine.cgroups import Cgroups, Names, Workload, paths_in, workload_of

ID = b"0123456789abcdef" * 4
POD = b"0a1b2c3d_0a1b_0a1b_0a1b_0a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("path", "runtime"),
    [
        (b"/docker/" + ID, "docker"),
        (b"/system.slice/docker-" + ID + b".scope", "docker"),
        (b"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" + ID + b".scope", "docker"),
        (b"/docker/" + ID + b"/init.scope", "docker"),
        (b"/ecs/task-1/" + ID, "docker"),
        (b"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + POD + b".slice/cri-containerd-" + ID
         + b".scope", "containerd"),
        (b"/kubepods/besteffort/pod" + POD.replace(b"_", b"-") + b"/" + ID, "containerd"),
        (b"/k8s.io/" + ID, "containerd"),
        (b"/default/" + ID, "containerd"),
        (b"/system.slice/nerdctl-" + ID + b".scope", "containerd"),
        (b"/kubepods.slice/kubepods-pod" + POD + b".slice/crio-" + ID + b".scope", "cri-o"),
        (b"/machine.slice/libpod-" + ID + b".scope", "podman"),
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
    ],
)
def test_units(path: bytes, unit: bytes) -> None:
    found = workload_of(path)
    assert (found.runtime, found.unit) == ("", unit)


@pytest.mark.parametrize("path", [b"", b"/", b"/something", b"/docker", b"/docker/" + ID[:-1], b"///"])
def test_paths_that_say_nothing(path: bytes) -> None:
    assert workload_of(path) == Workload()


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
    assert paths_in(b"") == (b"", b"")


class Host:
    """A host whose cgroups are in a dict."""

    def __init__(self, paths: dict[int, bytes]) -> None:
        self.paths = paths
        self.asked = 0

    def path_of(self, cgroup: int) -> bytes:
        self.asked += 1
        return self.paths.get(cgroup, b"")

    def path_of_process(self, pid: int) -> bytes | None:  # noqa: ARG002 - only ids tell here
        return None


def test_what_was_found_out_stays_when_the_cgroup_has_gone() -> None:
    host = Host({7: b"/docker/" + ID})
    cgroups = Cgroups(host)
    assert cgroups.of(7).runtime == "docker"
    host.paths.clear()
    assert cgroups.of(7).runtime == "docker"
    assert host.asked == 1
    assert cgroups.of(8) == cgroups.of(8) == Workload()
    assert host.asked == 2  # a miss is not looked up again at once


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
