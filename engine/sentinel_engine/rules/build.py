"""Compiles rule folders to their ``rule.wasm``: ``python -m sentinel_engine.rules.build [FOLDER …]``.

Without a folder: the built-in pack. ``src/lib.rs`` is compiled by rustc alone, so that the bytes follow from the
source, the SDK and the toolchain only: with the one named in rules/sdk/TOOLCHAIN the pack's are the same from any path.
A ``Cargo.toml`` goes to cargo, ``src/rule.c`` to clang, and ``rule.wat`` is a module as it is.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import wasmtime

from sentinel_engine.files import atomic_file
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.manifest import MANIFEST, MAX_MODULE
from sentinel_engine.rules.reading import RuleError, check_ours
from sentinel_engine.rules.toolchain import BuildError, Rust, Said, find_cargo, find_clang, find_rust, run
from sentinel_engine.wasm.compiler import configuration

SOURCE: Final = "src/lib.rs"
C_SOURCE: Final = "src/rule.c"
MODULE: Final = "rule.wasm"
WAT: Final = "rule.wat"
_COMMON: Final = ("--edition=2021", "-Copt-level=3", "-Ccodegen-units=1", "-Cpanic=abort", "-Cmetadata=sentinel")
# The default stack, 1 MiB in Rust, would be most of a rule's memory.
_STACK: Final = "-zstack-size=65536"
_CDYLIB: Final = ("--crate-type=cdylib", "-Clto=fat", "-Cstrip=symbols", f"-Clink-arg={_STACK}")
_C: Final = (
    "--target=wasm32", "-std=c11", "-O2", "-ffreestanding", "-nostdlib", "-fvisibility=hidden", "-Wall", "-Wextra",
    # Without a libc: copying and clearing memory are instructions then, not calls.
    "-mbulk-memory",
    "-Wl,--no-entry", "-Wl,--strip-all", f"-Wl,{_STACK}",
)  # fmt: skip


class Built(NamedTuple):
    """A module, and what the compiler warns of."""

    module: Path
    warnings: str


class Builder:
    """Compiles rules one after the other; the Rust toolchain is sought, and the SDK compiled, for the first that asks.

    ``work``: an empty folder for what is made on the way. ``target``: see :func:`find_rust`. ``builtin``: the folders
    may belong to whoever owns this code.
    """

    def __init__(self, work: Path, *, sdk: Path, target: str | None = None, builtin: bool = False) -> None:
        self._work = work
        self._sdk = sdk
        self._target = target
        self._builtin = builtin

    def build(self, folder: Path) -> Built:
        """The module of this rule folder, compiled and in its place; ``rule.wat`` is only looked at.

        Raises BuildError; the module that was there is untouched then.
        """
        ways = {"Cargo.toml": self._by_cargo, SOURCE: self._by_rustc, C_SOURCE: self._by_clang, WAT: _validated}
        source = next((folder / name for name in ways if os.path.lexists(folder / name)), None)
        try:
            for path in dict.fromkeys((folder, source.parent, source) if source else (folder,)):
                check_ours(path, builtin=self._builtin)
        except RuleError as error:
            raise BuildError(f"{error}.") from None
        if source is None:
            known = ", ".join(ways)
            raise BuildError(f"{folder} has none of {known}; `sentinel-tui rules new` begins a rule.")
        built = ways[str(source.relative_to(folder))](folder)
        if built.module.parent == folder:
            return built
        _place(built.module, folder / MODULE)
        return Built(folder / MODULE, built.warnings)

    @cached_property
    def _rust(self) -> Rust:
        return find_rust(self._target)

    @cached_property
    def _library(self) -> Path:
        library = self._work / "libsentinel_sdk.rlib"
        self._rustc(self._sdk, ["--crate-type=rlib", "--crate-name=sentinel_sdk"], library)
        return library

    def _by_rustc(self, folder: Path) -> Built:
        name = re.sub(r"[^A-Za-z0-9]", "_", folder.resolve().name)
        output = self._work / MODULE
        options = [*_CDYLIB, f"--crate-name={name}", f"--extern=sentinel_sdk={self._library}"]
        return Built(output, self._rustc(folder, options, output).warnings)

    def _rustc(self, crate: Path, options: list[str], output: Path) -> Said:
        source = crate.resolve()
        return run([
            str(self._rust.rustc), f"--target={self._rust.target}", *_COMMON, *options,
            f"--remap-path-prefix={source}={source.name}", f"-o{output}", str(source / SOURCE),
        ])  # fmt: skip

    def _by_cargo(self, folder: Path) -> Built:
        rust = self._rust
        output = Path(tempfile.mkdtemp(dir=self._work))
        said = run(
            [
                str(find_cargo(rust)), "build", "--release", "--offline", "--quiet", f"--target={rust.target}",
                f"--target-dir={output}", f"--manifest-path={folder.resolve() / 'Cargo.toml'}",
            ],
            environment=os.environ | {"RUSTC": str(rust.rustc)},
        )  # fmt: skip
        modules = list((output / rust.target / "release").glob("*.wasm"))
        if len(modules) != 1:
            raise BuildError(
                f"{folder}/Cargo.toml makes {len(modules)} modules, not one; give one library `crate-type = "
                '["cdylib"]`.'
            )
        return Built(modules[0], said.warnings)

    def _by_clang(self, folder: Path) -> Built:
        source = folder.resolve()
        output = self._work / MODULE
        said = run([
            str(find_clang()), *_C, f"-I{self._sdk}", f"-ffile-prefix-map={source}={source.name}", f"-o{output}",
            str(source / C_SOURCE),
        ])  # fmt: skip
        return Built(output, said.warnings)


def _place(output: Path, module: Path) -> None:
    """Moved there whole: a rule that runs meanwhile is read as it was or as it is."""
    try:
        with atomic_file(module, force=True) as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(output.read_bytes())
    except OSError as error:
        raise BuildError(f"{module} cannot be written: {error.strerror}; build as the folder's owner.") from None


def _validated(folder: Path) -> Built:
    module = folder / WAT
    if module.stat().st_size > MAX_MODULE:
        raise BuildError(f"{module} is larger than {MAX_MODULE >> 10} KiB; make it smaller.")
    try:
        wasmtime.Module.validate(wasmtime.Engine(configuration(trusted=False)), wasmtime.wat2wasm(module.read_bytes()))
    except wasmtime.WasmtimeError as error:
        raise BuildError(f"{module} is no module:\n{error}") from None
    return Built(module, "")


def build(folders: Sequence[Path], *, sdk: Path, target: str | None = None, builtin: bool = False) -> list[Built]:
    """Compile each of these rule folders; returns what came out, in order.

    Raises BuildError for the first that does not compile; those before it are in place, the others untouched.
    """
    with tempfile.TemporaryDirectory(prefix="sentinel-build-") as work:
        builder = Builder(Path(work), sdk=sdk, target=target, builtin=builtin)
        return [builder.build(folder) for folder in folders]


def sources(rules: Path) -> list[Path]:
    """The rule folders here that have Rust source."""
    return sorted(manifest.parent for manifest in rules.glob(f"*/{MANIFEST}") if (manifest.parent / SOURCE).is_file())


def main(arguments: Sequence[str]) -> int:
    """Build the rule folders named, or the built-in pack. Returns the exit code."""
    rules = data_dir("rules")
    folders = [Path(argument) for argument in arguments] or sources(rules)
    try:
        for module, warnings in build(folders, sdk=rules / "sdk", builtin=not arguments):
            sys.stdout.write(f"{module}  {module.stat().st_size} bytes\n{warnings}")
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
