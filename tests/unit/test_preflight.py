"""Each preflight check, made to fail for real where a test can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_engine.collector import core, preflight
from sentinel_engine.collector.preflight import Loader

UNPRIVILEGED = """
import os
from sentinel_engine.collector import live, source
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    live.LiveSource.open()
except source.CollectorError as error:
    print(error)
"""


def loader_check(loader: Loader) -> preflight.Check:
    return next(check for check in preflight.checks(loader) if check.check == "loader")


def test_every_check_has_a_fix_exactly_when_it_fails() -> None:
    checks = preflight.checks()
    assert len({check.check for check in checks}) == len(checks)
    assert [check for check in checks if check.ok == bool(check.fix)] == []


def test_no_bcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_BCC", str(tmp_path / "none"))
    check = loader_check(Loader.BCC)
    assert check.sentence == f"BCC is not in {tmp_path}/none; install it with: apt install python3-bpfcc."


def test_another_package_called_bcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__init__.py").write_text("def cc(): pass\n")
    monkeypatch.setenv("SENTINEL_BCC", str(tmp_path))
    assert "another program of that name" in loader_check(Loader.BCC).detail
    assert "PyPI" in loader_check(Loader.BCC).fix


def test_auto_takes_bcc_where_there_is_no_object_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "__init__.py").write_text("\nclass BPF(object): pass\n")
    monkeypatch.setenv("SENTINEL_BCC", str(tmp_path))
    monkeypatch.setattr(core, "object_path", lambda: tmp_path / "none.o")
    assert preflight.choose(Loader.AUTO) is Loader.BCC
    check = loader_check(Loader.AUTO)
    assert (check.ok, check.detail) == (True, f"bcc: {tmp_path}, since there is no {tmp_path}/none.o")
    monkeypatch.setenv("SENTINEL_BCC", str(tmp_path / "none"))
    check = loader_check(Loader.AUTO)
    assert not check.ok
    assert "make bpf" in check.fix
    assert "apt install python3-bpfcc" in check.fix


def test_no_libbpf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(core, "LIBRARY", "libbpf.so.none")
    monkeypatch.setattr(core, "object_path", lambda: Path(__file__))
    assert preflight.choose(Loader.AUTO) is Loader.BCC
    assert "apt install libbpf1" in loader_check(Loader.CORE).fix


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root")
def test_without_privilege_is_one_sentence() -> None:
    result = subprocess.run([sys.executable, "-c", UNPRIVILEGED], capture_output=True, text=True, check=True)
    assert result.stdout == (
        "user id 65534 may not load eBPF programs; run as root (sudo), or with CAP_BPF and CAP_PERFMON.\n"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a pid namespace")
def test_in_a_container_with_its_own_process_ids() -> None:
    code = "from sentinel_engine.collector import preflight\nprint(preflight.checks()[-1].sentence)"
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "container" in result.stdout
    assert "--pid=host" in result.stdout
