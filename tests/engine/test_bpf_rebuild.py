"""The committed BPF object is what its source says, bit for bit, and the source compiles for each architecture."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sentinel_engine.resources import data_dir

BPF = data_dir("bpf")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the objects of both architectures, made by `make bpf` at another path."""
    if missing := [tool for tool in ("make", "clang", "llvm-strip", "llvm-objcopy") if not shutil.which(tool)]:
        pytest.skip(f"no {missing[0]} here")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(BPF, elsewhere / "bpf", ignore=shutil.ignore_patterns("*.o", "TOOLCHAIN"))
    shutil.copy(BPF.parent / "Makefile", elsewhere)
    command = ["make", "bpf", "MACHINES=x86_64 aarch64", "BPF_OUT=out"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return elsewhere / "out"


def test_the_object_rebuilds_bit_for_bit_from_another_path(built: Path) -> None:
    wanted, found = ((folder / "TOOLCHAIN").read_text().strip() for folder in (BPF, built))
    if found != wanted:
        pytest.skip(f"the object was built with {wanted}, here is {found}")
    assert (built / "sentinel.x86_64.bpf.o").read_bytes() == (BPF / "sentinel.x86_64.bpf.o").read_bytes()


def test_the_other_architecture_compiles(built: Path) -> None:
    assert (built / "sentinel.aarch64.bpf.o").read_bytes().startswith(b"\x7fELF")
