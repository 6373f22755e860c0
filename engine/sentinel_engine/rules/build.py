"""Compiles rules from Rust: ``python -m sentinel_engine.rules.build [FOLDER …]`` (without one: the built-in pack).

No cargo: rustc alone, so that the bytes follow from the source, the SDK and the toolchain only. The pack is built
with the toolchain named in rules/sdk/TOOLCHAIN; with that one the bytes are the same from any path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.manifest import MANIFEST

TARGET: Final = "wasm32-unknown-unknown"
SOURCE: Final = Path("src") / "lib.rs"
MODULE: Final = "rule.wasm"
_COMMON: Final = (
    "--edition=2021", f"--target={TARGET}", "-Copt-level=3", "-Ccodegen-units=1", "-Cpanic=abort",
    "-Cmetadata=sentinel",
)  # fmt: skip
_MODULE: Final = (
    "--crate-type=cdylib", "-Clto=fat", "-Cstrip=symbols",
    # The default stack of 1 MiB would be most of a rule's memory.
    "-Clink-arg=-zstack-size=65536",
)  # fmt: skip
_TIME_LIMIT: Final = 120.0
_INSTALL: Final = "on Debian and Ubuntu: apt install rustc libstd-rust-dev-wasm32 lld"


class BuildError(Exception):
    """A rule that could not be compiled; the text begins with a sentence for the user, rustc's own words follow."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A rustc that can build for WebAssembly, and its version as ``rustc --version`` says it."""

    rustc: Path
    version: str


def find_toolchain() -> Toolchain:
    """The distribution's rustc, which the pack is built with, else the one on PATH. Raises BuildError."""
    for name in ("/usr/bin/rustc", "rustc"):
        if (found := shutil.which(name)) is None:
            continue
        libraries = Path(_run([found, "--print=target-libdir", f"--target={TARGET}"]).strip())
        if any(libraries.glob("libcore-*.rlib")):
            return Toolchain(Path(found), _run([found, "--version"]).strip())
    raise BuildError(f"no rustc here builds for {TARGET}; {_INSTALL}; with rustup: rustup target add {TARGET}.")


def build(folders: Sequence[Path], toolchain: Toolchain, *, sdk: Path) -> list[Path]:
    """Compile ``src/lib.rs`` of each rule folder to its ``rule.wasm``; returns the modules written.

    Raises BuildError for the first that does not compile; those before it are in place, the others untouched.
    """
    with tempfile.TemporaryDirectory(prefix="sentinel-build-") as work:
        library = Path(work) / "libsentinel_sdk.rlib"
        _compile(toolchain, sdk, ["--crate-type=rlib", "--crate-name=sentinel_sdk"], library)
        return [_build_one(folder, toolchain, library) for folder in folders]


def sources(rules: Path) -> list[Path]:
    """The rule folders here that have Rust source."""
    return sorted(manifest.parent for manifest in rules.glob(f"*/{MANIFEST}") if (manifest.parent / SOURCE).is_file())


def _build_one(folder: Path, toolchain: Toolchain, library: Path) -> Path:
    if not (folder / SOURCE).is_file():
        raise BuildError(f"{folder} has no {SOURCE}; only rules in Rust are built.")
    output = library.parent / MODULE
    name = folder.resolve().name.replace("-", "_")
    _compile(toolchain, folder, [*_MODULE, f"--crate-name={name}", f"--extern=sentinel_sdk={library}"], output)
    module = folder / MODULE
    # Written beside its place and moved there: a rule that runs meanwhile is read whole, old or new.
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".rule-", delete=False) as file:
        file.write(output.read_bytes())
        os.fchmod(file.fileno(), 0o644)
    Path(file.name).replace(module)
    return module


def _compile(toolchain: Toolchain, crate: Path, options: list[str], output: Path) -> None:
    source = crate.resolve()
    _run([
        str(toolchain.rustc), *_COMMON, *options, f"--remap-path-prefix={source}={source.name}",
        f"-o{output}", str(source / SOURCE),
    ])  # fmt: skip


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT, check=True)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"rustc refused {command[-1]}:\n{error.stderr.strip()}") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"rustc took more than {_TIME_LIMIT:.0f} s over {command[-1]}.") from None
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Build the rule folders named, or the built-in pack. Returns the exit code."""
    rules = data_dir("rules")
    folders = [Path(argument) for argument in arguments] or sources(rules)
    try:
        for module in build(folders, find_toolchain(), sdk=rules / "sdk"):
            sys.stdout.write(f"{module}  {module.stat().st_size} bytes\n")
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
