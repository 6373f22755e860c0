"""The committed modules are what their source says, bit for bit, and the SDK's layout is the schema's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.build import build, sources
from sentinel_engine.rules.toolchain import BuildError, Rust, find_rust
from sentinel_engine.schema_sdk import record_rs

RULES = data_dir("rules")


@pytest.fixture(scope="module")
def toolchain() -> Rust:
    """The toolchain the pack was built with: the claim of equal bytes is per toolchain version."""
    wanted = (RULES / "sdk" / "TOOLCHAIN").read_text().strip()
    try:
        found = find_rust()
    except BuildError as error:
        pytest.skip(str(error))
    if not found.version.startswith(wanted):
        pytest.skip(f"the pack was built with {wanted}, here is {found.version}")
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rules at another path, without their modules."""
    return Path(shutil.copytree(RULES, tmp_path / "elsewhere" / "rules", ignore=shutil.ignore_patterns("*.wasm")))


def test_every_module_rebuilds_bit_for_bit_from_another_path(toolchain: Rust, copy: Path) -> None:
    modules = [built.module for built in build(sources(copy), sdk=copy / "sdk")]
    assert len(modules) == len(list(RULES.glob("*/rule.wasm")))
    for module in modules:
        assert module.read_bytes() == (RULES / module.parent.name / module.name).read_bytes(), module.parent.name
        assert module.stat().st_mode & 0o777 == 0o644


def test_a_rule_that_does_not_compile_leaves_the_old_module(toolchain: Rust, copy: Path) -> None:
    folder = copy / "setuid-bit"
    (folder / "rule.wasm").write_bytes(b"old")
    (folder / "src" / "lib.rs").write_text("#![no_std]\nfn broken(")
    with pytest.raises(BuildError, match=r"rustc refused .*lib\.rs"):
        build([folder], sdk=copy / "sdk")
    assert (folder / "rule.wasm").read_bytes() == b"old"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_the_command_names_what_is_missing(copy: Path) -> None:
    command = [sys.executable, "-m", "sentinel_engine.rules.build", str(copy / "sdk" / "src")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "rules new" in done.stderr or "apt install rustc" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_sdk_also_builds_with_cargo(toolchain: Rust, copy: Path, tmp_path: Path) -> None:
    if not toolchain.rustc.with_name("cargo").exists():
        pytest.skip("no cargo beside rustc")
    crate = copy / "setuid-bit"
    (crate / "Cargo.toml").write_text(
        '[package]\nname = "setuid-bit"\nversion = "1.0.0"\nedition = "2021"\n'
        '[lib]\ncrate-type = ["cdylib"]\n[dependencies]\nsentinel-sdk = { path = "../sdk" }\n'
        '[profile.release]\npanic = "abort"\nlto = true\n'
    )
    ((module, _),) = build([crate], sdk=tmp_path / "not here: the crate names its own")
    assert b"sentinel_eval" in module.read_bytes()


def test_the_sdks_layout_is_the_schemas() -> None:
    assert (RULES / "sdk" / "src" / "record.rs").read_text() == record_rs()
