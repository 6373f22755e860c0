"""Runs the installed command as a user would, also on a host that lacks something."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine.collector.preflight import Loader
from sentinel_engine.collector.scope import cgroup_mount

COMMAND = str(Path(sys.executable).with_name("sentinel-tui"))
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """``run(*arguments, under=prefix)``: the command's result, after at most 60 s."""

    def start(*arguments: str | Path, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*under, COMMAND, *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return start


@pytest.fixture(params=[Loader.CORE, Loader.BCC])
def loader(request: pytest.FixtureRequest) -> Loader:
    """Both ways into the kernel, one after the other."""
    return Loader(request.param)


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A folder for cgroups of the test's own."""
    mount = cgroup_mount()
    if mount is None:
        pytest.skip("no cgroup v2 hierarchy here")
    folder = mount / f"sentinel-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    for path, _, _ in os.walk(os.fsencode(folder), topdown=False):
        Path(os.fsdecode(path)).rmdir()


def in_mounts(*mounts: str) -> tuple[str, ...]:
    """A prefix that runs a command in a mount namespace of its own, after these mount commands."""
    return ("unshare", "-m", "sh", "-ec", "; ".join([*mounts, 'exec "$@"']), "sh")
